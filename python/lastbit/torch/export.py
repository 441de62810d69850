"""export.py: from a model and its inputs to a dump, or to several that share their weights."""

from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import torch

from lastbit.dump import DumpWriter
from lastbit.errors import LastbitError
from lastbit.progress import Progress
from lastbit.torch.isa import Platform
from lastbit.torch.paths import ModulePaths
from lastbit.torch.recorder import Recorder


def dump(model, inputs, out, *, samples=None, threads=1):
    """Runs `model` on `inputs` and writes what every operator took and gave. Returns the dump's path.

    `inputs`: a tensor, a tuple of arguments, or a dict of keyword arguments. With `samples=N`, a list
    of at least N of these, or a tensor (or tuple of tensors) whose first N rows are one run each: the
    dumps out/sample-000, ... share their weights in out/weights, and their paths are returned.

    The engine is `torch.backends.quantized.engine`, which has to be the one the model was converted for.

    `threads`: PyTorch splits elementwise kernels between threads, and a kernel's tail may round
    differently from its body: one thread is what a reference can know. None leaves it alone.
    """
    check_model(model)
    out = Path(out)
    if samples is None:
        return _run(model, inputs, out, threads, None)
    runs = _samples(inputs, samples)
    total, paths = None, []
    for index, one in enumerate(runs):
        paths.append(_run(model, one, out / f"sample-{index:03}", threads, "weights", total))
        total = paths[-1].layers
    return paths


def load(path, engine=None):
    """A TorchScript archive, or a program saved by torch.export, ready to be dumped.

    An archive's weights are packed when it is loaded, for the engine that is then selected; `engine`
    selects one, and leaves it selected.
    """
    path = Path(path)
    if engine is not None:
        check_engine(engine)
        torch.backends.quantized.engine = engine
    if not path.is_file():
        raise LastbitError(f"{path}: no such file, expected a TorchScript archive (torch.jit.save)")
    try:
        if path.suffix == ".pt2":
            import_module("torch.ao.quantization.fx._decomposed")  # registers PT2E's operators
            return torch.export.load(path).module()
        return torch.jit.load(str(path), map_location="cpu")
    except Exception as error:
        raise LastbitError(f"{path}: {_first_line(error)}; expected a TorchScript archive (torch.jit.save)") from error


# -- one run -----------------------------------------------------------------------------------------

class DumpPath(type(Path())):
    """The path of a dump that was just written, and how many layers it has."""
    layers = None


def _run(model, inputs, out, threads, weights, total=None):
    args, kwargs = _arguments(inputs)
    with _threads(threads):
        platform = Platform(torch.backends.quantized.engine)
        writer = DumpWriter(out, platform.producer(), platform.profile, weights)
        progress = Progress(total)
        try:
            with ModulePaths(model) as paths:
                recorder = Recorder(writer, paths, platform, _constants(model), progress)
                recorder.inputs([args, list(kwargs.values())])
                with torch.no_grad(), torch.jit.optimized_execution(False), recorder:
                    model(*args, **kwargs)
            if not recorder.quantized:
                raise LastbitError(f"no quantized operator was seen ({recorder.floating} float ones were): "
                                   "the model is a float model; quantize and convert it first")
        except RuntimeError as error:
            writer.discard()
            if "NoQEngine" in str(error) or "Didn't find engine" in str(error):
                raise LastbitError("no quantized engine is selected: set torch.backends.quantized.engine to one of "
                                   + ", ".join(_engines())) from error
            raise
        except BaseException:
            writer.discard()
            raise
        finally:
            progress.close()
        writer.close()
    path = DumpPath(out)
    path.layers = len(writer.layers)
    return path


@contextmanager
def _threads(count):
    before = torch.get_num_threads()
    try:
        if count is not None:
            torch.set_num_threads(count)
        yield
    finally:
        torch.set_num_threads(before)


def _arguments(inputs):
    if isinstance(inputs, dict):
        return (), inputs
    return (tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)), {}


def _constants(model):
    if not hasattr(model, "parameters"):
        return []
    return [*model.named_parameters(), *model.named_buffers()]


def _samples(inputs, count):
    if isinstance(inputs, list):
        rows = inputs
    else:
        parts = inputs if isinstance(inputs, tuple) else (inputs,)
        rows = [tuple(part[i:i + 1] for part in parts) for i in range(min(len(part) for part in parts))]
    if len(rows) < count:
        raise LastbitError(f"{count} samples were asked for, the inputs hold {len(rows)}")
    return rows[:count]


# -- bad use -----------------------------------------------------------------------------------------

def check_model(model):
    """A model that is not ready is said so before it is run."""
    if not callable(model):
        raise LastbitError(f"a {type(model).__name__} is not a model: expected a module or a function")
    if not isinstance(model, torch.nn.Module):
        return
    for path, module in model.named_modules():
        kind = type(module).__name__
        if "torch" in type(module).__module__ and (kind.endswith("Observer") or kind.startswith("FakeQuantize")
                                                   or kind.startswith("FusedMovingAvgObsFakeQuantize")):
            raise LastbitError(f"{path or 'the model'} is a {kind}: the model is prepared, but not converted")
    if getattr(model, "training", False) and not _is_exported(model):
        raise LastbitError("the model is in training mode: call model.eval() first")


def _is_exported(model):
    """torch.export's modules have no eval(); they say training whatever they do."""
    if not isinstance(model, torch.fx.GraphModule):
        return False
    return any(getattr(node.target, "namespace", "") == "quantized_decomposed" for node in model.graph.nodes)


def check_engine(engine):
    if engine not in _engines():
        raise LastbitError(f"engine {engine!r} is not in this PyTorch, expected one of " + ", ".join(_engines()))


def _engines():
    return [name for name in torch.backends.quantized.supported_engines if name != "none"]


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

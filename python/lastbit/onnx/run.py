"""run.py: runs a model in ONNX Runtime as a user would, then shows every tensor on the way.

The model is first run plainly, at the default optimization level, and the runtime is asked for the
graph that it really executes (after fusion, int8 to uint8, NHWC). That graph, with every tensor as
an output and with optimization off, is run again: the same kernels on the same bytes. That the
model's outputs are equal in both runs is checked, not assumed.
"""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lastbit import inputs as given
from lastbit.errors import LastbitError

#: Element types of ONNX Runtime that become arrays; the others stay inside.
FETCHED = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
           "tensor(int8)": np.int8, "tensor(uint8)": np.uint8, "tensor(int16)": np.int16,
           "tensor(uint16)": np.uint16, "tensor(int32)": np.int32, "tensor(uint32)": np.uint32,
           "tensor(int64)": np.int64, "tensor(uint64)": np.uint64, "tensor(bool)": np.bool_}


@dataclass
class Run:
    """The optimized graph and the value of every tensor in it that NumPy can hold."""
    place: str
    version: str
    nodes: list
    opset: int
    values: dict = field(default_factory=dict)
    constants: set = field(default_factory=set)


def run(model, inputs, options=None):
    """`model`: a path, the bytes of a model, or an onnx.ModelProto. `options`: settings of the session."""
    onnx, ort = _frameworks()
    place = str(model) if isinstance(model, (str, os.PathLike)) else "model"
    _check_opsets(onnx, ort, model, place)
    with tempfile.TemporaryDirectory(prefix="lastbit-onnx-") as folder:
        optimized = Path(folder) / "optimized.onnx"
        session = _session(ort, model, place, optimized, options)
        feeds = given.match(inputs, {i.name: (_input_dtype(i, place), i.shape) for i in session.get_inputs()}, place)
        names = [o.name for o in session.get_outputs() if o.type in FETCHED]
        plain = dict(zip(names, _execute(session, names, feeds, place)))
        del session
        graph = onnx.load(str(optimized))
    values, watched = _watch(ort, onnx, graph, feeds, place)
    for name in names:
        _check_same(name, plain[name], watched[name], place)
    opset = next((o.version for o in graph.opset_import if o.domain in ("", "ai.onnx")), 1)
    result = Run(place, ort.__version__, list(graph.graph.node), opset, values)
    for tensor in graph.graph.initializer:
        result.values[tensor.name] = onnx.numpy_helper.to_array(tensor)
        result.constants.add(tensor.name)
    return result


def _frameworks():
    try:
        import onnx
        import onnx.numpy_helper
    except ImportError:
        raise LastbitError("the package onnx is not installed, expected: pip install onnx onnxruntime") from None
    try:
        import onnxruntime
    except ImportError:
        raise LastbitError("the package onnxruntime is not installed, expected: pip install onnxruntime") from None
    return onnx, onnxruntime


def _check_opsets(onnx, ort, model, place):
    """The runtime would refuse too, but not in one line."""
    try:
        if isinstance(model, (str, os.PathLike)):
            model = onnx.load(str(model), load_external_data=False)
        elif isinstance(model, bytes):
            model = onnx.load_model_from_string(model)
    except OSError as error:
        raise LastbitError(f"{place}: {error.strerror}") from None
    except Exception as error:                       # protobuf's DecodeError moves between its versions
        raise LastbitError(f"{place}: not an ONNX model ({type(error).__name__})") from None
    if not model.graph.node:
        raise LastbitError(f"{place}: not an ONNX model, or one without a single node")
    known = onnx.defs.onnx_opset_version()
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version > known:
            raise LastbitError(f"{place}: opset {opset.version} is unknown, expected at most {known} "
                               f"(onnx {onnx.__version__}, onnxruntime {ort.__version__})")


def _session(ort, model, place, optimized, options):
    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = 1
    settings.optimized_model_filepath = str(optimized)
    for key, value in (options or {}).items():
        settings.add_session_config_entry(key, str(value))
    source = str(model) if isinstance(model, (str, os.PathLike)) else (
        model if isinstance(model, bytes) else model.SerializeToString())
    try:
        return ort.InferenceSession(source, settings, providers=["CPUExecutionProvider"])
    except Exception as error:                       # onnxruntime's own exceptions share no base
        raise LastbitError(f"{place}: onnxruntime {ort.__version__} refuses it: {_line(error)}") from None


def _input_dtype(info, place):
    if info.type not in FETCHED:
        raise LastbitError(f"{place}: input {info.name!r} is {info.type}, expected a tensor that NumPy can hold")
    return np.dtype(FETCHED[info.type])


def _execute(session, names, feeds, place):
    try:
        return session.run(names, feeds)
    except Exception as error:
        raise LastbitError(f"{place}: the run failed: {_line(error)}") from None


def _watch(ort, onnx, model, feeds, place):
    """Every tensor of the optimized graph, from a run with optimization off."""
    outputs = {o.name for o in model.graph.output}
    for node in model.graph.node:
        for name in node.output:
            if name and name not in outputs:
                model.graph.output.append(onnx.ValueInfoProto(name=name))
                outputs.add(name)
    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = 1
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise LastbitError(f"{place}: the optimized graph with all its tensors shown does not load: "
                           f"{_line(error)}") from None
    names = [o.name for o in session.get_outputs() if o.type in FETCHED]
    results = dict(zip(names, _execute(session, names, feeds, place)))
    return {**feeds, **results}, results


def _check_same(name, plain, watched, place):
    if plain.dtype != watched.dtype or plain.shape != watched.shape or plain.tobytes() != watched.tobytes():
        raise LastbitError(f"{place}: output {name!r} changed when the tensors inside were shown, "
                           "expected the same bytes: this model cannot be dumped")


def _line(error):
    return " ".join(str(error).split())[:300] or type(error).__name__

"""recorder.py: the dispatch mode that sees every operator and writes it down.

A tensor is known by being the same object, unchanged since: that links layers, and nothing is compared
by value. Tensors are written when they are first seen and not kept.
"""

import warnings

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lastbit.errors import LastbitError, LastbitWarning
from lastbit.torch import packed, tensors
from lastbit.torch.call import Array, Call, Integers, Layer, Weight, flat
from lastbit.torch.identity import Identities, equal, integer_keys
from lastbit.torch.older import is_traceable_wrapper_subclass, storage_address
from lastbit.torch.operators import TABLE
from lastbit.torch.operators.own import own_name

#: The same values under another object: no layer, the same tensor of the dump.
_ALIASES = {"aten::detach", "aten::alias", "aten::lift_fresh", "aten::dropout"}

#: What modules do on the way to the operator they are named for.
_ON_THE_WAY = {"view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "clone", "contiguous", "t", "transpose", "permute",
               "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d"}

#: Arguments that are overwritten though the schema does not say so (oneDNN adds into its accumulator).
_WRITTEN = {"quantized::conv2d_add": ["qaccum"], "quantized::conv2d_add_relu": ["qaccum"]}


class Recorder(TorchDispatchMode):
    """Writes every operator that handles integers, or what comes of the model's input, as layers of `dump`."""

    def __init__(self, dump, paths, platform, constants=(), progress=None):
        super().__init__()
        self.dump = dump
        self.quantized = 0      # operators that handle integers with scales
        self.floating = 0       # other operators on the way from the input
        self._paths = paths
        self._platform = platform
        self._progress = progress
        self._tensors = Identities()
        self._keyed = {}        # key of a Weight or Array -> (name, what keeps the key alive)
        self._overwritten = {}  # the tensors that the operator at hand writes over
        self._names = set()
        self._constants = {id(tensor): (path, tensor) for path, tensor in constants}

    def inputs(self, values):
        """Names the model's inputs; they are written when an operator reads them."""
        values = [value for value in flat([values]) if isinstance(value, torch.Tensor)]
        for index, value in enumerate(values):
            self._tensors.bind(value, None, suggestion="input" if len(values) == 1 else f"input.{index}")

    # -- the mode --------------------------------------------------------------------------------

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if any(is_traceable_wrapper_subclass(value) for value in flat([args, list(kwargs.values())])):
            return NotImplemented  # its own operators, on the plain tensors inside, come next
        call = Call(func, args, kwargs)
        call.transposed_of, call.is_traced = self._tensors.transposed_of, self._tensors.is_traced
        traced = any(self._tensors.is_traced(tensor) for tensor in call.tensors())
        self._overwritten = {}
        if traced or call.is_quantized:
            self._before_write(call)
        call.out = out = func(*args, **kwargs)
        if isinstance(out, torch.ScriptObject):
            packed.keep(call)
        elif call.name == "aten::t":
            self._tensors.transpose(call)
        elif (traced or call.is_quantized) and call.outputs():
            self._record(call)
        return out

    def _record(self, call):
        if call.name in _ALIASES or self._same_tensor(call):
            known = self._tensors.find(call.x)
            if known is not None:
                return self._tensors.bind(call.outputs()[0], known.name, known.keys)
        self.quantized += call.is_quantized
        self.floating += not call.is_quantized
        if self._activate(call):
            return
        base = self._base(call)
        for layer in self._layers(base, call) or [own_name(call)]:
            self._emit(base, layer)

    def _layers(self, base, call):
        """What the table makes of a call; None, with a word, if this PyTorch's operator is not the one it knows."""
        handler = TABLE.get(call.name)
        if handler is None or "out" in call.written:
            return None
        try:
            return handler(call)
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            warnings.warn(f"{base}: {call.func} is dumped under its own name: {type(error).__name__}: {error}", LastbitWarning, stacklevel=2)
            return None

    def _same_tensor(self, call):
        """A copy that changes neither the values nor how they lie."""
        if call.name not in ("aten::clone", "aten::contiguous", "aten::_to_copy", "aten::to"):
            return call.name in ("aten::view", "aten::reshape", "aten::_unsafe_view", "aten::slice") and call.out.shape == call.x.shape
        return call.out.dtype == call.x.dtype and call.out.stride() == call.x.stride()

    def _activate(self, call):
        """relu of a float linear or convolution that nobody else has read is its fused activation."""
        known = self._tensors.find(call.x) if call.name == "aten::relu" and not call.is_quantized else None
        layer = self.dump.layers[-1] if self.dump.layers else None
        if known is None or layer is None or layer["outputs"].get("y") != known.name or known.name is None:
            return False
        if layer["attributes"].get("variant") != "float" or layer["attributes"].get("activation") != "none" or layer["op"] == "cat":
            return False
        before, layer["outputs"]["y"] = known.name, None
        self.dump.forget(before)
        self._tensors.forget_name(before)
        layer["outputs"]["y"] = self._write(call.outputs()[0], before)
        layer["attributes"]["activation"] = "relu"
        return True

    # -- layers ----------------------------------------------------------------------------------

    def _base(self, call):
        return self._paths.name(call.base, call.base not in _ON_THE_WAY)

    def _emit(self, base, layer):
        name = self._unique(base + layer.suffix)
        try:
            inputs = {role: self._name(value, f"{name}.{role}") for role, value in layer.inputs.items() if value is not None}
            keys = self._inherited(layer) if layer.moves else None
            outputs = {role: self._output(value, f"{name}.{role}", keys) for role, value in layer.outputs.items()}
            self._layouts(inputs, outputs, layer)
        except LastbitError as error:
            warnings.warn(f"{name} ({layer.op}) is not in the dump: {error}", LastbitWarning, stacklevel=2)
            return
        if "not_judged" in layer.attributes:
            warnings.warn(f"{name} ({layer.op}) cannot be judged: {layer.attributes['not_judged']}", LastbitWarning, stacklevel=2)
        self._names.add(name)
        self.dump.layer(name, layer.op, inputs, outputs, layer.attributes, self._platform.layer_profile(layer))
        if self._progress:
            self._progress.step(name)

    def _layouts(self, inputs, outputs, layer):
        """A contiguous output of channels-last inputs says so: what is absent could be as the inputs are."""
        described = self.dump.tensors
        if any(described[name].get("memory_layout") == "NHWC" for name in inputs.values()):
            for role, name in outputs.items():
                tensor = layer.outputs[role]
                if isinstance(tensor, torch.Tensor) and tensor.dim() > 3 and tensor.is_contiguous():
                    described[name].setdefault("memory_layout", "NCHW")

    def _unique(self, name):
        candidate, count = name, 0
        while candidate in self._names:
            count += 1
            candidate = f"{name}_{count}"
        return candidate

    # -- tensors: names for values -----------------------------------------------------------------

    def _name(self, value, suggestion):
        """The name of an operator's input; written now if the dump does not have it."""
        if isinstance(value, (Weight, Array)):
            return self._constant(value, suggestion)
        tensor, keys = (value.tensor, integer_keys(value)) if isinstance(value, Integers) else (value, None)
        view = self._tensors.take_view(tensor)
        if view is not None and self._tensors.is_traced(view.x):
            self._emit(self._base(view), TABLE[view.name](view)[0])
        known = self._tensors.find(tensor)
        if known is not None and known.name is not None and (keys is None or equal(keys, known.keys)):
            return known.name
        path = self._constants.get(id(tensor), (None,))[0]
        return self._write(tensor, path or (known and known.suggestion) or suggestion, keys,
                           constant=path is not None, traced=known is not None and known.traced)

    def _output(self, value, suggestion, keys):
        if isinstance(value, Array):
            return self._constant(value, suggestion, constant=False)
        if isinstance(value, Integers):
            return self._write(value.tensor, suggestion, integer_keys(value))
        return self._write(value, suggestion, keys)

    def _write(self, tensor, suggestion, keys=None, constant=False, traced=True):
        array, described = tensors.describe(tensor)
        name = self.dump.tensor(self.dump.unique(suggestion), array, constant=constant, **{**described, **(keys or {})})
        self._tensors.bind(tensor, name, keys, traced=traced)
        if id(tensor) in self._overwritten:
            self._tensors.overwritten(tensor)
        return name

    def _constant(self, value, suggestion, constant=True):
        """Weights out of packs are made anew by every unpack(); their key says which are the same."""
        if value.key in self._keyed and value.key is not None:
            return self._keyed[value.key][0]
        if isinstance(value, Weight):
            array, keys = tensors.describe(value.tensor)
            keys.pop("memory_layout", None)
            if value.squeeze and array.ndim == 4:
                array = array.squeeze(2)
        else:
            array, keys = value.values, value.keys
        name = self.dump.tensor(self.dump.unique(suggestion), array, constant=constant, **keys)
        if value.key is not None:
            self._keyed[value.key] = (name, value.key)
        return name

    def _inherited(self, layer):
        """PT2E moves plain integers about: their one scale goes with them."""
        known = self._tensors.find(next(iter(layer.inputs.values())))
        return known.keys if known is not None and known.keys and "axis" not in known.keys else None

    def _before_write(self, call):
        """An operator that overwrites an argument: what stands there goes to disk, and loses its name after.

        Other arguments may be the same tensor, or views of it: the layer reads what they held before.
        """
        for written in [*call.written, *_WRITTEN.get(call.name, ())]:
            tensor = call[written]
            if written == "out" or not isinstance(tensor, torch.Tensor):
                continue
            storage = storage_address(tensor)
            for name, value in call.arguments.items():
                if isinstance(value, torch.Tensor) and storage_address(value) == storage:
                    known = self._name(value, f"{self._unique(self._base(call))}.{name}")
                    keys = self._tensors.find(value).keys
                    call.arguments[name] = copy = value.clone()
                    self._tensors.bind(copy, known, keys)
                    self._overwritten[id(value)] = value
            kept = {id(value) for value in call.tensors()}
            self._tensors.forget_storage(storage, kept)

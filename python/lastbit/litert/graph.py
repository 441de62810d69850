"""graph.py: the tensors and layers of a TFLite graph on their way into a dump."""

import platform

import numpy as np

from lastbit.dump import DTYPES

INTEGERS = ("int8", "uint8", "int16", "int4", "uint4", "int2")

#: Operators that keep the order of the axes: NHWC goes through them.
ELEMENTWISE = ("ADD", "SUB", "MUL", "LOGISTIC", "TANH", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LEAKY_RELU",
               "PRELU", "HARD_SWISH", "QUANTIZE", "DEQUANTIZE", "CONCATENATION", "PAD", "PADV2", "SOFTMAX")
SPATIAL = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "AVERAGE_POOL_2D", "MAX_POOL_2D")

RUY = "tflite-ruy-arm" if platform.machine().lower() in ("aarch64", "arm64") else "tflite-ruy-x86"
PROFILES = {"xnnpack": "xnnpack", "builtin": RUY, "ref": "tflite-reference"}


class Graph:
    """The operators of a run beside the dump that they are written to."""

    def __init__(self, run, writer):
        self.run, self.writer = run, writer
        self.profile = PROFILES[run.resolver]
        self.nhwc = set()
        self._written = {}
        self._names = set()
        self._spread_layout()

    def value(self, index):
        """The array of a tensor, or None for an absent or unfetched one."""
        return None if index is None or index < 0 else self.run.tensors[index].value

    def argument(self, operator, position):
        """The number of an operator's input, or None for an optional one that is absent."""
        if position < len(operator.inputs) and operator.inputs[position] >= 0:
            return operator.inputs[position]
        return None

    def quantized(self, index):
        return index is not None and self.run.tensors[index].dtype in INTEGERS

    def profile_of(self, operator):
        """What the delegate refused runs on the builtin kernels, and says so."""
        return PROFILES["builtin"] if self.run.resolver == "xnnpack" and not operator.delegated else None

    def by_xnnpack(self, operator):
        return self.run.resolver == "xnnpack" and operator.delegated

    def tensor(self, index, layout=None, value=None, between=None):
        """Writes a tensor once for each layout and shape; returns its name in the dump, or None."""
        t = self.run.tensors[index]
        given = value is not None
        value = value if given else t.value
        if value is None:
            return None
        dtype = {"bool": "int32", "bfloat16": "float32"}.get(t.dtype, t.dtype)
        if dtype not in DTYPES:
            return None
        if value.dtype == np.bool_:
            value = value.astype(np.int32)
        layout = layout or ("NHWC" if index in self.nhwc and value.ndim == 4 else None)
        key = index, layout, value.shape, between
        if key not in self._written:
            self._written[key] = self.writer.tensor(self.writer.unique(t.name), value, dtype=dtype, layout=layout,
                                                    constant=t.constant, **self._quantization(t))
        return self._written[key]

    def layer(self, operator, op, inputs, outputs, attributes=None, name=None):
        """TFLite's operators have no names: a layer has the name of the tensor that it makes."""
        base = name or self.run.tensors[operator.outputs[0]].name if operator.outputs else operator.kind
        name, count = base, 1
        while name in self._names:
            count += 1
            name = f"{base}#{count}"
        self._names.add(name)
        self.writer.layer(name, op, inputs, outputs, attributes, self.profile_of(operator))

    def _quantization(self, t):
        if t.dtype not in INTEGERS and not (t.dtype in ("int32", "int64") and t.scale):
            return {}
        if len(t.scale) > 1:
            zero = np.broadcast_to(np.asarray(t.zero_point or [0], np.int64), len(t.scale))
            return {"scale": np.asarray(t.scale, np.float32), "zero_point": zero, "axis": t.axis}
        return {"scale": t.scale[0] if t.scale else 1.0, "zero_point": t.zero_point[0] if t.zero_point else 0}

    def _spread_layout(self):
        """NHWC where an operator with a window reads or writes, and on through what keeps the axes."""
        for operator in self.run.operators:
            if operator.kind in SPATIAL:
                x = operator.inputs[2 if operator.kind == "TRANSPOSE_CONV" else 0]
                self.nhwc.update((x, *operator.outputs))
        for operators in (self.run.operators, self.run.operators[::-1], self.run.operators):
            for operator in operators:
                data = [t for t in (*operator.inputs, *operator.outputs) if getattr(self.value(t), "ndim", 0) == 4]
                if operator.kind in ELEMENTWISE and self.nhwc.intersection(data):
                    self.nhwc.update(data)

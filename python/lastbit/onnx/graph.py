"""graph.py: what the tensors of an optimized graph mean, and their way into a dump.

In ONNX a scale belongs to the operator, in a dump to the tensor. A tensor that two operators read
with different scales is written once for each reading; the first is the one its producer wrote.
"""

import re
from dataclasses import dataclass

import numpy as np

from lastbit.dump import DTYPES

#: (operator, {input: (scale, zero point)}, {output: (scale, zero point)}) by position of the arguments.
#: An operator whose second input may be per channel names that input's channel axis.
WEIGHTED = {"QLinearConv": ({0: (1, 2), 3: (4, 5)}, {0: (6, 7)}),
            "QLinearMatMul": ({0: (1, 2), 3: (4, 5)}, {0: (6, 7)}),
            "QGemm": ({0: (1, 2), 3: (4, 5)}, {0: (7, 8)}),
            "QLinearAdd": ({0: (1, 2), 3: (4, 5)}, {0: (6, 7)}),
            "QLinearMul": ({0: (1, 2), 3: (4, 5)}, {0: (6, 7)}),
            "MatMulIntegerToFloat": ({0: (2, 4), 1: (3, 5)}, {}),
            "DynamicQuantizeMatMul": ({1: (2, 3)}, {}),
            "MatMulInteger": ({0: (None, 2), 1: (None, 3)}, {}),
            "ConvInteger": ({0: (None, 2), 1: (None, 3)}, {}),
            "QuantizeLinear": ({}, {0: (1, 2)}),
            "DequantizeLinear": ({0: (1, 2)}, {}),
            **{name: ({0: (1, 2)}, {0: (3, 4)}) for name in (
                "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearSigmoid", "QLinearLeakyRelu",
                "QLinearSoftmax", "QLinearReduceMean")}}

#: Operators that move values and change none: the scale of the first input is the scale of every output.
MOVING = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Slice", "Split", "Pad", "Concat",
          "MaxPool", "NhwcMaxPool", "Gather", "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "Resize")

#: Operators that keep the order of the axes.
ELEMENTWISE = ("QLinearAdd", "QLinearMul", "QLinearSigmoid", "QLinearLeakyRelu", "QuantizeLinear",
               "DequantizeLinear", "DynamicQuantizeLinear", "Identity", "QLinearConcat", "QLinearSoftmax", "Relu",
               "Clip", "Sigmoid", "Cast")

NHWC = {3: "NWC", 4: "NHWC", 5: "NDHWC"}
INTEGERS = ("uint8", "int8", "uint16", "int16", "uint4", "int4", "uint2", "int2")

#: Types that a dump holds as another: 4 and 2 bits one value a byte; bool and bfloat16 lose nothing.
STORED = {"bool": ("int32", np.int32), "bfloat16": ("float32", np.float32),
          **{f"{sign}int{bits}": (f"{sign}int{bits}", f"{sign}int8") for sign in ("u", "") for bits in (2, 4)}}


@dataclass(frozen=True)
class Quantization:
    """Scale and zero point as numbers, or as tuples of one value a channel along `axis`."""
    scale: object
    zero_point: object
    axis: object = None
    group_size: object = None

    def arrays(self):
        if self.axis is None:
            return {"scale": self.scale, "zero_point": self.zero_point}
        return {"scale": np.asarray(self.scale, np.float32), "zero_point": np.asarray(self.zero_point, np.int32),
                "axis": self.axis, "group_size": self.group_size}


#: In place of a Quantization: the tensor's is not written, and what the format says of such a tensor holds (a bias: input x weight).
UNSTATED = ()


class Graph:
    """The nodes of a run beside the dump that they are written to."""

    def __init__(self, run, writer):
        self.run, self.writer = run, writer
        self.quantization = {}
        self.layout = {}
        self._written = {}
        self._names = set()
        for node in run.nodes:
            self._learn(node)
        self._spread_quantization()
        self._spread_layout()

    # -- reading nodes ---------------------------------------------------------------------------

    def value(self, name):
        """The array of a tensor, or None for an absent or unfetched one."""
        return self.run.values.get(name) if name else None

    def argument(self, node, index):
        """The value of a node's input, or None."""
        return self.value(node.input[index]) if index is not None and index < len(node.input) else None

    def attributes(self, node):
        from onnx import helper
        return {a.name: helper.get_attribute_value(a) for a in node.attribute}

    def channels_last(self, node):
        return node.op_type.startswith("Nhwc") or self.attributes(node).get("channels_last", 0) == 1

    # -- writing ---------------------------------------------------------------------------------

    def tensor(self, name, quantization=None, value=None, dtype=None, between=None, **keys):
        """Writes a tensor of the graph once for each meaning; returns its name in the dump, or None. `between`: whose own step made the value."""
        given = value is not None
        value = value if given else self.value(name)
        if value is None or not isinstance(value, np.ndarray):
            return None
        dtype = dtype or STORED.get(value.dtype.name, (value.dtype.name,))[0]
        if dtype not in DTYPES:
            return None
        value = value.astype(STORED.get(value.dtype.name, (None, value.dtype))[1], copy=False)
        if quantization is None and dtype in INTEGERS:
            quantization = self.quantization.get(name, Quantization(1.0, 0))
        keys.setdefault("layout", self.layout.get(name) if not given else None)
        meaning = (name, quantization, dtype, value.shape if given else None, between, tuple(sorted(keys.items(), key=str)))
        if meaning not in self._written:
            q = quantization.arrays() if quantization else {}
            self._written[meaning] = self.writer.tensor(
                self.writer.unique(name), value, dtype=dtype, constant=name in self.run.constants, **q, **keys)
        return self._written[meaning]

    def layer(self, node, op, inputs, outputs, attributes=None, part=None):
        """One layer; ONNX Runtime's own suffix on a node's name is not part of the name."""
        base = re.sub(r"(_token_\d+)+$", "", node.name) or node.op_type
        base = f"{base}.{part}" if part is not None else base
        name, count = base, 1
        while name in self._names:
            count += 1
            name = f"{base}#{count}"
        self._names.add(name)
        self.writer.layer(name, op, inputs, outputs, attributes)

    # -- quantization ----------------------------------------------------------------------------

    def slot(self, node, scale, zero, axis=None, ndim=None):
        """The Quantization that a node's arguments state; an absent scale is 1 (integer operators)."""
        s, z = self.argument(node, scale), self.argument(node, zero)
        if scale is not None and s is None:
            return None
        return make(np.float32(1) if s is None else s, np.int32(0) if z is None else z, axis, ndim)

    def _learn(self, node):
        """Scales stated by operators; a producer's statement beats a reader's."""
        inputs, outputs = WEIGHTED.get(node.op_type, ({}, {}))
        for index, (scale, zero) in outputs.items():
            axis = self._axis(node, node.output[index], index)
            self._state(node.output[index], self.slot(node, scale, zero, *axis), True)
        if node.op_type == "DynamicQuantizeLinear":
            self._state(node.output[0], make(self.value(node.output[1]), self.value(node.output[2])), True)
        if node.op_type == "QLinearConcat":
            self._state(node.output[0], self.slot(node, 0, 1), True)
            inputs = {index: (index + 1, index + 2) for index in range(2, len(node.input), 3)}
        for index, (scale, zero) in inputs.items():
            if scale is not None:
                axis = self._axis(node, node.input[index], index)
                self._state(node.input[index], self.slot(node, scale, zero, *axis))

    def _axis(self, node, name, index):
        value = self.value(name)
        if value is None:
            return None, None
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            return self.attributes(node).get("axis", 1), value.ndim
        if node.op_type in ("QLinearConv", "ConvInteger") and index > 0:
            return 0, value.ndim
        if node.op_type == "QGemm" and index == 3 and self.attributes(node).get("transB", 0):
            return 0, value.ndim
        return -1, value.ndim

    def _state(self, name, quantization, producer=False):
        if quantization is not None and (producer or name not in self.quantization):
            self.quantization[name] = quantization

    def _spread_quantization(self):
        """Through operators that only move values, in both directions, until nothing is learned."""
        moving = [n for n in self.run.nodes if n.op_type in MOVING]
        for nodes in (moving, moving[::-1], moving):
            for node in nodes:
                known = next((self.quantization[t] for t in (node.input[0], *node.output)
                              if t in self.quantization and self.quantization[t].axis is None), None)
                if known:
                    for tensor in (node.input[0], *node.output):
                        self._state(tensor, known)

    # -- layout ----------------------------------------------------------------------------------

    def _spread_layout(self):
        """NHWC where a channels-last operator reads or writes, and on through what keeps the axes."""
        for _ in range(2):
            for nodes in (self.run.nodes, self.run.nodes[::-1]):
                for node in nodes:
                    self._spread_layout_over(node)

    def _spread_layout_over(self, node):
        data = [t for t in (*node.input, *node.output) if getattr(self.value(t), "ndim", 0) >= 3
                and t not in self.run.constants]
        if self.channels_last(node):
            names = [node.input[0], node.output[0]]
        elif node.op_type in ELEMENTWISE and any(t in self.layout for t in data):
            names = data
        else:
            return
        for name in names:
            value = self.value(name)
            if value is not None and value.ndim in NHWC:
                self.layout[name] = NHWC[value.ndim]


def make(scale, zero_point, axis=None, ndim=None):
    """Numbers for one value, tuples with a normalized axis for one a channel; None if not expressible."""
    if scale is None or zero_point is None:
        return None
    scale, zero = np.asarray(scale), np.asarray(zero_point)
    if scale.size == 1 and zero.size == 1:
        return Quantization(float(scale.reshape(-1)[0]), int(zero.reshape(-1)[0]))
    if max(scale.ndim, zero.ndim) != 1 or axis is None:
        return None
    size = max(scale.size, zero.size)
    spread = [np.broadcast_to(a.reshape(-1), size).tolist() for a in (scale, zero)]
    return Quantization(tuple(spread[0]), tuple(spread[1]), axis % ndim)

"""models.py: small quantized ONNX models, built node by node, for the exporter's tests."""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

FLOAT = TensorProto.FLOAT


class Builder:
    """Collects nodes and constants. Every method returns the name of the tensor that it makes."""

    def __init__(self, seed=0, activation=np.uint8, weight=np.int8):
        self.rng = np.random.default_rng(seed)
        self.activation, self.weight = activation, weight
        self.nodes, self.constants = [], []

    def const(self, name, value):
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op, inputs, name, outputs=None, **attributes):
        outputs = outputs or [name]
        self.nodes.append(helper.make_node(op, inputs, outputs, name=name, **attributes))
        return outputs[0]

    def qdq(self, x, scale, zero, name):
        scale, zero = self.const(name + ".s", np.float32(scale)), self.const(name + ".z", self.activation(zero))
        quantized = self.node("QuantizeLinear", [x, scale, zero], name + ".q")
        return self.node("DequantizeLinear", [quantized, scale, zero], name)

    def dq_weight(self, name, shape, channels=None, axis=0):
        """Quantized weights behind a DequantizeLinear; one scale, or one a channel."""
        low, high = (-127, 128) if self.weight is np.int8 else (1, 256)
        values = self.rng.integers(low, high, shape).astype(self.weight)
        scale = (self.rng.random(channels) * 0.004 + 0.002).astype(np.float32) if channels else np.float32(0.003)
        zero = np.full(np.shape(scale), 0 if self.weight is np.int8 else 128, self.weight)
        names = [self.const(name + ".q", values), self.const(name + ".s", scale), self.const(name + ".z", zero)]
        return self.node("DequantizeLinear", names, name, **({"axis": axis} if channels else {})), scale

    def dq_bias(self, name, size, scale):
        names = [self.const(name + ".q", self.rng.integers(-3000, 3000, size).astype(np.int32)),
                 self.const(name + ".s", np.broadcast_to(np.float32(scale), (size,)).copy())]
        return self.node("DequantizeLinear", [*names, self.const(name + ".z", np.zeros(size, np.int32))], name, axis=0)

    def conv(self, x, scale, name, sizes, kernel, out_scale, out_zero, relu=True, per_channel=True, **attributes):
        inside, outside = sizes
        groups = attributes.get("group", 1)
        weight, w_scale = self.dq_weight(name + ".w", (outside, inside // groups, kernel, kernel),
                                         outside if per_channel else None)
        bias = self.dq_bias(name + ".b", outside, np.float32(scale) * w_scale)
        y = self.node("Conv", [x, weight, bias], name, kernel_shape=[kernel, kernel], **attributes)
        if relu:
            y = self.node("Relu", [y], name + ".relu")
        return self.qdq(y, out_scale, out_zero, name + ".y")

    def model(self, inputs, outputs, opset=17, extra_domains=(), check=True):
        value = helper.make_tensor_value_info
        graph = helper.make_graph(self.nodes, "graph", [value(n, t, s) for n, t, s in inputs],
                                  [value(n, t, s) for n, t, s in outputs], self.constants)
        opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in extra_domains)]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        if check:
            checker.check_model(made)
        return made


def cnn(seed=0, activation=np.uint8, weight=np.int8, per_channel=True):
    """QDQ: strided convolution, depthwise, pointwise, residual add, pools, sigmoid gate, Gemm."""
    b = Builder(seed, activation, weight)
    low = 0 if activation is np.uint8 else -128
    x = b.qdq("x", 0.02, low + 128, "in")
    stem = b.conv(x, 0.02, "stem", (3, 16), 3, 0.05, low, auto_pad="SAME_UPPER", strides=[2, 2],
                  per_channel=per_channel)
    deep = b.conv(stem, 0.05, "deep", (16, 16), 3, 0.06, low, pads=[1, 1, 1, 1], group=16, per_channel=per_channel)
    wide = b.conv(deep, 0.06, "wide", (16, 16), 1, 0.1, low + 120, relu=False, per_channel=per_channel)
    total = b.qdq(b.node("Add", [stem, wide], "sum"), 0.12, low + 101, "sum.y")
    gate = b.qdq(b.node("Sigmoid", [total], "gate"), 1 / 256, low, "gate.y")
    swish = b.qdq(b.node("Mul", [total, gate], "swish"), 0.09, low + 31, "swish.y")
    both = b.qdq(b.node("Concat", [swish, stem], "both", axis=1), 0.1, low + 27, "both.y")
    half = b.qdq(b.node("AveragePool", [both], "half", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 1]),
                 0.07, low + 19, "half.y")
    most = b.qdq(b.node("MaxPool", [half], "most", kernel_shape=[2, 2], strides=[1, 1], ceil_mode=1),
                 0.07, low + 19, "most.y")
    mean = b.qdq(b.node("GlobalAveragePool", [most], "mean"), 0.04, low + 9, "mean.y")
    flat = b.qdq(b.node("Flatten", [mean], "flat"), 0.04, low + 9, "flat.y")
    weight, w_scale = b.dq_weight("fc.w", (10, 32))
    bias = b.dq_bias("fc.b", 10, np.float32(0.04) * w_scale)
    b.qdq(b.node("Gemm", [flat, weight, bias], "fc", transB=1), 0.05, low + 128, "y")
    return b.model([("x", FLOAT, [2, 3, 17, 16])], [("y", FLOAT, [2, 10])])


def operators(seed=0):
    """QOperator: QLinearConv with uint8 weights and zero points, QLinearMatMul per column, a float island."""
    b = Builder(seed)
    s, z = (lambda n, v: b.const(n, np.float32(v))), (lambda n, v: b.const(n, np.uint8(v)))
    x = b.node("QuantizeLinear", ["x", s("x.s", 0.03), z("x.z", 121)], "x.q")
    w = b.const("w", b.rng.integers(0, 256, (8, 2, 3, 2)).astype(np.uint8))
    bias = b.const("b", b.rng.integers(-900, 900, 8).astype(np.int32))
    y = b.node("QLinearConv", [x, "x.s", "x.z", w, b.const("w.s", (b.rng.random(8) * .01 + .001).astype(np.float32)),
                               b.const("w.z", np.full(8, 125, np.uint8)), s("c.s", 0.2), z("c.z", 77), bias], "c",
               auto_pad="SAME_LOWER", group=2, kernel_shape=[3, 2], strides=[2, 1])
    real = b.node("DequantizeLinear", [y, "c.s", "c.z"], "real")
    real = b.node("Elu", [real], "elu", alpha=0.7)
    back = b.node("QuantizeLinear", [real, s("e.s", 0.1), z("e.z", 9)], "back")
    turned = b.node("Transpose", [back], "turned", perm=[0, 2, 3, 1])
    m = b.const("m", b.rng.integers(-128, 128, (8, 6)).astype(np.int8))
    p = b.node("QLinearMatMul", [turned, "e.s", "e.z", m, b.const("m.s", (b.rng.random(6) * .01).astype(np.float32)),
                                 b.const("m.z", b.rng.integers(-9, 9, 6).astype(np.int8)), s("p.s", 0.3),
                                 z("p.z", 130)], "p")
    b.node("DequantizeLinear", [p, "p.s", "p.z"], "y")
    return b.model([("x", FLOAT, [1, 4, 9, 8])], [("y", FLOAT, [1, 5, 8, 6])])


def dynamic(seed=0, per_channel=True, bias=True):
    """What onnxruntime.quantization.quantize_dynamic writes for MatMul: fused at run time."""
    b = Builder(seed)
    b.node("DynamicQuantizeLinear", ["x"], "dql", ["x.q", "x.s", "x.z"])
    w = b.const("w", b.rng.integers(-128, 128, (33, 20)).astype(np.int8))
    scale = (b.rng.random(20) * 0.01 + 0.001).astype(np.float32) if per_channel else np.float32(0.004)
    zero = np.zeros(np.shape(scale), np.int8)
    acc = b.node("MatMulInteger", ["x.q", w, "x.z", b.const("w.z", zero)], "acc")
    both = b.node("Mul", ["x.s", b.const("w.s", scale)], "scales")
    y = b.node("Mul", [b.node("Cast", [acc], "cast", to=FLOAT), both], "scaled")
    if bias:
        y = b.node("Add", [y, b.const("b", b.rng.normal(size=20).astype(np.float32))], "biased")
    b.node("Identity", [y], "y")
    return b.model([("x", FLOAT, [2, 5, 33])], [("y", FLOAT, [2, 5, 20])])


def integer(seed=0):
    """MatMulInteger and ConvInteger whose accumulators are the model's outputs."""
    b = Builder(seed)
    b.const("w", b.rng.integers(-128, 128, (5, 3, 2, 2)).astype(np.int8))
    b.const("m", b.rng.integers(0, 256, (7, 4)).astype(np.uint8))
    b.node("ConvInteger", ["x", "w", b.const("x.z", np.uint8(7))], "acc", pads=[1, 0, 0, 1])
    b.node("MatMulInteger", ["x", "m", "x.z", b.const("m.z", b.rng.integers(0, 256, 4).astype(np.uint8))], "prod")
    return b.model([("x", TensorProto.UINT8, [1, 3, 6, 7])],
                   [("acc", TensorProto.INT32, [1, 5, 6, 7]), ("prod", TensorProto.INT32, [1, 3, 6, 4])])


def nbits(seed=0, bits=4, zero_points=True, level=4, k=80, n=12, block=32):
    """MatMulNBits, the last block not full."""
    b = Builder(seed)
    blocks = -(-k // block)
    names = [b.const("w", b.rng.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8)),
             b.const("w.s", (b.rng.random((n, blocks)) * 0.02 + 0.001).astype(np.float32))]
    if zero_points:
        names.append(b.const("w.z", b.rng.integers(0, 256, (n, -(-blocks * bits // 8))).astype(np.uint8)))
    b.nodes.append(helper.make_node("MatMulNBits", ["x", *names], ["y"], name="proj", domain="com.microsoft",
                                    K=k, N=n, bits=bits, block_size=block, accuracy_level=level))
    return b.model([("x", FLOAT, [3, k])], [("y", FLOAT, [3, n])], 21, ("com.microsoft",), check=False)


def floats():
    b = Builder()
    b.node("Relu", ["x"], "y")
    return b.model([("x", FLOAT, [2, 3])], [("y", FLOAT, [2, 3])])

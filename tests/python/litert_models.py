"""models.py: small quantized .tflite models, built with the schema that LiteRT ships."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {"float32": schema.TensorType.FLOAT32, "int8": schema.TensorType.INT8, "uint8": schema.TensorType.UINT8,
         "int16": schema.TensorType.INT16, "int32": schema.TensorType.INT32, "int64": schema.TensorType.INT64}
SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
NONE, RELU, RELU_N1, RELU6 = (getattr(schema.ActivationFunctionType, n) for n in
                              ("NONE", "RELU", "RELU_N1_TO_1", "RELU6"))


class Builder:
    """Collects tensors and operators; tensors are known by their numbers."""

    def __init__(self, seed=0, dtype="int8"):
        self.rng = np.random.default_rng(seed)
        self.dtype = dtype
        self.tensors, self.operators, self.codes = [], [], []
        self.buffers = [schema.BufferT()]

    def tensor(self, name, shape, dtype=None, scale=None, zero=0, axis=0, data=None):
        t = schema.TensorT()
        t.name, t.shape, t.type, t.buffer = name, list(shape), TYPES[dtype or self.dtype], 0
        if scale is not None:
            q = t.quantization = schema.QuantizationParametersT()
            q.scale = np.atleast_1d(scale).astype(np.float32).tolist()
            q.zeroPoint = np.broadcast_to(np.atleast_1d(zero), len(q.scale)).astype(int).tolist()
            q.quantizedDimension = axis
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.buffers.append(buffer)
            t.buffer = len(self.buffers) - 1
        self.tensors.append(t)
        return len(self.tensors) - 1

    def const(self, name, values, **keys):
        values = np.asarray(values)
        return self.tensor(name, values.shape, values.dtype.name, data=values, **keys)

    def scale(self, number):
        return np.float32(self.tensors[number].quantization.scale[0])

    def shape(self, number):
        return self.tensors[number].shape

    def op(self, name, inputs, outputs, options=None, **fields):
        """`options`: the options table's name without T; fields are its members."""
        code = getattr(schema.BuiltinOperator, name)
        if code not in self.codes:
            self.codes.append(code)
        o = schema.OperatorT()
        o.opcodeIndex, o.inputs = self.codes.index(code), list(inputs)
        o.outputs = [outputs] if isinstance(outputs, int) else list(outputs)
        if options:
            o.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            o.builtinOptions = getattr(schema, options + "T")()
            for key, value in fields.items():
                assert hasattr(o.builtinOptions, key), key
                setattr(o.builtinOptions, key, value)
        self.operators.append(o)
        return o.outputs[0]

    def weight(self, name, shape, channels=None, axis=0, dtype="int8"):
        low, high, zero = (-127, 128, 0) if dtype == "int8" else (1, 256, 131)
        scale = self.rng.random(channels or 1) * 0.004 + 0.002
        return self.const(name, self.rng.integers(low, high, shape).astype(dtype), scale=scale, axis=axis, zero=zero)

    def bias(self, name, size, x, weight, dtype="int32"):
        scale = self.scale(x) * np.asarray(self.tensors[weight].quantization.scale, np.float32)
        return self.const(name, self.rng.integers(-3000, 3000, size).astype(dtype), scale=scale)

    def conv(self, x, name, outside, kernel, scale, zero, stride=(1, 1), padding=SAME, activation=NONE,
             dilation=(1, 1), groups=1, per_channel=True, bias="int32", weight="int8"):
        inside = self.shape(x)[3]
        w = self.weight(name + ".w", (outside, *kernel, inside // groups), outside if per_channel else None,
                        dtype=weight)
        b = self.bias(name + ".b", outside, x, w, bias) if bias else -1
        y = self.tensor(name, self.window(x, kernel, stride, padding, dilation, outside), scale=scale, zero=zero)
        kind = TYPES[bias] if self.dtype == "int16" else 0
        return self.op("CONV_2D", [x, w, b], y, "Conv2DOptions", quantizedBiasType=kind, padding=padding,
                       strideH=stride[0], strideW=stride[1], fusedActivationFunction=activation,
                       dilationHFactor=dilation[0], dilationWFactor=dilation[1])

    def depthwise(self, x, name, kernel, scale, zero, stride=(1, 1), padding=SAME, activation=NONE, multiplier=1,
                  dilation=(1, 1), per_channel=True):
        outside = self.shape(x)[3] * multiplier
        w = self.weight(name + ".w", (1, *kernel, outside), outside if per_channel else None, axis=3)
        b = self.bias(name + ".b", outside, x, w)
        y = self.tensor(name, self.window(x, kernel, stride, padding, dilation, outside), scale=scale, zero=zero)
        return self.op("DEPTHWISE_CONV_2D", [x, w, b], y, "DepthwiseConv2DOptions", padding=padding,
                       strideH=stride[0], strideW=stride[1], depthMultiplier=multiplier,
                       fusedActivationFunction=activation, dilationHFactor=dilation[0], dilationWFactor=dilation[1])

    def dense(self, x, name, outside, scale, zero, activation=NONE, per_channel=False, bias="int32", **fields):
        inside = self.shape(x)[-1]
        w = self.weight(name + ".w", (outside, inside), outside if per_channel else None)
        b = self.bias(name + ".b", outside, x, w, bias) if bias else -1
        y = self.tensor(name, [*self.shape(x)[:-1], outside], scale=scale, zero=zero)
        return self.op("FULLY_CONNECTED", [x, w, b], y, "FullyConnectedOptions", fusedActivationFunction=activation,
                       **fields)

    def pool(self, x, name, kind, kernel, stride, padding, activation=NONE):
        y = self.tensor(name, self.window(x, kernel, stride, padding, (1, 1), self.shape(x)[3]),
                        scale=self.scale(x), zero=self.tensors[x].quantization.zeroPoint[0])
        return self.op(kind, [x], y, "Pool2DOptions", filterHeight=kernel[0], filterWidth=kernel[1],
                       strideH=stride[0], strideW=stride[1], padding=padding, fusedActivationFunction=activation)

    def unary(self, kind, x, name, scale, zero, options=None, dtype=None, **fields):
        y = self.tensor(name, self.shape(x), dtype, scale=scale, zero=zero)
        return self.op(kind, [x], y, options, **fields)

    def binary(self, kind, a, b, name, scale, zero, activation=NONE):
        options = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions"}[kind]
        shape = np.broadcast_shapes(self.shape(a), self.shape(b))
        return self.op(kind, [a, b], self.tensor(name, shape, scale=scale, zero=zero), options,
                       fusedActivationFunction=activation)

    def window(self, x, kernel, stride, padding, dilation, channels):
        batch, *size, _ = self.shape(x)
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
        return [batch, *(-(-n // s) if padding == SAME else -(-(n - k + 1) // s)
                         for n, k, s in zip(size, spans, stride)), channels]

    def model(self, inputs, outputs):
        graph = schema.SubGraphT()
        graph.name, graph.tensors, graph.operators = "main", self.tensors, self.operators
        graph.inputs, graph.outputs = list(inputs), list(outputs)
        top = schema.ModelT()
        top.version, top.subgraphs, top.buffers, top.operatorCodes = 3, [graph], self.buffers, []
        for code in self.codes:
            c = schema.OperatorCodeT()
            c.builtinCode, c.deprecatedBuiltinCode, c.version = code, min(code, 127), 1
            top.operatorCodes.append(c)
        builder = flatbuffers.Builder(1024)
        builder.Finish(top.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def mobilenet(seed=0):
    """MobileNet-like, float in and out: inverted residual, depthwise, pools, mean, dense, softmax."""
    b = Builder(seed)
    x = b.tensor("x", [2, 17, 16, 3], "float32")
    q = b.unary("QUANTIZE", x, "x_q", 0.02, -3)
    stem = b.conv(q, "stem", 16, (3, 3), 0.047, -128, (2, 2), SAME, RELU6)
    deep = b.depthwise(stem, "deep", (3, 3), 0.05, -128, activation=RELU)
    wide = b.conv(deep, "wide", 16, (1, 1), 0.11, 5)
    total = b.binary("ADD", stem, wide, "total", 0.12, 7)
    gate = b.unary("LOGISTIC", total, "gate", 1 / 256, -128)
    swish = b.binary("MUL", total, gate, "swish", 0.09, -99)
    down = b.depthwise(swish, "down", (3, 3), 0.21, 11, (2, 2), VALID, multiplier=2)
    hard = b.unary("HARD_SWISH", down, "hard", 0.2, -126)
    most = b.pool(hard, "most", "MAX_POOL_2D", (2, 2), (1, 1), SAME)
    mean = b.pool(most, "average", "AVERAGE_POOL_2D", (2, 2), (2, 1), VALID)
    y = b.tensor("mean", [2, 32], scale=0.13, zero=-120)
    b.op("MEAN", [mean, b.const("axes", np.array([1, 2], np.int32))], y, "ReducerOptions", keepDims=False)
    y = b.dense(y, "logits", 10, 0.06, 3)
    y = b.unary("SOFTMAX", y, "scores", 1 / 256, -128, "SoftmaxOptions", beta=1.0)
    out = b.tensor("y", [2, 10], "float32")
    b.op("DEQUANTIZE", [y], out)
    return b.model([x], [out])


def operators(seed=0, dtype="int8"):
    """What MobileNet has not: dilation, groups, transposed convolution, moves, requantize, products."""
    b = Builder(seed, dtype)
    low = 0 if dtype == "uint8" else -128
    x = b.tensor("x", [1, 9, 8, 8], scale=0.03, zero=low + 131)
    wide = b.conv(x, "wide", 12, (3, 2), 0.018, low + 120, (1, 1), VALID, RELU_N1, (2, 1), per_channel=dtype == "int8",
                  weight=dtype)
    outputs = [wide]
    if dtype == "int8":
        wide = b.conv(x, "grouped", 12, (3, 3), 0.13, 4, (2, 1), SAME, groups=2)
        w = b.weight("up.w", (8, 3, 2, 12), 8)
        shape = b.const("up.shape", np.array([1, 11, 9, 8], np.int32))
        up = b.tensor("up", [1, 11, 9, 8], scale=0.17, zero=-7)
        b.op("TRANSPOSE_CONV", [shape, w, wide, b.bias("up.b", 8, wide, w)], up, "TransposeConvOptions", padding=VALID,
             strideH=2, strideW=1)
        cut = b.tensor("cut", [1, 9, 8, 8], scale=0.17, zero=-7)
        b.op("STRIDED_SLICE", [up, *(b.const(f"cut.{n}", np.array(v, np.int32)) for n, v in (
            ("begin", [0, 1, 0, 0]), ("end", [1, 10, 8, 8]), ("step", [1, 1, 1, 1])))], cut, "StridedSliceOptions")
        less = b.binary("SUB", x, cut, "less", 0.2, 9, RELU6)
        less = b.unary("LEAKY_RELU", less, "leaky", 0.15, -20, "LeakyReluOptions", alpha=0.3)
        less = b.unary("QUANTIZE", less, "again", 0.11, 3)
        x = b.unary("TANH", less, "tanh", 1 / 128, 0)
    return _tail(b, x, wide, low, outputs)


def _tail(b, x, wide, low, outputs):
    """Concatenation, padding, reshape, transposition, split and dense layers."""
    scale, zero = b.scale(x), b.tensors[x].quantization.zeroPoint[0]
    both = b.tensor("both", [1, 9, 16, 8], scale=scale, zero=zero)
    b.op("CONCATENATION", [x, x], both, "ConcatenationOptions", axis=2)
    padded = b.tensor("padded", [1, 10, 18, 8], scale=scale, zero=zero)
    b.op("PAD", [both, b.const("padded.by", np.array([[0, 0], [1, 0], [0, 2], [0, 0]], np.int32))], padded)
    turned = b.tensor("turned", [1, 8, 10, 18], scale=scale, zero=zero)
    b.op("TRANSPOSE", [padded, b.const("turned.by", np.array([0, 3, 1, 2], np.int32))], turned)
    halves = [b.tensor(f"half{i}", [1, 4, 10, 18], scale=scale, zero=zero) for i in range(2)]
    b.op("SPLIT", [b.const("half.dim", np.array(1, np.int32)), turned], halves, "SplitOptions", numSplits=2)
    rows = b.tensor("rows", [8, 90], scale=scale, zero=zero)
    b.op("RESHAPE", [halves[1], b.const("rows.shape", np.array([8, 90], np.int32))], rows)
    logits = b.dense(rows, "logits", 11, 0.09, low + 120, RELU, True) if low else rows
    flat = b.tensor("flat", [1, 20], scale=0.2, zero=low + 100)
    w = b.weight("flat.w", (20, b.tensors[wide].shape[1] * b.tensors[wide].shape[2] * 12), dtype=b.dtype)
    b.op("FULLY_CONNECTED", [wide, w, b.bias("flat.b", 20, wide, w)], flat, "FullyConnectedOptions")
    return b.model([0], [logits, flat, *outputs])


def sixteen(bias="int64"):
    """int16 activations: convolution, dense and add."""
    b = Builder(3, "int16")
    x = b.tensor("x", [1, 6, 5, 8], scale=0.001, zero=0)
    y = b.conv(x, "conv", 8, (3, 3), 0.002, 0, bias=bias)
    y = b.binary("ADD", x, y, "sum", 0.002, 0)
    kind = TYPES[bias or "int64"]
    y = b.dense(y, "dense", 7, 0.003, 0, RELU, keepNumDims=True, bias=bias, quantizedBiasType=kind)
    return b.model([x], [y])


def addition(left, right, dtype, scales, zeros, kind="ADD"):
    b = Builder(0, dtype)
    x, y = (b.tensor(n, s, scale=c, zero=z) for n, s, c, z in zip("ab", (left, right), scales, zeros))
    return b.model([x, y], [b.binary(kind, x, y, "y", scales[2], zeros[2])])


def floats():
    b = Builder()
    x = b.tensor("x", [2, 3], "float32")
    return b.model([x], [b.op("RELU", [x], b.tensor("y", [2, 3], "float32"))])

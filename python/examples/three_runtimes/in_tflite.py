"""in_tflite.py: the network as a TFLite model, written with the schema that LiteRT ships."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from network import ADD, MEAN, W, X

import lastbit.litert


def dump(net, x, out):
    """uint8 has one scale for all weights and a zero point: 128 beside the others' int8."""
    tensors, buffers, codes, operators = [], [schema.BufferT()], [], []

    def tensor(name, shape, kind, scale=None, zero=0, data=None):
        t = schema.TensorT()
        t.name, t.shape, t.type, t.buffer = name, list(shape), getattr(schema.TensorType, kind), 0
        if scale is not None:
            t.quantization = schema.QuantizationParametersT()
            t.quantization.scale, t.quantization.zeroPoint = [float(scale)], [int(zero)]
        if data is not None:
            buffers.append(schema.BufferT())
            buffers[-1].data, t.buffer = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8), len(buffers) - 1
        tensors.append(t)
        return len(tensors) - 1

    def operator(kind, arguments, y, options=None, **fields):
        code = getattr(schema.BuiltinOperator, kind)
        if code not in codes:
            codes.append(code)
        o = schema.OperatorT()
        o.opcodeIndex, o.inputs, o.outputs = codes.index(code), arguments, [y]
        if options:
            o.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            o.builtinOptions = getattr(schema, options + "T")()
            vars(o.builtinOptions).update(fields)
        operators.append(o)
        return y

    def weights(layer, x_scale, axes):
        values = (layer.weight.astype(np.int16) + 128).astype(np.uint8).transpose(axes)
        return [tensor(layer.name + ".w", values.shape, "UINT8", W, 128, values),
                tensor(layer.name + ".b", layer.bias.shape, "INT32", np.float32(x_scale) * W, 0, layer.bias)]

    def conv(layer, x, x_scale, size):
        kind, options = (("CONV_2D", "Conv2DOptions") if layer.groups == 1 else
                         ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions"))
        more = {} if layer.groups == 1 else {"depthMultiplier": 1}
        y = tensor(layer.name, [1, size, size, layer.weight.shape[0]], "UINT8", layer.scale, layer.zero)
        axes = (0, 2, 3, 1) if layer.groups == 1 else (1, 2, 3, 0)
        return operator(kind, [x, *weights(layer, x_scale, axes)], y, options, padding=schema.Padding.SAME,
                        strideH=layer.stride, strideW=layer.stride, dilationHFactor=1, dilationWFactor=1,
                        fusedActivationFunction=schema.ActivationFunctionType.RELU if layer.relu else 0, **more)

    entry = tensor("x", [1, 15, 15, 3], "FLOAT32")
    y = operator("QUANTIZE", [entry], tensor("quant", [1, 15, 15, 3], "UINT8", *X))
    stem = conv(net["stem"], y, X[0], 8)
    y = conv(net["wide"], conv(net["deep"], stem, net["stem"].scale, 8), net["deep"].scale, 8)
    y = operator("ADD", [stem, y], tensor("add", [1, 8, 8, 16], "UINT8", *ADD), "AddOptions")
    y = operator("MEAN", [y, tensor("axes", [2], "INT32", data=np.array([1, 2], np.int32))],
                 tensor("mean", [1, 16], "UINT8", *MEAN), "ReducerOptions", keepDims=False)
    dense = net["dense"]
    y = operator("FULLY_CONNECTED", [y, *weights(dense, MEAN[0], (0, 1))],
                 tensor("dense", [1, 10], "UINT8", dense.scale, dense.zero), "FullyConnectedOptions")
    y = operator("DEQUANTIZE", [y], tensor("dequant", [1, 10], "FLOAT32"))
    top, graph = schema.ModelT(), schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, operators, [entry], [y]
    top.version, top.subgraphs, top.buffers, top.operatorCodes = 3, [graph], buffers, []
    for code in codes:
        top.operatorCodes.append(schema.OperatorCodeT())
        top.operatorCodes[-1].builtinCode = top.operatorCodes[-1].deprecatedBuiltinCode = code
        top.operatorCodes[-1].version = 1
    builder = flatbuffers.Builder(0)
    builder.Finish(top.Pack(builder), b"TFL3")
    lastbit.litert.dump(bytes(builder.Output()), x.transpose(0, 2, 3, 1), out)

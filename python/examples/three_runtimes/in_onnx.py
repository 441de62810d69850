"""in_onnx.py: the network as an ONNX model of quantized operators."""

import numpy as np
from network import ADD, MEAN, SHAPE, W, X
from onnx import TensorProto, helper, numpy_helper

import lastbit.onnx


def dump(net, x, out):
    nodes, constants = [], []

    def const(name, value):
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def qparams(name, scale, zero):
        return [const(name + ".scale", np.float32(scale)), const(name + ".zero_point", zero)]

    def node(op, name, arguments, domain="", **attributes):
        nodes.append(helper.make_node(op, arguments, [name + ".y"], name, domain=domain, **attributes))
        return name + ".y"

    def conv(layer, x, x_qparams):
        k = layer.weight.shape[2]
        weight = [const(layer.name + ".w", layer.weight), *qparams(layer.name + ".w", W, np.int8(0))]
        return node("QLinearConv", layer.name, [x, *x_qparams, *weight, *y_of[layer.name],
                                                const(layer.name + ".b", layer.bias)],
                    strides=[layer.stride] * 2, pads=[k // 2] * 4, group=layer.groups, kernel_shape=[k, k])

    y_of = {n: qparams(n, layer.scale, np.uint8(layer.zero)) for n, layer in net.items()}
    y_of |= {"quant": qparams("quant", X[0], np.uint8(X[1])), "add": qparams("add", ADD[0], np.uint8(ADD[1])),
             "mean": qparams("mean", MEAN[0], np.uint8(MEAN[1]))}
    y = node("QuantizeLinear", "quant", ["x", *y_of["quant"]])
    stem = conv(net["stem"], y, y_of["quant"])
    y = conv(net["wide"], conv(net["deep"], stem, y_of["stem"]), y_of["deep"])
    y = node("QLinearAdd", "add", [stem, *y_of["stem"], y, *y_of["wide"], *y_of["add"]], "com.microsoft")
    y = node("QLinearGlobalAveragePool", "mean", [y, *y_of["add"], *y_of["mean"]], "com.microsoft", channels_last=0)
    y = node("Flatten", "flatten", [y])
    dense = net["dense"]
    weight = [const("dense.w", dense.weight), *qparams("dense.w", W, np.int8(0))]
    y = node("QGemm", "dense", [y, *y_of["mean"], *weight, const("dense.b", dense.bias), *y_of["dense"]],
             "com.microsoft", transB=1)
    y = node("DequantizeLinear", "dequant", [y, *y_of["dense"]])
    graph = helper.make_graph(nodes, "block", [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
                              [helper.make_tensor_value_info(y, TensorProto.FLOAT, [1, 10])], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    lastbit.onnx.dump(helper.make_model(graph, opset_imports=opsets, ir_version=8), x, out)

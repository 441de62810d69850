"""product.py: ONNX matrix products, static, dynamic and weight-only, as layers of a dump."""

import numpy as np

from lastbit.onnx.nodes import bias_of, handles, input_of, integer_input


@handles("QLinearMatMul")
def matmul(graph, node):
    graph.layer(node, "matmul", {"a": input_of(graph, node, 0, 1, 2), "b": input_of(graph, node, 3, 4, 5, -1)},
                {"y": graph.tensor(node.output[0])}, {"activation": "none"})


@handles("MatMulInteger")
def matmul_integer(graph, node):
    graph.layer(node, "matmul", {"a": integer_input(graph, node, 0, 2), "b": integer_input(graph, node, 1, 3, -1)},
                {"accumulator": graph.tensor(node.output[0])}, {"activation": "none"})


@handles("QGemm")
def gemm(graph, node):
    attributes = graph.attributes(node)
    weight, alpha = graph.value(node.input[3]), attributes.get("alpha", 1.0)
    bias = node.input[6] if len(node.input) > 6 and node.input[6] else None
    if attributes.get("transA", 0) or (bias and graph.value(bias).size != graph.value(node.output[0]).shape[-1]):
        return False
    if attributes.get("transB", 0):
        op, inputs = "linear", {"x": input_of(graph, node, 0, 1, 2), "weight": input_of(graph, node, 3, 4, 5, 0)}
    elif alpha == 1.0:
        op, inputs = "matmul", {"a": input_of(graph, node, 0, 1, 2), "b": input_of(graph, node, 3, 4, 5, -1)}
    else:                                            # matmul has no alpha: the weight turned to [O, I]
        turned = graph.slot(node, 4, 5, 0, 2)
        op, inputs = "linear", {"x": input_of(graph, node, 0, 1, 2),
                                "weight": graph.tensor(node.input[3], turned, weight.T)}
    if bias:
        inputs["bias"] = bias_of(graph, node, bias, 1, 4, alpha)
    graph.layer(node, op, inputs, {"y": graph.tensor(node.output[0])},
                {"activation": "none", **({"alpha": alpha} if alpha != 1.0 else {})})


@handles("MatMulIntegerToFloat")
def matmul_to_float(graph, node):
    inputs = {"a": input_of(graph, node, 0, 2, 4), "b": input_of(graph, node, 1, 3, 5, -1)}
    if len(node.input) > 6 and node.input[6]:
        inputs["bias"] = graph.tensor(node.input[6])
    graph.layer(node, "matmul", inputs, {"y": graph.tensor(node.output[0])}, {"activation": "none"})


@handles("DynamicQuantizeMatMul")
def dynamic_matmul(graph, node):
    weight = graph.value(node.input[1])
    if weight.ndim != 2:
        return False
    inputs = {"x": graph.tensor(node.input[0]),
              "weight": graph.tensor(node.input[1], graph.slot(node, 2, 3, 0, 2), weight.T)}
    if len(node.input) > 4 and node.input[4]:
        inputs["bias"] = graph.tensor(node.input[4])
    graph.layer(node, "linear_dynamic", inputs, {"y": graph.tensor(node.output[0])},
                {"reduce_range": False, "activation": "none"})


@handles("MatMulNBits")
def matmul_nbits(graph, node):
    attributes = graph.attributes(node)
    bits, group, size = attributes.get("bits", 4), attributes["block_size"], (attributes["N"], attributes["K"])
    packed, scale, zero = (graph.argument(node, i) for i in (1, 2, 3))
    if bits not in (2, 4, 8) or graph.argument(node, 4) is not None or packed is None or scale is None:
        return False                                 # g_idx: rows in another order
    groups = -(-size[1] // group)
    if zero is None:
        zero = np.full((size[0], groups), 1 << (bits - 1))
    elif zero.dtype == np.uint8:
        zero = unpack(zero.reshape(size[0], -1), bits)[:, :groups]
    else:
        zero = zero.reshape(size[0], groups)
    weight = unpack(packed.reshape(size[0], -1), bits)[:, :size[1]]
    inputs = {"x": graph.tensor(node.input[0]),
              "weight": graph.writer.tensor(
                  graph.writer.unique(node.input[1]), np.ascontiguousarray(weight), dtype=f"uint{bits}",
                  scale=scale.astype(np.float32).reshape(size[0], groups), axis=0, group_size=group, constant=True,
                  zero_point=zero.astype(np.float32 if zero.dtype.kind == "f" else np.int32))}
    if len(node.input) > 5 and node.input[5]:
        inputs["bias"] = graph.tensor(node.input[5])
    graph.layer(node, "linear_weight_only", inputs, {"y": graph.tensor(node.output[0])},
                {"accuracy_level": attributes.get("accuracy_level", 0)})


def unpack(packed, bits):
    """Values of 2, 4 or 8 bits out of bytes, the lowest bits first, along the last axis."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    return ((packed[..., None] >> shifts) & np.uint8((1 << bits) - 1)).reshape(*packed.shape[:-1], -1)

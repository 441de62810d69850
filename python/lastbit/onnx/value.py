"""value.py: ONNX operators on single values, and concatenation, as layers of a dump."""

from lastbit.onnx.nodes import handles, input_of


@handles("QLinearAdd", "QLinearMul")
def binary(graph, node):
    graph.layer(node, {"QLinearAdd": "add", "QLinearMul": "mul"}[node.op_type],
                {"a": input_of(graph, node, 0, 1, 2), "b": input_of(graph, node, 3, 4, 5)},
                {"y": graph.tensor(node.output[0])}, {"activation": "none"})


@handles("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax")
def unary(graph, node):
    attributes, ndim = graph.attributes(node), graph.value(node.input[0]).ndim
    if node.op_type == "QLinearSigmoid":
        op, arguments = "sigmoid", {}
    elif node.op_type == "QLinearLeakyRelu":
        op, arguments = "leaky_relu", {"negative_slope": attributes.get("alpha", 0.01)}
    else:
        axis = attributes.get("axis", -1)
        if attributes.get("opset", 13) < 13 and axis % ndim != ndim - 1:
            return False                             # before opset 13 every axis from this one on is one
        op, arguments = "softmax", {"dim": axis}
    graph.layer(node, op, {"x": input_of(graph, node, 0, 1, 2)}, {"y": graph.tensor(node.output[0])}, arguments)


@handles("QLinearConcat")
def concat(graph, node):
    inputs = {f"x{i}": input_of(graph, node, at, at + 1, at + 2)
              for i, at in enumerate(range(2, len(node.input), 3))}
    graph.layer(node, "cat", inputs, {"y": graph.tensor(node.output[0])},
                {"dim": graph.attributes(node)["axis"], "activation": "none"})


@handles("QuantizeLinear", "DequantizeLinear")
def quantize(graph, node):
    quantizes = node.op_type == "QuantizeLinear"
    name = node.output[0] if quantizes else node.input[0]
    if graph.value(name) is None:                    # 4 bits, float8: the runtime does not hand them out
        return False
    axis = graph.attributes(node).get("axis", 1)
    quantization = graph.slot(node, 1, 2, axis, graph.value(name).ndim)
    if quantization is None:
        return False                                 # blocks along an axis
    whole = graph.tensor(name, quantization)
    names = (graph.tensor(node.input[0]), whole) if quantizes else (whole, graph.tensor(node.output[0]))
    graph.layer(node, "quantize" if quantizes else "dequantize", {"x": names[0]}, {"y": names[1]})


@handles("DynamicQuantizeLinear")
def quantize_dynamic(graph, node):
    graph.layer(node, "quantize_dynamic", {"x": graph.tensor(node.input[0])}, {"y": graph.tensor(node.output[0])})

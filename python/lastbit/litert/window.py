"""window.py: TFLite's operators with a window, convolutions and pools, as layers of a dump."""

from lastbit.litert.nodes import activation, bias_dtype, both_sides, handles, option, padding


def _sizes(operator, *names):
    """An option that the schema spells twice, as [height, width]."""
    return [[option(operator, name.format(side), 1) for side in "HW"] for name in names]


@handles("CONV_2D", "DEPTHWISE_CONV_2D")
def conv(graph, operator):
    x, w, y = operator.inputs[0], operator.inputs[1], operator.outputs[0]
    bias, fused = graph.argument(operator, 2), activation(graph, operator)
    if not graph.quantized(x) or graph.value(w) is None or fused is None:
        return False
    depthwise = operator.kind == "DEPTHWISE_CONV_2D"
    shape, channels = graph.value(w).shape, graph.value(x).shape[3]
    stride, dilation = _sizes(operator, "stride{}", "dilation{}Factor")
    inputs = {"x": graph.tensor(x), "weight": graph.tensor(w, "IHWO" if depthwise else "OHWI")}
    if bias is not None:
        inputs["bias"] = graph.tensor(bias)
    graph.layer(operator, "conv2d", inputs, {"y": graph.tensor(y)}, {
        "stride": stride,
        "padding": padding(graph, operator, graph.value(x).shape[1:3], shape[1:3], stride, dilation),
        "dilation": dilation, "groups": channels if depthwise else channels // shape[3], "activation": fused,
        **bias_dtype(graph, operator, bias)})


@handles("TRANSPOSE_CONV")
def conv_transpose(graph, operator):
    """The padding is that of the convolution from y to x; what it cannot reach is output padding."""
    _, w, x = operator.inputs[:3]
    y, bias, fused = operator.outputs[0], graph.argument(operator, 3), activation(graph, operator)
    if not graph.quantized(x) or graph.value(w) is None or fused is None:
        return False
    stride, = _sizes(operator, "stride{}")
    kernel, size, out = graph.value(w).shape[1:3], graph.value(x).shape[1:3], graph.value(y).shape[1:3]
    excess = [(n - 1) * s + k - o for n, s, k, o in zip(size, stride, kernel, out)]
    total = [max(e, 0) for e in excess]
    inputs = {"weight": graph.tensor(w, "OHWI"), "x": graph.tensor(x)}
    if bias is not None:
        inputs["bias"] = graph.tensor(bias)
    graph.layer(operator, "conv_transpose2d", inputs, {"y": graph.tensor(y)}, {
        "stride": stride, "padding": both_sides([t // 2 for t in total], [t - t // 2 for t in total]),
        "output_padding": [max(-e, 0) for e in excess], "dilation": [1, 1], "groups": 1, "activation": fused,
        **bias_dtype(graph, operator, bias)})


@handles("AVERAGE_POOL_2D", "MAX_POOL_2D")
def pool(graph, operator):
    x, y, fused = operator.inputs[0], operator.outputs[0], activation(graph, operator)
    if not graph.quantized(x) or fused is None:
        return False
    kernel = [option(operator, f"filter{side}", 1) for side in ("Height", "Width")]
    stride, = _sizes(operator, "stride{}")
    attributes = {"kernel_size": kernel, "stride": stride,
                  "padding": padding(graph, operator, graph.value(x).shape[1:3], kernel, stride, [1, 1]),
                  "ceil_mode": False, "activation": fused}
    if operator.kind == "MAX_POOL_2D":
        op, attributes["dilation"] = "max_pool2d", [1, 1]
    else:
        op, attributes["count_include_pad"] = "avg_pool2d", False
    graph.layer(operator, op, {"x": graph.tensor(x)}, {"y": graph.tensor(y)}, attributes)

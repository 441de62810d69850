"""window.py: ONNX operators with a window, convolutions and pools, as layers of a dump."""

from lastbit.onnx.nodes import bias_of, handles, input_of, integer_input, is_quantized


@handles("QLinearConv")
def conv(graph, node):
    x, weight = graph.value(node.input[0]), graph.value(node.input[3])
    inputs = {"x": input_of(graph, node, 0, 1, 2), "weight": input_of(graph, node, 3, 4, 5, 0)}
    if len(node.input) > 8 and node.input[8]:
        inputs["bias"] = bias_of(graph, node, node.input[8], 1, 4)
    graph.layer(node, f"conv{x.ndim - 2}d", inputs, {"y": graph.tensor(node.output[0])},
                {**window(graph, node, x, weight.shape[2:]), "groups": graph.attributes(node).get("group", 1),
                 "activation": "none"})


@handles("ConvInteger")
def conv_integer(graph, node):
    x, weight = graph.value(node.input[0]), graph.value(node.input[1])
    graph.layer(node, f"conv{x.ndim - 2}d",
                {"x": integer_input(graph, node, 0, 2), "weight": integer_input(graph, node, 1, 3, 0)},
                {"accumulator": graph.tensor(node.output[0])},
                {**window(graph, node, x, weight.shape[2:]), "groups": graph.attributes(node).get("group", 1),
                 "activation": "none"})


def window(graph, node, x, kernel):
    """stride, padding and dilation; auto_pad and the default values resolved."""
    attributes = graph.attributes(node)
    rank = len(kernel)
    size = x.shape[1:-1] if graph.channels_last(node) else x.shape[2:]
    stride = list(attributes.get("strides", [1] * rank))
    dilation = list(attributes.get("dilations", [1] * rank))
    padding = list(attributes.get("pads", [0] * 2 * rank))
    auto = attributes.get("auto_pad", b"NOTSET")
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        total = [max(t, 0) for t in missing(size, kernel, stride, dilation)]
        small, large = [t // 2 for t in total], [t - t // 2 for t in total]
        padding = small + large if auto == b"SAME_UPPER" else large + small
    elif auto == b"VALID":
        padding = [0] * 2 * rank
    if padding[:rank] == padding[rank:]:
        padding = padding[:rank]
    return {"stride": stride, "padding": padding, "dilation": dilation}


def missing(size, kernel, stride, dilation):
    """What a window of ceil(n / s) steps needs beyond the input; negative where steps skip its end."""
    return [(-(-n // s) - 1) * s + (k - 1) * d + 1 - n for n, k, s, d in zip(size, kernel, stride, dilation)]


def cropped(graph, node, x_name, arguments):
    """Pools (not convolutions) take a negative padding at its word: SAME with a stride beyond the kernel starts
    inside the input, half of it in, rounded towards zero. A dump says that with a slice before the pool."""
    auto = graph.attributes(node).get("auto_pad", b"NOTSET")
    if auto not in (b"SAME_UPPER", b"SAME_LOWER"):
        return x_name
    name, seen = node.input[0], graph.value(node.input[0])
    first = 1 if graph.channels_last(node) else 2
    size = seen.shape[first:first + len(arguments["stride"])]
    total = missing(size, arguments["kernel_size"], arguments["stride"], arguments["dilation"])
    for axis, (n, t) in enumerate(zip(size, total), first):
        start = -t // 2 if auto == b"SAME_UPPER" else (-t - 1) // 2
        if t >= 0 or start <= 0:
            continue
        seen = seen[(slice(None),) * axis + (slice(start, n),)]
        made = graph.tensor(name, graph.quantization.get(name), seen, layout=graph.layout.get(name))
        graph.layer(node, "slice", {"x": x_name}, {"y": made}, {"dim": axis, "start": start, "end": n, "step": 1},
                    part=f"axis{axis}")
        x_name = made
    return x_name


@handles("QLinearAveragePool", "MaxPool", "NhwcMaxPool")
def pool(graph, node):
    if not is_quantized(graph, node.input[0]):
        return False
    attributes, x = graph.attributes(node), graph.value(node.input[0])
    kernel = list(attributes["kernel_shape"])
    arguments = {"kernel_size": kernel, **window(graph, node, x, kernel),
                 "ceil_mode": bool(attributes.get("ceil_mode", 0))}
    if node.op_type == "QLinearAveragePool":
        op, x_name = "avg", cropped(graph, node, input_of(graph, node, 0, 1, 2), arguments)
        arguments["count_include_pad"] = bool(attributes.get("count_include_pad", 0))
        del arguments["dilation"]
    else:
        op, x_name = "max", cropped(graph, node, graph.tensor(node.input[0]), arguments)
    graph.layer(node, f"{op}_pool{x.ndim - 2}d", {"x": x_name}, {"y": graph.tensor(node.output[0])}, arguments)


@handles("QLinearGlobalAveragePool")
def global_pool(graph, node):
    rank = graph.value(node.input[0]).ndim - 2
    graph.layer(node, f"adaptive_avg_pool{rank}d", {"x": input_of(graph, node, 0, 1, 2)},
                {"y": graph.tensor(node.output[0])}, {"output_size": [1] * rank})

"""value.py: TFLite's products and operators on single values as layers of a dump."""

from lastbit.litert.nodes import activation, bias_dtype, handles, option

UNARY = {"LOGISTIC": ("sigmoid", {}), "TANH": ("tanh", {}), "HARD_SWISH": ("hardswish", {}), "RELU": ("relu", {}),
         "RELU6": ("relu6", {}), "RELU_N1_TO_1": ("hardtanh", {"min_val": -1, "max_val": 1}),
         "RELU_0_TO_1": ("hardtanh", {"min_val": 0, "max_val": 1})}


@handles("FULLY_CONNECTED")
def linear(graph, operator):
    """x and y are seen as rows where the operator itself flattens them: such a step is a layer of its own."""
    x, w, y = operator.inputs[0], operator.inputs[1], operator.outputs[0]
    bias, fused = graph.argument(operator, 2), activation(graph, operator)
    weight = graph.value(w)
    if not graph.quantized(x) or weight is None or fused is None or option(operator, "weightsFormat", 0) != 0:
        return False
    given, made = graph.value(x), graph.value(y)
    if given.size // weight.shape[1] * weight.shape[0] != made.size or given.size % weight.shape[1]:
        return False                                 # LiteRT runs it, on the elements that fill whole rows
    x_name = graph.tensor(x)
    if given.shape[-1] != weight.shape[1] or given.shape[:-1] != made.shape[:-1]:
        rows = given.reshape(*made.shape[:-1], weight.shape[1])
        flat = graph.tensor(x, value=rows, between=y)
        graph.layer(operator, "reshape", {"x": x_name}, {"y": flat}, {"shape": list(rows.shape)},
                    name=graph.run.tensors[y].name + ".rows")
        x_name = flat
    inputs = {"x": x_name, "weight": graph.tensor(w)}
    if bias is not None:
        inputs["bias"] = graph.tensor(bias)
    graph.layer(operator, "linear", inputs, {"y": graph.tensor(y)},
                {"activation": fused, **bias_dtype(graph, operator, bias)})


@handles("BATCH_MATMUL")
def matmul(graph, operator):
    a, b = operator.inputs
    if not graph.quantized(a) or not graph.quantized(b) or option(operator, "adjX", False):
        return False
    graph.layer(operator, "matmul", {"a": graph.tensor(a), "b": graph.tensor(b)},
                {"y": graph.tensor(operator.outputs[0])},
                {"transpose_b": bool(option(operator, "adjY", False)), "activation": "none"})


@handles("ADD", "SUB", "MUL")
def binary(graph, operator):
    a, b = operator.inputs
    fused = activation(graph, operator)
    if not graph.quantized(a) or not graph.quantized(operator.outputs[0]) or fused is None:
        return False
    graph.layer(operator, operator.kind.lower(), {"a": graph.tensor(a), "b": graph.tensor(b)},
                {"y": graph.tensor(operator.outputs[0])}, {"activation": fused})


@handles(*UNARY)
def unary(graph, operator):
    op, attributes = UNARY[operator.kind]
    return _one(graph, operator, op, attributes)


@handles("LEAKY_RELU")
def leaky_relu(graph, operator):
    return _one(graph, operator, "leaky_relu", {"negative_slope": option(operator, "alpha", 0.0)})


@handles("SOFTMAX")
def softmax(graph, operator):
    return _one(graph, operator, "softmax", {"dim": -1, "beta": option(operator, "beta", 1.0)})


def _one(graph, operator, op, attributes):
    x, y = operator.inputs[0], operator.outputs[0]
    if not graph.quantized(x) or not graph.quantized(y):
        return False
    graph.layer(operator, op, {"x": graph.tensor(x)}, {"y": graph.tensor(y)}, attributes)


@handles("PRELU")
def prelu(graph, operator):
    x, w = operator.inputs
    if not graph.quantized(x) or not graph.quantized(w):
        return False
    graph.layer(operator, "prelu", {"x": graph.tensor(x), "weight": graph.tensor(w)},
                {"y": graph.tensor(operator.outputs[0])})


@handles("QUANTIZE", "DEQUANTIZE")
def quantize(graph, operator):
    x, y = operator.inputs[0], operator.outputs[0]
    from_integer, to_integer = graph.quantized(x), graph.quantized(y)
    float32 = [graph.run.tensors[t].dtype == "float32" for t in (x, y)]
    if from_integer and to_integer:
        op = "requantize"
    elif float32[0] and to_integer:
        op = "quantize"
    elif from_integer and float32[1]:
        op = "dequantize"
    else:
        return False                                 # float16 weights, int32
    graph.layer(operator, op, {"x": graph.tensor(x)}, {"y": graph.tensor(y)})


@handles("MEAN", "SUM")
def reduce(graph, operator):
    x, axes = operator.inputs
    value = graph.value(axes)
    if not graph.quantized(x) or value is None:
        return False
    graph.layer(operator, operator.kind.lower(), {"x": graph.tensor(x)}, {"y": graph.tensor(operator.outputs[0])},
                {"dim": value.reshape(-1).tolist(), "keepdim": bool(option(operator, "keepDims", False))})

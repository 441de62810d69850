"""nodes.py: the operators of ONNX Runtime's optimized graphs as layers of a dump.

One function a family, found by the node's type, in window, product, value and moves.
It returns False where the dump's operator cannot say what the node does; such a node, like every
unknown one, is dumped under its own name.
"""

import numpy as np

from lastbit.onnx.graph import INTEGERS, UNSTATED, Quantization, make

HANDLERS = {}


def handles(*types):
    def register(function):
        HANDLERS.update((name, function) for name in types)
        return function
    return register


def write(graph, node):
    """One node as one or more layers. True if lastbit knows the operator."""
    handler = HANDLERS.get(node.op_type)
    if handler is not None and handler(graph, node) is not False:
        return True
    inputs = _named("x", (graph.tensor(name) for name in node.input))
    outputs = _named("y", (graph.tensor(name) for name in node.output))
    graph.layer(node, node.op_type, inputs, outputs)
    return False


def _named(letter, names):
    names = [name for name in names if name is not None]
    return {letter: names[0]} if len(names) == 1 else {f"{letter}{i}": name for i, name in enumerate(names)}


def is_quantized(graph, name):
    value = graph.value(name)
    return value is not None and value.dtype.name in INTEGERS


def input_of(graph, node, index, scale, zero, axis=None):
    name = node.input[index]
    return graph.tensor(name, graph.slot(node, scale, zero, axis, graph.value(name).ndim))


def bias_of(graph, node, name, x_scale, w_scale, factor=1):
    """int32, its scale input x weight: ONNX knows no other, whatever the model said before fusion. That is what no scale means, too."""
    bias = graph.value(name).reshape(-1)
    if factor == 1:
        return graph.tensor(name, UNSTATED, bias)
    scale = np.float32(factor) * graph.argument(node, x_scale) * graph.argument(node, w_scale)
    if scale.size > 1:
        quantization = Quantization(tuple(scale.reshape(-1).tolist()), (0,) * scale.size, 0)
    else:
        quantization = make(scale, 0)
    return graph.tensor(name, quantization, bias)


def integer_input(graph, node, index, zero, axis=None):
    """These operators know no scale: the producer's where its zero point is the one used here, else 1."""
    name = node.input[index]
    used = graph.slot(node, None, zero, axis, graph.value(name).ndim)
    known = graph.quantization.get(name)
    return graph.tensor(name, known if known and known.zero_point == used.zero_point else used)

"""nodes.py: TFLite's operators as layers of a dump: the registry, and what the families share.

One function a family, found by the operator's name in the schema. It returns False where the dump's
operator cannot say what the operator does, or where nothing is quantized; such an operator, like every
unknown one, is dumped under its own name.
"""

import numpy as np

HANDLERS = {}
BOUNDS = {"RELU_N1_TO_1": (-1.0, 1.0), "RELU6": (0.0, 6.0)}
LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


def handles(*kinds):
    def register(function):
        HANDLERS.update((kind, function) for kind in kinds)
        return function
    return register


def write(graph, operator):
    """One operator as one or more layers. True if lastbit knows it."""
    handler = HANDLERS.get(operator.kind)
    computed = any(graph.value(t) is not None for t in operator.outputs)      # XNNPACK skips what nobody reads
    if handler is not None and computed and handler(graph, operator) is not False:
        return True
    inputs = _named("x", (graph.tensor(t) for t in operator.inputs if t >= 0))
    outputs = _named("y", (graph.tensor(t) for t in operator.outputs))
    graph.layer(operator, operator.kind, inputs, outputs)
    return False


def _named(letter, names):
    names = [name for name in names if name is not None]
    return {letter: names[0]} if len(names) == 1 else {f"{letter}{i}": name for i, name in enumerate(names)}


def option(operator, name, default):
    """An option of the operator; the schema's default value where the file has none."""
    return getattr(operator.options, name, default)


def activation(graph, operator):
    """The fused activation as a dump says it, or None for one that it cannot say.

    A bound is the integer that the kernel uses: TFLite's zp + roundf(f / s) has halves away from zero,
    XNNPACK's lrintf(f / s + zp) to even; with s = 4, zp = 7 a relu6 ends at 9 in one, at 8 in the other.
    """
    from ai_edge_litert.schema_py_generated import ActivationFunctionType as Type
    code = option(operator, "fusedActivationFunction", Type.NONE)
    names = {value: name for name, value in vars(Type).items() if isinstance(value, int)}
    if code == Type.NONE:
        return "none"
    if code == Type.RELU:
        return "relu"
    y = graph.run.tensors[operator.outputs[0]]
    if names.get(code) not in BOUNDS or y.dtype not in LIMITS or len(y.scale) != 1:
        return None
    scale, zero, (low, high) = np.float32(y.scale[0]), y.zero_point[0] if y.zero_point else 0, LIMITS[y.dtype]
    bounds = []
    for bound in BOUNDS[names[code]]:
        steps = np.float32(bound) / scale
        if graph.by_xnnpack(operator):
            q = int(np.rint(np.clip(steps + np.float32(zero), np.float32(low), np.float32(high))))
        else:
            q = zero + int(np.copysign(np.floor(np.abs(steps.astype(np.float64)) + 0.5), steps))
        bounds.append(min(max(q, low), high))
    return {"min": bounds[0], "max": bounds[1]}


def padding(graph, operator, size, kernel, stride, dilation):
    """Begins, then ends; one half when both sides are equal. SAME puts the odd one at the end."""
    from ai_edge_litert.schema_py_generated import Padding
    if option(operator, "padding", Padding.SAME) == Padding.VALID:
        return [0] * len(size)
    total = [max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0) for n, k, s, d in zip(size, kernel, stride, dilation)]
    return both_sides([t // 2 for t in total], [t - t // 2 for t in total])


def both_sides(begins, ends):
    return begins if begins == ends else begins + ends


def bias_dtype(graph, operator, bias):
    """On int16 layers the bias's type decides the arithmetic, even where there is no bias."""
    x = operator.inputs[2 if operator.kind == "TRANSPOSE_CONV" else 0]
    if graph.run.tensors[x].dtype != "int16":
        return {}
    from ai_edge_litert.schema_py_generated import TensorType
    chosen = option(operator, "quantizedBiasType", 0)
    if chosen == TensorType.INT32 or chosen == TensorType.INT64:
        return {"bias_dtype": "int32" if chosen == TensorType.INT32 else "int64"}
    if bias is not None:
        return {"bias_dtype": graph.run.tensors[bias].dtype}
    return {"bias_dtype": "int32" if operator.kind == "FULLY_CONNECTED" else "int64"}  # a type that nobody chose

"""moves.py: TFLite's operators that move values and change none, as layers of a dump."""

import numpy as np

from lastbit.litert.nodes import activation, handles, option


def _names(graph, operator, x):
    names = graph.tensor(x), graph.tensor(operator.outputs[0])
    return None if None in names else ({"x": names[0]}, {"y": names[1]})


@handles("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def reshape(graph, operator):
    names = _names(graph, operator, operator.inputs[0])
    if names is None:
        return False
    graph.layer(operator, "reshape", *names, {"shape": list(graph.value(operator.outputs[0]).shape)})


@handles("TRANSPOSE")
def transpose(graph, operator):
    names, order = _names(graph, operator, operator.inputs[0]), graph.value(operator.inputs[1])
    if names is None or order is None:
        return False
    graph.layer(operator, "permute", *names, {"dims": order.tolist()})


@handles("CONCATENATION")
def concatenation(graph, operator):
    fused = activation(graph, operator)
    if fused is None or not all(graph.quantized(t) for t in operator.inputs):
        return False
    graph.layer(operator, "cat", {f"x{i}": graph.tensor(t) for i, t in enumerate(operator.inputs)},
                {"y": graph.tensor(operator.outputs[0])}, {"dim": option(operator, "axis", 0), "activation": fused})


@handles("PAD", "PADV2")
def pad(graph, operator):
    """Padded with real 0, or with a constant of x's own scale; `value` is the real number."""
    x, sizes = operator.inputs[:2]
    names, sizes, value = _names(graph, operator, x), graph.value(sizes), 0.0
    if names is None or sizes is None or not graph.quantized(x):
        return False
    if operator.kind == "PADV2":
        t = graph.run.tensors[operator.inputs[2]]
        zero = t.zero_point[0] if t.zero_point else 0
        value = (int(t.value.reshape(-1)[0]) - zero) * t.scale[0] if t.scale else None
    if value is None:
        return False
    pairs = [int(n) for pair in sizes[::-1] for n in pair]
    while len(pairs) > 2 and pairs[-2:] == [0, 0]:
        pairs = pairs[:-2]
    graph.layer(operator, "pad", *names, {"pad": pairs, "mode": "constant", "value": value})


@handles("SLICE")
def slice_(graph, operator):
    x, begin, size = (graph.value(t) for t in operator.inputs)
    if begin is None or size is None:
        return False
    ends = [n if s == -1 else b + s for n, b, s in zip(x.shape, begin.tolist(), size.tolist())]
    return _slices(graph, operator, begin.tolist(), ends, [1] * x.ndim)


@handles("STRIDED_SLICE")
def strided_slice(graph, operator):
    x, begin, end, stride = (graph.value(t) for t in operator.inputs)
    masks = [option(operator, name, 0) for name in ("ellipsisMask", "newAxisMask", "shrinkAxisMask")]
    if begin is None or end is None or stride is None or any(masks) or option(operator, "offset", False):
        return False
    if (stride < 1).any() or len(begin) != x.ndim:
        return False
    free = [option(operator, name, 0) for name in ("beginMask", "endMask")]
    cuts = [slice(None if free[0] >> i & 1 else b, None if free[1] >> i & 1 else e, s).indices(n)
            for i, (b, e, s, n) in enumerate(zip(begin.tolist(), end.tolist(), stride.tolist(), x.shape))]
    return _slices(graph, operator, *(list(part) for part in zip(*cuts)))


def _slices(graph, operator, begins, ends, steps):
    """One slice an axis that is cut; what stands between two of them is not a tensor of the model."""
    x, y = operator.inputs[0], operator.outputs[0]
    names, seen = _names(graph, operator, x), graph.value(x)
    cut = [i for i, n in enumerate(seen.shape) if (begins[i], ends[i], steps[i]) != (0, n, 1)] or [0]
    if names is None:
        return False
    name, base = names[0]["x"], graph.run.tensors[y].name
    for dim in cut:
        start, end, step = int(begins[dim]), int(ends[dim]), int(steps[dim])
        seen = seen[(slice(None),) * dim + (slice(start, end, step),)]
        last = dim == cut[-1]
        made = names[1]["y"] if last else graph.tensor(x, value=seen, between=(y, dim))
        graph.layer(operator, "slice", {"x": name}, {"y": made},
                    {"dim": dim, "start": start, "end": end, "step": step}, name=base if last else f"{base}.axis{dim}")
        name = made


@handles("SPLIT", "SPLIT_V")
def split(graph, operator):
    if operator.kind == "SPLIT":
        axis, x = operator.inputs
        sizes = None
    else:
        x, sizes, axis = operator.inputs
        sizes = graph.value(sizes)
    name, dim = graph.tensor(x), graph.value(axis)
    if name is None or dim is None or (operator.kind == "SPLIT_V" and (sizes is None or (sizes < 0).any())):
        return False
    dim = int(dim.reshape(-1)[0]) % graph.value(x).ndim
    if sizes is None:
        sizes = np.full(len(operator.outputs), graph.value(x).shape[dim] // len(operator.outputs))
    at = 0
    for t, size in zip(operator.outputs, sizes.tolist()):
        y = graph.tensor(t)
        if y is not None:
            graph.layer(operator, "slice", {"x": name}, {"y": y},
                        {"dim": dim, "start": at, "end": at + size, "step": 1}, name=graph.run.tensors[t].name)
        at += size

"""moves.py: operators of ONNX that move values and change none, as layers of a dump."""

import numpy as np

from lastbit.onnx.graph import Quantization
from lastbit.onnx.nodes import handles, is_quantized


@handles("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Expand")
def reshape(graph, node):
    x, y = graph.value(node.input[0]), graph.value(node.output[0])
    names = graph.tensor(node.input[0]), graph.tensor(node.output[0])
    if None in names or x.size != y.size:
        return False
    if node.op_type == "Flatten" and graph.attributes(node).get("axis", 1) == 1:
        op, arguments = "flatten", {"start_dim": 1, "end_dim": -1}
    else:
        op, arguments = "reshape", {"shape": list(y.shape)}
    graph.layer(node, op, {"x": names[0]}, {"y": names[1]}, arguments)


@handles("Transpose")
def transpose(graph, node):
    names = graph.tensor(node.input[0]), graph.tensor(node.output[0])
    if None in names:
        return False
    order = graph.attributes(node).get("perm", range(graph.value(node.input[0]).ndim)[::-1])
    graph.layer(node, "permute", {"x": names[0]}, {"y": names[1]}, {"dims": list(order)})


@handles("Slice")
def slice_(graph, node):
    """One slice an axis, forwards only; what stands between two of them is not a tensor of the graph."""
    seen = graph.value(node.input[0])
    starts, ends, axes, steps = (graph.argument(node, i) for i in (1, 2, 3, 4))
    names = graph.tensor(node.input[0]), graph.tensor(node.output[0])
    if None in names or starts is None or ends is None or (steps is not None and (steps < 1).any()):
        return False
    axes = axes if axes is not None else np.arange(starts.size)
    steps = steps if steps is not None else np.ones_like(starts)
    name = names[0]
    for i, axis in enumerate(axes.tolist()):
        dim, last = axis % seen.ndim, i == axes.size - 1
        start, end, step = slice(int(starts[i]), int(ends[i]), int(steps[i])).indices(seen.shape[dim])
        seen = seen[(slice(None),) * dim + (slice(start, end, step),)]
        made = names[1] if last else graph.tensor(node.input[0], value=seen, between=(node.output[0], i))
        graph.layer(node, "slice", {"x": name}, {"y": made},
                    {"dim": dim, "start": start, "end": max(start, end), "step": step},
                    part=None if last else f"axis{dim}")
        name = made


@handles("Split")
def split(graph, node):
    x = graph.value(node.input[0])
    outputs = [graph.value(name) for name in node.output]
    name = graph.tensor(node.input[0])
    if name is None or any(y is None for y in outputs):
        return False
    dim = graph.attributes(node).get("axis", 0) % x.ndim
    at = 0
    for part, (y_name, y) in enumerate(zip(node.output, outputs)):
        end = at + y.shape[dim]
        graph.layer(node, "slice", {"x": name}, {"y": graph.tensor(y_name)},
                    {"dim": dim, "start": at, "end": end, "step": 1}, part=part)
        at = end


@handles("Concat")
def concat(graph, node):
    """Only of equal scales: ONNX Runtime leaves Concat alone there and requantizes otherwise."""
    parts = [graph.quantization.get(name) for name in node.input]
    if not is_quantized(graph, node.output[0]) or len(set(parts)) != 1:
        return False
    graph.layer(node, "cat", {f"x{i}": graph.tensor(name) for i, name in enumerate(node.input)},
                {"y": graph.tensor(node.output[0])}, {"dim": graph.attributes(node)["axis"], "activation": "none"})


@handles("Pad")
def pad(graph, node):
    """Constant only; without a constant ONNX pads with the integer 0, which is not real 0."""
    x, pads, value, axes = (graph.argument(node, i) for i in range(4))
    mode = graph.attributes(node).get("mode", b"constant")
    names = graph.tensor(node.input[0]), graph.tensor(node.output[0])
    if None in names or pads is None or mode != b"constant" or (pads < 0).any():
        return False
    used = [int(a) % x.ndim for a in axes] if axes is not None else list(range(x.ndim))
    begins, ends = np.zeros((2, x.ndim), int)
    for i, axis in enumerate(used):
        begins[axis], ends[axis] = pads[i], pads[i + len(used)]
    pairs = [int(v) for axis in reversed(range(x.ndim)) for v in (begins[axis], ends[axis])]
    while len(pairs) > 2 and pairs[-2:] == [0, 0]:
        pairs = pairs[:-2]
    raw = value.reshape(-1)[0].item() if value is not None and value.size else 0
    if is_quantized(graph, node.input[0]):           # `value` is the real number
        q = graph.quantization.get(node.input[0], Quantization(1.0, 0))
        if q.axis is not None:
            return False
        raw = (raw - q.zero_point) * q.scale
    graph.layer(node, "pad", {"x": names[0]}, {"y": names[1]}, {"pad": pairs, "mode": "constant", "value": raw})


@handles("Resize")
def resize(graph, node):
    """Nearest, by whole factors, the index floored: `floor(i / factor)`. Other ways compute their index in float."""
    attributes = graph.attributes(node)
    how = [attributes.get(key, b"") for key in ("mode", "coordinate_transformation_mode", "nearest_mode")]
    x, y = graph.value(node.input[0]), graph.value(node.output[0])
    names = graph.tensor(node.input[0]), graph.tensor(node.output[0])
    if how != [b"nearest", b"asymmetric", b"floor"] or None in names or node.input[0] in graph.layout:
        return False
    if x.ndim not in (3, 4, 5) or x.shape[:2] != y.shape[:2] or any(b % a for a, b in zip(x.shape, y.shape)):
        return False
    graph.layer(node, f"upsample_nearest{x.ndim - 2}d", {"x": names[0]}, {"y": names[1]},
                {"output_size": list(y.shape[2:]), "align_corners": False})

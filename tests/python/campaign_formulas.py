"""campaign_formulas.py: real values of operators with more than one element in a formula: normalizations, averages over bins, bilinear
images, standard deviations, prelu, and scalars that choose their own zero point. float32 or float64, as `kind` says."""

import numpy as np
from campaign_dump import f32


def rows(layer, codes):
    """Codes as [groups, elements of a group], and weight and bias of each element."""
    shape, a = layer.y.q.shape, layer.attributes
    if layer.op == "layer_norm":
        inner = int(np.prod(a["normalized_shape"]))
        grouped = codes.reshape(-1, inner)
        each = lambda t: np.broadcast_to(t.q.reshape(1, inner), grouped.shape)  # noqa: E731
    else:
        n, c = shape[:2]
        groups = a["num_groups"] if layer.op == "group_norm" else c
        grouped = codes.reshape(n * groups, -1)
        each = lambda t: np.broadcast_to(t.q.reshape(1, c, *[1] * (len(shape) - 2)), shape).reshape(grouped.shape)  # noqa: E731
    weight, bias = (each(layer.ins[p]) if p in layer.ins else np.full(grouped.shape, v, f32) for p, v in (("weight", 1), ("bias", 0)))
    return grouped, weight, bias


def normalized(layer, kind, codes):
    q, weight, bias = rows(layer, codes)
    x, eps = layer.ins["x"], layer.attributes.get("eps", 1e-5)
    q = q.astype(np.float64)
    mean, variance = q.mean(1, keepdims=True), q.var(1, keepdims=True)
    s = np.float64(x.scale)
    v = (q - mean) * s / np.sqrt(variance * s * s + eps) * weight + bias
    return v.astype(kind).reshape(layer.y.q.shape)


def fused(a, b, c):
    """f32(a * b + c): the product is exact in float64, the sum as good as exact."""
    return f32(np.float64(a) * np.float64(b) + np.float64(c))


def normalized_by_aten(layer, codes):
    """As ATen's kernels step by step in float32, and whether their body takes the element (else their tail)."""
    q, weight, bias = rows(layer, codes)
    x, eps, n = layer.ins["x"], layer.attributes.get("eps", 1e-5), f32(q.shape[1])
    mean, squares = (f32(v.sum(1, keepdims=True)) / n for v in (q, q * q))
    s, z = f32(x.scale), f32(x.zero)
    variance = np.maximum(fused(-mean, mean, squares), f32(0))
    rstd = f32(np.float64(s) / np.sqrt(np.float64(variance * s * s) + eps))
    centred = f32(q) - z - (mean - z)
    if layer.op == "layer_norm":
        v, body = fused(centred * rstd, weight, bias), np.arange(q.shape[1]) < q.shape[1] // 32 * 32
    else:
        v, body = fused(centred, rstd * weight, bias), np.full(q.shape[1], True)
    return v.reshape(layer.y.q.shape), np.broadcast_to(body, q.shape).reshape(layer.y.q.shape)


def bins(size, outputs):
    return [(o * size // outputs, -(-(o + 1) * size // outputs)) for o in range(outputs)]


def binned(layer, x):
    """Sums over the bins of an adaptive pool, axis after axis, and how many elements each bin has."""
    v = x.astype(np.float64)
    sizes = layer.attributes["output_size"]
    counts = np.ones([1] * x.ndim)
    for axis, outputs in enumerate(np.atleast_1d(sizes), 2):
        outputs = x.shape[axis] if outputs is None else int(outputs)
        spans = bins(x.shape[axis], outputs)
        v = np.concatenate([np.take(v, range(a, b), axis).sum(axis, keepdims=True) for a, b in spans], axis)
        counts = counts * np.array([b - a for a, b in spans]).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    return v, counts


def adaptive(layer, kind, x):
    sums, counts = binned(layer, x)
    return (sums / counts).astype(kind)


def bilinear(layer, kind, x):
    a = layer.attributes
    v = x.astype(np.float64)
    for axis, outputs in enumerate(layer.y.q.shape[2:], 2):
        size = x.shape[axis]
        if a.get("align_corners"):
            at = np.arange(outputs) * ((size - 1) / (outputs - 1) if outputs > 1 else 0.0)
        else:
            factors = a.get("scale_factors") or a.get("scale_factor")
            ratio = size / outputs if not factors else 1 / np.atleast_1d(factors)[min(axis - 2, np.size(factors) - 1)]
            at = np.maximum((np.arange(outputs) + 0.5) * ratio - 0.5, 0)
        low = np.minimum(at.astype(int), size - 1)
        high = np.minimum(low + 1, size - 1)
        w = (at - low).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        v = np.take(v, low, axis) * (1 - w) + np.take(v, high, axis) * w
    return v.astype(kind)


def value(layer, kind, ins, codes):
    """The real value; `ins`: real inputs by port, `codes`: the integers of x. Raises ValueError for an operator that is not here."""
    op, a = layer.op, layer.attributes
    if op in ("layer_norm", "group_norm", "instance_norm"):
        return normalized(layer, kind, codes)
    if op.startswith("adaptive_avg_pool"):
        return adaptive(layer, kind, ins["x"])
    if op == "upsample_bilinear2d":
        return bilinear(layer, kind, ins["x"])
    if op == "prelu":
        w = ins["weight"]
        if w.ndim == 1 and ins["x"].ndim > 1 and layer.profile.startswith("pytorch"):
            w = w.reshape([-1 if i == 1 else 1 for i in range(ins["x"].ndim)])
        return np.where(ins["x"] >= 0, ins["x"], ins["x"] * w).astype(kind)
    if op == "std":
        return np.std(ins["x"].astype(np.float64), tuple(np.atleast_1d(a["dim"])), ddof=a.get("correction", 1), keepdims=a.get("keepdim", False)).astype(kind)
    if op == "embedding":
        return ins["weight"][layer.ins["indices"].q]
    raise ValueError(op)

"""campaign_moves.py: layers that only move codes or pick the largest, with NumPy, and with other codes, a moved zero point or another
filling."""

import numpy as np
from campaign_dump import f32
from recompute import ends, windows


def of_axes(layer, x):
    a, y = layer.attributes, layer.y.q
    if layer.op in ("reshape", "flatten"):
        return x.reshape(y.shape)
    if layer.op == "permute":
        return x.transpose(a["dims"])
    if layer.op == "transpose":
        return x.swapaxes(a["dim0"], a["dim1"])
    if layer.op == "slice":
        cut = [slice(None)] * x.ndim
        cut[a["dim"]] = slice(a["start"], a["end"], a["step"])
        return x[tuple(cut)]
    n, c = x.shape[:2]
    if layer.op == "channel_shuffle":
        return x.reshape(n, a["groups"], c // a["groups"], *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)
    if layer.op == "pixel_shuffle":
        r, (h, w) = a["upscale_factor"], x.shape[2:]
        return x.reshape(n, c // r // r, r, r, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, -1, h * r, w * r)
    raise ValueError(layer.op)


def padded(layer, x, fill=None):
    a, t = layer.attributes, layer.ins["x"]
    if a.get("mode", "constant") != "constant":
        raise ValueError("mode")
    sizes = [(0, 0)] * (x.ndim - len(a["pad"]) // 2) + [*zip(a["pad"][::2], a["pad"][1::2])][::-1]
    own = np.clip(np.rint(f32(a.get("value", 0)) / f32(t.scale)) + t.zero, *t.range)
    return np.pad(x, sizes, constant_values=int(own) if fill is None else fill)


def repeated(layer, x):
    """Nearest neighbours, where sizes grow by whole factors: both of PyTorch's rules then repeat."""
    for axis, size in enumerate(layer.y.q.shape[2:], 2):
        if size % x.shape[axis]:
            raise ValueError("factor")
        x = x.repeat(size // x.shape[axis], axis)
    return x


def largest(layer, x):
    a, y = layer.attributes, layer.y.q
    kernel, d = a["kernel_size"], len(a["kernel_size"])
    begins, after = ends(a.get("padding", [0] * d), d)
    dilation = a.get("dilation", [1] * d)
    reach = [(o - 1) * s + (k - 1) * r + 1 - n - b for o, s, k, r, n, b in zip(y.shape[2:], a["stride"], kernel, dilation, x.shape[2:], begins)]
    seen = windows(x, kernel, a["stride"], dilation, [*begins, *(max(*v) for v in zip(after, reach))], -2 ** 40)
    seen = seen[tuple(slice(0, n) for n in y.shape)]
    most = seen.max(tuple(range(x.ndim, seen.ndim)))
    act = layer.activation()
    if act == "relu":
        most = np.maximum(most, int(layer.y.zero))
    elif isinstance(act, dict):
        most = np.clip(most, act["min"], act["max"])
    elif act != "none":
        raise ValueError("activation")
    return most


def moved(layer, codes=None):
    """The output's codes; `codes`: of another input. ValueError for what is not here."""
    port = "a" if layer.op == "mul_scalar" else "x"
    if port not in layer.ins:
        raise ValueError("port")
    x = layer.ins[port].q.astype(np.int64) if codes is None else codes
    if layer.op == "pad":
        return padded(layer, x)
    if layer.op.startswith("upsample_nearest"):
        return repeated(layer, x)
    if layer.op.startswith("max_pool"):
        return largest(layer, x)
    if layer.op == "mul_scalar" and layer.attributes["other"] > 0 and layer.activation() == "none":
        return x
    return of_axes(layer, x)


def again(layer):
    """`moved` where it gives the layer's output, else None."""
    y = layer.y
    if y.q.dtype.kind not in "iu" or not y.quantized or np.ndim(y.scale) or layer.dump.top["producer"].get("engine") == "qnnpack" and layer.op.startswith("max_pool"):
        return None
    try:
        clean = moved(layer)
    except (ValueError, KeyError, TypeError):
        return None
    return moved if clean.shape == y.q.shape and np.array_equal(clean, y.q) else None


def plants(layer):
    y = layer.y
    if not again(layer):
        return
    clean = y.q.astype(np.int64)
    low, high = y.range
    for step in (7, -5):
        if low <= int(y.zero) + step <= high:
            yield "zero-point:stale", np.clip(clean + step, low, high)
    if layer.op == "pad":
        for name, fill in (("padding:zero", 0), ("padding:stale", min(high, int(layer.ins["x"].zero) + 3)), ("padding:stale", low + (int(layer.ins["x"].zero) - low + 37) % (high - low))):
            yield name, padded(layer, layer.ins["x"].q.astype(np.int64), fill)
    if layer.activation() != "none":
        bare = largest_without(layer)
        yield "activation:missing", bare
        if low < 0:
            yield "activation:at-zero", np.maximum(bare, 0)


def largest_without(layer):
    held = layer.attributes
    layer.attributes = {**held, "activation": "none"}
    try:
        return largest(layer, layer.ins["x"].q.astype(np.int64))
    finally:
        layer.attributes = held

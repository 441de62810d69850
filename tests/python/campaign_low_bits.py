"""campaign_low_bits.py: layers of weights that stay few bits until they are used (weight-only, per-token dynamic, embeddings), with NumPy."""

import math

import numpy as np
from campaign_dump import f32
from campaign_dynamic import others
from campaign_sums import narrow

OPERATORS = ("linear_weight_only", "embedding", "embedding_bag")
BITS = {"uint4": 4, "int4": 4, "uint2": 2, "int2": 2}


def turned(q, bits, by_row=False):
    """The values of a byte in the other order: a whole byte at a time, what is left over stays."""
    each = 8 // bits
    run = q.shape[-1] if by_row else q.size
    rows = q.reshape(-1, run).copy()
    whole = run // each * each
    rows[:, :whole] = rows[:, :whole].reshape(len(rows), -1, each)[..., ::-1].reshape(len(rows), whole)
    return rows.reshape(q.shape)


class Weight:
    """Codes [O, K], scales and zero points spread over them; what is added to each."""

    def __init__(self, layer):
        t = layer.ins["weight"]
        self.q, self.bits = t.q.astype(np.int64), BITS.get(t.dtype, 8)
        self.signed = t.dtype[0] == "i"
        O, K = self.q.shape
        self.groups = math.ceil(K / t.entry["group_size"]) if t.entry.get("group_size") else 1
        self.size = t.entry.get("group_size") or max(K, 1)
        table = lambda v: np.broadcast_to(np.asarray(v).reshape(-1), O * self.groups).reshape(O, self.groups)  # noqa: E731
        self.scale, self.zero = table(f32(t.scale)), table(np.asarray(t.zero, np.float64))
        shift = layer.ins.get("weight_bias")
        self.shift = None if shift is None else shift.q.reshape(O, -1)
        self.several = np.ndim(t.scale) > 0 and np.size(t.scale) > 1

    def spread(self, table):
        return np.repeat(table, self.size, 1)[:, :self.q.shape[1]] if self.groups > 1 else table

    def faults(self):
        """(name, attributes that are others)."""
        O, K = self.q.shape
        s, G = self.scale, self.groups
        if self.several:
            yield "weight-scale:per-tensor", {"scale": np.broadcast_to(s[:1], s.shape)}
            for scale in (np.roll(s, 1, 0), np.roll(s, -1, 0), np.r_[s[:1], s[:-1]]):
                yield "weight-scale:shifted", {"scale": scale}
            if G > 1:
                yield "weight-scale:per-tensor", {"scale": np.broadcast_to(s[:, :1], s.shape)}
                yield "weight-scale:shifted", {"scale": np.roll(s, 1, 1)}
                yield "weight-scale:wrong-axis", {"scale": s.T.reshape(s.shape)}
                yield "weight-scale:wrong-axis", {"scale": s.reshape(G, O).T}
        if (self.zero != 0).any():
            yield "weight-zero-point:ignored", {"zero": 0 * self.zero}
            if self.bits == 4 and (self.zero != 8).any():
                yield "weight-zero-point:ignored", {"zero": 0 * self.zero + 8}
        if self.shift is not None:
            yield "weight-zero-point:ignored", {"shift": None}
        if self.bits == 8:
            yield "offset:128", {"q": (self.q + 128 + 128 * self.signed) % 256 - 128 * self.signed}
        if O > 1 and K > 1:
            yield "weight:transposed", {"q": self.q.T.reshape(O, K)}
            if O != K:
                yield "weight:transposed", {"q": self.q.reshape(K, O).T}
        if self.bits < 8:
            yield "weight:reordered", {"q": turned(self.q, self.bits)}
            if K * self.bits % 8:
                yield "weight:reordered", {"q": turned(self.q, self.bits, True)}


def with_fault(w, fault):
    other = object.__new__(Weight)
    other.__dict__ = {**w.__dict__, **fault}
    return other


def bfloat16(v):
    bits = v.view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(f32)


def weight_only(layer, w, x=None, bias=True, relu=True):
    a = layer.attributes
    x = (layer.ins["x"].q if x is None else x).astype(np.float64)
    rows = x.reshape(-1, x.shape[-1])
    centred = w.q - w.spread(w.zero)
    if a.get("accuracy_level") == 4 and layer.profile.startswith("onnx"):
        y = 0
        for at in range(0, rows.shape[1], w.size):
            part = rows[:, at:at + w.size]
            most = f32(np.abs(part).max(1, keepdims=True))
            q = np.rint(f32(part) * (f32(127) / np.where(most == 0, f32(1), most))).astype(np.float64)
            y = y + q @ centred[:, at:at + w.size].T * (np.float64(most / f32(127)) * w.scale[:, at // w.size].astype(np.float64))
    else:
        v = centred * w.spread(w.scale).astype(np.float64)
        if w.shift is not None:
            v = v + w.spread(w.shift)
        y = rows @ v.T
    if bias and "bias" in layer.ins:
        y = y + layer.ins["bias"].q
    if relu and layer.activation() == "relu":
        y = np.maximum(y, 0)
    y = f32(y)
    return (bfloat16(y) if a.get("compute") == "bfloat16" else y).reshape(layer.y.q.shape)


def of_weight_only(layer):
    w = Weight(layer)
    if not np.allclose(weight_only(layer, w), layer.y.q, rtol=1e-2, atol=1e-2 * np.abs(layer.y.q).max(initial=0)):
        return
    for name, fault in w.faults():
        yield name, weight_only(layer, with_fault(w, fault))
    if "bias" in layer.ins:
        yield "bias:dropped", weight_only(layer, w, bias=False)
    if layer.activation() == "relu":
        yield "activation:missing", weight_only(layer, w, relu=False)
    for name, t in others(layer, "x"):
        yield f"input:{name}", weight_only(layer, w, t.q)


def per_token(layer, w, x=None, bias=True, held=None, multiplier=None):
    """PyTorch's _dyn_quant_matmul_4bit with a scale a channel: rows quantized to int8 by their own reciprocal scale."""
    x = (layer.ins["x"].q if x is None else x).astype(f32).reshape(-1, w.q.shape[1])
    low, high = f32(-128), f32(127)
    least, most = np.minimum(x.min(1, keepdims=True), 0), np.maximum(x.max(1, keepdims=True), 0)
    inverse = np.where(least == most, f32(1), (high - low) / (most - least))
    below, above = least * inverse, most * inverse
    zero = np.rint(np.clip(np.where(low + below + (high + above) > 0, low - below, high - above), low, high)).astype(np.int64)
    v = x * inverse
    codes = np.clip(np.copysign(np.floor(np.abs(v.astype(np.float64)) + 0.5), v).astype(np.int64) + zero, -128, 127)
    acc, si, sw = (codes - zero) @ (w.q - w.zero.astype(np.int64)).T, f32(1) / inverse, w.scale[:, 0]
    acc = narrow(acc, *held) if held else acc
    y = f32(acc * (np.float64(si) * sw)) if multiplier == "f64" else f32(acc) * (si * sw) if multiplier == "si*sw" else f32(acc) * sw * si
    return (y + layer.ins["bias"].q if bias and "bias" in layer.ins else y).reshape(layer.y.q.shape)


def of_per_token(layer):
    w = Weight(layer)
    if w.groups > 1 or layer.activation() != "none" or not np.array_equal(per_token(layer, w), layer.y.q):
        return
    for name, fault in w.faults():
        yield name, per_token(layer, with_fault(w, fault))
    if "bias" in layer.ins:
        yield "bias:dropped", per_token(layer, w, bias=False)
    for bits in (10, 12, 14):
        for saturates in (False, True):
            yield f"accumulator:{bits}-{'saturate' if saturates else 'wrap'}", per_token(layer, w, held=(bits, saturates))
    yield "multiplier:si*sw", per_token(layer, w, multiplier="si*sw")
    for name, t in others(layer, "x"):
        yield f"input:{name}", per_token(layer, w, t.q)
    yield "position:element", corrupted(layer)


def embedded(layer, w, indices=None):
    """FBGEMM: y = fma(q, s, y + b) for every index of a bag."""
    ins = layer.ins
    index = (ins["indices"].q if indices is None else indices).astype(np.int64)
    half = (lambda v: v.astype(np.float16).astype(f32)) if w.bits < 8 else f32
    scale = half(w.scale[:, 0])
    shift = half(-(f32(w.zero[:, 0]) * w.scale[:, 0]) if w.shift is None and "weight_bias" not in ins else np.zeros_like(scale) if w.shift is None else f32(w.shift[:, 0]))
    flat, each = index.reshape(-1), ins.get("per_sample_weights")
    if layer.op == "embedding":
        start = np.arange(flat.size + 1)
    elif "offsets" in ins:
        start = ins["offsets"].q.astype(np.int64)
        start = start if layer.attributes.get("include_last_offset") else np.r_[start, flat.size]
    else:
        start = np.arange(index.shape[0] + 1) * index.shape[1]
    y = np.zeros((len(start) - 1, w.q.shape[1]), f32)
    for bag, (first, end) in enumerate(zip(start, start[1:])):
        for i in range(first, end):
            s, b = scale[flat[i]], shift[flat[i]]
            if each is not None:
                s, b = s * each.q.reshape(-1)[i], b * each.q.reshape(-1)[i]
            y[bag] = f32(w.q[flat[i]] * np.float64(s) + (y[bag] + b).astype(np.float64))
    return y.reshape(layer.y.q.shape)


def of_embedding(layer):
    w = Weight(layer)
    if not np.array_equal(embedded(layer, w), layer.y.q):
        return
    for name, fault in w.faults():
        yield name, embedded(layer, with_fault(w, fault))
    for name, t in others(layer, "indices"):
        if 0 <= t.q.min(initial=0) and t.q.max(initial=0) < len(w.q):
            yield f"input:{name}", embedded(layer, w, t.q)
    yield "position:element", corrupted(layer)


def corrupted(layer):
    q = layer.y.q.copy()
    q.flat[q.size // 3] += f32(0.25)
    return q


def plants(layer):
    if layer.op.startswith("embedding"):
        return of_embedding(layer)
    return of_weight_only(layer) if layer.op == "linear_weight_only" else of_per_token(layer)

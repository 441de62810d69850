"""campaign_fused.py: oneDNN's convolution with a sum behind it (conv2d_add), with NumPy: one float32 step after the other, one
rounding at the end."""

import copy

import campaign_sum_plants
import numpy as np
from campaign_dump import f32
from campaign_sums import Sum, narrow, rounded

ONE = f32(1)


class Fused(Sum):
    def __init__(self, layer):
        other = copy.copy(layer)
        other.op, other.attributes = "conv2d", {**layer.attributes, "activation": "none"}
        super().__init__(other)
        self.layer, self.a = other, layer.ins["a"]
        self.relu = layer.activation() == "relu"

    def again(self, layer):
        other = Fused(layer)
        return other.shaped(other.requantize(other.clean_acc))

    def requantize(self, acc, f=None):
        f = f or {}
        sw, zo = self.ch(f32(f.get("sw", self.sw))), self.zo + f.get("moved", 0)
        if "narrow" in f:
            acc = narrow(acc, *f["narrow"])
        si = ONE / f32(1.0 / self.si)
        v = f32(acc) * (si * sw) if f.get("joined") else f32(acc) * si * sw
        if self.bias is not None and f.get("bias") != "dropped":
            v = v + self.ch(self.bias)
        added = f32(self.a.centred().reshape(v.shape))
        sa = ONE / f32(1.0 / float(f32(self.a.scale)))
        v = v + added * sa if f.get("fma") == "none" else f32(np.float64(added) * np.float64(sa) + v)
        if self.relu and f.get("activation") is None:
            v = np.maximum(v, f32(0))
        v = v * (ONE / (ONE / f32(1.0 / self.so)))
        mode = f.get("round", "half-even")
        q = rounded(v + f32(zo), mode) if f.get("inside", True) else rounded(v, mode) + zo
        low, high = self.y.range
        if f.get("clamp") == "wraps":
            return (q.astype(np.int64) - low) % (high - low + 1) + low
        return np.clip(q, low, high).astype(np.int64)


def of_stages(s):
    for mode in campaign_sum_plants.MODES:
        yield f"round:{mode}", {"round": mode}
        yield f"round:{mode}", {"round": mode, "inside": False}
    yield "zero-point:after-rounding", {"inside": False}
    for moved in (7, -3, 40):
        if s.y.range[0] <= s.zo + moved <= s.y.range[1]:
            yield "zero-point:stale", {"moved": moved}
    if s.bias is not None:
        yield "bias:dropped", {"bias": "dropped"}
    for bits in (8, 12, 14, 16, 18, 20):
        for saturates in (False, True):
            yield f"accumulator:{bits}-{'saturate' if saturates else 'wrap'}", {"narrow": (bits, saturates)}
    if s.relu:
        yield "activation:missing", {"activation": "missing"}
    yield "output:wraps", {"clamp": "wraps"}
    yield "multiplier:si*sw", {"joined": True}
    yield "fma:none", {"fma": "none"}
    if len(s.sw) > 1:
        yield "weight-scale:per-tensor", {"sw": np.full_like(s.sw, s.sw[0])}
        yield "weight-scale:shifted", {"sw": np.roll(s.sw, 1)}
        yield "weight-scale:shifted", {"sw": np.roll(s.sw, -1)}


def plants(s):
    clean = s.requantize(s.clean_acc)
    faults = [(name, s.requantize(s.clean_acc, fault)) for name, fault in of_stages(s)]
    faults += [(name, s.requantize(acc)) for name, acc in campaign_sum_plants.of_sums(s) if "accumulator" not in name]
    for name, codes in campaign_sum_plants.of_inputs(s):
        faults.append((name, s.requantize(s.accumulate(w=codes[1]) if isinstance(codes, tuple) else s.accumulate(x=codes))))
    if s.a.dtype in ("uint8", "int8"):
        moved, low = copy.copy(s), s.a.range[0]
        moved.a = copy.copy(s.a)
        moved.a.q = (s.a.q.astype(np.int64) + 128 - low) % 256 + low
        faults.append(("offset:128", moved.requantize(s.clean_acc)))
    for name, q in faults:
        if not np.array_equal(q, clean):
            yield name, s.shaped(q)
    yield from campaign_sum_plants.places(clean, s.y, s.shaped)

"""campaign_sum_plants.py: the causes planted into layers that accumulate: (name, stored integers) for one layer."""

import copy
import zlib

import numpy as np
from campaign_sums import narrow

MODES = ("half-even", "half-away", "half-up", "half-down", "to-zero", "floor", "ceil")
ASSOCIATIONS = ("(si*sw)/so", "si*(sw/so)", "(si/so)*sw", "(si*sw)*(1/so)", "si*(sw*(1/so))", "(1/so)/((1/si)*(1/sw))", "f32")


def of_stages(s):
    """Faults of the requantization, on the clean accumulators: (name, dict)."""
    floating = s.engine in ("fbgemm", "qnnpack", "onednn", "onednn2")
    for mode in MODES:
        yield f"round:{mode}", {"round": mode}
        yield f"round:{mode}", {"round": mode, "inside": True}
    # Where the arithmetic is gemmlowp's already only the multiplier is another one.
    yield ("multiplier:f64" if s.engine == "fixed" else "round:double"), {"whole": "gemmlowp"}
    if floating:
        yield "zero-point:before-rounding", {"inside": True}
        yield "zero-point:after-rounding", {"inside": False}
    for moved in (7, -3, 40):
        if s.stored_range[0] <= s.zo + moved <= s.stored_range[1]:
            yield "zero-point:stale", {"moved": moved}
    yield "multiplier:f64", {"multiplier": "f64"}
    for kind in ("q31", "q15", "power-of-two", "power-of-two-floor"):
        name = "multiplier:" + kind.replace("-floor", "")
        yield name, {"multiplier": kind}
        if kind != "power-of-two-floor":
            yield name, {"multiplier": kind, "integer": True}
    for kind in ASSOCIATIONS:
        yield f"multiplier:{kind}", {"multiplier": kind}
    if s.engine == "onednn":
        yield "multiplier:si*sw", {"joined": True}
        yield "fma:bias", {"fma": "bias"}
        yield "fma:zero-point", {"fma": "zero-point"}
    if s.engine == "fbgemm" and s.bias is not None and not s.integer_bias:
        yield ("fma:bias", {"fma": "planted"}) if s.several else ("fma:none", {"fma": "none"})
        if not s.several:
            yield "fma:none", {"fma": "division"}
    if s.bias is not None:
        yield "bias:dropped", {"bias": "dropped"}
        if not s.integer_bias:
            yield "bias:quantized", {"bias": "quantized"}
            yield "bias:float", {"bias": "float"}
    for bits in (8, 12, 14, 16, 18, 20, 22, 24, 28, 30):
        for saturates in (False, True):
            for with_bias in (False, True):
                yield f"accumulator:{bits}-{'saturate' if saturates else 'wrap'}", {"narrow": (bits, saturates), "with_bias": with_bias}
    if s.layer.activation() != "none":
        yield "activation:missing", {"activation": "missing"}
        yield "activation:at-zero", {"activation": "at-zero"}
        yield "activation:before-bias", {"activation": "before-bias"}
    if s.y.dtype in ("uint8", "int8"):
        yield "offset:128", {"xor": True}
    yield "output:wraps", {"clamp": "wraps"}
    if s.y.range != s.y.entry.get("range", s.y.range) or "qmin" in s.y.entry or "qmax" in s.y.entry:
        yield "range:unreduced", {"clamp": "unreduced"}
    if len(s.sw) > 1:
        yield "weight-scale:per-tensor", {"sw": np.full_like(s.sw, s.sw[0])}
        yield "weight-scale:shifted", {"sw": np.roll(s.sw, 1)}
        yield "weight-scale:shifted", {"sw": np.roll(s.sw, -1)}
        yield "weight-scale:shifted", {"sw": np.r_[s.sw[:1], s.sw[:-1]]}
        yield "weight-scale:shifted", {"sw": np.r_[s.sw[1:], s.sw[-1:]]}
        P = s.patches.shape[-1]
        if floating and P > 1 and s.layer.op.startswith("conv"):
            yield "weight-scale:wrong-axis", {"sw": s.sw[np.arange(P) % s.y.q.shape[-1] % len(s.sw)].reshape(1, 1, -1)}


def of_profiles(s):
    """Another runtime's whole arithmetic on the layer's sums: (name, stored integers)."""
    if s.paired or s.engine is None or s.x.dtype == "int16":
        return
    real = s.bias is not None and not s.integer_bias
    others = {"fbgemm": "pytorch-fbgemm", "qnnpack": "pytorch-qnnpack", "onednn": "pytorch-onednn"} if real else \
        {"fbgemm": "onnxruntime", "qnnpack": "pytorch-qnnpack", "fixed": "tflite-reference", "single": "tflite-single-rounding"}
    for engine, profile in others.items():
        if engine != s.engine:
            other = copy.copy(s)
            other.engine = engine
            yield f"profile:{profile}", other.requantize(s.clean_acc)


def of_sums(s):
    """Faults of the accumulation: (name, accumulators)."""
    g, o, c, t = s.wq.shape
    if s.paired:  # these formulas pair nothing
        return
    if s.layer.op == "matmul" and g > 1:
        g = -g    # matrices of a batch, not groups
    if (s.wz != 0).any():
        yield "weight-zero-point:ignored", s.accumulate(wz_ignored=True)
    if s.outside.any() and not getattr(s, "transposed", False):
        if s.zx:
            yield "padding:zero", s.accumulate(pad=0)
        low, high = s.x.range
        for pad in (low + (s.zx - low + 37) % (high - low), min(high, s.zx + 3)):
            if pad not in (0, s.zx):
                yield "padding:stale", s.accumulate(pad=pad)
    if t > 1:
        yield "kernel:flipped", s.accumulate(w=s.wq[..., ::-1])
    if o > 1 and c > 1:
        swapped = s.wq.transpose(0, 2, 1, 3).reshape(abs(g), -1, t)       # the bytes of [C, O], read as [O, C]
        yield "weight:transposed", s.accumulate(w=swapped.reshape(abs(g), o, c, t)) if o != c else s.accumulate(w=s.wq.transpose(0, 2, 1, 3))
        if o != c:
            yield "weight:transposed", s.accumulate(w=s.wq.reshape(abs(g), c, o, t).transpose(0, 2, 1, 3))
    if g * o > 1 and c > 1 and g > 1:                                # all groups at once: [G*O, C] read as [C, G*O]
        flat = s.wq.reshape(g * o, c, t)
        yield "weight:transposed", s.accumulate(w=flat.reshape(c, g * o, t).transpose(1, 0, 2).reshape(g, o, c, t))
        yield "weight:transposed", s.accumulate(w=flat.transpose(1, 0, 2).reshape(g, o, c, t))
    if getattr(s, "transposed", False) and o > 1 and c > 1 and o != c:   # per group [I, O, T] viewed as [O, I, T] and swapped, twice
        w = s.wq.transpose(0, 2, 1, 3)
        for _ in range(2):
            w = w.reshape(g, o, c, t).transpose(0, 2, 1, 3)
        yield "weight:reordered", s.accumulate(w=w.transpose(0, 2, 1, 3))
    if s.layer.op in ("conv1d", "conv2d", "conv3d") and t > 1 and c > 1:
        yield "layout:ohwi", s.accumulate(w=s.wq.reshape(g, o, t, c).transpose(0, 1, 3, 2))
        yield "layout:ohwi", s.accumulate(w=s.wq.transpose(0, 1, 3, 2).reshape(g, o, c, t))
    small = s.patches.shape[0] * s.wq.size * s.patches.shape[-1] < 2_000_000 and c * t <= 600
    if small:
        for bits in (12, 16, 20, 24):
            if np.abs(s.clean_acc).max(initial=0) * 4 > 2 ** (bits - 1):
                for order in ("taps", "channels"):
                    yield f"accumulator:{bits}-saturate", s.partial(bits, True, order)
        if s.x.dtype == "uint8" and s.w.dtype == "int8" and not getattr(s, "transposed", False):
            for order in ("taps", "channels"):
                yield "pairs:int16", s.pairs(order)


def of_inputs(s):
    """Faults of the stored input: (name, patches of another input's bytes)."""
    low, high = s.x.range
    if s.x.dtype in ("uint8", "int8") and not s.paired:
        p = s.patches
        yield "offset:128", (p + 128 - low) % 256 + low
        w = (s.wq + 256) % 256 - 128 if s.w.dtype == "int8" else (s.wq + 128) % 256
        yield "offset:128", ("w", w)


def plants(s):
    clean = s.requantize(s.clean_acc)
    for name, fault in of_stages(s):
        q = s.requantize(s.clean_acc, fault)
        if not np.array_equal(q, clean):
            yield name, s.shaped(q)
    for name, q in of_profiles(s):
        if not np.array_equal(q, clean):
            yield name, s.shaped(q)
    for name, acc in of_sums(s):
        q = s.requantize(acc)
        if not np.array_equal(q, clean):
            yield name, s.shaped(q)
    for name, codes in of_inputs(s):
        acc = s.accumulate(w=codes[1]) if isinstance(codes, tuple) else s.accumulate(x=codes)
        q = s.requantize(acc)
        if not np.array_equal(q, clean):
            yield name, s.shaped(q)
    yield from places(clean, s.y, s.shaped)


def places(clean, y, shaped):
    """Corrupted places: nothing to explain, only to localise."""
    q = shaped(clean).copy()
    if q.size < 4:
        return
    low, high = y.range
    flip = lambda v: np.where(v < high, v + 1, v - 1)  # noqa: E731
    one, at = q.copy(), zlib.crc32(y.name.encode()) % q.size
    one.flat[at] = flip(one.flat[at])
    yield "position:element", one
    if q.ndim >= 2 and q.shape[1] > 1 and q.size // q.shape[1] > 1:
        channel = q.copy()
        channel[:, 1] = (channel[:, 1].astype(np.int64) - low + 3 + at % 11) * 7 // 5 % (high - low + 1) + low
        if (channel != q).sum() > 1:
            yield "position:channel", channel
    if q.ndim >= 2 and q.shape[-1] > 2 and q.size > q.shape[-1]:
        row = q.reshape(-1, q.shape[-1]).copy()
        row[1] = (row[1].astype(np.int64) - low + 2 + at % 11) * 11 // 7 % (high - low + 1) + low
        if (row[1] != q.reshape(-1, q.shape[-1])[1]).sum() > 1:
            yield "position:row", row.reshape(q.shape)


def pairs(s):
    """Two simple faults at once: (names, values)."""
    clean = s.requantize(s.clean_acc)
    stage = [("round:half-away", {"round": "half-away"}), ("round:floor", {"round": "floor"}), ("bias:dropped", {"bias": "dropped"}), ("zero-point:stale", {"moved": 5})]
    sums = list(of_sums(s))
    singles = {}
    for name, fault in stage:
        if name == "bias:dropped" and s.bias is None or "moved" in fault and not s.stored_range[0] <= s.zo + fault["moved"] <= s.stored_range[1]:
            continue
        singles[name] = (fault, None, s.requantize(s.clean_acc, fault))
    for name, acc in sums:
        if name in ("padding:zero", "kernel:flipped", "weight-zero-point:ignored"):
            singles[name] = ({}, acc, s.requantize(acc))
    names = sorted(singles)
    for i, a in enumerate(names):
        for b in names[i + 1:]:
            (fa, acca, ya), (fb, accb, yb) = singles[a], singles[b]
            if acca is not None and accb is not None or {a, b} == {"round:half-away", "round:floor"}:
                continue
            acc = acca if acca is not None else accb if accb is not None else s.clean_acc
            q = s.requantize(acc, {**fa, **fb})
            if any(np.array_equal(q, other) for other in (clean, ya, yb)):
                continue
            yield f"{a} + {b}", s.shaped(q)


__all__ = ["plants", "pairs", "narrow"]

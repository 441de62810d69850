"""campaign_values.py: layers that do not accumulate, with NumPy: the real value of every element, brought to stored integers by
one of the runtimes' formulas, and with one thing wrong."""

import itertools
import math
import zlib

import campaign_formulas
import numpy as np
from campaign_dump import f32
from campaign_sum_plants import MODES, places
from campaign_sums import double, fixed, narrow, rounded, single
from recompute import ends, windows

ONE = f32(1)


def real(t, kind, codes=None):
    q = t.centred() if codes is None else codes.astype(np.int64) - t.per(t.zero).astype(np.int64)
    return (q.astype(f32) * t.per(f32(t.scale))) if kind is f32 else q * t.per(np.float64(t.scale))


def pool(x, layer, kind):
    a = layer.attributes
    kernel = a["kernel_size"]
    d = len(kernel)
    if a.get("ceil_mode") or a.get("divisor_override") or not a.get("stride"):
        raise ValueError("pool")
    begins, after = ends(a.get("padding", [0] * d), d)
    seen, valid = (windows(v, kernel, a["stride"], [1] * d, [*begins, *after], 0).reshape(*layer.y.q.shape, -1).astype(np.float64).sum(-1)
                   for v in (x, np.ones_like(x)))
    count = valid if not a.get("count_include_pad", True) else math.prod(kernel)
    return (seen / count).astype(kind)


def function(layer, kind, x):
    """The real value of a unary operator."""
    op, a = layer.op, layer.attributes
    x = x.astype(kind)
    six, three, zero = kind(6), kind(3), kind(0)
    if op in ("relu", "relu6"):
        return np.clip(x, zero, six if op == "relu6" else None)
    if op == "hardswish":
        return x * np.clip(x + three, zero, six) / six
    if op == "hardsigmoid":
        return np.clip(x + three, zero, six) / six
    if op == "sigmoid":
        return (1 / (1 + np.exp(-x.astype(np.float64)))).astype(kind)
    if op == "tanh":
        return np.tanh(x.astype(np.float64)).astype(kind)
    if op == "leaky_relu":
        return np.where(x >= 0, x, x * kind(a["negative_slope"]))
    if op == "gelu":
        t = x.astype(np.float64)
        if a.get("approximate", "none") == "none":
            return (t * 0.5 * (1 + np.vectorize(math.erf)(t / math.sqrt(2)))).astype(kind)
        return (0.5 * t * (1 + np.tanh(math.sqrt(2 / math.pi) * (t + 0.044715 * t ** 3)))).astype(kind)
    if op == "threshold":
        return np.where(x > kind(a["threshold"]), x, kind(a["value"]))
    if op in ("elu", "celu"):
        al = a.get("alpha", 1.0)
        t = x.astype(np.float64)
        if op == "celu":
            return np.where(t > 0, t, al * np.expm1(t / al)).astype(kind)
        return np.where(t > 0, t * a.get("scale", 1.0), al * a.get("scale", 1.0) * np.expm1(t * a.get("input_scale", 1.0))).astype(kind)
    if op in ("clamp", "hardtanh"):
        lo, hi = (a.get("min"), a.get("max")) if op == "clamp" else (a.get("min_val"), a.get("max_val"))
        return np.clip(x, None if lo is None else kind(lo), None if hi is None else kind(hi))
    if op == "softmax":
        t = np.exp(a.get("beta", 1.0) * (x.astype(np.float64) - x.max(a["dim"], keepdims=True)))
        return (t / t.sum(a["dim"], keepdims=True)).astype(kind)
    if op in ("mean", "sum"):
        v = x.astype(np.float64)
        return getattr(v, op)(tuple(np.atleast_1d(a["dim"])), keepdims=a.get("keepdim", False)).astype(kind)
    if op.startswith("avg_pool"):
        return pool(x, layer, kind)
    if op.startswith("adaptive_avg_pool") and all(n == 1 for n in np.atleast_1d(a["output_size"])):
        return x.astype(np.float64).mean(tuple(range(2, x.ndim)), keepdims=True).astype(kind)
    if op in ("requantize", "quantize"):
        return x
    raise ValueError(op)


def reals(layer, kind, codes=None):
    """Real values; `codes`: other integers for an input."""
    codes = codes or {}
    ins = {port: real(t, kind, codes.get(port)) if t.q.dtype.kind in "iu" else t.q.astype(kind) for port, t in layer.ins.items()}
    if layer.op == "add":
        return ins["a"] + ins["b"]
    if layer.op == "sub":
        return ins["a"] - ins["b"]
    if layer.op == "mul":
        return ins["a"] * ins["b"]
    if layer.op == "cat":
        return np.concatenate([ins[f"x{i}"] for i in range(len(ins))], layer.attributes["dim"])
    if layer.op == "batch_norm":
        shape = [1, -1] + [1] * (ins["x"].ndim - 2)
        w, b, m, v = (ins[k].astype(np.float64).reshape(shape) for k in ("weight", "bias", "running_mean", "running_var"))
        return ((ins["x"] - m) / np.sqrt(v + layer.attributes["eps"]) * w + b).astype(kind)
    x = layer.ins.get("x")
    try:
        return function(layer, kind, ins["x"])
    except ValueError:
        return campaign_formulas.value(layer, kind, ins, codes.get("x", None if x is None else x.q))


def forms(layer, codes=None):
    """How the value comes to stored units: (name, v, zero point inside, rounding)."""
    y = layer.y
    so, zo = y.per(f32(y.scale)), y.per(y.zero)
    if layer.activation() not in ("none", "relu") and not isinstance(layer.activation(), dict):
        return
    try:
        r32, r64 = reals(layer, f32, codes), reals(layer, np.float64, codes)
    except (KeyError, ValueError, IndexError):
        return
    if r32.shape != y.q.shape:
        return
    inverse = ONE / so
    fixed_point = layer.profile.startswith("tflite") and layer.op in ("add", "sub", "mul", "requantize")
    if fixed_point and not codes and y.dtype != "int16":
        yield from in_fixed_point(layer)
    if layer.profile.startswith("xnnpack") and layer.op in ("add", "sub") and y.dtype != "int16":
        if not codes:
            yield from in_21_bits(layer)
        return
    if layer.op.startswith("avg_pool") and layer.profile.startswith("pytorch") and not codes:
        x, n = layer.ins["x"], math.prod(layer.attributes["kernel_size"])
        try:
            total = pool(x.centred().astype(np.float64), layer, np.float64) * n
        except ValueError:
            total = None
        if total is not None and total.shape == y.q.shape:
            for m in (f32(x.scale) / (so * f32(n)), f32(x.scale) / so / f32(n)):
                for inside in (False, True):
                    yield "pooled", f32(np.rint(total)) * m, inside, "half-even"
    if layer.op.startswith("adaptive_avg_pool") and layer.profile.startswith("pytorch") and not codes:
        x = layer.ins["x"]
        total, counts = campaign_formulas.binned(layer, x.q)
        yield "codes", f32(total) * (ONE / f32(counts)), "already", "half-even"
        for m in (f32(x.scale) / so / f32(counts), f32(x.scale) / (so * f32(counts))):
            v = total - float(x.zero) * counts
            yield "fused", f32(v * m.astype(np.float64) + float(y.zero)), "already", "half-even"
            yield "pooled", f32(v) * m, True, "half-even"
    if layer.op.startswith("avg_pool") and not codes and layer.ins["x"].scale == y.scale:
        for mode in ("half-away", "half-even"):      # of integers: ties are ties
            for inside in (True, False):
                yield "mean of codes", pool(layer.ins["x"].centred().astype(np.float64), layer, np.float64), inside, mode
    if layer.op in ("mul", "requantize") and not codes and not fixed_point:
        a, b = (layer.ins["a"], layer.ins["b"]) if layer.op == "mul" else (layer.ins["x"], None)
        acc = a.centred() * (b.centred() if b else 1)
        m = f32(a.scale) * (f32(b.scale) if b else ONE)
        for inside in (False, True):
            yield "m/so", acc.astype(f32) * (m / so), inside, "half-even"
            yield "m*(1/so)", acc.astype(f32) * (m * inverse), inside, "half-even"
    if layer.op == "add" and not codes and layer.profile.startswith(("pytorch", "onnx")):
        a, b = layer.ins["a"], layer.ins["b"]
        part = lambda t: f32(t.q.astype(np.float64) * float(f32(t.scale)) + float(-(f32(t.scale) * f32(t.zero))))  # noqa: E731
        yield "fma", (part(a) + part(b)) * inverse, False, "half-even"
        A, B, z = f32(a.scale) / so, f32(b.scale) / so, f32(y.zero)
        F = f32(np.longdouble(z) - np.longdouble(f32(np.longdouble(A) * a.zero + np.longdouble(B * f32(b.zero)))))
        v = f32(a.q.astype(np.longdouble) * A + f32(b.q.astype(np.longdouble) * B + F).astype(np.longdouble))
        yield "added", v, "already", "half-even"
    for mode in () if fixed_point else ("half-even", "half-away"):
        for inside in (False, True):
            yield "r32/so", r32 / so, inside, mode
            yield "r32*(1/so)", r32 * inverse, inside, mode
            yield "r64", r64 / y.per(np.float64(y.scale)), inside, mode
    if layer.op in ("layer_norm", "group_norm", "instance_norm") and layer.profile.startswith("pytorch"):
        v, body = campaign_formulas.normalized_by_aten(layer, (codes or {}).get("x", layer.ins["x"].q))
        for inside in (False, True):
            yield "aten", v * inverse, inside, "half-even"
        yield "aten", v * inverse, ~body, "half-even"
    if layer.op == "quantize":
        v = f32(layer.ins["x"].q.astype(np.float64) * inverse.astype(np.float64) + np.asarray(zo, np.float64))
        yield "fused", v, "already", "half-even"
    yield "real", r64 / y.per(np.float64(y.scale)), False, "near"


def in_fixed_point(layer):
    """TFLite: integers before the zero point, already rounded."""
    y = layer.y
    if layer.op == "mul":
        a, b = layer.ins["a"], layer.ins["b"]
        yield "fixed", double(a.centred() * b.centred(), float(f32(a.scale) * f32(b.scale) / f32(y.scale))), False, "fixed"
    if layer.op == "requantize" and layer.ins["x"].dtype != "int16":
        for away in (True, False):
            yield "fixed", double(layer.ins["x"].centred(), float(layer.ins["x"].scale) / float(y.scale), away), False, "fixed"
    if layer.op in ("add", "sub"):
        a, b = layer.ins["a"], layer.ins["b"]
        twice = 2 * max(float(a.scale), float(b.scale))
        p, q = (double(t.centred() << 20, float(t.scale) / twice) for t in (a, b))
        yield "fixed", double(p + q if layer.op == "add" else p - q, twice / (float(1 << 20) * float(y.scale))), False, "fixed"


def in_21_bits(layer):
    """XNNPACK: both ratios to 21 bits, one rounding half up."""
    a, b, y = layer.ins["a"], layer.ins["b"], layer.y
    ra, rb = f32(a.scale) / f32(y.scale), f32(b.scale) / f32(y.scale)
    shift = 20 - (math.frexp(float(max(ra, rb)))[1] - 1)
    ma, mb = (int(np.rint(math.ldexp(float(r), shift))) for r in (ra, rb))
    v = a.centred() * ma + (1 if layer.op == "add" else -1) * b.centred() * mb + (1 << (shift - 1))
    yield "fixed", v >> shift, False, "fixed"


def bounds(layer, moved=0):
    y = layer.y
    low, high = y.range
    act = layer.activation()
    if act == "relu" and y.quantized:
        low = max(low, int(np.max(y.zero)) + moved)
    elif isinstance(act, dict):
        low, high = act["min"], act["max"]
    elif act != "none":
        raise ValueError("activation")
    return low, high


def stored(layer, v, inside, mode, moved=0, limits=None, wraps=False):
    y = layer.y
    zo = np.asarray(y.per(y.zero)) + moved
    v = np.where(np.isfinite(v), v, 0).astype(v.dtype)
    mode = "half-even" if mode == "fixed" else mode
    if isinstance(inside, str):                       # "already" in there
        q = rounded(v + f32(moved), mode)
    elif np.any(inside):                             # of every element, or of a mask
        q = np.where(inside, rounded(v + (zo.astype(f32) if v.dtype == f32 else zo), mode), rounded(v, mode) + zo)
    else:
        q = rounded(v, mode) + zo
    low, high = bounds(layer, moved) if limits is None else limits
    if wraps:
        bits = int(y.dtype.lstrip("uint"))
        if layer.activation() != "none":
            q = np.clip(q, low if low > y.range[0] else None, high if high < y.range[1] else None)
        q = np.clip(q, -2.0 ** 40, 2.0 ** 40).astype(np.int64)
        return narrow(q, bits, False) if y.dtype[0] == "i" else q % (1 << bits)
    return np.clip(q, low, high).astype(np.int64)


def again(layer):
    """What computes the layer from other inputs as it was computed: a function of a layer, which gives None where formulas that agree
    on the outputs at hand come apart. None where no formula gives the output."""
    if layer.y.q.dtype.kind == "f" or not layer.y.quantized or np.ndim(layer.y.scale):
        return None
    if layer.profile.startswith("xnnpack") or layer.profile.startswith("tflite") and layer.op in ("leaky_relu", "prelu") or layer.dump.top["producer"].get("isa", "").startswith("neon"):
        return None                                  # in fixed point, which the formulas here only come near to
    size, wheres = layer.y.q.size, {}
    for k, (name, v, inside, mode) in enumerate(forms(layer)):
        tails = (64, 32) if inside is False and layer.profile.startswith("pytorch") else ()  # ATen's vectors round first, their tails last
        for where in (inside, *((np.arange(size) >= size // n * n).reshape(layer.y.q.shape) for n in tails)):
            if mode != "near" and np.array_equal(stored(layer, v, where, mode), layer.y.q):
                wheres.setdefault((k, name, mode), []).append(where)

    def compute(other):
        values = [stored(other, v, where, mode) for k, (name, v, _, mode) in enumerate(forms(other)) for where in wheres.get((k, name, mode), ())]
        return values[0] if values and all(np.array_equal(values[0], v) for v in values) else None

    return compute if wheres else None


COPIES = ("max_pool", "relu", "pad", "channel_shuffle", "permute", "reshape", "flatten", "slice", "transpose", "pixel_shuffle", "upsample_nearest", "clamp", "hardtanh")


def plants(layer):
    y = layer.y
    if y.q.dtype.kind == "f":
        if layer.op == "dequantize":
            yield from dequantized(layer)
        yield from float_places(y)
        return
    if not y.quantized or np.ndim(y.scale):
        return
    try:
        low, high = bounds(layer)
    except ValueError:
        return
    clean = y.q.astype(np.int64)
    found = None
    for name, v, inside, mode in forms(layer):
        if mode == "near":
            off = np.abs(stored(layer, v, False, "half-even") - clean)
            if off.max(initial=0) <= 1:
                found = (name, v, False, "half-even", False)
        elif np.array_equal(stored(layer, v, inside, mode), clean):
            found = (name, v, inside, mode, True)
            if mode == "fixed":
                real_value = reals(layer, np.float64) / y.per(np.float64(y.scale))
            break
    if found:
        name, v, inside, mode, exact = found
        base = stored(layer, v, inside, mode)
        rest = clean - base                      # a formula that is near: what it is off stays

        def fault(**change):
            f = {"inside": inside, "mode": mode, **change}
            return stored(layer, v, f.pop("inside"), f.pop("mode"), **f) + (rest if "wraps" not in change else 0)

        copies = layer.op.startswith(COPIES)
        fixed_point = mode == "fixed"
        if fixed_point and not copies:
            yield "output:wraps", fault(wraps=True)
            for other in MODES:
                yield f"round:{other}", stored(layer, real_value, False, other)
        elif exact and not copies:
            for other in MODES:
                yield f"round:{other}", fault(mode=other)
                if inside is False:
                    yield f"round:{other}", fault(mode=other, inside=True)
            if inside is False:
                yield "zero-point:before-rounding", fault(inside=True)
            elif inside is True:
                yield "zero-point:after-rounding", fault(inside=False)
            if not copies:
                yield "output:wraps", fault(wraps=True)
        if not exact and not copies:             # fixed point and tables: the real value rounded once
            for other in ("to-zero", "floor", "ceil", "half-away", "half-even", "half-up"):
                yield f"round:{other}", stored(layer, v, False, other)
        for moved in (7, -5):
            if not exact and rest.any() or not y.range[0] <= np.max(y.zero) + moved <= y.range[1]:
                continue
            limits = None if layer.activation() == "none" else tuple(np.clip(np.array(bounds(layer, moved)), *y.range))
            q = stored(layer, v, inside, mode, moved, limits) + rest
            yield "zero-point:stale", np.clip(q, *(limits or (low, high)))
        if layer.activation() != "none" and (exact or copies):
            yield "activation:missing", np.clip(fault(limits=y.range), *y.range)
            if y.range[0] < 0 or layer.activation() == "relu":
                yield "activation:at-zero", np.clip(fault(limits=(max(y.range[0], 0), y.range[1])), *y.range)
        if layer.op in ("mul",) and exact and not fixed_point:
            a, b = layer.ins["a"], layer.ins["b"]
            acc, m = a.centred() * b.centred(), float(a.scale) * float(b.scale) / float(y.scale)
            yield "multiplier:f64", np.clip(rounded(acc * m, mode) + y.zero, low, high)
            yield "multiplier:power-of-two", np.clip(rounded(acc * 2.0 ** round(math.log2(m)), mode) + y.zero, low, high)
            yield "round:double", np.clip(double(acc, m) + y.zero, low, high)
            yield "multiplier:q31", np.clip(single(acc, m) + y.zero, low, high)
            if inside is False and name in ("m/so", "m*(1/so)"):
                scale = f32(a.scale) * f32(b.scale)
                scale = scale / f32(y.scale) if name == "m/so" else scale * (ONE / f32(y.scale))
                for bits in (8, 12, 14):
                    for saturates in (False, True):
                        yield f"accumulator:{bits}-{'saturate' if saturates else 'wrap'}", np.clip(rounded(f32(narrow(acc, bits, saturates)) * scale, mode) + y.zero, low, high)
        if layer.op == "requantize" and exact and not fixed_point:
            m = float(layer.ins["x"].scale) / float(y.scale)
            yield "round:double", np.clip(double(layer.ins["x"].centred(), m) + y.zero, low, high)
            yield "multiplier:power-of-two", np.clip(rounded(layer.ins["x"].centred() * 2.0 ** round(math.log2(m)), mode) + y.zero, low, high)
        for port, t in layer.ins.items():
            if t.dtype in ("uint8", "int8") and port in ("x", "a", "b", "x0"):
                least = t.range[0]
                codes = {port: (t.q.astype(np.int64) + 128 - least) % 256 + least}
                for other, w, where, how in forms(layer, codes):
                    if (other, how) == (name, mode) and np.array_equal(where, inside) or not exact and how == "near":
                        q = stored(layer, w, inside, mode)
                        if exact and not fixed_point:
                            yield "offset:128", q
                        break
    if y.dtype in ("uint8", "int8"):
        yield "offset:128", (clean + 128 - y.range[0]) % 256 + y.range[0] if y.range in ((0, 255), (-128, 127)) else clean
    yield from places(clean, y, lambda q: q)


def pairs(layer):
    """Two faults at once: another rounding, a stale zero point, a missing activation."""
    y = layer.y
    if y.q.dtype.kind == "f" or not y.quantized or np.ndim(y.scale) or layer.op.startswith(COPIES):
        return
    found = None
    for _, v, inside, mode in forms(layer):
        if mode not in ("near", "fixed") and not isinstance(inside, str) and np.array_equal(stored(layer, v, inside, mode), y.q):
            found = v, inside, mode
            break
    if not found:
        return
    v, inside, mode = found
    active = layer.activation() != "none"
    faults = {"round:half-away": {"mode": "half-away"}, "round:floor": {"mode": "floor"}, "zero-point:stale": {"moved": 5}}
    if active:
        faults["activation:missing"] = {"limits": y.range}

    def fault(*names):
        f = {"inside": inside, "mode": mode}
        for name in names:
            f.update(faults[name])
        if active and "moved" in f and "limits" not in f:
            f["limits"] = tuple(np.clip(np.array(bounds(layer, f["moved"])), *y.range))
        return stored(layer, v, f.pop("inside"), f.pop("mode"), **f)

    names = sorted(faults)
    for i, a in enumerate(names):
        for b in names[i + 1:]:
            if {a, b} == {"round:half-away", "round:floor"} or "zero-point:stale" in (a, b) and not y.range[0] <= int(y.zero) + 5 <= y.range[1]:
                continue
            q = fault(a, b)
            if not any(np.array_equal(q, other) for other in (y.q, fault(a), fault(b))):
                yield f"{a} + {b}", q


def dequantized(layer):
    yield from scaled_otherwise(layer)
    x = layer.ins["x"]
    if np.ndim(x.scale) or x.q.dtype.kind not in "iu" or x.q.shape != layer.y.q.shape or isinstance(x.zero, float) and x.zero != int(x.zero):
        return
    s, z, q = f32(x.scale), f32(x.zero), x.q.astype(f32)
    yield "dequantize:fma", f32(q.astype(np.float64) * np.float64(s) + np.float64(s * -z))
    yield "dequantize:two-products", q * s + s * -z


def scaled_otherwise(layer):
    """dequantize with other scales, zero points or codes."""
    x = layer.ins["x"]
    if x.q.dtype.kind not in "iu" or x.q.shape != layer.y.q.shape or x.entry.get("group_size") or x.entry.get("packed"):
        return
    zero = np.asarray(x.zero, np.float64)

    def run(q=x.q, scale=x.scale, zero=zero):
        return f32(np.float64(f32(q) - f32(x.per(zero))) * x.per(np.float64(f32(scale))))
    if not np.array_equal(run(), layer.y.q):
        return
    if np.any(zero):
        yield "weight-zero-point:ignored", run(zero=0 * zero)
    if np.size(x.scale) > 1:
        s = np.asarray(x.scale)
        yield "weight-scale:per-tensor", run(scale=np.full_like(s, s[0]))
        yield "weight-scale:shifted", run(scale=np.roll(s, 1))
        yield "weight-scale:shifted", run(scale=np.r_[s[1:], s[-1:]])
    if x.q.ndim == 2 and min(x.q.shape) > 1:
        yield "weight:transposed", run(x.q.T.reshape(x.q.shape))


def float_places(y):
    q = np.array(y.q)
    if q.size < 2:
        return
    one, at = q.copy(), zlib.crc32(y.name.encode()) % q.size
    one.flat[at] = np.nextafter(one.flat[at], f32(9e9), dtype=f32) if q.dtype == f32 else 0
    yield "position:element", one


__all__ = ["plants", "pairs", "fixed"]

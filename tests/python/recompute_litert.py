"""recompute_litert.py: LiteRT's arithmetic on x86-64: reference kernels, builtin kernels (ruy), XNNPACK."""

import math

import numpy as np
from recompute import LIMITS, convolution, ends, f32, max_pool, moved, pad, product, stored, windows

REFERENCE, RUY, XNNPACK = "tflite-reference", "tflite-ruy-x86", "xnnpack"


def fixed(real):
    """QuantizeMultiplier: real = m * 2^(shift - 31), m of 31 bits, rounded half away from zero."""
    fraction, shift = math.frexp(real)
    m = math.floor(fraction * 2.0 ** 31 + 0.5)
    return (m // 2, shift + 1) if m == 1 << 31 else (m, shift)


def scaled(x, real, away=True):
    """Doubling high multiply (half up), then the right shift: half away from zero (R1) or up (R2)."""
    m, shift = fixed(float(real))
    left, right = max(shift, 0), max(-shift, 0)
    y = ((np.asarray(x, np.int64) << left) * m + (1 << 30)) >> 31
    if right == 0:
        return y
    nudge = (1 << (right - 1)) - ((y < 0) if away else 0)
    return (y + nudge) >> right


def clamped(values, y, attributes):
    low, high = LIMITS[y.dtype]
    fused = attributes.get("activation", "none")
    if fused == "relu":
        low = max(low, y.zero)
    elif isinstance(fused, dict):
        low, high = fused["min"], fused["max"]
    else:
        assert fused == "none"
    return np.clip(values, low, high)


def by_float(acc, m, y, attributes):
    """XNNPACK: rne(float(acc) * m) between the bounds less the zero point."""
    low, high = (int(clamped(v, y, attributes)) for v in (-99999, 99999))
    v = np.minimum(np.maximum(f32(acc) * f32(m), f32(low - y.zero)), f32(high - y.zero))
    return np.rint(v).astype(np.int64) + y.zero


def per_channel(function, acc, reals):
    """`function(acc, real)` with its own multiplier for every channel, the last axis."""
    return np.stack([function(acc[..., c], real) for c, real in enumerate(reals)], -1)


def sixteen_bits(acc, real):
    """R8: an int64 accumulator, a multiplier of 15 bits, one rounding half up."""
    m, shift = fixed(float(real))
    m = (m + 0x8000) >> 16 if m < 0x7FFF0000 else 0x7FFF
    return (np.asarray(acc, np.int64) * m + (1 << (14 - shift))) >> (15 - shift)


def conv(profile, accumulate=convolution):
    def run(ins, outs, attributes):
        x, w, y = ins["x"], ins["weight"], outs["y"]
        acc = accumulate(ins, attributes).transpose(0, 2, 3, 1)
        scales = np.broadcast_to(np.float32(w.scale), acc.shape[3])
        if attributes.get("bias_dtype") == "int64":
            reals = float(x.scale) * scales.astype(np.float64) / float(y.scale)
            return clamped(per_channel(sixteen_bits, acc, reals), y, attributes)
        if profile == XNNPACK:
            v = by_float(acc, f32(x.scale) * scales / f32(y.scale), y, attributes)
        else:
            reals = float(x.scale) * scales.astype(np.float64) / float(y.scale)
            half_up = np.zeros(len(reals), bool)     # builtin: ruy; depthwise in blocks of 8 channels
            if profile == RUY:
                half_up[:] = attributes["groups"] == 1
                if w.layout == "IHWO" or accumulate is scattered:
                    half_up[:] = np.arange(len(reals)) < len(reals) // 8 * 8
            v = np.stack([scaled(acc[..., c], r, not half_up[c]) for c, r in enumerate(reals)], -1) + y.zero
            v = clamped(v, y, attributes)
        return v                                     # NHWC, as the file
    return run


def scattered(ins, attributes):
    """The accumulator of a transposed convolution: every input adds a window to the output."""
    x, w = ins["x"].centred(), ins["weight"].centred()           # NHWC, OHWI
    (sh, sw), (kh, kw) = attributes["stride"], w.shape[1:3]
    begins, after = ends(attributes["padding"], 2)
    n, h, wide, _ = x.shape
    extra = attributes["output_padding"]
    y = np.zeros((n, (h - 1) * sh + kh + extra[0], (wide - 1) * sw + kw + extra[1], w.shape[0]), np.int64)
    each = np.einsum("nhwi,ofgi->nhwfgo", x, w)
    for i in range(h):
        for j in range(wide):
            y[:, i * sh:i * sh + kh, j * sw:j * sw + kw] += each[:, i, j]
    y = y[:, begins[0]:y.shape[1] - after[0], begins[1]:y.shape[2] - after[1]]
    return (y + (ins["bias"].raw.astype(np.int64) if "bias" in ins else 0)).transpose(0, 3, 1, 2)


def linear(profile):
    def run(ins, outs, attributes):
        x, w, y = ins["x"], ins["weight"], outs["y"]
        acc = product(ins)
        count = np.size(w.scale)
        scales = np.broadcast_to(np.float32(w.scale), acc.shape[-1])
        if profile == XNNPACK:
            return by_float(acc, f32(x.scale) * scales / f32(y.scale), y, attributes)
        if profile == REFERENCE:
            real = float(x.scale) * scales.astype(np.float64) / float(y.scale)
            v = acc * real
            v = np.copysign(np.floor(np.abs(v) + 0.5), v).astype(np.int64)
        elif count == 1:
            v = scaled(acc, float(f32(x.scale) * f32(w.scale)) / float(y.scale), False)
        else:
            v = per_channel(lambda a, r: scaled(a, r, False), acc,
                            float(x.scale) * scales.astype(np.float64) / float(y.scale))
        return clamped(v + y.zero, y, attributes)
    return run


def add(profile, sign=1):
    """R1 throughout; but the builtin kernel's ADD scales its inputs otherwise in whole vectors (`in_vectors`)."""
    def run(ins, outs, attributes):
        a, b, y = ins["a"], ins["b"], outs["y"]
        if profile == XNNPACK:
            ra, rb = f32(a.scale) / f32(y.scale), f32(b.scale) / f32(y.scale)
            shift = 20 - (math.frexp(float(max(ra, rb)))[1] - 1)
            ma, mb = (int(np.rint(math.ldexp(float(r), shift))) for r in (ra, rb))
            v = (a.centred() * ma + sign * b.centred() * mb + (1 << (shift - 1))) >> shift
        else:
            twice, left = 2 * max(float(a.scale), float(b.scale)), 15 if a.dtype == "int16" else 20
            parts = [scaled(t.centred() << left, float(t.scale) / twice) for t in (a, b)]
            total = parts[0] + sign * parts[1]
            if profile == RUY and sign == 1 and left == 20:
                other = sum(in_vectors(t, float(t.scale) / twice) for t in (a, b))
                total = np.where(vector_lanes(a, b), other, total)
            v = scaled(total, twice / ((1 << left) * float(y.scale)))
        return clamped(v + y.zero, y, attributes)
    return run


def in_vectors(t, real):
    """int8: one rounding, the shift taken off the left shift. uint8: the right shift floors."""
    m, shift = fixed(real)
    if t.dtype == "int8":
        return ((t.centred() << (20 + shift)) * m + (1 << 30)) >> 31
    return ((t.centred() << 20) * m + (1 << 30) >> 31) >> -shift


def vector_lanes(a, b):
    """The elements in whole vectors of a span: 8, but 16 for int8 unless one operand is a single value there."""
    shape = np.broadcast_shapes(a.raw.shape, b.raw.shape)
    ours, theirs = ([1] * (len(shape) - t.raw.ndim) + list(t.raw.shape) for t in (a, b))
    kinds = ["same" if p == q else "one" for p, q in zip(ours, theirs)]
    length = 0
    while length < len(kinds) and kinds[-1 - length] == kinds[-1]:
        length += 1
    span = math.prod(shape[len(shape) - length:])
    block = 16 if a.dtype == "int8" and kinds[-1] == "same" else 8
    return (np.arange(math.prod(shape)) % span < span // block * block).reshape(shape)


def mul(profile):
    def run(ins, outs, attributes):
        a, b, y = ins["a"], ins["b"], outs["y"]
        real = f32(a.scale) * f32(b.scale) / f32(y.scale)
        acc = a.centred() * b.centred()
        if profile == XNNPACK:
            return by_float(acc, real, y, attributes)
        return clamped(scaled(acc, real) + y.zero, y, attributes)
    return run


def mean(profile):
    def run(ins, outs, attributes):
        x, y = ins["x"], outs["y"]
        axes = tuple(attributes["dim"])
        n = math.prod(x.raw.shape[a] for a in axes)
        if profile == XNNPACK:
            f = (f32(x.scale) / f32(y.scale)) * (f32(1) / f32(n))
            v = f32(x.raw.astype(np.int64).sum(axes)) * f + (f32(y.zero) - f32(n * x.zero) * f)
            v = np.rint(v).astype(np.int64)
        else:
            m, shift = fixed(float(x.scale) / float(y.scale))
            less = min(n.bit_length() - 1, 32, 31 + shift)
            m, shift = (m << less) // n, shift - less
            acc = x.centred().sum(axes)
            left, right = max(shift, 0), max(-shift, 0)
            v = ((acc << left) * m + (1 << 30)) >> 31
            v = v if right == 0 else (v + (1 << (right - 1)) - (v < 0)) >> right
            v = v + y.zero
        v = clamped(v, y, {})
        return v.reshape(y.raw.shape)
    return run


def away(v):
    return np.copysign(np.floor(np.abs(v.astype(np.float64)) + 0.5), v)


def quantize(profile):
    """Blocks of 8 of the builtin kernel multiply by 1/s and round to even; its tail and the others divide."""
    def run(ins, outs, attributes):
        x, y = ins["x"].raw.reshape(-1), outs["y"]
        inverse = np.rint(x * (f32(1) / f32(y.scale)))
        if profile == XNNPACK:
            v = inverse
        else:
            v = away(x / f32(y.scale))
            if profile == RUY:
                blocks = x.size // 8 * 8
                v = np.concatenate([inverse[:blocks], away(x[blocks:].astype(np.float64) / float(y.scale))])
        return np.clip(v.astype(np.int64) + y.zero, *LIMITS[y.dtype]).reshape(y.raw.shape)
    return run


def dequantize(profile):
    def run(ins, outs, attributes):
        x = ins["x"]
        y = f32(x.per(x.scale, x.raw.ndim, x.axis or 0)) * f32(x.centred())
        if profile == RUY and np.ndim(x.scale) == 0:
            flat, raw = y.reshape(-1), f32(x.raw.reshape(-1))
            blocks = flat.size // 8 * 8
            flat[:blocks] = raw[:blocks] * f32(x.scale) + f32(-x.zero) * f32(x.scale)
        return y
    return run


def lookup(profile, wide):
    """A table of float32 values; `wide` computes in double where XNNPACK does."""
    def run(ins, outs, attributes):
        x, y = ins["x"], outs["y"]
        v = wide(profile, (f32(x.scale) * f32(x.centred())).astype(np.float64)) * (f32(1) / f32(y.scale))
        v = np.rint(v + f32(y.zero)) if profile == XNNPACK else away(v) + y.zero
        return np.clip(v, *LIMITS[y.dtype])
    return run


def logistic(profile, x):
    return f32(np.exp(x) / (1 + np.exp(x))) if profile == XNNPACK else f32(1) / (f32(1) + f32(np.exp(-x)))


def requantize(profile):
    def run(ins, outs, attributes):
        x, y = ins["x"], outs["y"]
        flat, real = x.centred().reshape(-1), float(x.scale) / float(y.scale)
        if profile == XNNPACK:
            m = int(np.rint(f32(256) * f32(x.scale) / f32(y.scale)))
            v = (flat * m + 0x80 + (y.zero << 8)) >> 8
        else:
            v = scaled(flat, real) + y.zero
            if profile == RUY:
                blocks = flat.size // 16 * 16
                v[:blocks] = scaled(flat[:blocks], real, False) + y.zero
        return np.clip(v, *LIMITS[y.dtype]).reshape(y.raw.shape)
    return run


def leaky_relu(profile):
    def run(ins, outs, attributes):
        x, y, v = ins["x"], outs["y"], ins["x"].centred()
        ratio, alpha = f32(x.scale) / f32(y.scale), f32(attributes["negative_slope"])
        if profile == XNNPACK:
            up, down = (int(np.rint(f32(256) * r)) for r in (ratio, ratio * alpha))
            v = (np.where(v >= 0, v * up, v * down) + 0x80 + (y.zero << 8)) >> 8
        else:
            slope = f32(x.scale) * alpha / f32(y.scale)
            v = np.where(v >= 0, scaled(v, ratio), scaled(v, slope)) + y.zero
        return np.clip(v, *LIMITS[y.dtype])
    return run


def avg_pool(ins, outs, attributes):
    """The sum of the raw integers inside, divided by how many they are, half away from zero."""
    x, y = ins["x"], outs["y"]
    kernel, ones = attributes["kernel_size"], [1] * len(attributes["kernel_size"])
    values = x.ordered(x.raw.astype(np.int64))
    begins, after = ends(attributes["padding"], len(kernel))
    seen, valid = (windows(a, kernel, attributes["stride"], ones, [*begins, *after], 0).sum((4, 5))
                   for a in (values, np.ones_like(values)))
    v = np.where(seen > 0, (seen + valid // 2) // valid, -((valid // 2 - seen) // valid))
    return stored(clamped(v, y, attributes), y)


def concat(ins, outs, attributes):
    assert len({(x.scale, x.zero) for x in (*ins.values(), outs["y"])}) == 1
    return np.concatenate([x.raw for x in ins.values()], attributes["dim"])


def softmax(ins, outs, attributes):
    """A table of exp(-s beta k), the sum in order; the reference kernels' fixed point gives the same integers."""
    x, y = ins["x"], outs["y"]
    q = x.raw.astype(np.int64)
    e = f32(np.exp((f32(-x.scale * attributes["beta"]) * f32(q.max(-1, keepdims=True) - q)).astype(np.float64)))
    total = np.zeros(e.shape[:-1], f32)
    for k in range(e.shape[-1]):
        total = total + e[..., k]
    return np.clip(away(e * (f32(1) / (total[..., None] * f32(y.scale)))) + y.zero, *LIMITS[y.dtype])


def hardswish(ins, outs, attributes):
    """TFLite's int16 arithmetic."""
    x, y = ins["x"], outs["y"]
    high = f32(x.scale) * f32(1 / 128)

    def sixteen(real):
        m, shift = fixed(float(real))
        return (32767 if m >= 2 ** 31 - 1 - 2 ** 15 else (m + 2 ** 15) >> 16), shift

    def doubling(a, b):
        return np.minimum((a * b + (1 << 14)) >> 15, 32767)

    (om, oe), (rm, re) = sixteen(high / f32(y.scale)), sixteen(high / f32(3 / 32768))
    v = x.centred() << 7
    p = doubling(v, om)
    r = np.clip(v << (re - 1), -32768, 32767) if re > 0 else v
    r = doubling(r, rm)
    r = np.clip(r << 1, -32768, 32767) if re > 0 else r
    if re < 0:
        r = (r + (1 << (-re - 1)) - (r < 0)) >> -re
    o = np.trunc(((r + 32768) >> 1) * p / 32768).astype(np.int64)
    if oe < 0:
        o = (o + (1 << (-oe - 1)) - (o < 0)) >> -oe
    return np.clip(o + y.zero, *LIMITS[y.dtype])


def rules(layer, top):
    profile = layer.get("profile", top["profile"])
    return {"conv2d": conv(profile), "conv_transpose2d": conv(profile, scattered), "linear": linear(profile),
            "add": add(profile), "sub": add(profile, -1), "mul": mul(profile), "mean": mean(profile),
            "quantize": quantize(profile), "dequantize": dequantize(profile), "requantize": requantize(profile),
            "sigmoid": lookup(profile, logistic), "tanh": lookup(profile, lambda _, x: f32(np.tanh(x))),
            "leaky_relu": leaky_relu(profile), "avg_pool2d": avg_pool, "max_pool2d": max_pool, "cat": concat,
            "softmax": softmax, "hardswish": hardswish, "pad": pad, "reshape": moved, "permute": moved, "slice": moved}

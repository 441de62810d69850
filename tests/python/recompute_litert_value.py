"""recompute_litert_value.py: LiteRT's operators on single values: conversions, tables, softmax, average pool."""

import math

import numpy as np
from recompute import LIMITS, ends, f32, stored, windows
from recompute_litert_steps import REFERENCE, RUY, XNNPACK, away, clamped, fixed, scaled


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


def softmax(profile):
    """Builtin: a table of exp(-s beta k), the sum in order. Reference: fixed point throughout, all in int32."""
    def run(ins, outs, attributes):
        x, y = ins["x"], outs["y"]
        q = x.raw.astype(np.int64)
        below = q - q.max(-1, keepdims=True)
        if profile == REFERENCE:
            return fixed_softmax(below, min(attributes["beta"] * x.scale * 2.0 ** 26, 2.0 ** 31 - 1), y)
        e = f32(np.exp((f32(-x.scale * attributes["beta"]) * f32(-below)).astype(np.float64)))
        total = np.zeros(e.shape[:-1], f32)
        for k in range(e.shape[-1]):
            total = total + e[..., k]
        return np.clip(away(e * (f32(1) / (total[..., None] * f32(y.scale)))) + y.zero, *LIMITS[y.dtype])
    return run


def high(a, b):
    return (np.asarray(a, np.int64) * b + (1 << 30)) >> 31


def over(v, e):
    return (v + (1 << (e - 1)) - (v < 0)) >> e if e else v


def fixed_exp(a):
    """exp of Q5.26 at or below 0, as Q0.31: a polynomial on [-1/4, 0), then a factor for every bit above."""
    a = np.asarray(a, np.int64)
    last = (a & ((1 << 24) - 1)) - (1 << 24)
    x = (last << 5) + (1 << 28)
    x2 = high(x, x)
    inner = high(over(high(x2, x2), 2) + high(x2, x), 715827883) + x2
    r = 1895147668 + high(1895147668, x + over(inner, 1))
    for bit, factor in enumerate((1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)):
        r = np.where((last - a) >> (24 + bit) & 1, high(r, factor), r)
    return np.where(a == 0, 2 ** 31 - 1, r)


def fixed_softmax(below, real, y):
    m, shift = fixed(real)
    skip = -math.floor(31 * 2.0 ** 26 / 2.0 ** shift)
    e = np.where(below >= skip, fixed_exp(high(below << shift, m)), 0)
    out = np.empty_like(below)
    for at in np.ndindex(below.shape[:-1]):
        total = int(over(e[at], 12).sum())
        lead = 32 - total.bit_length()
        shifted = (total << lead) - 2 ** 31          # 1 / (1 + shifted), three steps of Newton
        half = (shifted + 2 ** 31 - 1 + 1) // 2
        x = 1515870810 + int(high(half, -1010580540))
        for _ in range(3):
            x += int(np.clip(high(x, 2 ** 29 - int(high(half, x))) << 2, -2 ** 31, 2 ** 31 - 1))
        r = min(x * 2, 2 ** 31 - 1)
        v = over(high(e[at], r), 12 - lead + 31 - 8) + LIMITS[y.dtype][0]
        out[at] = np.where(below[at] >= skip, np.clip(v, *LIMITS[y.dtype]), LIMITS[y.dtype][0])
    return out


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

"""recompute_litert.py: LiteRT's arithmetic on x86-64: reference kernels, builtin kernels (ruy), XNNPACK."""

import math

import numpy as np
from recompute import LIMITS, convolution, ends, f32, max_pool, moved, pad, product
from recompute_litert_steps import REFERENCE, RUY, XNNPACK, away, clamped, fixed, scaled
from recompute_litert_value import (
    avg_pool, concat, dequantize, hardswish, leaky_relu, logistic, lookup, quantize, requantize, softmax)


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
            if x.dtype == "uint8":
                reals = (f32(x.scale) * scales).astype(np.float64) / float(y.scale)
            half_up = np.zeros(len(reals), bool)     # builtin: ruy; depthwise in blocks of 8 channels
            if profile == RUY:
                half_up[:] = attributes["groups"] == 1
                if w.layout == "IHWO" and x.dtype == "uint8":
                    half_up[:] = False
                elif w.layout == "IHWO" or accumulate is scattered:
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
            real = twice / ((1 << left) * float(y.scale))
            v = scaled(parts[0] + sign * parts[1], real) + y.zero
            if profile == RUY and sign == 1 and left == 20:
                other = scaled(sum(in_vectors(t, float(t.scale) / twice) for t in (a, b)), real)
                return clamped(np.where(vector_lanes(a, b, 8), narrowed(other, y), v), y, attributes)
            return clamped(v, y, attributes)
        return clamped(v + y.zero, y, attributes)
    return run


def in_vectors(t, real):
    """int8: one rounding, the shift taken off the left shift. uint8: the right shift floors."""
    m, shift = fixed(real)
    if t.dtype == "int8":
        return ((t.centred() << (20 + shift)) * m + (1 << 30)) >> 31
    return ((t.centred() << 20) * m + (1 << 30) >> 31) >> -shift


def narrowed(v, y):
    """In vectors the result saturates at int16 before the zero point is added, and that sum wraps."""
    v = (np.clip(v, -32768, 32767) + y.zero + 32768) % 65536 - 32768
    return np.clip(v, *LIMITS[y.dtype])


def vector_lanes(a, b, single):
    """The elements in whole vectors of a span: 8 for uint8, 16 for int8, `single` where one operand is one value."""
    shape = np.broadcast_shapes(a.raw.shape, b.raw.shape)
    ours, theirs = ([1] * (len(shape) - t.raw.ndim) + list(t.raw.shape) for t in (a, b))
    kinds = ["same" if p == q else "one" for p, q in zip(ours, theirs)]
    length = 0
    while length < len(kinds) and kinds[-1 - length] == kinds[-1]:
        length += 1
    span = math.prod(shape[len(shape) - length:])
    block = 8 if a.dtype == "uint8" else 16 if kinds[-1] == "same" else single
    return (np.arange(math.prod(shape)) % span < span // block * block).reshape(shape)


def mul(profile):
    def run(ins, outs, attributes):
        a, b, y = ins["a"], ins["b"], outs["y"]
        real = f32(a.scale) * f32(b.scale) / f32(y.scale)
        acc = a.centred() * b.centred()
        if profile == XNNPACK:
            return by_float(acc, real, y, attributes)
        v = scaled(acc, real)
        if profile == RUY and a.dtype != "int16":
            return clamped(np.where(vector_lanes(a, b, 16), narrowed(v, y), v + y.zero), y, attributes)
        return clamped(v + y.zero, y, attributes)
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
        elif profile == RUY and axes == (1, 2) and attributes["keepdim"] and x.dtype != "int16":
            t = f32(x.zero) * f32(x.scale) / f32(y.scale)
            bias = y.zero - int(away(t))
            acc, real = x.raw.astype(np.int64).sum(axes), f32(x.scale) / (f32(n) * f32(y.scale))
            v = scaled(acc, real)
            blocks = acc.shape[-1] // 16 * 16
            v[..., :blocks] = scaled(acc[..., :blocks], real, False)
            v = v + bias
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


def rules(layer, top):
    profile = layer.get("profile", top["profile"])
    return {"conv2d": conv(profile), "conv_transpose2d": conv(profile, scattered), "linear": linear(profile),
            "add": add(profile), "sub": add(profile, -1), "mul": mul(profile), "mean": mean(profile),
            "quantize": quantize(profile), "dequantize": dequantize(profile), "requantize": requantize(profile),
            "sigmoid": lookup(profile, logistic), "tanh": lookup(profile, lambda _, x: f32(np.tanh(x))),
            "leaky_relu": leaky_relu(profile), "avg_pool2d": avg_pool, "max_pool2d": max_pool, "cat": concat,
            "softmax": softmax(profile), "hardswish": hardswish, "pad": pad,
            "reshape": moved, "permute": moved, "slice": moved}

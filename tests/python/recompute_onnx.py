"""recompute_onnx.py: ONNX Runtime's arithmetic on x86-64 with VNNI, one function an operator."""

import numpy as np
from recompute import LIMITS, convolution, f32, max_pool, moved, nearest, pad, product, reaching, stored, windows


def requantize(acc, multiplier, y):
    """rne(float(acc) * m) clamped, then the zero point: every step in float32."""
    low, high = LIMITS[y.dtype]
    v = f32(acc.astype(np.int32)) * multiplier
    v = np.minimum(np.maximum(v, f32(low - y.zero)), f32(high - y.zero))
    return np.rint(v).astype(np.int64) + y.zero


def scales(x, weight, y, alpha=1.0):
    return (f32(alpha) * f32(x.scale)) * f32(weight.scale) / f32(y.scale)


def conv(ins, outs, attributes):
    acc = convolution(ins, attributes)
    if "accumulator" in outs:
        return stored(acc, outs["accumulator"])
    m = scales(ins["x"], ins["weight"], outs["y"])
    return stored(requantize(acc, m.reshape(-1, *[1] * (acc.ndim - 2)), outs["y"]), outs["y"])


def linear(ins, outs, attributes):
    acc = product(ins)
    if "accumulator" in outs:
        return acc
    x, weight = (ins["x"], ins["weight"]) if "x" in ins else (ins["a"], ins["b"])
    if outs["y"].dtype == "float32":
        y = f32(acc) * (f32(x.scale) * f32(weight.scale))
        return y + ins["bias"].raw if "bias" in ins and ins["bias"].raw.dtype.kind == "f" else y
    return requantize(acc, scales(x, weight, outs["y"], attributes.get("alpha", 1.0)), outs["y"])


def choose(x):
    """DynamicQuantizeLinear's scale and zero point."""
    low, high = min(f32(x.min()), f32(0)), max(f32(x.max()), f32(0))
    scale = (high - low) / f32(255) if high != low else f32(1)
    return scale, int(np.rint(np.clip(f32(0) - low / scale, f32(0), f32(255))))


def quantize_values(x, scale, zero, low, high):
    v = np.minimum(np.maximum(x / scale, f32(low - zero)), f32(high - zero))
    return np.rint(v).astype(np.int64) + zero


def quantize(ins, outs, attributes):
    y = outs["y"]
    scale, zero = (f32(y.per(v, y.raw.ndim, y.axis or 0)) for v in (y.scale, y.zero))
    return quantize_values(ins["x"].raw, scale, zero.astype(np.int64), *LIMITS[y.dtype])


def quantize_dynamic(ins, outs, attributes):
    scale, zero = choose(ins["x"].raw)
    assert (float(scale), zero) == (outs["y"].scale, outs["y"].zero)
    return quantize_values(ins["x"].raw, scale, zero, 0, 255)


def dequantize(ins, outs, attributes):
    x = ins["x"]
    return f32(x.centred()) * f32(x.per(x.scale, x.raw.ndim, x.axis or 0))


def linear_dynamic(ins, outs, attributes):
    x, weight = ins["x"].raw, ins["weight"]
    scale, zero = choose(x)
    acc = (quantize_values(x, scale, zero, 0, 255) - zero) @ weight.centred().T
    y = f32(acc) * (scale * f32(weight.scale))
    return y + ins["bias"].raw if "bias" in ins else y


def add(ins, outs, attributes):
    """fma(a, AC, fma(b, BC, F)) with the zero point inside the rounding; long double holds both steps."""
    a, b, y = ins["a"], ins["b"], outs["y"]
    ac, bc = f32(a.scale) / f32(y.scale), f32(b.scale) / f32(y.scale)
    wide = np.longdouble
    fixed = f32(wide(y.zero) - wide(f32(wide(ac) * a.zero + wide(bc * f32(b.zero)))))
    inner = f32(b.raw.astype(wide) * wide(bc) + wide(fixed))
    v = f32(a.raw.astype(wide) * wide(ac) + inner.astype(wide))
    return np.clip(np.rint(v), *LIMITS[y.dtype])


def mul(ins, outs, attributes):
    a, b, y = ins["a"], ins["b"], outs["y"]
    ratio = f32(a.scale) * f32(b.scale) / f32(y.scale)
    return np.clip(np.rint(f32(a.centred() * b.centred()) * ratio + f32(y.zero)), *LIMITS[y.dtype])


def table(function):
    def look_up(ins, outs, attributes):
        y = outs["y"]
        return quantize_values(function(f32(ins["x"].scale) * f32(ins["x"].centred()), attributes), f32(y.scale),
                               y.zero, *LIMITS[y.dtype])
    return look_up


def cat(ins, outs, attributes):
    y = outs["y"]
    parts = [x.raw if (x.scale, x.zero) == (y.scale, y.zero) else quantize_values(
        f32(x.scale) * f32(x.centred()), f32(y.scale), y.zero, *LIMITS[y.dtype]) for x in ins.values()]
    return np.concatenate(parts, attributes["dim"])


def avg_pool(ins, outs, attributes):
    """A float32 sum in the order of the window, padding left out; the zero point inside the rounding."""
    x, y = ins["x"], outs["y"]
    kernel, ones = attributes["kernel_size"], [1] * len(attributes["kernel_size"])
    values = x.ordered(f32(x.scale) * f32(x.centred()))
    shape = y.ordered(y.raw).shape
    seen, valid = (windows(a, kernel, attributes["stride"], ones, reaching(values, np.empty(shape), attributes), 0)
                   [tuple(slice(0, n) for n in shape)] for a in (values, np.ones_like(values)))
    seen, valid = (a.reshape(*a.shape[:values.ndim], -1) for a in (seen, valid))
    total = np.zeros(seen.shape[:-1], f32)
    for tap in range(seen.shape[-1]):
        total = total + seen[..., tap]
    count = f32(valid.shape[-1]) if attributes["count_include_pad"] else valid.sum(-1, dtype=f32)
    v = (total / count) / f32(y.scale) + f32(y.zero)
    return stored(np.clip(np.rint(v), *LIMITS[y.dtype]), y)


def global_pool(ins, outs, attributes):
    x, y = ins["x"], outs["y"]
    values = x.ordered(x.centred())
    axes = tuple(range(2, values.ndim))
    area = f32(np.prod([values.shape[a] for a in axes]))
    acc = values.sum(axes, keepdims=True)
    return stored(requantize(acc, f32(x.scale) / (f32(y.scale) * area), y), y)


RULES = {"linear": linear, "matmul": linear, "linear_dynamic": linear_dynamic, "quantize": quantize,
         "quantize_dynamic": quantize_dynamic, "dequantize": dequantize, "add": add, "mul": mul, "cat": cat,
         "upsample_nearest2d": nearest, "pad": pad, **{name: moved for name in (
             "reshape", "flatten", "permute", "slice")},
         "sigmoid": table(lambda v, _: f32(1 / (1 + np.exp(-v.astype(np.float64))))),
         "leaky_relu": table(lambda v, a: np.where(v >= 0, v, f32(a["negative_slope"]) * v))}
for n in (1, 2, 3):
    RULES.update({f"conv{n}d": conv, f"avg_pool{n}d": avg_pool, f"max_pool{n}d": max_pool,
                  f"adaptive_avg_pool{n}d": global_pool})


def rules(layer, top):
    assert top["profile"] == "onnxruntime" and "profile" not in layer
    return RULES

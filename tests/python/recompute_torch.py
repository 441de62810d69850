"""recompute_torch.py: PyTorch 2.13's arithmetic on x86-64, one function an operator.

Only what proves that a dump holds the right tensors: quantize, dequantize, linear, convolutions, max
pools, moves. No accumulator saturates in the models of these tests (reduced activations on FBGEMM).
"""

import numpy as np
from recompute import LIMITS, convolution, f32, max_pool, moved, product


def quantize(ins, outs, attributes):
    """2.13.0 alone: rne(fma(x, 1/s, zero point)), the zero point inside the rounding."""
    y = outs["y"]
    inverse = f32(1) / f32(y.scale)
    v = f32(np.float64(ins["x"].raw) * np.float64(inverse) + y.zero)
    return np.clip(np.rint(v), *LIMITS[y.dtype])


def decomposed_quantize(ins, outs, attributes):
    """PT2E: clamp(rne(x * f32(1.0 / s)) + zero point)."""
    y = outs["y"]
    return np.clip(np.rint(ins["x"].raw * f32(1.0 / y.scale)) + y.zero, *LIMITS[y.dtype])


def dequantize(ins, outs, attributes):
    x = ins["x"]
    scale = x.per(x.scale, x.raw.ndim, x.axis or 0)
    if x.axis is not None and attributes.get("variant") != "decomposed":
        return f32(x.centred().astype(f32) * np.float64(scale))
    return f32(x.centred()) * f32(scale)


def finish(rounded, y, attributes):
    low, high = LIMITS[y.dtype]
    return np.clip(rounded, max(low, y.zero) if attributes["activation"] == "relu" else low, high)


def fbgemm(acc, ins, y, attributes, per):
    """One reciprocal and a fused add per tensor, one division a channel."""
    x, w = ins["x"], ins["weight"]
    scale = f32(x.scale) * per(f32(w.scale))
    v = f32(acc.astype(np.int32))
    if "bias" in ins:
        bias = per(ins["bias"].raw)
        if w.axis is None:
            v = f32(np.float64(bias) * np.float64(f32(1) / scale) + np.float64(v))
        else:
            v = v + bias / scale
    return finish(np.rint(v * (scale / f32(y.scale))) + y.zero, y, attributes)


def qnnpack(acc, ins, y, attributes, per):
    """The bias is an integer at s_x * s_w."""
    x, w = ins["x"], ins["weight"]
    if "bias" in ins:
        scale = per(f32(np.float64(w.scale) * np.float64(x.scale)))
        acc = acc + np.rint(per(ins["bias"].raw) * (f32(1) / scale)).astype(np.int64)
    multiplier = per(f32(w.scale)) * f32(x.scale) * (f32(1) / f32(y.scale))
    return finish(np.rint(f32(acc.astype(np.int32)) * multiplier) + y.zero, y, attributes)


def onednn(acc, ins, y, attributes, per):
    """Source scale, weight scale, bias, destination: never their product, and the zero point is inside."""
    x, w = ins["x"], ins["weight"]
    inverse = lambda s: f32(1) / f32(s)  # noqa: E731
    weight = per(f32(w.scale)) if "stride" in attributes else inverse(inverse(per(f32(w.scale))))
    v = f32(acc.astype(np.int32)) * inverse(f32(1.0 / x.scale)) * weight
    if "bias" in ins:
        v = v + per(ins["bias"].raw)
    if attributes["activation"] == "relu":
        v = np.maximum(v, f32(0))
    v = v * inverse(inverse(f32(1.0 / y.scale))) + f32(y.zero)
    return np.rint(np.clip(v, *(f32(end) for end in LIMITS[y.dtype])))


LIBRARIES = {"fbgemm": fbgemm, "qnnpack": qnnpack, "onednn": onednn}


def rules(layer, top):
    """x86 gives linear to FBGEMM and, on a processor with VNNI, these convolutions to oneDNN."""
    engine, isa = top["producer"]["engine"], top["producer"]["isa"]
    library = engine if engine != "x86" else "onednn" if layer["op"].startswith("conv") and isa == "avx512_vnni" else "fbgemm"
    requantize = LIBRARIES[library]

    def linear(ins, outs, attributes):
        return requantize(product(ins), ins, outs["y"], attributes, lambda v: np.asarray(v))

    def conv(ins, outs, attributes):
        per = lambda v: np.asarray(v).reshape(-1, *[1] * (outs["y"].raw.ndim - 2)) if np.ndim(v) else v  # noqa: E731
        floats = ins.pop("bias", None)
        acc = convolution(ins, attributes)
        if floats is not None:
            ins["bias"] = floats
        return requantize(acc, ins, outs["y"], attributes, per)

    table = {"dequantize": dequantize, "max_pool1d": max_pool, "max_pool2d": max_pool,
             "reshape": moved, "slice": moved, "permute": moved}
    if layer["attributes"].get("variant") == "decomposed":
        return {**table, "quantize": decomposed_quantize}
    if layer["attributes"].get("variant") == "float":
        return {}
    return {**table, "quantize": quantize, "linear": linear, "conv1d": conv, "conv2d": conv, "conv3d": conv}

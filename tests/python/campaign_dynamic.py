"""campaign_dynamic.py: layers that quantize a float input when it arrives: linear_dynamic and the dynamic convolutions, with NumPy."""

import copy

import campaign_sum_plants
import numpy as np
from campaign_dump import Tensor, f32
from campaign_sums import Sum, int32, narrow


def others(layer, port):
    """The nearest layer's other input of that type and shape (outputs are planted into)."""
    top, own = layer.dump.top, layer.ins[port]
    here = next(i for i, e in enumerate(top["layers"]) if e["name"] == layer.name)
    taken = {own.name, *(t.name for t in layer.outs.values())}
    for _, entry in sorted(enumerate(top["layers"]), key=lambda at: abs(at[0] - here)):
        for name in entry["inputs"].values():
            if name in taken or top["tensors"][name]["dtype"] != own.dtype:
                continue
            taken.add(name)
            t = Tensor(layer.dump, name)
            if t.q.shape == own.q.shape and not np.array_equal(t.q, own.q):
                yield name, t
                return


def chosen_by_torch(x, low, high):
    """FBGEMM's ChooseQuantizationParams, in float64."""
    least, most = min(f32(x.min()), f32(0)), max(f32(x.max()), f32(0))
    scale = (float(most) - float(least)) / (high - low)
    if f32(scale) == 0:
        scale = 0.1
    if scale < f32(6.1e-5):
        return None                                  # a tiny range is stretched: not here
    below, above = float(least) / scale, float(most) / scale
    first = low - below if abs(low) - abs(below) < abs(high) - abs(above) else high - above
    return scale, int(np.rint(np.clip(first, low, high)))


def chosen_by_onnx(x):
    least, most = min(f32(x.min()), f32(0)), max(f32(x.max()), f32(0))
    scale = (most - least) / f32(255) if most != least else f32(1)
    return float(scale), int(np.rint(np.clip(f32(0) - least / scale, f32(0), f32(255))))


def quantized(layer, reduced):
    """Codes, scale, zero point of x."""
    x, a = layer.ins["x"].q, layer.attributes
    if layer.profile.startswith("onnxruntime"):
        scale, zero = chosen_by_onnx(x)
        v = np.minimum(np.maximum(x / f32(scale), f32(-zero)), f32(255 - zero))
        return np.rint(v).astype(np.int64) + zero, scale, zero
    low, high = (0, 127) if reduced else (0, 255)
    if "input_scale" in a:
        scale, zero, high = float(a["input_scale"]), int(a.get("input_zero_point", 0)), 255
    else:
        both = chosen_by_torch(x, low, high)
        if both is None:
            raise ValueError("tiny")
        scale, zero = both
    if layer.profile.startswith("pytorch-onednn") and layer.op == "linear_dynamic":  # inverted twice, the zero point added apart
        v = x * (f32(1) / (f32(1) / f32(1.0 / scale))) + f32(zero)
    else:
        v = f32(x.astype(np.float64) * np.float64(f32(1) / f32(scale)) + zero)   # 2.13.0: fused, the zero point inside
    return np.clip(np.rint(v), 0, 255).astype(np.int64), scale, zero


class Plain:
    """What Sum asks of an output's tensor."""

    def __init__(self, layer, scale=1.0, zero=0, dtype="int32"):
        self.q, self.name, self.scale, self.zero, self.dtype = layer.y.q, layer.y.name, scale, zero, dtype
        self.entry, self.quantized, self.axis = {}, True, None

    range = property(lambda self: {"int32": (-2 ** 31, 2 ** 31 - 1), "uint8": (0, 255)}[self.dtype])


def static(layer, reduced, output_like_input):
    """The layer as a static one."""
    codes, scale, zero = quantized(layer, reduced)
    other, x = copy.copy(layer), copy.copy(layer.ins["x"])
    x.q, x.scale, x.zero, x.dtype, x.quantized, x.entry = codes, scale, zero, "uint8", True, {}
    other.op = layer.op.removesuffix("_dynamic")
    other.ins = {**layer.ins, "x": x}
    other.outs = {"y": Plain(layer, scale, zero, "uint8") if output_like_input else Plain(layer)}
    other.attributes = {**layer.attributes, "activation": "none"} if other.op == "linear" else layer.attributes
    return other


def engine(layer):
    profile = layer.profile.split("@")[0]
    return {"pytorch-fbgemm": "fbgemm", "pytorch-x86": "fbgemm", "pytorch-qnnpack": "qnnpack", "pytorch-onednn": "onednn", "onnxruntime": "onnx"}.get(profile)


def finished(s, acc, layer, kind, fault=None):
    """y = acc * si * sw + bias, in the engine's steps."""
    f = fault or {}
    si, sw = f32(s.si), s.ch(f32(f.get("sw", s.sw)))
    bias = None if s.bias is None or f.get("bias") == "dropped" else s.ch(s.bias)
    if f.get("activation") == "before-bias":
        acc = np.maximum(acc, 0)
    if "narrow" in f:
        acc = narrow(acc, *f["narrow"])
    v, how = f32(int32(acc)), f.get("multiplier")
    wide = lambda t: np.asarray(t, np.float64)  # noqa: E731
    if how == "f64":
        y = wide(int32(acc)) * (s.si * s.ch(wide(s.sw)))
        y = f32(y if bias is None else y + bias)
    elif kind == "fbgemm" and how is None:
        m = si * sw
        if bias is None:
            y = v * m
        elif f.get("fma") == "none":
            y = v * m + bias
        else:
            y = f32(wide(v) * wide(m) + bias)
    else:
        if how == "one-by-one":
            y = v * si * sw
        elif how == "f32":
            y = v * f32(s.si * s.ch(wide(s.sw)))
        elif kind == "onednn" and how is None:
            one = f32(1)
            w = one / (one / sw) if s.several else one / f32(1.0 / s.ch(wide(s.sw)))
            y = v * (one / f32(1.0 / s.si)) * w
        else:
            y = v * (si * sw)
        y = y if bias is None else y + bias
    if layer.activation() == "relu" and f.get("activation") is None:
        y = np.maximum(y, f32(0))
    return s.shaped(y)


def of_linear(layer):
    kind = engine(layer)
    if kind is None or layer.attributes.get("per_token") or layer.ins["weight"].dtype not in ("int8", "uint8") or layer.activation() not in ("none", "relu"):
        return
    reduced = bool(layer.attributes.get("reduce_range")) and kind != "qnnpack"
    s = Sum(static(layer, reduced, False))
    if not np.array_equal(finished(s, s.clean_acc, layer, kind), layer.y.q):
        return
    do = lambda acc=s.clean_acc, **f: finished(s, acc, layer, kind, f)  # noqa: E731
    if s.bias is not None:
        yield "bias:dropped", do(bias="dropped")
        if kind == "fbgemm":
            yield "fma:none", do(fma="none")
    if layer.activation() == "relu":
        yield "activation:missing", do(activation="missing")
        if s.bias is not None:
            yield "activation:before-bias", do(activation="before-bias")
    yield "multiplier:f64", do(multiplier="f64")
    for how in ("one-by-one", "f32", "si*sw"):
        yield f"multiplier:{how}", do(multiplier=how)
    for bits in (12, 15, 16, 18, 20, 24):
        for saturates in (False, True):
            yield f"accumulator:{bits}-{'saturate' if saturates else 'wrap'}", do(narrow=(bits, saturates))
    if len(s.sw) > 1:
        yield "weight-scale:per-tensor", do(sw=np.full_like(s.sw, s.sw[0]))
        yield "weight-scale:shifted", do(sw=np.roll(s.sw, 1))
        yield "weight-scale:shifted", do(sw=np.roll(s.sw, -1))
    for name, acc in campaign_sum_plants.of_sums(s):
        yield name, do(acc)
    for name, t in others(layer, "x"):
        fed = copy.copy(layer)
        fed.ins = {**layer.ins, "x": t}
        other = Sum(static(fed, reduced, False))
        yield f"input:{name}", finished(other, other.clean_acc, layer, kind)
    if reduced and "input_scale" not in layer.attributes:
        other = Sum(static(layer, False, False))
        yield "range:unreduced", finished(other, other.clean_acc, layer, kind)


def of_convolution(layer):
    reduced = bool(layer.attributes.get("reduce_range"))
    try:
        found = None
        for use in (reduced, False):
            other = static(layer, use, True)
            s = Sum(other)
            so, zo = f32(s.so), s.zo
            codes = np.rint(layer.y.q.astype(np.float64) / np.float64(so)).astype(np.int64) + zo
            other.outs["y"].q = codes
            back = lambda q: so * f32(np.asarray(q) - zo)  # noqa: B023, E731
            if np.array_equal(back(codes), layer.y.q) and s.clean() and not s.paired:
                found = s, back
                break
    except (ValueError, OverflowError):
        return
    if not found:
        return
    s, back = found
    for name, q in campaign_sum_plants.plants(s):
        if not name.startswith(("position:", "offset:", "output:")):
            yield name, back(q)


def plants(layer):
    if layer.y.q.dtype != f32 or layer.ins["x"].q.dtype != f32 or layer.ins["x"].q.size == 0:
        return
    try:
        yield from of_linear(layer) if layer.op == "linear_dynamic" else of_convolution(layer)
    except ValueError:
        return

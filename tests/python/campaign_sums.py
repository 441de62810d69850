"""campaign_sums.py: layers that accumulate (linear, convolutions, matmul), with NumPy, and with one thing wrong.

Every formula is written here from the runtimes' documents: float64 products (exact below 2^53), float32 steps one at a time.
"""

import math

import numpy as np
from campaign_dump import f32

MOST_TERMS = 3_000_000


def rounded(v, mode):
    v = np.asarray(v, np.float64)
    away = lambda t: np.copysign(np.floor(np.abs(t) + 0.5), t)  # noqa: E731
    return {"half-even": np.rint, "half-away": away, "half-up": lambda t: np.floor(t + 0.5), "half-down": lambda t: np.ceil(t - 0.5),
            "to-zero": np.trunc, "floor": np.floor, "ceil": np.ceil}[mode](v)


def int32(v):
    return (np.asarray(v, np.int64) + 2 ** 31) % 2 ** 32 - 2 ** 31


def narrow(v, bits, saturates):
    half = 2 ** (bits - 1)
    return np.clip(v, -half, half - 1) if saturates else (v + half) % (2 * half) - half


def fixed(real, bits=31):
    fraction, shift = math.frexp(real)
    m = math.floor(fraction * 2.0 ** bits + 0.5)
    return (m // 2, shift + 1) if m == 1 << bits else (m, shift)


def each(function, acc, reals):
    """function(acc[:, o], real of o) over axis 1."""
    reals = np.broadcast_to(np.asarray(reals, np.float64).reshape(-1), acc.shape[1])
    return np.stack([function(acc[:, o], float(r)) for o, r in enumerate(reals)], 1)


def double(x, real, away=True):
    """gemmlowp: doubling high multiply (half up), then the shift half away from zero (or up)."""
    m, shift = fixed(real)
    left, right = max(shift, 0), max(-shift, 0)
    y = (int32(np.asarray(x, np.int64) << left) * m + (1 << 30)) >> 31
    if right == 0:
        return y
    return (y + (1 << (right - 1)) - ((y < 0) if away else 0)) >> right


def single(x, real):
    m, shift = fixed(real)
    t = 31 - shift
    return np.array([(int(v) * m + (1 << (t - 1))) >> t for v in np.ravel(x)], np.int64).reshape(np.shape(x))


def reduced(x, real):
    m, shift = fixed(real)
    m = (m + 0x8000) >> 16 if m < 0x7FFF0000 else 0x7FFF
    return (np.asarray(x, np.int64) * m + (1 << (14 - shift))) >> (15 - shift)


class Sum:
    """One layer: raw operands, geometry, quantization. acc is [N, O, P]."""

    def __init__(self, layer):
        self.layer, op = layer, layer.op
        self.engine, self.paired = None, False
        a = layer.attributes
        self.has = lambda key: key in layer.ins
        if op == "matmul":
            x, w = layer.ins["a"], layer.ins["b"]
            self.products(x.q.astype(np.int64), w.q.astype(np.int64), a.get("transpose_b"))
        elif op == "linear":
            x, w = layer.ins["x"], layer.ins["weight"]
            self.xq = x.q.reshape(-1, x.q.shape[-1]).astype(np.int64)
            self.patches = self.xq[:, None, :, None, None]
            self.wq = w.q.astype(np.int64)[None, :, :, None]
            self.outside = np.zeros((1, 1), bool)
        else:
            x, w = layer.ins["x"], layer.ins["weight"]
            self.convolution(x, w, a, "transpose" in op)
        self.x, self.w, self.y = x, w, layer.y
        self.zx, self.zo = int(x.zero), int(layer.y.zero) if layer.y.quantized else 0
        self.si, self.so = float(x.scale), float(layer.y.scale)
        self.O = self.wq.shape[0] * self.wq.shape[1]
        sw = np.asarray(w.scale, np.float64).reshape(-1)
        wz = np.asarray(w.zero, np.int64).reshape(-1)
        if len(sw) not in (1, self.O) and self.O % len(sw) == 0:
            sw, wz = np.tile(sw, self.O // len(sw)), np.tile(wz, self.O // len(wz))
        self.sw, self.wz = sw, np.broadcast_to(wz, self.O)
        self.several = np.ndim(w.scale) > 0 or w.axis is not None
        bias = layer.ins.get("bias")
        self.bias = None if bias is None else bias.q.reshape(-1)
        self.integer_bias = bias is not None and bias.q.dtype.kind == "i"
        if self.integer_bias:
            self.bias = self.bias.astype(np.int64)
        if bias is not None and len(self.bias) != self.O:
            self.bias = np.tile(self.bias, self.O // len(self.bias))
        self.low, self.high = self.y.range
        self.stored_range = self.y.range
        act = layer.activation()
        if act == "relu":
            self.low = max(self.low, self.zo)
        elif act == "relu6":
            six = f32(6) / f32(self.so)
            self.low, self.high = max(self.low, self.zo), min(self.high, self.zo + int(rounded(six, "half-away")))
        elif isinstance(act, dict):
            self.low, self.high = act["min"], act["max"]
        elif act != "none":
            raise ValueError("activation")
        self.clean_acc = self.accumulate()

    def products(self, a, b, transposed):
        """Matrices of a batch become groups: patches [1, G, K, 1, M], weights [G, N, K, 1]; acc [1, G*N, M]."""
        if not transposed:
            b = b.swapaxes(-1, -2)
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = (np.broadcast_to(v, (*batch, *v.shape[-2:])).reshape(-1, *v.shape[-2:]) for v in (a, b))
        self.patches, self.wq = a.swapaxes(1, 2)[None, :, :, None, :], b[..., None]
        self.outside = np.zeros((1, a.shape[1]), bool)

    def convolution(self, x, w, a, transposed):
        d = x.q.ndim - 2
        spread = lambda v: [v] * d if np.isscalar(v) else list(v)  # noqa: E731
        stride, dilation, groups = spread(a.get("stride", 1)), spread(a.get("dilation", 1)), a.get("groups", 1)
        padding = spread(a.get("padding", 0))
        begins, ends = (padding[:d], padding[d:]) if len(padding) == 2 * d else (padding, padding)
        kernel = w.q.shape[2:]
        q = x.q.astype(np.int64)
        inside = np.ones(q.shape[2:], bool)
        if transposed:
            extra = spread(a.get("output_padding", 0))
            size = [(n - 1) * s + 1 for n, s in zip(q.shape[2:], stride)]
            wide, mask = np.zeros((*q.shape[:2], *size), np.int64), np.zeros(size, bool)
            at = tuple(slice(None, None, s) for s in stride)
            wide[(slice(None), slice(None), *at)], mask[at] = q, True
            q, inside = wide, mask
            reach = [(k - 1) * r for k, r in zip(kernel, dilation)]
            begins, ends = [r - b for r, b in zip(reach, begins)], [r - e + o for r, e, o in zip(reach, ends, extra)]
            if min(begins) < 0 or min(ends) < 0:
                raise ValueError("cropped")
            stride = [1] * d
            i, o = w.q.shape[:2]
            wq = w.q.reshape(groups, i // groups, o, *kernel).swapaxes(1, 2)
            wq = np.flip(wq, tuple(range(3, 3 + d)))
        else:
            wq = w.q.reshape(groups, -1, *w.q.shape[1:])
        pads = list(zip(begins, ends))
        q, mask = np.pad(q, [(0, 0), (0, 0), *pads]), np.pad(inside, pads)
        spans = [(k - 1) * r + 1 for k, r in zip(kernel, dilation)]
        steps, taps = tuple(slice(None, None, s) for s in stride), tuple(slice(None, None, r) for r in dilation)
        seen = np.lib.stride_tricks.sliding_window_view(q, spans, tuple(range(2, 2 + d)))[(slice(None), slice(None), *steps, *taps)]
        outside = ~np.lib.stride_tricks.sliding_window_view(mask, spans)[(*steps, *taps)]
        n, c = q.shape[:2]
        spatial = seen.shape[2:2 + d]
        P, T = math.prod(spatial), math.prod(kernel)
        if n * c * P * T > MOST_TERMS:
            raise ValueError("large")
        self.patches = seen.reshape(n, groups, c // groups, P, T).swapaxes(3, 4)
        self.outside = outside.reshape(P, T).T
        self.wq = wq.astype(np.int64).reshape(groups, -1, c // groups, T)
        self.transposed = transposed

    def operands(self, x=None, w=None, pad=None, wz_ignored=False):
        """Centred patches [N, G, C, T, P] and weights [G, O, C, T]."""
        q = self.patches if x is None else x
        value = self.zx if pad is None else pad
        X = np.where(self.outside[None, None, None], value, q) - self.zx
        W = self.wq if w is None else w
        if not wz_ignored:
            W = W - self.wz.reshape(W.shape[0], W.shape[1], 1, 1)
        return X, W

    def accumulate(self, **changes):
        X, W = self.operands(**changes)
        n, g, c, t, p = X.shape
        acc = np.einsum("ngkp,gok->ngop", X.reshape(n, g, c * t, p).astype(np.float64), W.reshape(g, -1, c * t).astype(np.float64), optimize=True)
        return acc.astype(np.int64).reshape(n, -1, p)

    def terms(self, order, X, W):
        """Products one at a time, [N, G, O, P] each; order: taps first (channel fastest) or channels first."""
        n, g, c, t, p = X.shape
        pairs = [(k, i) for k in range(t) for i in range(c)] if order == "taps" else [(k, i) for i in range(c) for k in range(t)]
        for k, i in pairs:
            yield X[:, :, i, k][:, :, None, :] * W[None, :, :, i, k][..., None]

    def partial(self, bits, saturates, order="taps"):
        X, W = self.operands()
        acc = 0
        for term in self.terms(order, X, W):
            acc = narrow(acc + term, bits, saturates)
        return acc.reshape(acc.shape[0], -1, acc.shape[-1])

    def pairs(self, order="taps"):
        """int16 saturation of pairs of raw products; padding holds the zero point."""
        X = np.where(self.outside[None, None, None], self.zx, self.patches)
        held, excess = None, 0
        for term in self.terms(order, X, self.wq):
            if held is None:
                held = term
            else:
                p = held + term
                excess, held = excess + np.clip(p, -32768, 32767) - p, None
        exact = self.accumulate()
        return exact if np.isscalar(excess) else exact + excess.reshape(excess.shape[0], -1, excess.shape[-1])

    def again(self, layer):
        """The output of the same layer with other inputs, computed alike."""
        other = Sum(layer)
        other.engine = self.engine
        return other.shaped(other.requantize(other.clean_acc))

    # ---- requantization ---------------------------------------------------------------------------------------------

    def ch(self, v):
        v = np.asarray(v)
        return v.reshape(1, -1, 1) if v.ndim == 1 else v

    def requantize(self, acc, f=None):
        """Stored integers [N, O, P]; `f`: what is wrong (a dict)."""
        f = f or {}
        engine = self.engine
        si, so, sw = f32(self.si), f32(self.so), self.ch(f32(f.get("sw", self.sw)))
        SI, SO, SW = self.si, self.so, self.ch(np.asarray(f.get("sw", self.sw), np.float64))
        zo = self.zo + f.get("moved", 0)
        bias = self.bias if f.get("bias") != "dropped" else None
        b = None if bias is None else self.ch(bias)
        if f.get("activation") == "before-bias":
            acc = np.maximum(acc, 0)
        if "narrow" in f and not f.get("with_bias"):
            acc = narrow(acc, *f["narrow"])
        alpha = float(self.layer.attributes.get("alpha", 1.0))
        # the bias as an integer, where it is one
        with_bias, real_bias = acc, None
        if b is not None:
            if self.integer_bias:
                with_bias = acc + b
            elif f.get("bias") == "quantized" or f.get("whole") == "gemmlowp":
                with_bias = acc + np.rint(b.astype(np.float64) / (SI * SW)).astype(np.int64)
            elif engine == "qnnpack" and f.get("bias") != "float":
                s = (SW * SI).astype(f32)
                with_bias = acc + np.rint(b * (f32(1) / s)).astype(np.int64)
            else:
                real_bias = b
        if "narrow" in f and f.get("with_bias"):
            with_bias = narrow(with_bias, *f["narrow"])
        if engine not in ("ref64",) and self.x.dtype != "int16":
            with_bias = int32(with_bias)
        multiplier = f.get("multiplier")
        exact = SI * SW / SO * alpha
        mode = f.get("round", "half-even")
        inside = engine in ("onednn", "onednn2")
        inside = f.get("inside", inside)
        v = None
        if f.get("whole") == "gemmlowp":
            v = each(double, with_bias, exact)
            return self.finish(v + zo, f)
        if multiplier == "f64":
            x = with_bias.astype(np.float64)
            if real_bias is not None:
                x = x + real_bias.astype(np.float64) / (SI * SW)
            v = x * exact
        elif multiplier in ("q31", "q15", "power-of-two", "power-of-two-floor") and f.get("integer"):
            kinds = {"q31": lambda x, r: single(x, r), "q15": lambda x, r: (lambda m, s: (x * m + (1 << (14 - s))) >> (15 - s))(*fixed(r, 15)),
                     "power-of-two": lambda x, r: rounded(x * 2.0 ** round(math.log2(r)), "half-up").astype(np.int64)}
            x = with_bias
            if real_bias is not None:
                x = x + np.rint(real_bias / (SI * SW)).astype(np.int64)
            return self.finish(each(kinds[multiplier], x, exact) + zo, f)
        if v is None and (engine in ("fixed", "single", "double_up", "ref64", "reduced", "mixed") and not (multiplier or "round" in f)):
            v = each(self.by_fixed(), with_bias, self.fixed_multiplier(sw, SW)) if engine != "mixed" else self.mixed(with_bias, SW)
            if inside != (engine in ("onednn", "onednn2")):
                pass
            return self.finish(v + zo, f)
        if v is None:
            m = self.multiplier(multiplier, si, sw, so, SI, SW, SO)
            x = f32(with_bias) if engine not in ("fixed", "single", "double_up", "ref64", "reduced", "mixed") or m.dtype == f32 and multiplier else with_bias.astype(np.float64)
            if x.dtype != f32:  # fixed point, rounded otherwise: the real value, or another multiplier's
                v = x * (m if multiplier else exact)
            elif engine == "onednn" and multiplier is None:
                inverse = lambda s: f32(1) / f32(s)  # noqa: E731
                w = sw if self.layer.op.startswith("conv") else inverse(inverse(sw))
                if f.get("fma") == "bias" and real_bias is not None:
                    v = f32((x * inverse(f32(1.0 / SI))).astype(np.float64) * w.astype(np.float64) + real_bias)
                else:
                    v = x * inverse(f32(1.0 / SI)) * w if not f.get("joined") else x * f32(inverse(f32(1.0 / SI)) * w)
                    if real_bias is not None:
                        v = v + real_bias
                if f.get("activation") is None and self.layer.activation() == "relu":
                    v = np.maximum(v, f32(0))
                d = inverse(inverse(f32(1.0 / SO)))
                if f.get("fma") == "zero-point":
                    v = f32(v.astype(np.float64) * np.float64(d) + np.float64(zo))
                    return self.finish(rounded(v, mode), f)
                v = v * d
            elif engine == "onednn2" and multiplier is None:
                s1, w1 = f32(1.0 / SI), f32(1) / sw if self.several else (1.0 / SW).astype(f32)
                bs = s1 * w1
                x = x + real_bias * bs if real_bias is not None else x
                v = x * (f32(1.0 / SO) / bs)
            else:
                if real_bias is not None:
                    scale = si * sw
                    if engine in ("onednn", "onednn2"):
                        x = x + real_bias / scale
                    elif self.several != bool(f.get("fma")):  # a division a channel; planted: as per tensor
                        x = x + real_bias / scale
                    elif f.get("fma") == "none":
                        x = x + real_bias * (f32(1) / scale)
                    else:
                        x = f32(real_bias.astype(np.float64) * (f32(1) / scale).astype(np.float64) + x.astype(np.float64))
                v = x * m if m.dtype == f32 else x.astype(np.float64) * m
        if inside:
            v = v + f32(zo) if v.dtype == f32 else v + zo
            return self.finish(rounded(v, mode), f)
        return self.finish(rounded(v, mode) + zo, f)

    def by_fixed(self):
        return {"fixed": double, "single": single, "double_up": lambda x, r: double(x, r, False), "reduced": reduced,
                "ref64": lambda x, r: rounded(x * r, "half-away").astype(np.int64)}[self.engine]

    def mixed(self, x, SW):
        body = self.O // 8 * 8
        reals = np.broadcast_to((self.si * SW / self.so).reshape(-1), self.O)
        return np.stack([double(x[:, o], float(r), o >= body) for o, r in enumerate(reals)], 1)

    def fixed_multiplier(self, sw, SW):
        product = self.engine == "double_up" and self.layer.op == "linear" and not np.size(SW) > 1 or self.layer.op == "matmul" or self.x.dtype == "uint8"
        if self.engine == "ref64":
            product = False
        return ((f32(self.si) * sw).astype(np.float64) if product else self.si * SW) / self.so

    def multiplier(self, kind, si, sw, so, SI, SW, SO):
        one = f32(1)
        alpha = f32(self.layer.attributes.get("alpha", 1.0))
        if kind is None:
            return sw * si * (one / so) if self.engine == "qnnpack" else alpha * si * sw / so
        forms = {"(si*sw)/so": lambda: si * sw / so, "si*(sw/so)": lambda: si * (sw / so), "(si/so)*sw": lambda: si / so * sw,
                 "(si*sw)*(1/so)": lambda: si * sw * (one / so), "si*(sw*(1/so))": lambda: si * (sw * (one / so)),
                 "(1/so)/((1/si)*(1/sw))": lambda: (one / so) / ((one / si) * (one / sw)), "f32": lambda: (SI * SW / SO).astype(f32)}
        if kind in forms:
            return np.asarray(forms[kind]())
        exact = np.asarray(SI * SW / SO)
        if kind in ("q31", "q15"):
            bits = int(kind[1:])
            return np.vectorize(lambda r: math.ldexp(*(lambda m, s: (m, s - bits))(*fixed(float(r), bits))))(exact)
        if kind == "power-of-two":
            return 2.0 ** np.rint(np.log2(exact))
        if kind == "power-of-two-floor":
            return 2.0 ** np.floor(np.log2(exact))
        raise KeyError(kind)

    def finish(self, q, f):
        q = np.asarray(q).astype(np.int64) if np.abs(q).max(initial=0) < 2 ** 62 else np.clip(q, -2.0 ** 62, 2.0 ** 62).astype(np.int64)
        low, high = self.low, self.high
        act = f.get("activation")
        if act in ("missing", "before-bias"):
            low, high = self.stored_range
        elif act == "at-zero":
            low = max(self.stored_range[0], 0)
        if "moved" in f and self.layer.activation() == "relu":
            low = max(self.stored_range[0], self.zo + f["moved"])
        if f.get("clamp") == "wraps":
            if self.low > self.stored_range[0]:
                q = np.maximum(q, self.low)
            bits = {"uint8": 8, "int8": 8, "int16": 16}[self.y.dtype]
            q = narrow(q, bits, False) if self.y.dtype[0] == "i" else q % (1 << bits)
        elif f.get("clamp") == "unreduced":
            q = np.clip(q, *{"uint8": (0, 255), "int8": (-128, 127), "int16": (-32768, 32767)}[self.y.dtype])
        else:
            q = np.clip(q, low, high)
        if f.get("xor"):
            q = (q + 128 - (0 if self.y.dtype[0] == "u" else -128)) % 256 + (0 if self.y.dtype[0] == "u" else -128)
        return q

    def shaped(self, q):
        if self.layer.op == "matmul":
            return q.reshape(self.wq.shape[0], self.wq.shape[1], -1).swapaxes(1, 2).reshape(self.y.q.shape)
        if self.layer.op == "linear":
            return q[..., 0].reshape(self.y.q.shape)
        return q.reshape(self.y.q.shape)

    def engines(self):
        """The formulas that the layer's profile may use, in the order to try."""
        profile = self.layer.profile.split("@")[0]
        producer = self.layer.dump.top["producer"]
        if profile == "pytorch-x86":
            return ("onednn", "fbgemm") if self.layer.op.startswith("conv") else ("fbgemm",)
        if profile == "pytorch-onednn" and producer.get("version", "").startswith("1."):
            profile = "pytorch-onednn-2"
        if profile == "pytorch-qnnpack" and self.layer.op == "matmul":
            return ()
        if profile == "tflite-ruy-x86" and self.x.dtype != "int16" and self.layer.op != "linear":
            a, groups = self.layer, self.layer.attributes.get("groups", 1)
            if "transpose" in a.op or groups > 1:
                return ("mixed", "fixed") if "transpose" in a.op or self.wq.shape[2] == 1 else ("fixed",)
        if profile.startswith("tflite") and self.x.dtype == "int16":
            return ("ref64", "double_up", "fixed") if self.layer.op == "linear" else ("reduced", "fixed", "double_up")
        return {"pytorch-fbgemm": ("fbgemm",), "pytorch-qnnpack": ("qnnpack",), "pytorch-onednn": ("onednn",), "pytorch-onednn-2": ("onednn2",),
                "onnxruntime": ("fbgemm",), "xnnpack": ("fbgemm",), "tflite-reference": ("ref64",) if self.layer.op == "linear" else ("fixed",),
                "tflite-ruy-x86": ("double_up", "mixed", "fixed"), "tflite-ruy-arm": ("single", "double_up", "fixed", "mixed")}.get(profile, ())

    def clean(self):
        """Picks the engine whose formula gives the observed output; False when none does."""
        for order in ("", "taps", "channels"):
            if order and (self.x.dtype != "uint8" or self.w.dtype != "int8" or self.patches.shape[0] * self.wq.size * self.patches.shape[-1] > 4_000_000):
                continue
            if order:
                self.clean_acc, self.paired = self.pairs(order), True
            for engine in self.engines():
                self.engine = engine
                try:
                    same = np.array_equal(self.shaped(self.requantize(self.clean_acc)), self.y.q)
                except (OverflowError, ValueError, ZeroDivisionError):
                    same = False
                if same:
                    return True
        return False

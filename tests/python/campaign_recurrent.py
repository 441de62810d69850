"""campaign_recurrent.py: LSTM and GRU layers that quantize their input at every step, with NumPy, and with one thing wrong.

y, h_n and c_n come together: every step follows from the step before it, fault and all."""

import itertools
from types import SimpleNamespace

import campaign_dynamic
import numpy as np
from campaign_dump import f32
from campaign_dynamic import others
from campaign_sums import int32, narrow

ONE = f32(1)
GATES = {"lstm": "ifgo", "gru": "rzn"}


def sigmoid(x):
    return ONE / (ONE + np.exp(-x.astype(np.float64)).astype(f32))


def tanh(x):
    return np.tanh(x.astype(np.float64)).astype(f32)


def lstm_step(s, c):
    i, f, g, o = s
    after = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(after), after


def gru_step(a, b, h):
    r, z = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
    n = tanh(a[2] + r * b[2])
    return (h - n) * z + n


class Recurrent:
    def __init__(self, layer):
        self.layer, self.kind = layer, layer.op.split("_")[0]
        self.order = list(range(len(GATES[self.kind])))
        self.reduced = bool(layer.attributes.get("reduce_range"))
        self.first = layer.attributes.get("batch_first", False)
        self.engine = campaign_dynamic.engine(layer)
        if self.engine not in ("fbgemm", "qnnpack"):
            raise ValueError("engine")

    def sums(self, x, side, f):
        """One linear layer: fma(acc, si * sw, bias)."""
        layer = self.layer
        shim = SimpleNamespace(ins={"x": SimpleNamespace(q=x)}, attributes={}, profile=layer.profile, op="linear_dynamic")
        codes, si, zero = campaign_dynamic.quantized(shim, self.reduced and self.engine != "qnnpack" and not f.get("unreduced"))
        t = layer.ins[f"weight_{side}"]
        w, sw = (f.get(f"weight_{side}", t.q)).astype(np.int64), f32(np.broadcast_to(f.get(f"sw_{side}", t.scale), len(t.q)))
        wz = np.broadcast_to(np.asarray(t.zero, np.int64), len(t.q))
        bias = f.get(f"bias_{side}", layer.ins[f"bias_{side}"].q)
        acc = (codes - zero).reshape(-1, x.shape[-1]) @ (w - wz[:, None]).T
        if "narrow" in f:
            acc = narrow(acc, *f["narrow"])
        v, m = f32(int32(acc)), f32(si) * sw
        wide = lambda u: np.asarray(u, np.float64)  # noqa: E731
        if f.get("quantized"):
            v, bias = f32(int32(acc + np.rint(wide(bias) / (si * wide(sw))).astype(np.int64))), 0 * bias
        if f.get("multiplier") == "f64":
            y = f32(wide(int32(acc)) * (si * wide(sw)) + bias)
        elif f.get("multiplier") == "one-by-one":
            y = v * f32(si) * sw + bias
        elif f.get("fma") == "none" or self.engine == "qnnpack":
            y = v * m + bias
        else:
            y = f32(wide(v) * wide(m) + bias)
        return y.reshape(*x.shape[:-1], -1)

    def gates(self, v, order):
        each = np.split(v, len(order), -1)
        return [each[k] for k in order]

    def run(self, f=None):
        f = f or {}
        ins = self.layer.ins
        value = lambda port: f.get(port, ins[port].q)  # noqa: E731
        x = value("x").astype(f32)
        if self.first:
            x = x.swapaxes(0, 1)
        h = value("h").reshape(x.shape[1], -1).astype(f32)
        c = value("c").reshape(h.shape).astype(f32) if "c" in ins else None
        order = f.get("order", self.order)
        ih, y = self.sums(x, "ih", f), []
        for t in range(len(x)):
            a, b = self.gates(ih[t], order), self.gates(self.sums(h, "hh", f), order)
            if c is None:
                h = gru_step(a, b, h)
            else:
                h, c = lstm_step([p + q for p, q in zip(a, b)], c)
            y.append(h)
        y = np.stack(y)
        out = {"y": y.swapaxes(0, 1) if self.first else y, "h_n": h.reshape(ins["h"].q.shape)}
        if c is not None:
            out["c_n"] = c.reshape(ins["c"].q.shape)
        return {port: v for port, v in out.items() if port in self.layer.outs}


def of_layer(layer):
    r = Recurrent(layer)
    clean = r.run()
    if not all(np.allclose(v, layer.outs[port].q, rtol=1e-5, atol=1e-6) for port, v in clean.items()):
        return
    ins, G = layer.ins, len(r.order)
    if "bias_ih" in ins:
        zeros = {side: {f"bias_{side}": 0 * ins[f"bias_{side}"].q} for side in ("ih", "hh")}
        for fault in (zeros["ih"] | zeros["hh"], zeros["ih"], zeros["hh"]):
            yield "bias:dropped", r.run(fault)
        yield "bias:quantized", r.run({"quantized": True})
        if r.engine == "fbgemm":
            yield "fma:none", r.run({"fma": "none"})
    yield "multiplier:f64", r.run({"multiplier": "f64"})
    yield "multiplier:one-by-one", r.run({"multiplier": "one-by-one"})
    if r.reduced and r.engine != "qnnpack":
        yield "range:unreduced", r.run({"unreduced": True})
    for bits in (12, 16, 18):
        for saturates in (False, True):
            yield f"accumulator:{bits}-{'saturate' if saturates else 'wrap'}", r.run({"narrow": (bits, saturates)})
    moved = {f"weight_{side}": ins[f"weight_{side}"].q.astype(np.int64) for side in ("ih", "hh")}
    yield "offset:128", r.run({k: (w + 256) % 256 - 128 for k, w in moved.items()})
    yield "offset:128", r.run({"weight_ih": (moved["weight_ih"] + 256) % 256 - 128})
    for side in ("ih", "hh"):
        w = ins[f"weight_{side}"].q
        yield "weight:transposed", r.run({f"weight_{side}": w.T.reshape(w.shape)})
        yield "weight:transposed", r.run({f"weight_{side}": w.reshape(w.shape[::-1]).T})
        yield "weight:transposed", r.run({f"weight_{side}": w.reshape(G, -1, w.shape[1]).transpose(0, 2, 1).reshape(w.shape)})
        if np.ndim(ins[f"weight_{side}"].scale):
            s = np.asarray(ins[f"weight_{side}"].scale)
            yield "weight-scale:per-tensor", r.run({f"sw_{side}": s[0]})
            yield "weight-scale:shifted", r.run({f"sw_{side}": np.roll(s, 1)})
    yield "weight:transposed", r.run({f"weight_{side}": ins[f"weight_{side}"].q.T.reshape(ins[f"weight_{side}"].q.shape) for side in ("ih", "hh")})
    for order in itertools.islice((o for o in itertools.permutations(r.order) if list(o) != r.order), 8):
        yield "weight:reordered", r.run({"order": order})
    order = [0, 3, 1, 2][:G] if G == 4 else [1, 0, 2]
    yield "weight:reordered", r.run({f"weight_{side}": np.concatenate(r.gates(ins[f"weight_{side}"].q.T, order), -1).T for side in ("ih", "hh")})
    for port in ("x", "h", "c"):
        for name, t in others(layer, port) if port in ins else ():
            yield f"input:{name}", r.run({port: t.q})
    yield from corrupted(layer)


def of_gates(layer):
    kind = layer.op.split("_")[0]
    order, ins = list(range(len(GATES[kind]))), layer.ins

    def run(ins, order=order, other=None):
        parts = lambda port, o: [np.split(ins[port], len(o), -1)[k] for k in o]  # noqa: E731
        a, b = parts("ih", order), parts("hh", other or order)
        out = (gru_step(a, b, ins["h"]),) if kind == "gru" else lstm_step([p + q for p, q in zip(a, b)], ins["c"])
        return {port: v for port, v in zip(("h_out", "c_out"), out) if port in layer.outs}
    own = {port: t.q for port, t in ins.items()}
    if not all(np.allclose(v, layer.outs[port].q, rtol=1e-5, atol=1e-6) for port, v in run(own).items()):
        return
    for o in itertools.islice((o for o in itertools.permutations(order) if list(o) != order), 6):
        yield "weight:reordered", run(own, o)
    yield "weight:reordered", run(own, other=[order[-1], *order[:-1]])
    for port in ins:
        for name, t in others(layer, port):
            yield f"input:{name}", run({**own, port: t.q})
    yield from corrupted(layer)


def corrupted(layer):
    """One element of y moved: later steps of a layer are left as they were."""
    port, t = next((p, t) for p, t in layer.outs.items() if p in ("y", "h_out"))
    for at in {0, t.q.size // 2, t.q.size - 1}:
        q = t.q.copy()
        q.flat[at] += f32(0.25)
        yield "position:element", {p: q if p == port else v.q for p, v in layer.outs.items()}


def plants(layer):
    try:
        yield from of_gates(layer) if layer.op.endswith("_gates") else of_layer(layer)
    except ValueError:
        return


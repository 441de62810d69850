"""campaign_graph.py: a layer that read another tensor of its dump, or its own bytes in another order of axes."""

import copy

import numpy as np
from campaign_dump import Tensor

MOST = 2
IMAGES = ("conv", "max_pool", "avg_pool", "adaptive", "upsample", "pixel", "group_norm", "instance_norm")


def order_of(tensor):
    """The letters of the default order of a tensor that says its layout."""
    layout = tensor.entry.get("layout")
    return None if tensor.permutation is None or layout is None else "".join(layout[i] for i in tensor.permutation)


def others(layer, port):
    """Tensors of the dump like the port's, those of the nearest layers first: (name, tensor)."""
    own, top = layer.ins[port], layer.dump.top
    if own.q.dtype.kind not in "iu" or not own.quantized:
        return
    here = next(i for i, e in enumerate(top["layers"]) if e["name"] == layer.name)
    taken, found = {own.name, layer.y.name}, 0
    for _, entry in sorted(enumerate(top["layers"]), key=lambda at: abs(at[0] - here)):
        for name in [*entry["inputs"].values(), *entry["outputs"].values()]:
            candidate = top["tensors"][name]
            if name in taken or candidate["dtype"] != own.dtype or "scale" not in candidate or isinstance(candidate["scale"], dict):
                continue
            order = order_of(own)
            if order and set(candidate.get("layout", order)) != set(order):
                continue
            tensor = Tensor(layer.dump, name, order)
            if tensor.q.shape != own.q.shape or np.ndim(tensor.scale):
                continue
            taken.add(name)
            yield name, tensor
            found += 1
            if found == MOST:
                return


def last(shape):
    return [0, *range(2, len(shape)), 1]


def as_last(q):
    """The bytes of q (channels first) read as channels last."""
    order = last(q.shape)
    return q.reshape([q.shape[a] for a in order]).transpose(np.argsort(order))


def as_first(q):
    """The bytes of q, held channels last, read as channels first."""
    return np.ascontiguousarray(q.transpose(last(q.shape))).reshape(q.shape)


def miswritten(layer):
    """The output's bytes in another order of axes."""
    if "y" in layer.outs and layer.y.q.dtype.kind in "iu" and layer.y.q.ndim >= 3 and layer.y.q.shape[1] > 1 and layer.op.startswith(IMAGES[:6]):
        yield "layout:nhwc", as_last(layer.y.q)
        yield "layout:nhwc", as_first(layer.y.q)


def fed(layer, port, q, like=None):
    """The layer with other codes at a port, `like`: of this tensor's scale and zero point."""
    other, t = copy.copy(layer), copy.copy(layer.ins[port])
    t.q = q
    if like is not None:
        t.scale, t.zero = like.scale, like.zero
    other.ins = {**layer.ins, port: t}
    return other


def misfed(layer):
    """(name of the cause, the layer as it read): another tensor's codes, with that tensor's qparams or its own; its bytes in another order."""
    for port in ("x", "a", "b"):
        if port not in layer.ins:
            continue
        own = layer.ins[port]
        for name, tensor in others(layer, port):
            yield f"input:{name}", fed(layer, port, tensor.q)
            if (tensor.scale, tensor.zero) != (own.scale, own.zero):
                yield f"input:{name}", fed(layer, port, tensor.q, tensor)
    if layer.op.endswith("_norm") and "bias" in layer.ins:
        yield "bias:dropped", fed(layer, "bias", 0 * layer.ins["bias"].q)
    t = layer.ins.get("x")
    if t is None or t.q.dtype.kind not in "iu" or t.q.ndim < 3 or t.q.shape[1] < 2 or not layer.op.startswith(IMAGES):
        return
    for read in (as_last, as_first):
        yield "layout:nhwc", fed(layer, "x", read(t.q))

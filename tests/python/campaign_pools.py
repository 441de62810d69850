"""campaign_pools.py: pools whose padding takes part, with NumPy: as a raw zero, as a zero point, as another code."""

import math

import numpy as np
from campaign_dump import f32
from recompute import ends, windows


def plants(layer):
    a, y, x = layer.attributes, layer.y, layer.ins.get("x")
    if not layer.op.startswith(("max_pool", "avg_pool")) or y.q.dtype.kind not in "iu" or not y.quantized or a.get("ceil_mode") or not a.get("stride") or layer.activation() != "none":
        return
    kernel = a["kernel_size"]
    begins, after = ends(a.get("padding", [0] * len(kernel)), len(kernel))
    if not any([*begins, *after]):
        return
    largest, zx = layer.op.startswith("max_pool"), int(x.zero)

    def seen(code, dilation):
        v = windows(x.q.astype(np.int64), kernel, a["stride"], dilation, [*begins, *after], code)
        return v.reshape(*v.shape[:x.q.ndim], -1)

    if largest:
        def run(code):
            return seen(code, a.get("dilation", [1] * len(kernel))).max(-1)
        if not np.array_equal(run(-2 ** 40), y.q):
            return
        yield "padding:zero", run(zx)
    elif a.get("count_include_pad", True) and not a.get("divisor_override"):
        def run(code):
            total = seen(code, [1] * len(kernel)).sum(-1) - math.prod(kernel) * zx
            return np.clip(np.rint(f32(total) * (f32(x.scale) / (f32(y.scale) * f32(math.prod(kernel))))).astype(np.int64) + int(y.zero), *y.range)
        if not np.array_equal(run(zx), y.q):
            return
    else:
        return
    if zx:
        yield "padding:zero", run(0)
    for code in (min(x.range[1], zx + 30), max(x.range[0], zx - 9)):
        if code:
            yield "padding:stale", run(code)

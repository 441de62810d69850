"""recompute.py: layers of a dump recomputed with NumPy, to judge an exporter without lastbit's engine.

Plain formulas, written from the runtimes' arithmetic as documented; slow, and only for small dumps.
"""

import json
from pathlib import Path

import numpy as np

f32 = np.float32
LIMITS = {"uint8": (0, 255), "int8": (-128, 127), "int16": (-32768, 32767)}


class Tensor:
    """An array with its meaning, by the stored axes and by the default order (NCHW, OIHW)."""

    def __init__(self, folder, entry):
        self.dtype, self.layout = entry["dtype"], entry.get("layout")
        self.raw = np.load(folder / entry["file"])
        self.axis, self.group = entry.get("axis"), entry.get("group_size")
        self.scale, self.zero = (self._parameter(folder, entry.get(key, default))
                                 for key, default in (("scale", None), ("zero_point", 0)))

    @staticmethod
    def _parameter(folder, value):
        return np.load(folder / value["file"]) if isinstance(value, dict) else value

    def per(self, value, ndim, axis):
        """A number as it is, one value a channel shaped to stand along `axis`."""
        value = np.asarray(value)
        return value if value.ndim == 0 else value.reshape([-1 if i == axis % ndim else 1 for i in range(ndim)])

    def centred(self):
        """q - zero point, in int64, in the stored order."""
        return self.raw.astype(np.int64) - self.per(self.zero, self.raw.ndim, self.axis or 0)

    def ordered(self, values, first="NC"):
        """In the default order: `NC` or `OI`, then the spatial axes."""
        return values if self.layout is None else values.transpose([self.layout.index(c) for c in letters(first, self)])


def letters(first, tensor):
    return first + {3: "W", 4: "HW", 5: "DHW"}[tensor.raw.ndim]


def check(folder, rules):
    """{layer: (elements, mismatches)}; None for a layer whose operator `rules` does not have."""
    folder = Path(folder)
    top = json.loads((folder / "manifest.json").read_text())
    results = {}
    for layer in top["layers"]:
        ins = {key: Tensor(folder, top["tensors"][name]) for key, name in layer["inputs"].items()}
        outs = {key: Tensor(folder, top["tensors"][name]) for key, name in layer["outputs"].items()}
        rule = rules(layer, top).get(layer["op"])
        if rule is None:
            results[layer["name"]] = None
            continue
        expected = rule(ins, outs, layer["attributes"])
        observed = next(iter(outs.values())).raw
        assert expected.shape == observed.shape, (layer["name"], expected.shape, observed.shape)
        same = expected.astype(observed.dtype).tobytes() == observed.tobytes()
        wrong = 0 if same else int((expected.astype(observed.dtype) != observed).sum())
        results[layer["name"]] = (observed.size, wrong)
    return results


def ends(padding, rank):
    padding = list(padding)
    return (padding[:rank], padding[rank:]) if len(padding) == 2 * rank else (padding, padding)


def windows(values, kernel, stride, dilation, padding, fill):
    """[N, C, outputs..., taps...] of an NC... array; a padding element is `fill`."""
    rank = len(kernel)
    begins, after = ends(padding, rank)
    values = np.pad(values, [(0, 0), (0, 0), *zip(begins, after)], constant_values=fill)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    seen = np.lib.stride_tricks.sliding_window_view(values, spans, tuple(range(2, 2 + rank)))
    steps = (slice(None),) * 2 + tuple(slice(None, None, s) for s in stride)
    taps = tuple(slice(None, None, d) for d in dilation)
    return seen[steps + taps]


def convolution(ins, attributes):
    """The exact accumulator of conv1d/2d/3d with its bias, in NC... order."""
    weight = ins["weight"].ordered(ins["weight"].centred(), "OI")
    x = ins["x"].ordered(ins["x"].centred())
    groups, outside = attributes["groups"], weight.shape[0]
    seen = windows(x, weight.shape[2:], attributes["stride"], attributes["dilation"], attributes["padding"], 0)
    n, channels, spatial = x.shape[0], x.shape[1], seen.shape[2:2 + weight.ndim - 2]
    seen = seen.reshape(n, groups, channels // groups, int(np.prod(spatial)), -1)
    weight = weight.reshape(groups, outside // groups, channels // groups, -1)
    acc = np.einsum("ngcpk,gock->ngop", seen, weight).reshape(n, outside, *spatial)
    if "bias" in ins:
        acc = acc + ins["bias"].raw.astype(np.int64).reshape(-1, *[1] * len(spatial))
    return acc


def product(ins):
    """The exact accumulator of linear and matmul with an integer bias."""
    if "weight" in ins:
        acc = ins["x"].centred() @ ins["weight"].centred().T
    else:
        acc = ins["a"].centred() @ ins["b"].centred()
    if "bias" in ins and ins["bias"].raw.dtype.kind == "i":
        acc = acc + ins["bias"].raw.astype(np.int64)
    return acc


def stored(values, tensor):
    """Values in the default order, in the order of the file."""
    order = letters("NC", tensor)
    return values if tensor.layout is None else values.transpose([order.index(c) for c in tensor.layout])


def moved(ins, outs, attributes):
    """reshape, flatten, permute and slice."""
    x, y = ins["x"].raw, outs["y"].raw
    if "dims" in attributes:
        return x.transpose(attributes["dims"])
    if "step" in attributes:
        cut = slice(attributes["start"], attributes["end"], attributes["step"])
        return x[(slice(None),) * attributes["dim"] + (cut,)]
    return x.reshape(y.shape)


def reaching(x, y, attributes):
    """The padding of a pool, its end stretched to where the last window of `y` ends (ceil_mode)."""
    rank = len(attributes["kernel_size"])
    begins, after = ends(attributes["padding"], rank)
    dilation = attributes.get("dilation", [1] * rank)
    needed = [(o - 1) * s + (k - 1) * d + 1 - n - b for o, s, k, d, n, b in zip(
        y.shape[2:], attributes["stride"], attributes["kernel_size"], dilation, x.shape[2:], begins)]
    return [*begins, *(max(a, n) for a, n in zip(after, needed))]


def max_pool(ins, outs, attributes):
    x, y = (t.ordered(t.raw) for t in (ins["x"], outs["y"]))
    seen = windows(x, attributes["kernel_size"], attributes["stride"], attributes["dilation"],
                   reaching(x, y, attributes), np.iinfo(x.dtype).min)
    seen = seen[tuple(slice(0, n) for n in y.shape)]
    most, fused = seen.max(axis=tuple(range(x.ndim, seen.ndim))), attributes.get("activation", "none")
    if fused != "none":
        low = outs["y"].zero if fused == "relu" else fused["min"]
        most = np.clip(most, low, np.iinfo(x.dtype).max if fused == "relu" else fused["max"])
    return stored(most, outs["y"])


def pad(ins, outs, attributes):
    """Pairs from the last axis on; the value is a real number."""
    x, pairs = ins["x"], attributes["pad"]
    sizes = [(0, 0)] * (x.raw.ndim - len(pairs) // 2) + [*zip(pairs[::2], pairs[1::2])][::-1]
    return np.pad(x.raw, sizes, constant_values=int(np.rint(attributes["value"] / x.scale)) + x.zero)


def nearest(ins, outs, attributes):
    """Every value repeated by the whole factor of its axis."""
    y = ins["x"].raw
    for axis, size in enumerate(attributes["output_size"], 2):
        y = y.repeat(size // y.shape[axis], axis)
    return y

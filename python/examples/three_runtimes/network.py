"""network.py: the numbers of the network: integers, scales and zero points. No framework here."""

from collections import namedtuple

import numpy as np

#: name, weight [O, I/groups, k, k] or [O, I], bias (int32), stride, groups, relu, scale and zero point of y
Layer = namedtuple("Layer", "name weight bias stride groups relu scale zero")
SHAPE, X = (1, 3, 15, 15), (np.float32(1 / 40), 121)
W = np.float32(0.0078125) * np.float32(1.1)                      # the scale of every weight
ADD, MEAN = (np.float32(0.0521), 117), (np.float32(0.0521), 117)  # a mean keeps the qparams of its input


def network(seed=0):
    rng = np.random.default_rng(seed)

    def layer(name, shape, *rest):
        spread = 127 / np.sqrt(np.prod(shape[1:]))
        weight = np.clip(np.rint(rng.normal(size=shape) * spread), -127, 127).astype(np.int8)
        return Layer(name, weight, rng.integers(-900, 900, shape[0]).astype(np.int32), *rest)

    return {made.name: made for made in (
        layer("stem", (16, 3, 3, 3), 2, 1, True, np.float32(0.0213), 0),
        layer("deep", (16, 1, 3, 3), 1, 16, True, np.float32(0.0247), 0),
        layer("wide", (16, 16, 1, 1), 1, 1, False, np.float32(0.0339), 129),
        layer("dense", (10, 16), 1, 1, False, np.float32(0.0117), 122))}


def inputs(seed=1):
    """On half steps of the input's scale: ties at the very first rounding."""
    steps = np.random.default_rng(seed).integers(-230, 260, SHAPE)
    return (steps * np.float32(0.5) * X[0]).astype(np.float32)

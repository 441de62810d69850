"""recompute_litert_steps.py: the steps that LiteRT's kernels share: multipliers, shifts, clamps."""

import math

import numpy as np
from recompute import LIMITS

REFERENCE, RUY, XNNPACK = "tflite-reference", "tflite-ruy-x86", "xnnpack"


def fixed(real):
    """QuantizeMultiplier: real = m * 2^(shift - 31), m of 31 bits, rounded half away from zero."""
    fraction, shift = math.frexp(real)
    m = math.floor(fraction * 2.0 ** 31 + 0.5)
    return (m // 2, shift + 1) if m == 1 << 31 else (m, shift)


def scaled(x, real, away=True):
    """Doubling high multiply (half up), then the right shift: half away from zero (R1) or up (R2)."""
    m, shift = fixed(float(real))
    left, right = max(shift, 0), max(-shift, 0)
    y = ((np.asarray(x, np.int64) << left) * m + (1 << 30)) >> 31
    if right == 0:
        return y
    nudge = (1 << (right - 1)) - ((y < 0) if away else 0)
    return (y + nudge) >> right


def clamped(values, y, attributes):
    low, high = LIMITS[y.dtype]
    fused = attributes.get("activation", "none")
    if fused == "relu":
        low = max(low, y.zero)
    elif isinstance(fused, dict):
        low, high = fused["min"], fused["max"]
    else:
        assert fused == "none"
    return np.clip(values, low, high)


def away(v):
    return np.copysign(np.floor(np.abs(v.astype(np.float64)) + 0.5), v)

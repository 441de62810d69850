"""test_fixed_point_profiles.py: profiles of runtimes that nobody can run here, against their formulas in NumPy."""

import numpy as np
import pytest
from campaign import run
from campaign_sums import double, each, rounded, single
from runtimes import need_program

from lastbit import DumpWriter

f32 = np.float32
RNG = np.random.Generator(np.random.PCG64(20261130))


def saturating_double(x, real):
    """gemmlowp: the left shift saturates; it never has to for these multipliers below 1."""
    return double(x, real)


def in_float(x, si, sw, so):
    return np.rint(f32(x) * (f32(si) * f32(sw) / f32(so))).astype(np.int64)


def fixed(rule, product):
    """`product`: how si*sw is formed for one scale and for several."""
    def run_it(acc, si, sw, so):
        reals = [float(f32(si) * f32(s)) / so if product == "float32" and len(sw) == 1 else si * float(s) / so for s in sw]
        return each(rule, acc, reals)
    return run_it


def each_float(acc, si, sw, so):
    sw = np.broadcast_to(np.asarray(sw), acc.shape[1])
    return np.stack([in_float(acc[:, o], si, s, so) for o, s in enumerate(sw)], 1)


def shifted(acc, si, sw, so):
    """A power of two: (acc + 2^(s-1)) >> s."""
    shifts = [int(round(-np.log2(si * s / so))) for s in np.broadcast_to(np.asarray(sw), acc.shape[1])]
    return np.stack([(acc[:, o] + (1 << (s - 1))) >> s for o, s in enumerate(shifts)], 1)


def real(acc, si, sw, so):
    return each(lambda x, r: rounded(x * r, "half-even").astype(np.int64), acc, [si * float(s) / so for s in sw])


PROFILES = {
    "tflm": fixed(double, "float32"),
    "cmsis-nn": fixed(double, "float32"),
    "cmsis-nn-single": fixed(single, "float32"),
    "gemmlowp": fixed(saturating_double, "double"),
    "tosa": fixed(single, "double"),
    "tosa-double": fixed(double, "double"),
    "qnn": real,
    "tensorrt": each_float,
    "vitis-dpu": shifted,
}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("channels", (1, 12))
def test_a_linear_layer_is_computed_by_the_formula(profile, channels, tmp_path):
    need_program()
    powers = profile == "vitis-dpu"
    rounding_seen = 0
    with DumpWriter(tmp_path / "run", {"framework": "test"}, profile=profile) as dump:
        for case in range(6):
            scale = lambda low, high, n=None: 2.0 ** RNG.integers(low, high, n) if powers else 2.0 ** RNG.uniform(low, high, n)  # noqa: B023, E731
            si, so, sw = float(scale(-8, -3)), float(scale(-3, 0)), np.asarray(scale(-9, -5, channels)).reshape(-1)
            if profile == "tensorrt":
                zx, zo = 0, 0
            else:
                zx, zo = (int(v) for v in RNG.integers(-100, 100, 2))
            x, w = RNG.integers(-128, 128, (40, 32)), RNG.integers(-127, 128, (12, 32))
            bias = RNG.integers(-9000, 9000, 12)
            acc = (x - zx) @ w.T + bias
            y = np.clip(PROFILES[profile](acc, si, sw, so) + zo, -128, 127)
            exact = acc * (si * np.broadcast_to(sw, 12) / so)
            rounding_seen += int((np.abs(exact - np.floor(exact) - 0.5) < 0.02).sum())
            dump.tensor(f"x{case}", x.astype(np.int8), scale=si, zero_point=zx)
            qparams = {"scale": float(sw[0]), "zero_point": 0} if channels == 1 else {"scale": sw, "zero_point": np.zeros(12, np.int64), "axis": 0}
            dump.tensor(f"w{case}", w.astype(np.int8), **qparams)
            dump.tensor(f"b{case}", bias.astype(np.int32))
            dump.tensor(f"y{case}", y.astype(np.int8), scale=so, zero_point=zo)
            dump.layer(f"linear{case}", "linear", {"x": f"x{case}", "weight": f"w{case}", "bias": f"b{case}"}, {"y": f"y{case}"}, {})
    layers = run(need_program(), [tmp_path / "run"])
    assert [layer["mismatches"] for layer in layers] == [0] * 6
    assert rounding_seen > 20

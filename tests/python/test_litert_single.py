"""test_litert_single.py: single facts of LiteRT's kernels that an exporter must say, or a verifier must know."""

import json

import numpy as np
import pytest
from runtimes import need, need_program

need("ai_edge_litert.interpreter", "flatbuffers")

import litert_models as models  # noqa: E402
import recompute  # noqa: E402
import recompute_litert  # noqa: E402
from test_litert_models import needs_x86  # noqa: E402

import lastbit.litert  # noqa: E402
from lastbit import engine  # noqa: E402


def dump(model, inputs, out, resolver):
    lastbit.litert.dump(model, inputs, out, resolver=resolver)
    top = json.loads((out / "manifest.json").read_text())
    return top, {n: np.load(out / e["file"]) for n, e in top["tensors"].items()}


@pytest.mark.parametrize("resolver,highest", [("xnnpack", 8), ("builtin", 9), ("ref", 9)])
def test_a_fused_relu6_ends_where_the_engine_ends_it(tmp_path, resolver, highest):
    """6 / 4 + 7 = 8.5: TFLite rounds 1.5 away from zero before it adds 7, XNNPACK rounds 8.5 to even."""
    b = models.Builder(dtype="int8")
    x = b.tensor("x", [1, 1, 64, 4], scale=0.5, zero=0)
    model = b.model([x], [b.conv(x, "y", 8, (1, 1), 4.0, 7, activation=models.RELU6)])
    inputs = np.random.default_rng(0).integers(-128, 128, (1, 1, 64, 4)).astype(np.int8)
    top, values = dump(model, inputs, tmp_path, resolver)
    assert top["layers"][0]["attributes"]["activation"] == {"min": 7, "max": highest}
    assert values["y"].max() == highest and values["y"].min() == 7


@needs_x86
@pytest.mark.parametrize("shapes,vectors", [
    (([37], [37]), 32), (([24], [24]), 16), (([24], [1]), 24), (([1], [15]), 8), (([3, 17], [17]), 48),
    (([3, 15], [15]), 0), (([2, 3, 24], [2, 1, 24]), 96), (([3, 8], [3, 8]), 16)])
def test_int8_add_of_the_builtin_kernels_rounds_its_inputs_once_in_whole_vectors(tmp_path, shapes, vectors):
    """(-68 + 128) * 0.047 + 0 = 30.4999997 - 7 above zero: 31 by the scalar rule, 30 in whole vectors."""
    model = models.addition(*shapes, "int8", (0.047, 0.11, 0.12), (-128, 5, 7))
    inputs = {"a": np.full(shapes[0], -68, np.int8), "b": np.full(shapes[1], 5, np.int8)}
    _, values = dump(model, inputs, tmp_path / "builtin", "builtin")
    assert np.count_nonzero(values["y"] == 30) == vectors
    assert np.count_nonzero(values["y"] == 31) == values["y"].size - vectors
    assert recompute.check(tmp_path / "builtin", recompute_litert.rules) == {"y": (values["y"].size, 0)}
    _, values = dump(model, inputs, tmp_path / "ref", "ref")
    assert (values["y"] == 31).all()
    need_program()
    assert engine.verify(tmp_path / "builtin", tmp_path / "ref").identical


@needs_x86
@pytest.mark.parametrize("dtype,shapes,vectors", [
    ("int8", ([37], [37]), 32), ("int8", ([24], [24]), 16), ("int8", ([24], [1]), 24), ("uint8", ([15], [15]), 8)])
def test_add_in_vectors_wraps_beyond_sixteen_bits(tmp_path, dtype, shapes, vectors):
    """255 + 255 over 0.004 is 127500: saturated to 32767, the zero point wraps it to the other end."""
    low = np.iinfo(dtype).min
    model = models.addition(*shapes, dtype, (1.0, 1.0, 0.004), (low, low, low + 250))
    inputs = {name: np.full(shape, low + 255, dtype) for name, shape in zip("ab", shapes)}
    _, values = dump(model, inputs, tmp_path / "builtin", "builtin")
    assert np.count_nonzero(values["y"] == low) == vectors
    assert np.count_nonzero(values["y"] == low + 255) == values["y"].size - vectors
    assert recompute.check(tmp_path / "builtin", recompute_litert.rules) == {"y": (values["y"].size, 0)}
    need_program()
    assert engine.verify(tmp_path / "builtin").identical


@needs_x86
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("resolver", ["builtin", "ref", "xnnpack"])
def test_every_pair_of_integers(tmp_path, kind, dtype, resolver):
    low = np.iinfo(dtype).min
    a, b = (v.reshape(-1).astype(dtype) for v in np.meshgrid(*[np.arange(low, low + 256)] * 2))
    rng = np.random.default_rng(6)
    for trial in range(4):
        scales = np.float32(rng.random(3) * 0.1 + 0.01)
        zeros = (rng.integers(low, low + 256, 3)).tolist()
        model = models.addition([65536], [65536], dtype, scales, zeros, kind)
        dump(model, {"a": a, "b": b}, tmp_path, resolver)
        assert recompute.check(tmp_path, recompute_litert.rules) == {"y": (65536, 0)}
    need_program()
    assert engine.verify(tmp_path).identical


def test_a_dense_layer_that_flattens_has_a_reshape_before_it(tmp_path):
    b = models.Builder()
    x = b.tensor("x", [2, 3, 4], scale=0.1, zero=3)
    w = b.weight("w", (5, 12))
    y = b.tensor("y", [2, 5], scale=2.0, zero=1)
    b.op("FULLY_CONNECTED", [x, w, -1], y, "FullyConnectedOptions")
    top, values = dump(b.model([x], [y]), np.arange(24, dtype=np.int8).reshape(2, 3, 4), tmp_path, "ref")
    assert [(layer["name"], layer["op"]) for layer in top["layers"]] == [("y.rows", "reshape"), ("y", "linear")]
    assert values["x#2"].shape == (2, 12) and top["layers"][1]["inputs"] == {"x": "x#2", "weight": "w"}
    assert recompute.check(tmp_path, recompute_litert.rules) == {"y.rows": (24, 0), "y": (10, 0)}


def test_weights_of_four_bits_are_one_value_a_byte(tmp_path):
    b = models.Builder()
    x = b.tensor("x", [3, 8], scale=0.1, zero=3)
    values = b.rng.integers(-8, 8, (4, 8)).astype(np.int8)
    w = b.const("w", values, scale=0.2)
    packed = (values.reshape(-1, 2) & 15).astype(np.uint8)
    b.buffers[b.tensors[w].buffer].data = packed[:, 0] | packed[:, 1] << 4
    b.tensors[w].type = models.schema.TensorType.INT4
    y = b.tensor("y", [3, 4], scale=0.5, zero=1)
    b.op("FULLY_CONNECTED", [x, w, -1], y, "FullyConnectedOptions")
    model = b.model([x], [y])
    top, tensors = dump(model, np.arange(24, dtype=np.int8).reshape(3, 8), tmp_path, "ref")
    assert top["tensors"]["w"]["dtype"] == "int4" and (tensors["w"] == values).all()
    assert recompute.check(tmp_path, recompute_litert.rules) == {"y": (12, 0)}


def test_what_a_dump_has_no_word_for_keeps_its_own_name(tmp_path):
    b = models.Builder()
    x = b.tensor("x", [2, 3], scale=0.1, zero=3)
    low = b.unary("NEG", b.unary("DEQUANTIZE", x, "real", None, 0, dtype="float32"), "neg", None, 0, dtype="float32")
    y = b.unary("QUANTIZE", low, "y", 0.1, 0)
    top, _ = dump(b.model([x], [y]), np.arange(6, dtype=np.int8).reshape(2, 3), tmp_path, "builtin")
    assert [layer["op"] for layer in top["layers"]] == ["dequantize", "NEG", "quantize"]
    assert top["layers"][1]["inputs"] == {"x": "real"} and top["layers"][1]["outputs"] == {"y": "neg"}


def test_a_constant_that_the_delegate_unpacks_aside_is_not_dumped(tmp_path):
    """XNNPACK dequantizes constant weights before the run; their tensor holds whatever was in memory."""
    b = models.Builder()
    x = b.tensor("x", [2, 8], "float32")
    w = b.tensor("w.real", [4, 8], "float32")
    b.op("DEQUANTIZE", [b.weight("w", (4, 8))], w)
    y = b.tensor("y", [2, 4], "float32")
    b.op("FULLY_CONNECTED", [x, w, -1], y, "FullyConnectedOptions")
    model = b.model([x], [y])
    top, _ = dump(model, np.ones((2, 8), np.float32), tmp_path / "xnnpack", "xnnpack")
    assert [(layer["op"], layer["outputs"]) for layer in top["layers"]][0] == ("DEQUANTIZE", {})
    assert "w.real" not in top["tensors"]
    top, values = dump(model, np.ones((2, 8), np.float32), tmp_path / "ref", "ref")
    assert top["layers"][0]["op"] == "dequantize" and "w.real" in values


def test_slices_of_one_tensor_along_two_axes(tmp_path):
    """Each has a step of its own between its two cuts, even one that keeps the size: a step of 2 over an axis of 1."""
    b = models.Builder()
    x = b.tensor("x", [1, 8, 8, 3], scale=0.1, zero=3)
    w = b.tensor("w", [1, 8, 1, 3], scale=0.1, zero=3)
    outs = []
    for k, (t, begin, end, step) in enumerate((
            (x, [0, 0, 0, 0], [1, 8, 8, 3], [1, 2, 2, 1]), (x, [0, 1, 0, 0], [1, 8, 8, 3], [1, 2, 2, 1]),
            (w, [0, 2, 0, 0], [1, 8, 1, 3], [1, 1, 2, 1]))):
        y = b.tensor(f"y{k}", [len(range(*cut)) for cut in zip(begin, end, step)], scale=0.1, zero=3)
        b.op("STRIDED_SLICE", [t, *(b.const(f"{n}{k}", np.array(v, np.int32)) for n, v in (
            ("begin", begin), ("end", end), ("step", step)))], y, "StridedSliceOptions")
        outs.append(y)
    random = np.random.default_rng(0)
    inputs = {"x": random.integers(-128, 128, (1, 8, 8, 3)).astype(np.int8), "w": random.integers(-128, 128, (1, 8, 1, 3)).astype(np.int8)}
    top, _ = dump(b.model([x, w], outs), inputs, tmp_path, "ref")
    assert [layer["op"] for layer in top["layers"]] == ["slice"] * 6
    need_program()
    assert engine.verify(tmp_path).identical

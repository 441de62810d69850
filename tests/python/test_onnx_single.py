"""test_onnx_single.py: what a single node of ONNX Runtime becomes in a dump."""

import json

import numpy as np
import pytest
from runtimes import need, need_program

need("onnx", "onnxruntime")

import onnx_models as models  # noqa: E402
import recompute  # noqa: E402
import recompute_onnx  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

import lastbit.onnx  # noqa: E402
from lastbit import engine  # noqa: E402
from lastbit.onnx.product import unpack  # noqa: E402


def dump(model, inputs, out):
    lastbit.onnx.dump(model, inputs, out)
    return json.loads((out / "manifest.json").read_text())


def load(out, entry, key="file"):
    entry = entry if key == "file" else entry[key]
    return np.load(out / entry["file"])


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("zero_points", [True, False])
def test_matmul_nbits_says_what_the_weights_mean(tmp_path, bits, zero_points):
    """The float32 product of x and the dequantized weights is the runtime's within its own float sum."""
    x = np.random.default_rng(0).normal(size=(3, 80)).astype(np.float32)
    top = dump(models.nbits(bits=bits, zero_points=zero_points, level=0), x, tmp_path)
    layer, = top["layers"]
    assert layer["op"] == "linear_weight_only" and layer["name"] == "proj"
    assert layer["attributes"] == {"accuracy_level": 0}
    entry = top["tensors"][layer["inputs"]["weight"]]
    assert (entry["dtype"], entry["axis"], entry["group_size"]) == (f"uint{bits}", 0, 32)
    q, scale, zero = load(tmp_path, entry), load(tmp_path, entry, "scale"), load(tmp_path, entry, "zero_point")
    assert q.shape == (12, 80) and scale.shape == zero.shape == (12, 3) and q.max() < 1 << bits
    each = [np.repeat(a, 32, axis=1)[:, :80].astype(np.float64) for a in (scale, zero)]
    weight = (q - each[1]) * each[0]
    y = load(tmp_path, top["tensors"][layer["outputs"]["y"]])
    bound = 81 * 2.0 ** -24 * (np.abs(x.astype(np.float64)) @ np.abs(weight.T))
    assert (np.abs(x.astype(np.float64) @ weight.T - y) <= bound).all()


def test_matmul_nbits_is_accepted_by_the_program(tmp_path):
    need_program()
    x = np.random.default_rng(0).normal(size=(3, 80)).astype(np.float32)
    lastbit.onnx.dump(models.nbits(), x, tmp_path)
    assert not engine.verify(tmp_path).different


@pytest.mark.parametrize("bits,block,rounded", [(2, 16, False), (2, 32, True), (2, 128, True), (2, 256, False), (4, 16, True), (4, 256, True), (8, 16, True)])
def test_matmul_nbits_of_level_4_quantizes_x_where_a_kernel_has_the_block(tmp_path, bits, block, rounded):
    """Two bits in blocks of 16 or 256 are multiplied by x as it is: the float32 sum, within its own bound."""
    need_program()
    b = models.Builder()
    weight = b.const("w", b.rng.integers(0, 256, (12, 256 // block, block * bits // 8)).astype(np.uint8))
    scale = b.const("s", (b.rng.random((12, 256 // block)) * 0.1 + 0.01).astype(np.float32))
    b.nodes.append(helper.make_node("MatMulNBits", ["x", weight, scale], ["y"], "proj", domain="com.microsoft", K=256, N=12,
                                    bits=bits, block_size=block, accuracy_level=4))
    model = b.model([("x", models.FLOAT, [3, 256])], [("y", models.FLOAT, [3, 12])], extra_domains=("com.microsoft",), check=False)
    x = b.rng.normal(size=(3, 256)).astype(np.float32)
    top = dump(model, x, tmp_path)
    layer, = top["layers"]
    entry = top["tensors"][layer["inputs"]["weight"]]
    q, scale, zero = load(tmp_path, entry), load(tmp_path, entry, "scale"), load(tmp_path, entry, "zero_point")
    each = [np.repeat(a, block, axis=1).astype(np.float64) for a in (scale, zero)]
    exact = x.astype(np.float64) @ ((q - each[1]) * each[0]).T
    y = load(tmp_path, top["tensors"][layer["outputs"]["y"]])
    assert (np.abs(y - exact).max() > 1e-5 * np.abs(exact).max()) == rounded
    assert not engine.verify(tmp_path).different


def test_unpack_takes_the_low_bits_first():
    assert unpack(np.array([[0x21, 0x43]], np.uint8), 4).tolist() == [[1, 2, 3, 4]]
    assert unpack(np.array([0b11100100], np.uint8), 2).tolist() == [0, 1, 2, 3]


def test_a_tensor_read_with_two_scales_is_written_twice(tmp_path):
    b = models.Builder()
    one, two = b.const("one", np.float32(0.5)), b.const("two", np.float32(0.25))
    zero = b.const("zero", np.uint8(3))
    q = b.node("QuantizeLinear", ["x", one, zero], "q")
    b.node("DequantizeLinear", [q, one, zero], "y")
    b.node("DequantizeLinear", [q, two, zero], "z")
    model = b.model([("x", models.FLOAT, [9])], [("y", models.FLOAT, [9]), ("z", models.FLOAT, [9])])
    top = dump(model, np.linspace(-3, 3, 9, dtype=np.float32), tmp_path)
    names = {layer["name"]: next(iter(layer["inputs"].values())) for layer in top["layers"]}
    assert (names["y"], names["z"]) == ("q", "q#2")
    assert [top["tensors"][name]["scale"] for name in ("q", "q#2")] == [0.5, 0.25]
    assert recompute.check(tmp_path, recompute_onnx.rules) == {"q": (9, 0), "y": (9, 0), "z": (9, 0)}


def test_slices_of_one_tensor_along_two_axes(tmp_path):
    """The four quarters that YOLO's Focus takes: each has a step of its own between its two cuts."""
    b = models.Builder()
    q = b.node("QuantizeLinear", ["x", b.const("s", np.float32(0.1)), b.const("z", np.uint8(3))], "q")
    outs = [b.node("Slice", [q, *(b.const(f"{n}{k}", np.array(v)) for n, v in (
        ("from", start), ("to", [99, 99]), ("axes", [2, 3]), ("by", [2, 2])))], f"y{k}")
        for k, start in enumerate(([0, 0], [1, 0], [0, 1], [1, 1]))]
    model = b.model([("x", models.FLOAT, [1, 3, 8, 8])], [(o, TensorProto.UINT8, None) for o in outs], check=False)
    top = dump(model, np.random.default_rng(6).normal(size=(1, 3, 8, 8)).astype(np.float32) * 9, tmp_path)
    assert [layer["op"] for layer in top["layers"]] == ["quantize"] + ["slice"] * 8
    need_program()
    assert engine.verify(tmp_path).identical


def test_quantize_per_channel_and_moves(tmp_path):
    """Per-axis QuantizeLinear; Split, Slice, Reshape, Transpose and Pad of integers."""
    b = models.Builder()
    names = [b.const("s", np.array([0.1, 0.2, 0.4, 0.3], np.float32)),
             b.const("z", np.array([0, 9, 255, 128], np.uint8))]
    q = b.node("QuantizeLinear", ["x", *names], "q", axis=1)
    b.node("DequantizeLinear", [q, *names], "y", axis=1)
    flat = b.node("QuantizeLinear", ["x", b.const("t", np.float32(0.1)), b.const("u", np.int8(-5))], "flat")
    b.node("Split", [flat, b.const("sizes", np.array([1, 3]))], "split", ["left", "right"], axis=1)
    cut = b.node("Slice", ["right", *(b.const(n, np.atleast_1d(v)) for n, v in (
        ("from", -1), ("to", -9), ("axis", 2), ("by", -1)))], "back")
    fore = b.node("Slice", ["right", *(b.const(n, np.atleast_1d(v)) for n, v in (
        ("from2", [1, 0]), ("to2", [99, -1]), ("axis2", [2, 1]), ("by2", [2, 1])))], "fore")
    turned = b.node("Transpose", [fore], "turned")
    padded = b.node("Pad", [turned, b.const("pads", np.array([0, 1, 0, 2, 0, 0])), "u"], "padded")
    model = b.model([("x", models.FLOAT, [2, 4, 5])],
                    [("y", models.FLOAT, None), ("left", TensorProto.INT8, None), (cut, TensorProto.INT8, None),
                     (padded, TensorProto.INT8, None)], check=False)
    top = dump(model, np.random.default_rng(5).normal(size=(2, 4, 5)).astype(np.float32) * 9, tmp_path)
    by_name = {layer["name"]: layer for layer in top["layers"]}
    assert by_name["split.1"]["attributes"] == {"dim": 1, "start": 1, "end": 4, "step": 1}
    assert by_name["fore.axis2"]["attributes"] == {"dim": 2, "start": 1, "end": 5, "step": 2}
    assert by_name["fore"]["attributes"] == {"dim": 1, "start": 0, "end": 2, "step": 1}
    assert by_name["padded"]["attributes"] == {"pad": [0, 0, 1, 0, 0, 2], "mode": "constant", "value": 0.0}
    assert by_name["back"]["op"] == "Slice"          # backwards: not one of the dump's slices
    results = recompute.check(tmp_path, recompute_onnx.rules)
    assert {n for n, r in results.items() if r is None} == {"back"}
    assert all(r[1] == 0 for r in results.values() if r)


@pytest.mark.parametrize("trans_b,alpha,op", [(1, 1.0, "linear"), (1, 1.5, "linear"), (0, 1.0, "matmul"),
                                              (0, 0.5, "linear")])
def test_gemm_in_every_orientation(tmp_path, trans_b, alpha, op):
    b = models.Builder()
    numbers = {n: b.const(n, np.float32(v)) for n, v in (("as", .02), ("ys", .11))}
    zeros = {n: b.const(n, np.uint8(v)) for n, v in (("az", 99), ("yz", 128))}
    w = b.const("w", b.rng.integers(-127, 128, (6, 21) if trans_b else (21, 6)).astype(np.int8))
    scales = b.const("ws", (b.rng.random(6) * .01 + .001).astype(np.float32))
    b.const("wz", np.zeros(6, np.int8))
    b.const("bias", b.rng.integers(-2000, 2000, (1, 6)).astype(np.int32))
    b.nodes.append(helper.make_node("QGemm", ["x", numbers["as"], zeros["az"], w, scales, "wz", "bias", numbers["ys"],
                                              zeros["yz"]], ["y"], "gemm", domain="com.microsoft", transB=trans_b,
                                    alpha=alpha))
    model = b.model([("x", TensorProto.UINT8, [5, 21])], [("y", TensorProto.UINT8, [5, 6])],
                    extra_domains=("com.microsoft",), check=False)
    top = dump(model, b.rng.integers(0, 256, (5, 21)).astype(np.uint8), tmp_path)
    assert [layer["op"] for layer in top["layers"]] == [op]
    assert top["layers"][0]["attributes"].get("alpha", 1.0) == alpha
    assert recompute.check(tmp_path, recompute_onnx.rules) == {"gemm": (30, 0)}


def test_a_layer_has_the_name_of_its_node(tmp_path):
    """ONNX Runtime adds `_token_7` to nodes that it rewrites; what the model says about tokens stays."""
    b = models.Builder()
    x = b.qdq("x", 0.02, 128, "in")
    b.conv(x, 0.02, "embed_token_ids", (3, 16), 3, 0.05, 0, pads=[1, 1, 1, 1])
    b.node("Identity", ["embed_token_ids.y"], "y")
    model = b.model([("x", models.FLOAT, [1, 3, 8, 8])], [("y", models.FLOAT, [1, 16, 8, 8])])
    top = dump(model, np.zeros((1, 3, 8, 8), np.float32), tmp_path)
    assert "embed_token_ids" in [layer["name"] for layer in top["layers"] if layer["op"] == "conv2d"]


@pytest.mark.parametrize("auto_pad,start", [("SAME_UPPER", 1), ("SAME_LOWER", 0), ("VALID", 0)])
@pytest.mark.parametrize("kind", ["MaxPool", "QLinearAveragePool"])
def test_a_pool_whose_steps_skip_the_end_starts_inside(tmp_path, kind, auto_pad, start):
    """9 values, kernel 1, stride 3: SAME lacks -2, and ONNX Runtime's pools start one in. Convolutions do not."""
    b = models.Builder()
    numbers = [b.const("s", np.float32(0.5)), b.const("z", np.uint8(0))]
    arguments = ["x"] if kind == "MaxPool" else ["x", *numbers, *numbers]
    b.nodes.append(helper.make_node(kind, arguments, ["y"], "pool", kernel_shape=[1], strides=[3], auto_pad=auto_pad,
                                    domain="" if kind == "MaxPool" else "com.microsoft"))
    model = b.model([("x", TensorProto.UINT8, [1, 1, 9])], [("y", TensorProto.UINT8, None)],
                    extra_domains=("com.microsoft",), check=False)
    top = dump(model, np.arange(9, dtype=np.uint8).reshape(1, 1, 9), tmp_path)
    y = load(tmp_path, top["tensors"][top["layers"][-1]["outputs"]["y"]])
    assert y.tolist() == [[[start, start + 3, start + 6]]]
    pool = "max_pool1d" if kind == "MaxPool" else "avg_pool1d"
    assert [layer["op"] for layer in top["layers"]] == (["slice"] if start else []) + [pool]
    assert all(r[1] == 0 for r in recompute.check(tmp_path, recompute_onnx.rules).values())


@pytest.mark.parametrize("include", [0, 1])
def test_an_average_over_a_window_that_hangs_over(tmp_path, include):
    """ceil_mode: with count_include_pad ONNX Runtime divides by the whole kernel, also beyond the padding."""
    b = models.Builder()
    numbers = [b.const("s", np.float32(0.5)), b.const("z", np.uint8(9)), b.const("t", np.float32(0.3)), "z"]
    b.nodes.append(helper.make_node("QLinearAveragePool", ["x", *numbers], ["y"], "pool", kernel_shape=[2, 3],
                                    strides=[3, 2], pads=[1, 0, 0, 1], ceil_mode=1, count_include_pad=include,
                                    domain="com.microsoft"))
    model = b.model([("x", TensorProto.UINT8, [1, 3, 7, 8])], [("y", TensorProto.UINT8, None)],
                    extra_domains=("com.microsoft",), check=False)
    dump(model, b.rng.integers(0, 256, (1, 3, 7, 8)).astype(np.uint8), tmp_path)
    assert all(r[1] == 0 for r in recompute.check(tmp_path, recompute_onnx.rules).values())
    need_program()
    assert engine.verify(tmp_path).identical

"""test_onnx_models.py: whole models run by ONNX Runtime; every layer of the dump recomputed, none missing."""

import json

import numpy as np
import pytest
from runtimes import need, need_program

need("onnx", "onnxruntime")

import onnx_models as models  # noqa: E402
import recompute  # noqa: E402
import recompute_onnx  # noqa: E402

import lastbit.onnx  # noqa: E402
from lastbit import engine, isa  # noqa: E402

PAIRS_SATURATE = isa.detect() in isa.SATURATING_PAIRS
needs_x86 = pytest.mark.skipif(isa.detect() not in ("avx512_vnni", "avx2_vnni"),
                               reason="the NumPy formulas are those of x86-64 with VNNI")


def normal(*shape, seed=1):
    return {"x": np.random.default_rng(seed).normal(size=shape).astype(np.float32)}


CASES = {
    "cnn": (models.cnn, (), normal(2, 3, 17, 16)),
    "cnn-other-seed": (models.cnn, (7,), normal(2, 3, 17, 16, seed=3)),
    "cnn-int8": (models.cnn, (1, np.int8), normal(2, 3, 17, 16)),
    "cnn-uint8-weights": (models.cnn, (2, np.uint8, np.uint8, False), normal(2, 3, 17, 16)),
    "operators": (models.operators, (), normal(1, 4, 9, 8)),
    "dynamic": (models.dynamic, (), normal(2, 5, 33)),
    "dynamic-per-tensor": (models.dynamic, (1, False, False), normal(2, 5, 33)),
    "integer": (models.integer, (), {"x": np.random.default_rng(2).integers(0, 256, (1, 3, 6, 7)).astype(np.uint8)}),
}

#: Operators that stay in float32: they stand in the dump under their own name and nobody checks them.
FLOATS = {"cnn-int8": {"Conv", "Add", "Mul", "Sigmoid", "Concat"}, "operators": {"Elu"}}


@pytest.fixture(scope="module", params=CASES)
def dumped(request, tmp_path_factory):
    build, arguments, inputs = CASES[request.param]
    out = tmp_path_factory.mktemp("dumps") / request.param
    return request.param, lastbit.onnx.dump(build(*arguments), inputs, out)


def layers(folder):
    return json.loads((folder / "manifest.json").read_text())["layers"]


@needs_x86
def test_every_layer_is_what_the_formulas_say(dumped):
    name, folder = dumped
    results = recompute.check(folder, recompute_onnx.rules)
    ops = {layer["name"]: layer["op"] for layer in layers(folder)}
    unknown = {ops[layer] for layer, result in results.items() if result is None}
    assert unknown == FLOATS.get(name, set())
    assert {layer: r for layer, r in results.items() if r and (r[1] or not r[0])} == {}


def test_layers_are_linked_by_tensors(dumped):
    """Only what enters the model, weights and biases have no layer that made them."""
    name, folder = dumped
    made = {t for layer in layers(folder) for t in layer["outputs"].values()}
    for layer in layers(folder):
        for key, tensor in layer["inputs"].items():
            if key in ("x", "a") and name != "cnn-int8":
                assert tensor in made or tensor == "x", (layer["name"], tensor)


def test_the_program_finds_the_same(dumped):
    need_program()
    report = engine.verify(dumped[1], chained=True)
    wrong = [(layer["name"], layer["mismatches"]) for layer in report.layers if layer["mismatches"]]
    assert wrong == [] and not report.different, str(report)


def test_the_residual_network_is_fused(tmp_path):
    """What is dumped is what ran: operators after fusion, in NHWC where the runtime turned them."""
    lastbit.onnx.dump(models.cnn(), normal(2, 3, 17, 16), tmp_path)
    top = json.loads((tmp_path / "manifest.json").read_text())
    ops = {layer["name"]: layer["op"] for layer in top["layers"]}
    wanted = {"stem": "conv2d", "deep": "conv2d", "wide": "conv2d", "sum": "add", "gate": "sigmoid",
              "swish": "mul", "both": "cat", "half": "avg_pool2d", "most": "max_pool2d",
              "mean": "adaptive_avg_pool2d", "flat": "flatten", "fc": "linear"}
    assert wanted.items() <= ops.items()
    by_name = {layer["name"]: layer for layer in top["layers"]}
    assert by_name["stem"]["attributes"] == {"stride": [2, 2], "padding": [1, 0, 1, 1], "dilation": [1, 1],
                                             "groups": 1, "activation": "none"}
    assert by_name["deep"]["attributes"]["groups"] == 16
    assert by_name["most"]["attributes"]["ceil_mode"] is True
    assert top["tensors"][by_name["stem"]["inputs"]["x"]]["layout"] == "NHWC"
    assert top["tensors"][by_name["stem"]["inputs"]["bias"]]["dtype"] == "int32"
    assert top["profile"] == "onnxruntime" and top["producer"]["framework"] == "onnxruntime"
    assert "QLinearConv 3" in top["producer"]["kernels"]


def test_the_values_are_spread_out(tmp_path):
    """A dump of clamped values would prove nothing."""
    lastbit.onnx.dump(models.cnn(), normal(2, 3, 17, 16), tmp_path)
    top = json.loads((tmp_path / "manifest.json").read_text())
    for layer in top["layers"]:
        entry = top["tensors"][layer["outputs"]["y"]]
        if entry["dtype"] == "uint8":
            values = np.load(tmp_path / entry["file"])
            assert len(np.unique(values)) >= min(10, values.size // 4), layer["name"]

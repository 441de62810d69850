"""test_litert_models.py: whole models run by LiteRT on each of its kernels; every layer recomputed, none missing."""

import json

import numpy as np
import pytest
from runtimes import need, need_program

need("ai_edge_litert.interpreter", "flatbuffers")

import litert_models as models  # noqa: E402
import recompute  # noqa: E402
import recompute_litert  # noqa: E402

import lastbit.litert  # noqa: E402
from lastbit import engine, isa  # noqa: E402

RESOLVERS = ("xnnpack", "builtin", "ref")
needs_x86 = pytest.mark.skipif(isa.detect() not in ("avx512_vnni", "avx512", "avx2_vnni", "avx2"),
                               reason="the NumPy formulas are those of x86-64")


def any_of(dtype, *shape, seed=1):
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)


def normal(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


CASES = {
    "mobilenet": (models.mobilenet, (), normal(2, 17, 16, 3)),
    "mobilenet-other-seed": (models.mobilenet, (5,), normal(2, 17, 16, 3, seed=2)),
    "operators-int8": (models.operators, (), any_of("int8", 1, 9, 8, 8)),
    "operators-uint8": (models.operators, (1, "uint8"), any_of("uint8", 1, 9, 8, 8)),
    "int16-bias-int64": (models.sixteen, (), any_of("int16", 1, 6, 5, 8)),
    "int16-bias-int32": (models.sixteen, ("int32",), any_of("int16", 1, 6, 5, 8)),
}


@pytest.fixture(scope="module", params=[(case, resolver) for case in CASES for resolver in RESOLVERS],
                ids=lambda p: "-".join(p))
def dumped(request, tmp_path_factory):
    case, resolver = request.param
    build, arguments, inputs = CASES[case]
    out = tmp_path_factory.mktemp("dumps") / case
    return case, resolver, lastbit.litert.dump(build(*arguments), inputs, out, resolver=resolver)


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


@needs_x86
def test_every_layer_is_what_the_formulas_say(dumped):
    results = recompute.check(dumped[2], recompute_litert.rules)
    assert {layer: r for layer, r in results.items() if not r or r[1] or not r[0]} == {}


def test_layers_are_linked_by_tensors(dumped):
    layers = manifest(dumped[2])["layers"]
    made = {t for layer in layers for t in layer["outputs"].values()}
    entering = {layer["inputs"][key] for layer in layers for key in ("x", "a", "b", "x0") if key in layer["inputs"]}
    assert entering - made == {"x"}


def test_the_program_finds_the_same(dumped):
    need_program()
    report = engine.verify(dumped[2], chained=True)
    wrong = [(layer["name"], layer["mismatches"]) for layer in report.layers if layer["mismatches"]]
    assert wrong == [] and not report.different, str(report)


def test_what_the_delegate_refused_has_its_own_profile(tmp_path):
    lastbit.litert.dump(models.mobilenet(), normal(2, 17, 16, 3), tmp_path)
    top = manifest(tmp_path)
    assert top["profile"] == "xnnpack" and top["producer"]["engine"] == "xnnpack"
    refused = {layer["op"]: layer["profile"] for layer in top["layers"] if "profile" in layer}
    assert set(refused) == {"hardswish", "avg_pool2d", "softmax"}
    assert set(refused.values()) <= {"tflite-ruy-x86", "tflite-ruy-arm"}


@pytest.mark.parametrize("resolver,profile", [("builtin", "tflite-ruy-"), ("ref", "tflite-reference")])
def test_without_a_delegate_no_layer_has_its_own_profile(tmp_path, resolver, profile):
    lastbit.litert.dump(models.mobilenet(), normal(2, 17, 16, 3), tmp_path, resolver=resolver)
    top = manifest(tmp_path)
    assert top["profile"].startswith(profile) and not any("profile" in layer for layer in top["layers"])


def test_attributes_and_layouts_of_mobilenet(tmp_path):
    lastbit.litert.dump(models.mobilenet(), normal(2, 17, 16, 3), tmp_path)
    top = manifest(tmp_path)
    layers = {layer["name"]: layer for layer in top["layers"]}
    assert layers["stem"]["attributes"] == {"stride": [2, 2], "padding": [1, 0, 1, 1], "dilation": [1, 1], "groups": 1,
                                            "activation": {"min": -128, "max": 0}}
    assert layers["deep"]["attributes"]["groups"] == 16 and layers["deep"]["attributes"]["activation"] == "relu"
    layout = {key: top["tensors"][name].get("layout") for key, name in layers["deep"]["inputs"].items()}
    assert layout == {"x": "NHWC", "weight": "IHWO", "bias": None}
    assert top["tensors"]["deep.w"]["axis"] == 3 and top["tensors"]["stem.w"]["layout"] == "OHWI"
    assert layers["mean"]["attributes"] == {"dim": [1, 2], "keepdim": False}


def test_the_plain_run_delegates_the_same_operators():
    """Kept tensors make the delegate work one operator at a time: it must not take more or fewer of them."""
    from ai_edge_litert import interpreter

    def delegated(keep):
        with pytest.warns() if keep else _nothing():
            it = interpreter.Interpreter(model_content=models.mobilenet(), num_threads=1,
                                         experimental_preserve_all_tensors=keep)
        it.allocate_tensors()
        operators = it._get_ops_details()
        makers = {int(t): op for op in operators if op["op_name"] != "DELEGATE" for t in op["outputs"]}
        found, open_ = set(), []
        for part in (op for op in operators if op["op_name"] == "DELEGATE"):
            entering = set(map(int, part["inputs"]))
            open_ += [(int(t), entering) for t in part["outputs"]]
        while open_:
            tensor, entering = open_.pop()
            if tensor in makers and tensor not in entering and makers[tensor]["index"] not in found:
                found.add(makers[tensor]["index"])
                open_ += [(int(t), entering) for t in makers[tensor]["inputs"]]
        return found

    assert delegated(False) == delegated(True) != set()


class _nothing:
    def __enter__(self):
        return None

    def __exit__(self, *_):
        return False

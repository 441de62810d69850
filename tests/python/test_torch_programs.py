"""test_torch_programs.py: every program on every engine: dumped, recomputed by NumPy, chained, verified."""

import json
import warnings

import numpy as np
import pytest
from runtimes import need, need_module, need_program

need("torch")

import recompute_torch  # noqa: E402
import torch  # noqa: E402
import torch_models  # noqa: E402
from recompute import check  # noqa: E402

import lastbit  # noqa: E402
import lastbit.torch  # noqa: E402
from lastbit.isa import detect, has_amx  # noqa: E402

ENGINES = [engine for engine in torch_models.ENGINES if engine in torch.backends.quantized.supported_engines]
RANDOM = ("h", "c", "indices", "offsets")   # inputs that no layer makes: states start from zeros

pytestmark = pytest.mark.filterwarnings("ignore", "error::lastbit.LastbitWarning")


@pytest.fixture(scope="module", params=[(name, engine) for name in torch_models.PROGRAMS for engine in ENGINES],
                ids=lambda p: f"{p[0]}-{p[1]}")
def run(request, tmp_path_factory):
    """(name, engine, the dump's folder, its manifest, what the model itself returned)."""
    name, engine = request.param
    if name == "pt2e":
        need_module("torchao")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, inputs = torch_models.make(name, engine)
    folder = lastbit.torch.dump(model, inputs, tmp_path_factory.mktemp("dump") / "run")
    with torch.no_grad():
        out = model(*inputs) if isinstance(inputs, tuple) else model(inputs)
    return name, engine, folder, json.loads((folder / "manifest.json").read_text()), out


def test_the_dump_ends_in_what_the_model_returns(run):
    name, engine, folder, top, out = run
    last = top["tensors"][top["layers"][-1]["outputs"]["y"]]
    assert np.load(folder / last["file"]).tobytes() == out.contiguous().numpy().tobytes()


def test_numpy_gives_the_same_integers(run):
    name, engine, folder, top, out = run
    if engine == "onednn" and detect() != "avx512_vnni":
        pytest.skip("oneDNN saturates pairs without VNNI: that is the engine's to know")
    if engine == "onednn" and has_amx():
        pytest.skip("oneDNN multiplies by the product of the scales in some of AMX's kernels: that is the engine's to know")
    results = check(folder, recompute_torch.rules)
    assert not {layer: result for layer, result in results.items() if result and result[1]}
    if name not in ("lstm_dynamic", "gru_dynamic", "linear_dynamic", "embedding_4bit"):
        assert sum(result is not None for result in results.values()) >= 3


def test_every_layer_is_fed_by_a_layer_before_it_or_by_the_input(run):
    name, engine, folder, top, out = run
    made = set()
    for layer in top["layers"]:
        for role, tensor in layer["inputs"].items():
            constant = (role.startswith(("weight", "bias", "running_")) or role in RANDOM
                        or tensor.startswith("_frozen_param"))
            assert constant or tensor in made or tensor.startswith("input"), (layer["name"], role, tensor)
        made.update(layer["outputs"].values())


def test_nothing_is_dumped_under_a_foreign_name(run):
    name, engine, folder, top, out = run
    assert not [layer["op"] for layer in top["layers"] if "." in layer["op"] or "not_judged" in layer["attributes"]]
    names = [layer["name"] for layer in top["layers"]]
    assert len(set(names)) == len(names)


#: Layers that PyTorch 2.13 itself computes wrong: oneDNN's transposed convolutions, where the channels differ.
WRONG_IN_PYTORCH = {("unet", "x86"): ["up2", "up1"], ("unet", "onednn"): ["up2", "up1"]}


def test_lastbit_verifies_it(run):
    name, engine, folder, top, out = run
    need_program()
    report = lastbit.verify(folder)
    wrong = WRONG_IN_PYTORCH.get((name, engine), [])
    assert [layer["name"] for layer in report.layers if layer["verdict"] not in ("identical", "undefined_only")] == wrong, f"{report}"
    for layer in report.different:
        assert ([cause["name"] for cause in layer["causes"]], layer["unexplained"]) == (["weight:reordered"], 0), f"{report}"


def test_lastbit_verifies_it_from_input_to_output(run):
    name, engine, folder, top, out = run
    need_program()
    report = lastbit.verify(folder, chained=True)
    if (name, engine) in WRONG_IN_PYTORCH:
        assert report.first_divergence == "up2"
    else:
        assert report.verdict == "identical", f"{report}"


@pytest.mark.skipif("fbgemm" not in ENGINES, reason="this PyTorch has no FBGEMM")
def test_fbgemms_direct_transposed_convolutions_are_named(tmp_path):
    """Channels in multiples of 8: PyTorch 2.13 computes them wrong, and would lose their weights."""
    need_program()
    import torch_unet
    from torch_example import make
    with lastbit.torch.keep_weights():
        model, x = make(lambda engine: torch_unet.build(engine, 8, 16), "fbgemm")
    report = lastbit.verify(lastbit.torch.dump(model, x, tmp_path / "run"))
    assert [(layer["name"], [cause["name"] for cause in layer["causes"]], layer["unexplained"]) for layer in report.different] == [
        ("up2", ["fbgemm:direct-transpose"], 0), ("up1", ["fbgemm:direct-transpose"], 0)]


@pytest.mark.skipif("fbgemm" not in ENGINES, reason="this PyTorch has no FBGEMM")
def test_a_layer_that_cannot_be_judged_is_not_checked(tmp_path):
    need_program()
    import torch_unet
    from torch_example import make
    model, x = make(lambda engine: torch_unet.build(engine, 8, 16), "fbgemm")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", lastbit.LastbitWarning)
        run = lastbit.torch.dump(model, x, tmp_path / "run")
    assert [str(warning.message).split(":")[0] for warning in said if warning.category is lastbit.LastbitWarning] == [
        "up2 (conv_transpose2d) cannot be judged", "up1 (conv_transpose2d) cannot be judged"]
    report = lastbit.verify(run)
    assert [layer["name"] for layer in report.layers if layer["verdict"] != "identical"] == ["up2", "up1"]
    assert all("cannot be judged" in layer["reason"] for layer in report.layers if layer["verdict"] == "not_checked")

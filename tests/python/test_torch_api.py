"""test_torch_api.py: verify, assert_bit_exact, hooks against the dump, and what a dump costs."""

import gc
import json
import weakref

import numpy as np
import pytest
from runtimes import need, need_module, need_program

need("torch")

import torch  # noqa: E402
import torch_models as models  # noqa: E402

import lastbit  # noqa: E402
import lastbit.torch  # noqa: E402
from lastbit.engine import Report  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore", "error::lastbit.LastbitWarning")


def test_the_dump_holds_what_hooks_see(tmp_path):
    model, x = models.make("conv1x1", "qnnpack")
    from torch_conv1x1 import hooked
    seen = hooked(model, x)
    folder = lastbit.torch.dump(model, x, tmp_path)
    top = json.loads((folder / "manifest.json").read_text())
    assert [layer["name"] for layer in top["layers"]] == ["quant", "body.0", "dequant"]
    stored = np.load(folder / top["tensors"]["body.0.y"]["file"])
    assert stored.tolist() == seen["body.0"].tolist()
    assert top["tensors"]["body.0.y"]["scale"] == model.body[0].scale


def test_names_are_module_paths(tmp_path):
    model, x = models.make("mobilenet_v2_qat", "qnnpack")
    top = json.loads((lastbit.torch.dump(model, x, tmp_path) / "manifest.json").read_text())
    names = [layer["name"] for layer in top["layers"]]
    assert {"quant", "features.0.0", "features.1.conv.3", "features.1.add", "mean", "classifier.1", "dequant"} <= set(names)
    assert top["tensors"]["features.0.0.weight"]["axis"] == 0 if "axis" in top["tensors"]["features.0.0.weight"] else True


def test_the_same_run_gives_the_same_bytes(tmp_path):
    model, x = models.make("unet", "qnnpack")
    one, two = (lastbit.torch.dump(model, x, tmp_path / name) for name in "ab")
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)


@pytest.mark.parametrize("name", ["fx", "mobilenet_v2_qat", "pt2e"])
def test_inference_mode_makes_no_difference(tmp_path, name):
    """There PyTorch hands over linear and conv2d whole; elsewhere taken apart."""
    if name == "pt2e":
        need_module("torchao")
    model, x = models.make(name, "qnnpack")
    tops = []
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            run = lastbit.torch.dump(model, x, tmp_path / mode.__name__)
        tops.append(json.loads((run / "manifest.json").read_text()))
    assert [(layer["op"], layer["attributes"]) for layer in tops[0]["layers"]] == [
        (layer["op"], layer["attributes"]) for layer in tops[1]["layers"]]


def test_nothing_is_left_behind(tmp_path):
    threads, grad = torch.get_num_threads(), torch.is_grad_enabled()
    model, x = models.make("linear_static", "qnnpack")
    hooks = len(torch.nn.modules.module._global_forward_hooks)
    lastbit.torch.dump(model, x, tmp_path)
    assert (threads, grad) == (torch.get_num_threads(), torch.is_grad_enabled())
    assert hooks == len(torch.nn.modules.module._global_forward_hooks)


def test_activations_are_not_kept(tmp_path):
    """A tensor is written when it is seen, and free to go: only the last ones live at any time."""
    alive, most = weakref.WeakSet(), 0

    class Watch(torch.nn.Module):
        def forward(self, x):
            nonlocal most
            x = torch.quantize_per_tensor(x, 0.1, 3, torch.quint8)
            for _ in range(20):
                x = torch.ops.quantized.add_scalar(x, 0.5)
                alive.add(x)
                gc.collect()
                most = max(most, len(alive))
            return x

    path = lastbit.torch.dump(Watch().eval(), torch.ones(4), tmp_path)
    assert path.layers == 21 and most <= 2


@pytest.mark.parametrize("inputs", [
    lambda x: x, lambda x: (x,), lambda x: [x], lambda x: {"x": x}], ids=["tensor", "tuple", "list", "dict"])
def test_inputs_are_a_tensor_a_tuple_or_keywords(tmp_path, inputs):
    model, x = models.make("linear_static", "qnnpack")
    assert lastbit.torch.dump(model, inputs(x), tmp_path).layers == 3


def test_samples_are_rows(tmp_path):
    model, x = models.make("linear_static", "qnnpack")
    runs = lastbit.torch.dump(model, x, tmp_path, samples=3)
    tops = [json.loads((run / "manifest.json").read_text()) for run in runs]
    for row, (run, top) in enumerate(zip(runs, tops)):
        assert np.load(run / top["tensors"]["input"]["file"]).tolist() == x[row:row + 1].tolist()
    assert len({top["tensors"]["body.weight"]["file"] for top in tops}) == 1


# -- with the program -----------------------------------------------------------------------------

def test_verify_gives_a_report():
    need_program()
    report = lastbit.torch.verify(*models.make("linear_static", "qnnpack"))
    assert report.identical and len(report.layers) == 3 and "_repr_html_" in dir(report)


def test_assert_bit_exact_passes():
    need_program()
    lastbit.torch.assert_bit_exact(*models.make("per_channel", "qnnpack"), chained=True)


def test_assert_bit_exact_fails_under_another_engines_rules():
    """Halves: QNNPACK rounds them to even before it adds the zero point, oneDNN after."""
    need_program()
    torch.backends.quantized.engine = "qnnpack"
    weight = torch._make_per_tensor_quantized_tensor(torch.ones(1, 1, dtype=torch.int8), 0.5, 0)
    pack = torch.ops.quantized.linear_prepack(weight, None)
    x = torch._make_per_tensor_quantized_tensor(torch.arange(256, dtype=torch.uint8)[:, None], 1.0, 0)

    def model(x):
        return torch.ops.quantized.linear(x, pack, 1.0, 1)

    lastbit.torch.assert_bit_exact(model, x)
    with pytest.raises(AssertionError, match="^not bit-exact: different: 1 layers, 256 elements, 128 mismatches") as caught:
        lastbit.torch.assert_bit_exact(model, x, profile="pytorch-onednn")
    assert 2 < len(str(caught.value).splitlines()) <= 22
    assert lastbit.torch.assert_bit_exact(model, x, profile="pytorch-onednn", max_lsb=1).layers[0]["max_lsb"] == 1


@pytest.mark.parametrize("layers, max_lsb, passes", [
    ([{"verdict": "identical"}], 0, True),
    ([{"verdict": "different", "max_lsb": 1}], 0, False),
    ([{"verdict": "different", "max_lsb": 1}], 1, True),
    ([{"verdict": "different", "max_lsb": 2}], 1, False),
    ([{"verdict": "not_checked"}], 9, False),
    ([], 9, False),
])
def test_what_assert_bit_exact_lets_pass(layers, max_lsb, passes, monkeypatch):
    layers = [{"name": "a", "op": "b", "elements": 1, "mismatches": 0, "max_lsb": 0, **layer} for layer in layers]
    monkeypatch.setattr(lastbit.torch, "verify", lambda *args, **how: Report({"verdict": "different", "layers": layers}))
    if passes:
        assert lastbit.torch.assert_bit_exact(None, None, max_lsb=max_lsb)._data["layers"] == layers
    else:
        with pytest.raises(AssertionError, match="^not bit-exact: different: "):
            lastbit.torch.assert_bit_exact(None, None, max_lsb=max_lsb)


def test_what_an_old_pytorch_lacks(monkeypatch):
    from lastbit.torch import older
    level = older.cpu_capability()
    monkeypatch.delattr(torch.backends, "cpu", raising=False)
    assert older.cpu_capability() == level

    class Old:
        def __init__(self, tensor):
            self._tensor = tensor

        def _storage(self):
            return self._tensor.untyped_storage()

    x = torch.zeros(4)
    assert older.storage_address(Old(x[1:])) == older.storage_address(x)
    assert [older.item_size(dtype) for dtype in (torch.float32, torch.float16)] == [4, 2]

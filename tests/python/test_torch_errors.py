"""test_torch_errors.py: wrong use of the PyTorch exporter gets one clear line, and exit status 2."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from runtimes import need

need("torch")

import torch  # noqa: E402
import torch_models as models  # noqa: E402

import lastbit.isa  # noqa: E402
import lastbit.torch  # noqa: E402
from lastbit import LastbitError  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
X = torch.ones(2, 10)


def message(model, inputs, out, **how):
    with pytest.raises(LastbitError) as caught:
        lastbit.torch.dump(model, inputs, out, **how)
    assert "\n" not in str(caught.value)
    assert not out.exists()
    return str(caught.value)


def test_a_float_model(tmp_path):
    text = message(torch.nn.Sequential(torch.nn.Linear(10, 4), torch.nn.ReLU()).eval(), X, tmp_path / "run")
    assert text == ("no quantized operator was seen (2 float ones were): the model is a float model; "
                    "quantize and convert it first")


def test_a_model_in_training_mode(tmp_path):
    model, x = models.make("linear_static", "qnnpack")
    assert message(model.train(), x, tmp_path / "run") == "the model is in training mode: call model.eval() first"


def test_a_model_that_was_not_converted(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(10, 4)).eval()
    model.qconfig = torch.ao.quantization.get_default_qconfig("qnnpack")
    prepared = torch.ao.quantization.prepare(model)
    assert message(prepared, X, tmp_path / "run").endswith("Observer: the model is prepared, but not converted")


def test_no_model_at_all(tmp_path):
    assert message({"weights": 1}, X, tmp_path / "run") == "a dict is not a model: expected a module or a function"


def raising(text):
    def model(x):
        raise RuntimeError(text)
    return model


def test_no_engine_selected(tmp_path):
    text = message(raising("Didn't find engine for operation quantized::linear_prepack NoQEngine"), X, tmp_path / "run")
    assert text.startswith("no quantized engine is selected: set torch.backends.quantized.engine to one of ")


def test_an_engine_that_is_not_there():
    with pytest.raises(LastbitError, match="engine 'tpu' is not in this PyTorch, expected one of "):
        lastbit.torch.load(__file__, engine="tpu")


def test_more_samples_than_inputs(tmp_path):
    model, x = models.make("linear_static", "qnnpack")
    assert message(model, x, tmp_path / "run", samples=9) == "9 samples were asked for, the inputs hold 4"


def test_a_models_own_error_is_its_own(tmp_path):
    with pytest.raises(RuntimeError, match="^shapes$"):
        lastbit.torch.dump(raising("shapes"), X, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_runs_files_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    model, x = models.make("linear_static", "qnnpack")
    with pytest.raises(LastbitError, match="notes.txt"):
        lastbit.torch.dump(model, x, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


# -- the command -------------------------------------------------------------------------------------

def command(*arguments, **environment):
    root = Path(lastbit.__file__).parents[1]
    done = subprocess.run([sys.executable, "-m", "lastbit.torch", *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(root), **environment})
    return done.returncode, done.stdout, [line for line in done.stderr.splitlines() if line.startswith("lastbit")]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, x = models.make("torchscript", "qnnpack")
    torch.jit.save(model, folder / "model.pt")
    torch.save(x, folder / "x.pt")
    return folder


def test_the_command_dumps_an_archive_for_the_engine_it_is_told(archive, tmp_path):
    status, out, complaints = command(archive / "model.pt", "--inputs", archive / "x.pt", "--out", tmp_path / "run",
                                      "--engine", "qnnpack")
    assert (status, out, complaints) == (0, f"{tmp_path / 'run'}: 11 layers\n", [])
    top = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert top["producer"]["engine"] == "qnnpack" and top["profile"] == "pytorch-qnnpack"


def test_samples_share_their_weights(archive, tmp_path):
    status, out, complaints = command(archive / "model.pt", "--inputs", archive / "x.pt", "--out", tmp_path / "runs", "--samples", 2)
    assert status == 0 and len(out.splitlines()) == 2
    tops = [json.loads((tmp_path / "runs" / f"sample-00{i}" / "manifest.json").read_text()) for i in range(2)]
    weights = [{name: entry["file"] for name, entry in top["tensors"].items() if "weight" in name} for top in tops]
    assert weights[0] == weights[1] and all(file.startswith("../weights/") for file in weights[0].values())
    assert tops[0]["root"] == ".."


@pytest.mark.parametrize("model, inputs, expected", [
    ("missing.pt", "x.pt", "no such file, expected a TorchScript archive (torch.jit.save)"),
    ("x.pt", "x.pt", "expected a TorchScript archive (torch.jit.save)"),
    ("model.pt", "missing.pt", "expected a tensor saved by torch.save, or a .npy file"),
    ("model.pt", "wrong.pt", ""),
])
def test_the_command_says_in_one_line_what_is_wrong(archive, tmp_path, model, inputs, expected):
    torch.save(torch.ones(3), archive / "wrong.pt")
    status, out, complaints = command(archive / model, "--inputs", archive / inputs, "--out", tmp_path / "run")
    assert (status, out, len(complaints)) == (2, "", 1)
    assert expected in complaints[0] and not (tmp_path / "run").exists()


# -- the instruction set -----------------------------------------------------------------------------

PROBE = """
import json, torch, lastbit.torch.isa as isa
from lastbit.torch.call import Layer
torch.backends.quantized.engine = {engine!r}
p = isa.Platform({engine!r})
layer = lambda engine, onednn=True: p.layer_profile(Layer("op", {{}}, {{}}, engine=engine, onednn=onednn))
print(json.dumps([p.isa, layer(True), layer(True, False), layer(False)]))
"""


@pytest.mark.skipif("lastbit.isa.detect() != 'avx512_vnni'", reason="the expectations are a VNNI machine's")
@pytest.mark.parametrize("engine, environment, expected", [
    ("fbgemm", {}, ["avx512_vnni", None, None, None]),
    ("fbgemm", {"FBGEMM_ENABLE_INSTRUCTIONS": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}, ["avx2", None, None, None]),
    ("fbgemm", {"FBGEMM_ENABLE_INSTRUCTIONS": "AVX2"}, ["avx2", None, None, "pytorch-fbgemm@avx512_vnni"]),
    ("fbgemm", {"ATEN_CPU_CAPABILITY": "default"}, ["avx512_vnni", None, None, "pytorch-fbgemm@sse4.1"]),
    ("onednn", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, ["avx512", None, None, "pytorch-onednn@avx512_vnni"]),
    ("onednn", {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}, ["avx2", None, None, None]),
    ("qnnpack", {"ATEN_CPU_CAPABILITY": "avx2"}, ["avx2", None, None, None]),
    ("x86", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"}, ["avx512_vnni", None, None, None]),  # else AMX, where there is one
    ("x86", {"ONEDNN_MAX_CPU_ISA": "AVX2"}, ["avx512_vnni", "pytorch-onednn@avx2", None, None]),
    ("x86", {"FBGEMM_ENABLE_INSTRUCTIONS": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"},
     ["avx2", "pytorch-onednn@avx512_vnni", "pytorch-fbgemm@avx2", None]),
])
def test_every_library_names_its_own_instruction_set(engine, environment, expected):
    if engine not in torch.backends.quantized.supported_engines:
        pytest.skip(f"this PyTorch has no {engine}")
    root = Path(lastbit.__file__).parents[1]
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROBE.format(engine=engine)], capture_output=True,
                          text=True, check=True, env={**os.environ, "PYTHONPATH": str(root), **environment})
    assert json.loads(done.stdout) == expected


@pytest.mark.parametrize("system,numpy,isa", [
    ({"avx2", "avx_vnni"}, {"AVX2", "FMA3"}, "avx2_vnni"),
    ({"avx2", "avx_vnni", "avx512f"}, {"AVX2", "FMA3"}, "avx2"),  # CPUID hides AVX-512 from this process: AVX-VNNI as well
    ({"avx2"}, {"AVX2", "FMA3"}, "avx2"),
])
def test_avx_vnni_is_taken_from_the_system_where_it_shows_this_process_what_it_has(monkeypatch, system, numpy, isa):
    monkeypatch.setattr(lastbit.isa.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(lastbit.isa, "_system_flags", lambda: system)
    monkeypatch.setattr(lastbit.isa, "_numpy_features", lambda: dict.fromkeys(numpy, True))
    assert lastbit.isa.detect() == isa


@pytest.mark.parametrize("system,isa", [({"avx_vnni"}, "avx2_vnni"), (set(), "avx2")])
def test_onednn_limited_to_avx2_vnni_takes_avx2_where_there_is_none(monkeypatch, system, isa):
    from lastbit.torch.isa import onednn
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2_VNNI")
    monkeypatch.setattr(lastbit.isa, "_system_flags", lambda: system)
    assert onednn("avx512_vnni") == isa

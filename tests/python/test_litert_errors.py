"""test_litert_errors.py: wrong use of the LiteRT exporter gets one clear line, and exit status 2."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from runtimes import need

need("ai_edge_litert.interpreter", "flatbuffers")

import litert_models as models  # noqa: E402

import lastbit  # noqa: E402
import lastbit.litert  # noqa: E402
from lastbit import LastbitError  # noqa: E402

X = np.zeros((2, 17, 16, 3), np.float32)


def message(model, inputs, out, **keys):
    with pytest.raises(LastbitError) as caught:
        lastbit.litert.dump(model, inputs, out, **keys)
    assert "\n" not in str(caught.value)
    assert not (out / "manifest.json").exists()
    return str(caught.value)


def test_a_float_model(tmp_path):
    text = message(models.floats(), np.ones((2, 3), np.float32), tmp_path)
    assert text == "model: a float model (RELU 1), expected quantized tensors"


def test_an_unknown_resolver(tmp_path):
    text = message(models.mobilenet(), X, tmp_path, resolver="gpu")
    assert text == "resolver 'gpu' is unknown, expected xnnpack, builtin, ref"


@pytest.mark.parametrize("inputs,found", [
    ({}, "input 'x' is missing, found none"),
    ({"z": X}, "input 'x' is missing, found 'z'"),
    ([X, X], "2 inputs given, expected 1: x"),
    (X.astype(np.int8), "input 'x' is int8, expected float32"),
])
def test_inputs_that_do_not_fit(tmp_path, inputs, found):
    assert message(models.mobilenet(), inputs, tmp_path) == "model: " + found


def test_an_input_of_another_rank(tmp_path):
    assert "input 'x' has shape [17, 16, 3], expected [2, 17, 16, 3]" in message(models.mobilenet(), X[0], tmp_path)


def test_files_that_are_not_models(tmp_path):
    assert "No such file" in message(tmp_path / "none.tflite", X, tmp_path / "out")
    (tmp_path / "text.tflite").write_text("not a model at all\n")
    assert "not a TFLite model, expected the mark TFL3" in message(tmp_path / "text.tflite", X, tmp_path / "out")
    (tmp_path / "cut.tflite").write_bytes(models.mobilenet()[:40])
    assert "not a TFLite model" in message(tmp_path / "cut.tflite", X, tmp_path / "out")


def test_a_model_that_the_runtime_refuses(tmp_path):
    b = models.Builder()
    x, y = b.tensor("x", [2, 3], scale=0.1), b.tensor("y", [2, 3], scale=0.1)
    b.op("ADD", [x, b.weight("w", (4, 5))], y, "AddOptions")
    assert "LiteRT refuses it: " in message(b.model([x], [y]), np.zeros((2, 3), np.int8), tmp_path, resolver="ref")


def test_runtime_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    assert "ai-edge-litert is not installed" in message(models.mobilenet(), X, tmp_path)


def program(*arguments, cwd):
    path = str(Path(lastbit.__file__).parent.parent)
    return subprocess.run([sys.executable, "-m", "lastbit.litert", *arguments], cwd=cwd, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": path}, check=False)


@pytest.mark.parametrize("resolver", ["xnnpack", "builtin", "ref"])
def test_the_command(tmp_path, resolver):
    (tmp_path / "net.tflite").write_bytes(models.mobilenet())
    np.savez(tmp_path / "x.npz", x=X)
    done = program("net.tflite", "--inputs", "x.npz", "--out", "run", "--resolver", resolver, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "run\n"), done.stderr
    assert f'"engine": "{resolver}"' in (tmp_path / "run" / "manifest.json").read_text()


@pytest.mark.parametrize("arguments,said", [
    (("none.tflite", "--inputs", "x.npz", "--out", "run"), "lastbit: none.tflite: No such file or directory"),
    (("net.tflite", "--inputs", "none.npz", "--out", "run"), "lastbit: none.npz: not read as .npz or .npy"),
    (("net.tflite", "--inputs", "x.npz", "--out", "run", "--resolver", "gpu"),
     "python -m lastbit.litert: error: argument --resolver: invalid choice: 'gpu'"),
])
def test_the_command_used_wrongly(tmp_path, arguments, said):
    (tmp_path / "net.tflite").write_bytes(models.mobilenet())
    np.savez(tmp_path / "x.npz", x=X)
    done = program(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.strip().splitlines()[-1].startswith(said)

"""test_onnx_errors.py: wrong use of the ONNX exporter gets one clear line, and exit status 2."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from runtimes import need

need("onnx", "onnxruntime")

import onnx  # noqa: E402
import onnx_models as models  # noqa: E402

import lastbit  # noqa: E402
import lastbit.onnx  # noqa: E402
from lastbit import LastbitError  # noqa: E402

X = np.ones((2, 5, 33), np.float32)


def message(model, inputs, out):
    with pytest.raises(LastbitError) as caught:
        lastbit.onnx.dump(model, inputs, out)
    assert "\n" not in str(caught.value)
    assert not (out / "manifest.json").exists()
    return str(caught.value)


def test_a_float_model(tmp_path):
    text = message(models.floats(), np.ones((2, 3), np.float32), tmp_path)
    assert text == "model: a float model (Relu 1), expected quantized operators (QDQ or QOperator)"


def test_an_opset_of_the_future(tmp_path):
    model = models.dynamic()
    model.opset_import[0].version = 999
    text = message(model, X, tmp_path)
    assert text.startswith("model: opset 999 is unknown, expected at most ")


def test_a_domain_that_the_runtime_does_not_know(tmp_path):
    model = models.dynamic()
    model.graph.node[0].domain = "org.example"
    model.opset_import.append(onnx.helper.make_opsetid("org.example", 1))
    assert "refuses it" in message(model, X, tmp_path)


@pytest.mark.parametrize("inputs,found", [
    ({}, "input 'x' is missing, found none"),
    ({"y": X}, "input 'x' is missing, found 'y'"),
    ({"x": X, "y": X}, "no input 'y', expected 'x'"),
    ([X, X], "2 inputs given, expected 1: x"),
    (X.astype(np.float64), "input 'x' is float64, expected float32"),
    (X[0], "input 'x' has shape [5, 33], expected [2, 5, 33]"),
])
def test_inputs_that_do_not_fit(tmp_path, inputs, found):
    assert message(models.dynamic(), inputs, tmp_path) == "model: " + found


def test_files_that_are_not_models(tmp_path):
    assert "No such file" in message(tmp_path / "none.onnx", X, tmp_path / "out")
    (tmp_path / "text.onnx").write_text("not a model at all\n")
    assert "not an ONNX model" in message(tmp_path / "text.onnx", X, tmp_path / "out")
    (tmp_path / "empty.onnx").write_bytes(b"")
    assert "not an ONNX model" in message(tmp_path / "empty.onnx", X, tmp_path / "out")


def test_runtime_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "onnxruntime is not installed" in message(models.dynamic(), X, tmp_path)


def program(*arguments, cwd):
    path = str(Path(lastbit.__file__).parent.parent)
    return subprocess.run([sys.executable, "-m", "lastbit.onnx", *arguments], cwd=cwd, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": path}, check=False)


def test_the_command(tmp_path):
    onnx.save(models.dynamic(), tmp_path / "net.onnx")
    np.savez(tmp_path / "x.npz", x=X)
    done = program("net.onnx", "--inputs", "x.npz", "--out", "run", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "run\n", "")
    assert '"model": "net"' in (tmp_path / "run" / "manifest.json").read_text()


def test_the_command_with_one_array_and_a_setting(tmp_path):
    onnx.save(models.cnn(), tmp_path / "net.onnx")
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 17, 16), np.float32))
    done = program("net.onnx", "--inputs", "x.npy", "--out", "run", "--option", "session.disable_quant_qdq=1",
                   cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "QLinearConv" not in (tmp_path / "run" / "manifest.json").read_text()


@pytest.mark.parametrize("arguments,said", [
    (("none.onnx", "--inputs", "x.npz", "--out", "run"), "lastbit: none.onnx: No such file or directory"),
    (("net.onnx", "--inputs", "none.npz", "--out", "run"), "lastbit: none.npz: not read as .npz or .npy"),
    (("net.onnx", "--inputs", "x.npz", "--out", "run", "--option", "a"),
     "lastbit: --option: found 'a', expected KEY=VALUE"),
    (("net.onnx", "--out", "run"), "python -m lastbit.onnx: error: the following arguments are required: --inputs"),
])
def test_the_command_used_wrongly(tmp_path, arguments, said):
    onnx.save(models.dynamic(), tmp_path / "net.onnx")
    np.savez(tmp_path / "x.npz", x=X)
    done = program(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.strip().splitlines()[-1].startswith(said)

"""test_three_runtimes.py: the example that runs one network in three runtimes: same names, same numbers."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from runtimes import REQUIRED, need_program

import lastbit
from lastbit import engine

PYTHON = Path(lastbit.__file__).parent.parent
EXAMPLE = PYTHON / "examples" / "three_runtimes"
NEEDS = {"pytorch": ("torch",), "onnxruntime": ("onnx", "onnxruntime"), "litert": ("ai_edge_litert.interpreter",)}
NAMES = ("quant", "stem", "deep", "wide", "add", "mean", "dense", "dequant")


def installed(runtime):
    try:
        return all(importlib.import_module(module) for module in NEEDS[runtime])
    except ImportError:
        return False


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    done = subprocess.run([sys.executable, str(EXAMPLE), "--out", str(out)], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(PYTHON)}, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(params=NEEDS)
def run(request, runs):
    if not installed(request.param):
        assert not REQUIRED, f"{request.param} is not installed"
        pytest.skip(f"{request.param} is not installed")
    return request.param, runs / request.param


def test_every_layer_has_its_name_and_its_numbers(run):
    sys.path.insert(0, str(EXAMPLE))
    try:
        net = importlib.import_module("network").network()
    finally:
        sys.path.remove(str(EXAMPLE))
    _, folder = run
    top = json.loads((folder / "manifest.json").read_text())
    layers = {layer["name"]: layer for layer in top["layers"]}
    assert [name for name in layers if name in NAMES] == list(NAMES)
    for name, layer in net.items():
        y = top["tensors"][layers[name]["outputs"]["y"]]
        assert (y["dtype"], y["scale"], y["zero_point"]) == ("uint8", float(layer.scale), layer.zero)
        entry = top["tensors"][layers[name]["inputs"]["weight"]]
        weight = np.load(folder / entry["file"]).astype(int) - entry.get("zero_point", 0)
        order = {"OHWI": (0, 3, 1, 2), "IHWO": (3, 0, 1, 2)}.get(entry.get("layout"), range(weight.ndim))
        assert (weight.transpose(order) == layer.weight).all()


def test_the_program_explains_every_run(run):
    need_program()
    report = engine.verify(run[1], chained=True)
    assert not report.different, str(report)

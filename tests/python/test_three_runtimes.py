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


PAIRS = [("pytorch", "onnxruntime"), ("onnxruntime", "litert"), ("pytorch", "litert")]


@pytest.mark.parametrize("a, b", PAIRS)
def test_no_bit_between_two_runtimes_is_unexplained(runs, a, b):
    if not (installed(a) and installed(b)):
        pytest.skip(f"{a} or {b} is not installed")
    done = subprocess.run([need_program(), "diff", runs / a, runs / b, "--format", "json"], capture_output=True, text=True, check=False)
    diff = json.loads(done.stdout)
    assert done.returncode in (0, 1) and diff["unexplained"] == 0
    compared = {layer["name"]: layer["elements"] for layer in diff["layers"]}
    assert all(compared[name] for name in NAMES), compared


PAGE = Path(__file__).resolve().parents[2] / "docs/three-runtimes.md"
MADE_BY = {"pytorch": "2.13.", "onnxruntime": "1.31.", "litert": "2.3."}


def made_by(folder, version):
    producer = json.loads((folder / "manifest.json").read_text())["producer"]
    return producer["version"].startswith(version) and producer.get("isa") == "avx512_vnni"


def test_the_page_shows_what_the_program_prints(runs):
    """LASTBIT_APPROVE=1 writes the page anew."""
    program = need_program()
    if not all(installed(name) and made_by(runs / name, version) for name, version in MADE_BY.items()):
        pytest.skip("other runtimes or another processor than those that made the page")
    pieces, old = [], PAGE.read_text()
    before, *blocks = old.split("```console\n")
    for block in blocks:
        said, after = block.split("```\n", 1)
        command = said.splitlines()[0]
        assert command.startswith("$ lastbit ")
        link = runs.parent / "here"
        link.mkdir(exist_ok=True)
        if not (link / "runs").exists():
            (link / "runs").symlink_to(runs)
        done = subprocess.run([program, *command.split()[2:]], cwd=link, capture_output=True, text=True, check=False)
        pieces.append(f"{command}\n{done.stdout}```\n{after}")
    new = before + "".join("```console\n" + piece for piece in pieces)
    if os.environ.get("LASTBIT_APPROVE"):
        PAGE.write_text(new)
    assert len(blocks) == 4
    assert new == old

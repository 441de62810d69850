"""What `pip install .` installed, in an environment that has nothing else: run by tests/packages/wheel."""

import ast
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import lastbit

SOURCE = Path(os.environ["LASTBIT_SOURCE"])
DATA = SOURCE / "tests/data"
MODEL = DATA / "models/fbgemm-seed_linear"
BUG = DATA / "bugs/pytorch-1.13-onednn-stale-zero-point"
PROGRAM = Path(sys.executable).parent / "lastbit"


def program(*arguments, **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False, **options)


def test_what_is_imported_is_what_was_installed():
    assert SOURCE not in Path(lastbit.__file__).parents
    assert lastbit.__version__ == importlib.metadata.version("lastbit")
    assert program("--version").stdout == f"lastbit {lastbit.__version__}\n"
    assert lastbit.engine.find_program() == str(PROGRAM.resolve())


@pytest.mark.parametrize("dump", [MODEL, BUG], ids=lambda path: path.name)
@pytest.mark.parametrize("options, arguments", [
    ({}, []),
    ({"chained": True}, ["--chained"]),
    ({"forms": ["integer", "exact"]}, ["--forms", "integer,exact"]),
    ({"layer": "tie_*", "jobs": 1}, ["--layer", "tie_*"]),
    ({"profile": "pytorch-onednn@avx2"}, ["--profile", "pytorch-onednn@avx2"]),
], ids=str)
def test_the_module_writes_the_bytes_of_the_program(dump, options, arguments):
    report = lastbit.verify(dump, **options)
    said = program("verify", dump, *arguments, "--format", "json")
    assert report.to_json() == said.stdout
    assert report.status == said.returncode
    assert report.verdict == json.loads(said.stdout)["verdict"]
    assert report.text == program("verify", dump, *arguments).stdout


def test_a_report_is_a_page_and_a_table():
    report = lastbit.verify(BUG)
    assert report.verdict == "different"
    assert report.layers[0]["causes"][0]["name"] == "zero-point:stale"
    assert report.to_html() == program("verify", BUG, "--format", "html").stdout
    assert "zero-point:stale" in report._repr_html_() and "<table>" in report._repr_html_()


@pytest.mark.parametrize("arguments, options", [
    (["nowhere"], {}), ([str(MODEL)], {"profile": "pytorch-nothing"}), ([str(MODEL)], {"profile": "none.json"}), ([str(MODEL)], {"profile": "pytorch-fbgemm@8086"}),
], ids=str)
def test_an_error_is_the_line_of_the_program(arguments, options):
    with pytest.raises(lastbit.LastbitError) as error:
        lastbit.verify(*arguments, **options)
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    said = program("verify", *arguments, *words)
    assert said.returncode == 2
    assert said.stderr == f"lastbit: {error.value}\n"


def test_profiles_are_those_of_the_program():
    profiles = lastbit.list_profiles()
    listed = json.loads(program("list", "profiles", "--format", "json").stdout)["profiles"]
    assert profiles == [entry["name"] for entry in listed]
    assert all(profile.title and profile.evidence for profile in profiles)
    assert profiles[0].to_dict() == json.loads(program("list", "--profile", profiles[0]).stdout)


# --- requantize: against the values that runtimes dumped ---------------------------------------------------------------------------

def tensors(dump):
    manifest = json.loads((dump / "manifest.json").read_text())

    def load(name):
        if isinstance(name, dict):
            name = name["file"]
        file, _, member = name.partition("#")
        array = np.load(dump / file)
        return array[member.removesuffix(".npy")] if member else array

    return manifest, load


def layers_of(folder, op):
    for path in sorted((DATA / folder).glob("**/manifest.json")):
        manifest, load = tensors(path.parent)
        for layer in manifest["layers"]:
            if layer["op"] == op and "y" in layer["outputs"]:
                yield path.parent, manifest, load, layer


def parameters(load, entry):
    scale, zero = entry.get("scale", 1.0), entry.get("zero_point", 0)
    return tuple(load(value) if isinstance(value, dict) else value for value in (scale, zero))


def test_linear_layers_of_every_runtime_are_reproduced_from_their_accumulators():
    seen = set()
    for dump, manifest, load, layer in layers_of(".", "linear"):
        entry = {port: manifest["tensors"][name] for port, name in {**layer["inputs"], **layer["outputs"]}.items()}
        plain = all(entry[port]["dtype"] in ("int8", "uint8") and "packed" not in entry[port] for port in ("x", "weight", "y"))
        profile = layer.get("profile") or manifest.get("profile")
        attributes = layer.get("attributes", {})
        if not plain or not profile or attributes.get("activation", "none") != "none" or entry["x"].get("qmax") or "alpha" in attributes:
            continue
        report = lastbit.verify(dump, layer=layer["name"])
        events = report.layers[0]["events"]
        if report.verdict != "identical" or events["pair_saturated"] or events["wrapped"]:
            continue  # the runtime's sums are not x @ weight.T
        x, weight = (load(entry[port]["file"]).astype(np.int64) - np.asarray(parameters(load, entry[port])[1]).astype(np.int64).reshape(
            (-1, 1) if port == "weight" else ()) for port in ("x", "weight"))
        bias = load(entry["bias"]["file"]) if "bias" in entry else None
        scale, zero = parameters(load, entry["y"])
        isa = manifest["producer"].get("isa")
        if isa == "avx512_amx":
            continue  # the size of the whole product chooses the kernel there, and an accumulator does not say it
        y = lastbit.requantize(x @ weight.T, profile if "@" in profile or not isa else f"{profile}@{isa}", parameters(load, entry["x"])[0],
                               parameters(load, entry["weight"])[0], scale, int(zero), bias=bias, dtype=entry["y"]["dtype"])
        assert y.dtype == entry["y"]["dtype"]
        np.testing.assert_array_equal(y, load(entry["y"]["file"]), err_msg=f"{dump} {layer['name']}")
        seen.add(profile.split("@")[0])
    assert {"pytorch-fbgemm", "pytorch-qnnpack"} <= seen, seen


def test_channels_lie_along_an_axis_or_broadcast():
    rng = np.random.default_rng(11)
    acc = rng.integers(-20000, 20000, (2, 5, 3, 4))
    scales = rng.uniform(1e-3, 1e-2, 5)
    given = {"scale_in": 0.02, "scale_out": 0.1, "zero_point": 3, "dtype": np.uint8}
    by_axis = lastbit.requantize(acc, "pytorch-fbgemm", scale_weight=scales, op="conv2d", **given)
    broadcast = lastbit.requantize(acc, "pytorch-fbgemm", scale_weight=scales.reshape(5, 1, 1), op="conv2d", **given)
    last = lastbit.requantize(np.moveaxis(acc, 1, -1), "pytorch-fbgemm", scale_weight=scales, op="conv2d", axis=-1, **given)
    np.testing.assert_array_equal(by_axis, broadcast)
    np.testing.assert_array_equal(by_axis, np.moveaxis(last, -1, 1))
    for channel in range(5):
        alone = lastbit.requantize(acc[:, channel], "pytorch-fbgemm", scale_weight=scales[channel], op="conv2d", axis=0, **given)
        np.testing.assert_array_equal(by_axis[:, channel], alone)


def test_one_accumulator_is_what_requant_prints():
    table = json.loads(program("requant", "--acc", 585, "--scale-in", 0.05, "--scale-weight", 0.013, "--scale-out", 0.1, "--format", "json").stdout)
    checked = 0
    for row in table["rules"]:
        for label in filter(None, row["profiles"].split("; ")):
            if label.endswith(", per channel"):
                continue
            assert int(lastbit.requantize(585, label, 0.05, 0.013, 0.1)) == row["value"], label
            checked += 1
    assert checked > 10


@pytest.mark.parametrize("options, line", [
    ({"acc": 0.5}, "acc: found float64, expected integers"),
    ({"acc": 2**40}, "acc[0]: found 1099511627776, expected an int32"),
    ({"profile": "no"}, 'profile: found "no", expected one of '),
    ({"scale_out": 0.0}, "scale_out: found 0.000000, expected positive finite numbers"),
    ({"scale_weight": [0.1, 0.2, 0.3]}, "scale_weight: found 3 entries, expected 1 or 2, one a channel"),
    ({"scale_weight": np.ones((2, 2))}, "scale_weight: found shape [2, 2], expected"),
    ({"zero_point": 300}, "zero_point: found 300, expected a value of int8"),
    ({"zero_point": 0.5}, "zero_point: found [0.5], expected integers"),
    ({"dtype": "float32"}, 'dtype: found "float32", expected int8'),
    ({"op": "gelu"}, 'op: found "gelu", expected linear'),
    ({"bias": [1, 2]}, "bias: found integers, expected real numbers"),
    ({"bias": [0.5, 2.0], "profile": "tflite-reference"}, "bias: found real numbers, expected integers"),
], ids=str)
def test_bad_arguments_get_one_line(options, line):
    given = {"acc": [[1, 2]], "profile": "pytorch-fbgemm", "scale_in": 0.1, "scale_weight": 0.1, "scale_out": 0.1, **options}
    with pytest.raises(lastbit.LastbitError) as error:
        lastbit.requantize(**given)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


# --- the rest of the wheel -----------------------------------------------------------------------------------------------------------

def test_the_schemas_are_in_the_wheel():
    folder = Path(lastbit.__file__).parent / "schemas"
    names = {path.name for path in folder.glob("*.schema.json")}
    assert {f"{name}.schema.json" for name in ("manifest", "profile", "report", "policy", "baseline")} <= names
    for name in names:
        assert (folder / name).read_bytes() == (SOURCE / "docs/schemas" / name).read_bytes()


@pytest.mark.parametrize("module, needs", [("torch", "torch"), ("onnx", "onnx"), ("litert", "ai_edge_litert")])
def test_an_exporter_without_its_framework_says_what_is_missing(module, needs, tmp_path):
    if importlib.util.find_spec(needs):
        pytest.skip(f"{needs} is installed")
    (tmp_path / "m").write_bytes(b"")
    np.save(tmp_path / "x.npy", np.zeros(1, np.float32))
    done = subprocess.run([sys.executable, "-m", f"lastbit.{module}", "m", "--inputs", "x.npy", "--out", "run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "not installed" in done.stderr, done.stderr


def test_the_cluster_without_ray_says_what_is_missing(tmp_path):
    done = subprocess.run([sys.executable, "-m", "lastbit.cluster", "verify", MODEL, "--out", tmp_path / "r.json"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'lastbit[cluster]'" in done.stderr and len(done.stderr.splitlines()) == 1


def test_the_cells_of_the_notebook_run(monkeypatch, capsys):
    """As Jupyter does: the last expression of a cell is shown. IPython itself is not needed for that."""
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(HTML=lambda text: types.SimpleNamespace(_repr_html_=lambda: text)))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(display=sys.modules["IPython.display"]))
    monkeypatch.chdir(SOURCE / "python/examples")
    shown, names = [], {}
    for cell in json.loads(Path("reports.ipynb").read_text())["cells"]:
        if cell["cell_type"] != "code":
            continue
        body = ast.parse("".join(cell["source"])).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        if last:
            shown.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
    pages = [value._repr_html_() for value in shown if hasattr(value, "_repr_html_")]
    assert "identical" in pages[0] and "zero-point:stale" in pages[1] and pages[2].startswith("<iframe") and "zero-point:stale" in pages[2]
    assert "tflite-reference   [" in capsys.readouterr().out

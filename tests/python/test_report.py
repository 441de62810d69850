"""test_report.py: finding the program, reading its report, and what people see of it; with a stand-in for the program."""

import json
import stat
import sys

import pytest

import lastbit
from lastbit import LastbitError
from lastbit.engine import Report, find_program

LAYER = {"dump": "run", "name": "features.0", "op": "conv2d", "profile": "pytorch-fbgemm", "elements": 100, "mismatches": 0,
         "max_lsb": 0, "verdict": "identical", "causes": []}
WRONG = {**LAYER, "name": "features.<1>", "mismatches": 7, "max_lsb": 2, "verdict": "different",
         "causes": [{"name": "zero-point:before-rounding", "explains": 7, "of": 7}]}
UNKNOWN = {**LAYER, "name": "flip", "op": "aten.flip.default", "verdict": "not_checked", "reason": "no such operator"}


def report(*layers, verdict="identical"):
    return {"tool": {"name": "lastbit"}, "verdict": verdict, "first_divergence": None, "layers": list(layers)}


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program that answers with what the test gives it: (report, status)."""
    def answer(data, status):
        file = tmp_path / "lastbit"
        file.write_text(f"#!{sys.executable}\nimport json, sys\n"
                        f"data = json.loads({json.dumps(json.dumps(data))})\n"
                        "path = [a for a in sys.argv if a.startswith('json=')][0][5:]\n"
                        "if data is not None: open(path, 'w').write(json.dumps(data))\n"
                        "print('argv', *sys.argv[1:3], '--chained' in sys.argv)\n"
                        f"sys.exit(print('run: manifest.json is missing', file=sys.stderr) or {status})\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("LASTBIT", str(file))
    return answer


def test_the_program_is_named_or_on_the_path(tmp_path, monkeypatch):
    monkeypatch.setenv("LASTBIT", str(tmp_path / "nothing"))
    with pytest.raises(LastbitError, match="which is not a program that can be run"):
        find_program()
    monkeypatch.delenv("LASTBIT")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LastbitError, match="set .LASTBIT or put it on the PATH"):
        find_program()


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
def test_a_report_comes_back(program):
    program(report(LAYER, WRONG, verdict="different"), 1)
    got = lastbit.verify("run", chained=True)
    assert not got.identical and not got and got.status == 1
    assert str(got) == "argv verify run True"
    assert [layer["name"] for layer in got.different] == ["features.<1>"]
    assert got.to_dict()["verdict"] == "different"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
def test_the_programs_complaint_is_the_error(program):
    program(None, 2)
    with pytest.raises(LastbitError, match="^run: manifest.json is missing$"):
        lastbit.verify("run")


def test_a_report_in_a_notebook():
    got = Report(report(LAYER, WRONG, UNKNOWN, verdict="different"))
    assert got.summary() == "different: 3 layers, 300 elements, 7 mismatches, 1 layers not checked"
    page = got._repr_html_()
    assert "features.&lt;1&gt;" in page and "zero-point:before-rounding" in page and "no such operator" in page
    assert page.count("<tr") == 4
    assert "features.<1> (conv2d): 7 of 100, max 2 LSB  zero-point:before-rounding" in str(got)


def test_to_dict_is_a_copy():
    got = Report(report(LAYER))
    got.to_dict()["layers"].clear()
    assert got.layers and got.identical and bool(got)

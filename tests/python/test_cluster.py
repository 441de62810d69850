"""lastbit.cluster on a Ray cluster of several nodes on this machine: the bytes of one process, whatever dies."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from runtimes import REQUIRED, need_program

import lastbit
from lastbit import cluster, engine
from lastbit.errors import LastbitError

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data"
PYTHON = Path(lastbit.__file__).parent.parent

try:
    import ray
    import tqdm  # noqa: F401
    from ray.cluster_utils import Cluster
except ImportError:
    assert not REQUIRED, "ray is not installed"
    pytest.skip("ray is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def nodes():
    need_program()
    together = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20})
    for _ in range(2):
        together.add_node(num_cpus=1, object_store_memory=80 * 2**20)
    yield together
    ray.shutdown()
    together.shutdown()


@pytest.fixture
def connected(nodes):
    ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture
def dumps(tmp_path, monkeypatch):
    """A folder of dumps, one of them with more layers than a shard has, one different from its profile."""
    monkeypatch.chdir(tmp_path)
    chosen = [*sorted((DATA / "models").iterdir())[:6], DATA / "bugs/pytorch-1.13-onednn-stale-zero-point", DATA / "isa/avx2/conv1d"]
    for i, source in enumerate(chosen):
        shutil.copytree(source, tmp_path / "dumps" / f"set{i % 2}" / source.name)
    return tmp_path / "dumps"


def names():
    return sorted(str(path.parent) for path in Path("dumps").glob("**/manifest.json"))


def alone(*arguments):
    """What one process writes, and its exit status."""
    done = subprocess.run([engine.find_program(), "verify", *arguments, "--format", "json"], capture_output=True, text=True, check=False)
    assert done.returncode in engine.REPORTED, done.stderr
    return done.stdout, done.returncode


def slow_program(folder, monkeypatch, then=""):
    """A program that takes its time, does `then`, and becomes lastbit."""
    real = engine.find_program()
    script = folder / "slow"
    script.write_text(f"#!/bin/sh\n[ \"$1\" = verify ] && {{ echo x >> {folder}/started; sleep 0.4; {then or ':'}; }}\nexec {real} \"$@\"\n")
    script.chmod(0o755)
    monkeypatch.setenv("LASTBIT", str(script))
    return folder / "started"


@pytest.mark.parametrize("options, arguments", [
    ({"split": 2}, []),
    ({"chained": True, "split": 1}, ["--chained"]),
    ({"layer": "*conv*", "forms": "integer,float"}, ["--layer", "*conv*", "--forms", "integer,float"]),
    ({"profile": "pytorch-qnnpack"}, ["--profile", "pytorch-qnnpack"]),
], ids=lambda value: "-".join(value) or "plain" if isinstance(value, dict) else "")
def test_the_result_has_the_bytes_of_one_process(connected, dumps, options, arguments):
    outcome = cluster.verify("dumps/**", "result.json", **options)
    expected, status = alone(*names(), *arguments)
    assert Path("result.json").read_text() == expected
    assert outcome.status == status and not outcome.unread
    assert sorted(path.name for path in Path().iterdir()) == ["dumps", "result.json"]


def test_it_is_what_merge_makes_of_one_report_a_dump(connected, dumps, tmp_path):
    cluster.verify(["dumps/set0/*", "dumps/set1/*"], "result.json", split=3)
    parts = []
    for i, name in enumerate(reversed(names())):
        parts.append(f"part{i}.json")
        Path(parts[-1]).write_text(alone(name)[0])
    merged = subprocess.run([engine.find_program(), "merge", *parts], capture_output=True, text=True, check=False)
    assert Path("result.json").read_text() == merged.stdout


def test_a_node_that_is_killed_costs_time_alone(nodes, dumps, tmp_path, monkeypatch):
    expected, status = alone(*names())
    slow_program(tmp_path, monkeypatch)
    doomed = nodes.add_node(num_cpus=2, object_store_memory=80 * 2**20)
    command = [sys.executable, "-m", "lastbit.cluster", "verify", "dumps/**", "--out", "result.json", "--split", "1", "--address", nodes.address]
    run = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(PYTHON)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    journal = Path("result.json.part")
    while run.poll() is None and (not journal.exists() or len(journal.read_text().splitlines()) < 6):
        time.sleep(0.05)
    assert run.poll() is None, run.communicate()
    nodes.remove_node(doomed, allow_graceful=False)
    out, err = run.communicate(timeout=300)
    assert run.returncode == status, out + err
    assert Path("result.json").read_text() == expected


def test_a_worker_that_is_killed_is_started_again(connected, dumps, tmp_path, monkeypatch):
    expected, status = alone(*names())
    # The first program to come here ends the worker above it, and with it itself.
    slow_program(tmp_path, monkeypatch, then=f"mkdir {tmp_path}/once 2> /dev/null && kill -9 $PPID")
    outcome = cluster.verify("dumps/**", "result.json")
    assert outcome.retried == 1 and outcome.status == status
    assert Path("result.json").read_text() == expected


def test_a_shard_that_always_kills_its_worker_is_given_up(connected, dumps, tmp_path, monkeypatch):
    bad = names()[0]
    slow_program(tmp_path, monkeypatch, then=f"case \"$*\" in *{bad}*) kill -9 $PPID; sleep 5;; esac")
    outcome = cluster.verify("dumps/**", "result.json", retries=1)
    assert outcome.status == 2 and list(outcome.unread) == [bad] and "given up after 2 attempts" in outcome.unread[bad]
    assert outcome.report["dumps"] == names()[1:]


def test_what_cannot_be_read_is_reported_and_the_rest_goes_on(connected, dumps, capsys):
    from lastbit.cluster.__main__ import main

    first, second, *rest = names()
    manifest, whole = Path(first) / "manifest.json", (Path(first) / "manifest.json").read_text()
    manifest.write_text("{")
    hidden = Path(second).parent / "hidden"
    hidden.mkdir()
    (hidden / "x.npy").write_bytes(b"")
    assert main(["verify", "dumps/**", "--out", "result.json"]) == 2
    expected, status = alone(second, *rest)
    assert Path("result.json").read_text() == expected
    said = capsys.readouterr().err
    line = subprocess.run([engine.find_program(), "verify", first], capture_output=True, text=True, check=False).stderr
    assert line in said and f"{hidden}: passed over" in said
    assert json.loads(Path("result.json.unread.json").read_text()) == {first: line.removeprefix("lastbit: ").strip()}

    # Mended, --resume adds it and computes nothing else.
    manifest.write_text(whole)
    outcome = cluster.verify("dumps/**", "result.json", resume=True)
    assert outcome.status == status and outcome.reused == len(rest) + 1
    assert Path("result.json").read_text() == alone(*names())[0]
    assert not Path("result.json.unread.json").exists() and not Path("result.json.part").exists()


def test_a_run_that_was_broken_off_goes_on(nodes, dumps, tmp_path, monkeypatch):
    expected, _ = alone(*names())
    started = slow_program(tmp_path, monkeypatch)
    command = [sys.executable, "-m", "lastbit.cluster", "verify", "dumps/**", "--out", "result.json", "--address", nodes.address]
    run = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(PYTHON)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = Path("result.json.part")
    while run.poll() is None and (not journal.exists() or len(journal.read_text().splitlines()) < 4):
        time.sleep(0.05)
    run.kill()
    run.wait()
    assert not Path("result.json").exists()
    with journal.open("a") as file:
        file.write('{"dump": "dumps/set0')  # a line that the end cut
    held = len(journal.read_text().splitlines()) - 2
    time.sleep(1)
    before = len(started.read_text().splitlines())
    done = subprocess.run([*command, "--resume"], env={**os.environ, "PYTHONPATH": str(PYTHON)}, capture_output=True, text=True, check=False)
    assert Path("result.json").read_text() == expected, done.stderr
    assert len(started.read_text().splitlines()) - before == len(names()) - held < len(names())


def test_a_result_is_resumed_from_where_no_dump_changed(connected, dumps):
    cluster.verify("dumps/**", "result.json")
    time.sleep(0.02)
    assert cluster.verify("dumps/**", "result.json", resume=True).reused == len(names())
    os.utime(Path(names()[0]) / "manifest.json")
    shutil.copytree(DATA / "isa/avx512_vnni/conv1d", "dumps/new", copy_function=shutil.copyfile)
    outcome = cluster.verify("dumps/**", "result.json", resume=True)
    assert outcome.reused == len(names()) - 2
    assert Path("result.json").read_text() == alone(*names())[0]
    with pytest.raises(LastbitError, match="leave out --resume"):
        cluster.verify("dumps/**", "result.json", resume=True, chained=True)


def test_wrong_use_gets_one_line(dumps, tmp_path):
    def said(*arguments):
        done = subprocess.run([sys.executable, "-m", "lastbit.cluster", "verify", *arguments], capture_output=True, text=True, check=False,
                              env={**os.environ, "PYTHONPATH": str(PYTHON)})
        assert done.returncode == 2
        return done.stderr

    assert said("nothing/**", "--out", "r.json") == "lastbit: nothing/**: found no dump, expected folders with a manifest.json\n"
    assert said("dumps/**", "--out", "nowhere/r.json").startswith("lastbit: nowhere/r.json.part: cannot be written")
    assert said("dumps/**", "--out", "r.json", "--forms", "real") == 'lastbit: forms: found "real", expected integer, float, exact\n'


def test_a_cluster_of_its_own_when_no_address_is_given(dumps):
    expected, status = alone(*names()[:2])
    done = subprocess.run([sys.executable, "-m", "lastbit.cluster", "verify", *names()[:2], "--out", "result.json"], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": str(PYTHON)})
    assert done.returncode == status, done.stderr
    assert Path("result.json").read_text() == expected
    assert done.stdout.startswith("result.json: 2 dumps, ")

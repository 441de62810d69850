"""test_dump.py: what DumpWriter writes, read back without it."""

import json

import numpy as np
import pytest

from lastbit import DumpWriter, LastbitError

PRODUCER = {"framework": "test", "version": "1.0", "engine": None}


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_a_dump_reads_back_as_it_was_given(tmp_path):
    scales = np.array([0.1, 0.2, 0.3])
    with DumpWriter(tmp_path / "run", PRODUCER, profile="pytorch-fbgemm") as dump:
        dump.tensor("x", np.arange(6, dtype=np.float32).reshape(2, 3).T)
        dump.tensor("y", np.arange(6, dtype=np.uint8), scale=0.1, zero_point=np.int64(3), memory_layout="NHWC")
        dump.tensor("w", np.zeros((3, 2), np.int8), scale=scales, zero_point=np.zeros(3, np.int64), axis=0)
        dump.layer("q", "quantize", {"x": "x"}, {"y": "y"}, {"stride": (np.int64(1), 2)})
    got = manifest(tmp_path / "run")
    assert got["format"] == "lastbit-dump" and got["version"] == 1
    assert got["producer"] == {"framework": "test", "version": "1.0"}
    assert got["profile"] == "pytorch-fbgemm"
    assert got["tensors"]["y"]["scale"] == 0.1 and got["tensors"]["y"]["zero_point"] == 3
    assert got["tensors"]["w"]["axis"] == 0
    assert np.load(tmp_path / "run" / got["tensors"]["w"]["scale"]["file"]).tolist() == scales.tolist()
    assert np.load(tmp_path / "run" / got["tensors"]["x"]["file"]).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert got["layers"][0]["attributes"] == {"stride": [1, 2]}


@pytest.mark.parametrize("zero_points, written", [(np.zeros(3, np.int64), 0), (np.full(3, -7, np.int8), -7)])
def test_a_zero_point_that_all_channels_share_is_a_number(tmp_path, zero_points, written):
    with DumpWriter(tmp_path, PRODUCER) as dump:
        dump.tensor("w", np.zeros((3, 2), np.int8), scale=np.ones(3), zero_point=zero_points, axis=0)
    assert manifest(tmp_path)["tensors"]["w"]["zero_point"] == written


@pytest.mark.parametrize("zero_points", [np.array([0, 1, 0]), np.full(3, 0.5, np.float32), np.zeros((3, 2), np.int64)])
def test_zero_points_that_differ_by_channel_are_float_or_by_group_are_an_array(tmp_path, zero_points):
    with DumpWriter(tmp_path, PRODUCER) as dump:
        dump.tensor("w", np.zeros((3, 2), np.int8), scale=np.ones(zero_points.shape), zero_point=zero_points, axis=0)
    assert np.load(tmp_path / manifest(tmp_path)["tensors"]["w"]["zero_point"]["file"]).tolist() == zero_points.tolist()


def test_a_tensor_and_a_layer_are_a_line_of_the_manifest_each(tmp_path):
    with DumpWriter(tmp_path, PRODUCER) as dump:
        for name in "xy":
            dump.tensor(name, np.zeros(1, np.uint8), scale=0.5, zero_point=3)
        dump.layer("copy", "reshape", {"x": "x"}, {"y": "y"})
    lines = (tmp_path / "manifest.json").read_text().splitlines()
    assert [sum(text in line for line in lines) for text in ('"file"', '"op"')] == [2, 1]


def test_a_float32_scale_is_written_exactly(tmp_path):
    with DumpWriter(tmp_path, PRODUCER) as dump:
        dump.tensor("y", np.zeros(1, np.int8), scale=np.float32(0.1))
    assert manifest(tmp_path)["tensors"]["y"]["scale"] == float(np.float32(0.1)) != 0.1


def test_a_run_that_dies_leaves_no_manifest(tmp_path):
    with pytest.raises(RuntimeError):
        with DumpWriter(tmp_path / "run", PRODUCER) as dump:
            dump.tensor("x", np.zeros(1, np.float32))
            raise RuntimeError("died")
    assert not (tmp_path / "run" / "manifest.json").exists()


def test_an_earlier_dump_is_replaced_and_nothing_else_is_touched(tmp_path):
    run = tmp_path / "run"
    for names in ("abc", "d"):
        with DumpWriter(run, PRODUCER) as dump:
            for name in names:
                dump.tensor(name, np.zeros(1, np.float32))
    assert [file.name for file in (run / "tensors").iterdir()] == ["00001.d.npy"]
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    with pytest.raises(LastbitError, match="thesis.txt"):
        DumpWriter(tmp_path / "home", PRODUCER)


def test_two_dumps_share_their_constants(tmp_path):
    weight = np.arange(4, dtype=np.int8)
    for run in ("a", "b"):
        with DumpWriter(tmp_path / run, PRODUCER, weights="weights") as dump:
            dump.tensor("w", weight, scale=0.5, constant=True)
            dump.tensor("w0", np.array(7, np.int32), constant=True)
            dump.tensor("x", weight.astype(np.float32))
    assert len(list((tmp_path / "weights").iterdir())) == 2
    got = manifest(tmp_path / "b")
    assert got["root"] == ".."
    assert np.load(tmp_path / "b" / got["tensors"]["w"]["file"]).tolist() == weight.tolist()
    assert np.load(tmp_path / "b" / got["tensors"]["w0"]["file"]).shape == ()


@pytest.mark.parametrize("name", ["../evil", "a/b\\c:d", "", "é" * 300, ".", "CON"])
def test_any_name_is_a_name_but_not_a_path(tmp_path, name):
    with DumpWriter(tmp_path, PRODUCER) as dump:
        dump.tensor(name, np.zeros(1, np.float32))
    file = manifest(tmp_path)["tensors"][name]["file"]
    assert file.startswith("tensors/00001.") and ".." not in file and (tmp_path / file).exists()


@pytest.mark.parametrize("wrong, message", [
    (lambda d: (d.tensor("x", np.zeros(1, np.float32)), d.tensor("x", np.zeros(1, np.float32))), "defined twice"),
    (lambda d: d.tensor("x", np.zeros(1, complex)), "complex128 has no name"),
    (lambda d: d.tensor("x", np.zeros(1, np.int8), scale=float("nan")), "finite"),
    (lambda d: d.tensor("x", np.zeros(1, np.int8), colour="red"), "no such key"),
    (lambda d: d.layer("l", "relu", {"x": "x"}, {}), "not in the dump"),
])
def test_wrong_use_is_refused(tmp_path, wrong, message):
    with pytest.raises(LastbitError, match=message):
        wrong(DumpWriter(tmp_path, PRODUCER))


def test_a_tensor_is_the_output_of_one_layer_only(tmp_path):
    dump = DumpWriter(tmp_path, PRODUCER)
    dump.tensor("x", np.zeros(1, np.float32))
    dump.layer("a", "relu", {}, {"y": "x"})
    with pytest.raises(LastbitError, match="already an output of 'a'"):
        dump.layer("b", "relu", {}, {"y": "x"})

"""test_campaign.py: causes that NumPy plants into layers of real runtimes are found, and named first; clean layers raise no alarm.

A part of the campaign that campaign.py runs on whole dumps; it shares no code with the engine.
"""

from pathlib import Path

import campaign
import numpy as np
import pytest
from campaign_dump import Dump
from runtimes import need_program

DATA = Path(__file__).parents[1] / "data" / "runtimes"
FAMILIES = {
    "pytorch-2.13/fbgemm/avx512_vnni": ("conv2d", "linear", "elementwise", "conv_transpose2d", "dynamic", "dynamic2", "norm", "norm2", "pool2", "shuffle", "upsample",
                                        "rnn", "embedding", "int4_weight_only", "lowbit"),
    "pytorch-2.13/onednn/avx512_vnni": ("conv2d", "ties", "fused", "dynamic2"),
    "pytorch-2.13/qnnpack/avx512_vnni": ("conv1d", "linear", "pool", "dynamic"),
    "pytorch-1.13/onednn/avx512_vnni": ("linear",),
    "onnxruntime-1.31/avx2": ("qlinearconv", "elementwise", "qgemm", "dynamic"),
    "onnxruntime-1.31/avx512_vnni": ("qlinearmatmul", "pool", "quantize", "quantize_special", "matmulnbits"),
    "litert-2.3/ref": ("conv2d", "int16x8", "batch_matmul", "mean"),
    "litert-2.3/builtin": ("fully_connected", "requantize", "transpose_conv"),
    "litert-2.3/xnnpack": ("depthwise_conv2d", "elementwise"),
}


def wrong_and_all(folder, scratch, pairs=False):
    """Layers that were not judged as planted, those not named first among the found, and how many there were."""
    with np.errstate(all="ignore"):
        copies, planted = campaign.alter(Dump(folder), scratch, 2 if pairs else 1, pairs=pairs)
    missed, later, faults = [], 0, 0
    for layer in campaign.run(need_program(), [copy.write() for copy in copies]):
        name = planted[layer["name"]]
        if not name:
            assert layer["mismatches"] == 0, f"an alarm on a clean layer: {layer['name']}"
            continue
        if campaign.nobody_could_tell(layer):
            continue
        found, first, explained = campaign.judge(name, layer)
        faults += 1
        later += found and not first
        if not (found and explained):
            missed.append((layer["name"], layer["unexplained"], [c["name"] for c in layer["causes"]]))
    return missed, later, faults


@pytest.mark.parametrize("runtime", FAMILIES)
def test_planted_causes_are_found_and_named_first(runtime, tmp_path):
    need_program()
    faults = later = 0
    missed = []
    for family in FAMILIES[runtime]:
        wrong, not_first, n = wrong_and_all(DATA / runtime / family, tmp_path / family)
        missed, later, faults = missed + wrong, later + not_first, faults + n
    assert faults > 10
    assert not missed
    assert later * 100 <= faults


@pytest.mark.parametrize("family", ("conv2d", "elementwise", "pool2"))
def test_two_faults_at_once_are_the_smallest_set(family, tmp_path):
    missed, _, faults = wrong_and_all(DATA / "pytorch-2.13/fbgemm/avx512_vnni" / family, tmp_path / "two", pairs=True)
    assert faults > 5
    assert not missed

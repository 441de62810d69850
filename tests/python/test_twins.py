"""test_twins.py: the audit of a run with VNNI predicts what the same network computes without it, on this machine."""
import json
import os
import pathlib
import subprocess
import sys

import pytest
import twins
from runtimes import need, need_program

need("torch")

from lastbit import isa  # noqa: E402

HERE = pathlib.Path(__file__).parent
NARROW = {"fbgemm": {"FBGEMM_ENABLE_INSTRUCTIONS": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
          "onednn": {"ONEDNN_MAX_CPU_ISA": "AVX2"}, "onednn-avx512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}}

needs_vnni = pytest.mark.skipif(isa.detect() != "avx512_vnni", reason="this CPU has no AVX-512 VNNI")


def network(engine, seed, folder, narrow):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parents[1] / "python"), os.environ.get("PYTHONPATH", "")]), **narrow}
    subprocess.run([sys.executable, str(HERE / "twin_network.py"), engine, str(seed), str(folder)], check=True, env=env)
    return folder


@needs_vnni
@pytest.mark.parametrize("kernels", sorted(NARROW))
def test_the_twin_of_a_live_network_is_predicted(tmp_path, kernels):
    program, engine = need_program(), kernels.split("-")[0]
    wide = network(engine, 11, tmp_path / "vnni", {})
    other = network(engine, 11, tmp_path / "other", NARROW[kernels])
    assert json.loads((other / "manifest.json").read_text())["producer"]["isa"] == ("avx512" if "avx512" in kernels else "avx2")
    elements, changed, missed, wrong, inherited, layers = twins.check(program, wide, other)
    assert (missed, wrong) == (0, 0)
    assert changed > 0 and layers > 0 and inherited > 0

"""test_torch_masked.py: the programs again with the processor's features masked, as older machines run them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from runtimes import need, need_program

need("torch")

import torch  # noqa: E402

import lastbit  # noqa: E402
import lastbit.isa  # noqa: E402

HERE = Path(__file__).resolve().parent
PROGRAMS = ("linear_static", "linear_dynamic", "conv_relu_qat", "per_channel", "mobilenet_v2_qat", "squeeze_excite")

#: name -> (environment, the producer's isa by engine); the processor's own is AVX-512 VNNI.
MASKS = {
    "avx2": ({"FBGEMM_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
             {"fbgemm": "avx2", "x86": "avx2", "qnnpack": "avx2", "onednn": "avx2"}),
    "avx512": ({"FBGEMM_ENABLE_INSTRUCTIONS": "AVX512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
               {"fbgemm": "avx512", "x86": "avx512", "qnnpack": "avx512_vnni", "onednn": "avx512"}),
    "default": ({"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"},
                {"fbgemm": "avx512_vnni", "x86": "avx512_vnni", "qnnpack": "sse4.1", "onednn": "avx512_vnni"}),
}

RUN = """
import sys, warnings
sys.path[:0] = sys.argv[1:2]
warnings.simplefilter("ignore")
import torch, torch_models, lastbit.torch
for engine in sys.argv[3].split(","):
    for name in sys.argv[4].split(","):
        lastbit.torch.dump(*torch_models.make(name, engine), f"{sys.argv[2]}/{engine}-{name}")
"""

pytestmark = pytest.mark.skipif(lastbit.isa.detect() != "avx512_vnni", reason="masks features of a processor with AVX-512 VNNI")
ENGINES = [engine for engine in ("fbgemm", "x86", "qnnpack", "onednn") if engine in torch.backends.quantized.supported_engines]


@pytest.fixture(scope="module", params=MASKS)
def runs(request, tmp_path_factory):
    environment, isas = MASKS[request.param]
    out = tmp_path_factory.mktemp(request.param)
    path = os.pathsep.join([str(Path(lastbit.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    subprocess.run([sys.executable, "-c", RUN, HERE, out, ",".join(ENGINES), ",".join(PROGRAMS)], check=True,
                   capture_output=True, env={**os.environ, "PYTHONPATH": path, **environment})
    return out, isas


@pytest.mark.parametrize("engine", ENGINES)
def test_the_producer_names_the_masked_instruction_set(runs, engine):
    out, isas = runs
    for name in PROGRAMS:
        assert json.loads((out / f"{engine}-{name}" / "manifest.json").read_text())["producer"]["isa"] == isas[engine]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_lastbit_verifies_it(runs, engine, name):
    need_program()
    report = lastbit.verify(runs[0] / f"{engine}-{name}", chained=True)
    assert report.verdict == "identical", f"{report}"

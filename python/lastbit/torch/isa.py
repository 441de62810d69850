"""isa.py: which instruction set each library takes: it changes bits, so the producer names it.

Three libraries decide for themselves, each with its own environment variable:
    ATen     ATEN_CPU_CAPABILITY          elementwise kernels, pools, norms
    FBGEMM   FBGEMM_ENABLE_INSTRUCTIONS   linear and convolutions of the engines fbgemm and x86
    oneDNN   ONEDNN_MAX_CPU_ISA           linear and convolutions of onednn, convolutions of x86
The producer names that of the engine; a layer that ran under another one carries a profile of its own.
"""

import os

import torch

from lastbit.isa import detect, has_amx, has_avx_vnni, has_vbmi
from lastbit.torch.older import cpu_capability

ORDER = ("sse4.1", "avx", "avx2", "avx2_vnni", "avx512", "avx512_vnni", "avx512_amx")


def _at_most(isa, limit):
    if isa not in ORDER or limit is None:
        return isa
    if limit == "avx2_vnni" and isa.startswith("avx512"):
        return "avx2_vnni" if has_avx_vnni() else "avx2"  # not every processor with AVX-512 has AVX-VNNI as well
    return ORDER[min(ORDER.index(isa), ORDER.index(limit))]


def aten(own):
    level = cpu_capability()
    limit = {"DEFAULT": "sse4.1", "NO AVX": "sse4.1", "AVX2": "avx2"}.get(level)
    return _at_most("avx2" if own == "avx2_vnni" else own, limit)


def fbgemm(own):
    asked = os.environ.get("FBGEMM_ENABLE_INSTRUCTIONS", "").upper()
    limit = {"AVX2": "avx2", "AVX512": "avx512", "AVX512_256": "avx512"}.get(asked)
    return _at_most("avx2" if own == "avx2_vnni" else own, limit)  # FBGEMM has no AVX-VNNI kernels


def onednn(own):
    asked = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "")).upper()
    limit = {"SSE41": "sse4.1", "AVX": "avx", "AVX2": "avx2", "AVX2_VNNI": "avx2_vnni",
             "AVX2_VNNI_2": "avx2_vnni", "AVX512_CORE": "avx512", "AVX512_CORE_VNNI": "avx512_vnni",
             "AVX512_CORE_BF16": "avx512_vnni", "AVX10_1_512": "avx512_vnni", "AVX512_CORE_FP16": "avx512_vnni"}.get(asked)
    own = "avx512_amx" if own == "avx512_vnni" and has_amx() else own  # of these libraries only oneDNN has kernels for it
    return _at_most(own, limit)


class Platform:
    """What ran a model: the producer's `isa`, and the profile of a layer that it does not cover."""

    def __init__(self, engine):
        self.engine = engine
        own = detect()
        self.aten, self.fbgemm, self.onednn = aten(own), fbgemm(own), onednn(own)
        self.vnni = own == "avx512_vnni"  # what engine x86 asks before it gives a convolution to oneDNN
        self.isa = {"fbgemm": self.fbgemm, "x86": self.fbgemm, "onednn": self.onednn}.get(engine, self.aten)
        self.profile = f"pytorch-{engine}"

    def layer_profile(self, layer):
        """None where the dump's own profile and isa say it already."""
        if not layer.engine:
            library, isa = self.profile, self.aten
            if (self.isa, isa) == ("avx512_amx", "avx512_vnni"):
                return None  # AMX is for products: ATen's kernels are the same
        elif self.engine == "x86" and self.vnni and layer.onednn:
            library, isa = "pytorch-onednn", self.onednn
            if isa == self.isa == "avx512_vnni":
                return None
        elif self.engine == "x86" and self.vnni and self.isa != "avx512_vnni":
            library, isa = "pytorch-fbgemm", self.fbgemm
        else:
            return None
        return None if (library, isa) == (self.profile, self.isa) else f"{library}@{isa}"

    def producer(self):
        version = torch.__version__.split("+")[0]
        producer = {"framework": "pytorch", "version": version, "engine": self.engine, "isa": self.isa}
        if self.engine in ("onednn", "x86") and (self.onednn or "").startswith("avx512") and not has_vbmi():
            producer["vbmi"] = "absent"  # oneDNN asks for it beside the instruction set, whatever its variable says
        if self.isa in ORDER and "fbgemm" not in torch.backends.quantized.supported_engines:
            if "USE_FBGEMM" in torch.__config__.show():
                producer["fbgemm"] = "scalar"  # the processor has no AVX2: the engine refuses, but ATen quantizes by FBGEMM all the same
            else:
                producer["build"] = "debian"   # an x86 build without FBGEMM quantizes by other code
        return producer

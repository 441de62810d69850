"""isa.py: the instruction set a dump's producer names, by what the processor itself reports.

NumPy reads it with CPUID (or its like), so an emulated processor is the emulated one here too; only
AVX-VNNI, which NumPy does not list, is taken from the system.
"""

import platform
from pathlib import Path

#: Best first: the name in a dump, and the NumPy features that it needs.
X86 = (("avx512_vnni", ("AVX512BW", "AVX512DQ", "AVX512VL", "AVX512VNNI")),
       ("avx512", ("AVX512BW", "AVX512DQ", "AVX512VL")),
       ("avx2", ("AVX2", "FMA3")),
       ("avx", ("AVX",)),
       ("sse4.1", ("SSE41",)))
ARM = (("neon_dotprod", ("ASIMDDP",)), ("neon", ("ASIMD",)))

#: Here uint8 x int8 products are added in pairs that saturate at int16 (vpmaddubsw).
SATURATING_PAIRS = ("avx512", "avx2")


def detect():
    """The instruction set by its name in a dump, or None where it cannot be told."""
    features = _numpy_features()
    table = ARM if platform.machine().lower() in ("aarch64", "arm64") else X86
    found = next((name for name, needs in table if all(features.get(n) for n in needs)), None)
    if found == "avx2" and has_avx_vnni() and "avx512f" not in _system_flags():
        return "avx2_vnni"  # with AVX-512 in the system and not in CPUID, this process is shown less than the system
    if found == "neon_dotprod" and "i8mm" in _system_flags():
        return "neon_i8mm"
    return found


def has_avx_vnni():
    """Whether the processor has AVX-VNNI, which NumPy does not list."""
    return "avx_vnni" in _system_flags()


def has_vbmi():
    """False where the processor is known to lack AVX512_VBMI: Skylake-X and Cascade Lake have AVX-512 without it."""
    return bool(_numpy_features().get("AVX512VBMI", True))


def has_amx():
    """Whether the processor and the system let programs multiply int8 tiles."""
    return {"amx_int8", "amx_tile"} <= set(_system_flags())


def _numpy_features():
    try:
        from numpy._core._multiarray_umath import __cpu_features__
    except ImportError:                              # NumPy 1
        from numpy.core._multiarray_umath import __cpu_features__
    return __cpu_features__


def _system_flags():
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ()
    return {flag for line in text.splitlines() if line.lower().startswith(("flags", "features"))
            for flag in line.partition(":")[2].split()}

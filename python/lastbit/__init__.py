"""lastbit: every last bit of a quantized network, accounted for.

This package writes dumps (the only thing lastbit reads) and verifies them:

    lastbit.torch    from a PyTorch model        lastbit.dump      the writer all of them share
    lastbit.onnx     from an ONNX model          lastbit.engine    verify, by the extension module or the program
    lastbit.litert   from a TFLite model         lastbit.cluster   verify many dumps on many machines

Importing `lastbit` imports none of the frameworks.
"""

from lastbit.dump import DumpWriter
from lastbit.engine import Report, verify
from lastbit.errors import LastbitError, LastbitWarning
from lastbit.profiles import Profile, list_profiles
from lastbit.requantization import requantize

__all__ = ["DumpWriter", "LastbitError", "LastbitWarning", "Profile", "Report", "list_profiles", "requantize", "verify"]
__version__ = "0.1.0"

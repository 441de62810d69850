"""lastbit: every last bit of a quantized network, accounted for.

This package writes dumps (the only thing the program `lastbit` reads) and runs the program on them:

    lastbit.torch    from a PyTorch model        lastbit.dump      the writer all of them share
    lastbit.onnx     from an ONNX model          lastbit.engine    find the program, read its report
    lastbit.litert   from a TFLite model

Importing `lastbit` imports none of the frameworks.
"""

from lastbit.dump import DumpWriter
from lastbit.engine import Report, verify
from lastbit.errors import LastbitError, LastbitWarning

__all__ = ["DumpWriter", "LastbitError", "LastbitWarning", "Report", "verify"]
__version__ = "0.1.0"

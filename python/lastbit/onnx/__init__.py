"""lastbit.onnx: dumps of quantized ONNX models as ONNX Runtime really runs them, and their verification.

    import lastbit.onnx
    lastbit.onnx.dump("model.onnx", {"x": x}, "run")             # a dump; `lastbit verify run` reads it
    report = lastbit.onnx.verify("model.onnx", {"x": x})         # dump to a temporary place and verify

The layers are the nodes of the graph after optimization (QLinearConv, QGemm, DynamicQuantizeMatMul, ...)
with the tensors that stood between them. A float operator on the way is there under its own name.
"""

import tempfile
from pathlib import Path

from lastbit.errors import LastbitError
from lastbit.onnx.export import dump

__all__ = ["LastbitError", "dump", "verify"]


def verify(model, inputs, *, options=None, chained=False, profile=None, arguments=()):
    """Dumps one run of `model` to a temporary place, runs `lastbit verify` on it, returns its Report.

    `options` are settings of the session, `arguments` those of the program.
    """
    from lastbit import engine as program
    program.ready()  # complain before the work, not after
    with tempfile.TemporaryDirectory(prefix="lastbit-") as folder:
        run = dump(model, inputs, Path(folder) / "run", options=options)
        return program.verify(run, profile=profile, chained=chained, options=arguments)

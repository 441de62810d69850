"""lastbit.litert: dumps of quantized TFLite models as LiteRT really runs them, and their verification.

    import lastbit.litert
    lastbit.litert.dump("model.tflite", {"x": x}, "run", resolver="xnnpack")
    report = lastbit.litert.verify("model.tflite", {"x": x})     # dump to a temporary place and verify

Resolvers: `xnnpack` (LiteRT's default, the XNNPACK delegate; what it refuses runs on the builtin kernels
and carries their profile), `builtin` (without a delegate), `ref` (the reference kernels).
"""

import tempfile
from pathlib import Path

from lastbit.errors import LastbitError
from lastbit.litert.export import dump

__all__ = ["LastbitError", "dump", "verify"]


def verify(model, inputs, *, resolver="xnnpack", chained=False, profile=None, arguments=()):
    """Dumps one run of `model` to a temporary place, runs `lastbit verify` on it, returns its Report.

    `arguments` are those of the program.
    """
    from lastbit import engine as program
    program.ready()  # complain before the work, not after
    with tempfile.TemporaryDirectory(prefix="lastbit-") as folder:
        run = dump(model, inputs, Path(folder) / "run", resolver=resolver)
        return program.verify(run, profile=profile, chained=chained, options=arguments)

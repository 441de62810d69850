"""lastbit.torch: dumps of quantized PyTorch models, and their verification.

    import lastbit.torch
    lastbit.torch.dump(model, x, "run")              # a dump; `lastbit verify run` reads it
    report = lastbit.torch.verify(model, x)          # dump to a temporary place and verify
    lastbit.torch.assert_bit_exact(model, x)         # the same, in a test

One mechanism for eager, FX, QAT, dynamic, TorchScript and PT2E models: a dispatch mode.
PyTorch is imported when it is first used.
"""

import importlib
import tempfile
from pathlib import Path

from lastbit.errors import LastbitError

__all__ = ["LastbitError", "assert_bit_exact", "dump", "keep_weights", "load", "verify"]
_HOME = {"dump": "export", "load": "export", "keep_weights": "packed"}


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"lastbit.torch.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise LastbitError("the package torch is not installed, expected: pip install torch") from None


def verify(model, inputs, *, chained=False, profile=None, options=()):
    """Dumps one run of `model` to a temporary place, runs `lastbit verify` on it, returns its Report."""
    from lastbit import engine as program
    from lastbit.torch import dump
    program.ready()  # complain before the work, not after
    with tempfile.TemporaryDirectory(prefix="lastbit-") as folder:
        run = dump(model, inputs, Path(folder) / "run")
        return program.verify(run, profile=profile, chained=chained, options=options)


def assert_bit_exact(model, inputs, max_lsb=0, **how):
    """Fails unless every layer of `model` on `inputs` is reproduced, every element within `max_lsb`."""
    __tracebackhide__ = True
    report = verify(model, inputs, **how)
    wrong = [layer for layer in report.layers
             if layer["verdict"] == "not_checked" or (layer["verdict"] == "different" and layer["max_lsb"] > max_lsb)]
    if wrong or not report.layers:
        lines = str(report).splitlines()
        more = [f"... {len(lines) - 20} more lines"] if len(lines) > 20 else []
        raise AssertionError("\n".join([f"not bit-exact: {report.summary()}", *lines[:20], *more]))
    return report

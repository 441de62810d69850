"""torch_models.py: the PyTorch examples as programs to test: name -> build(engine) -> (model, inputs)."""

import importlib
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "python" / "examples"
ENGINES = ("fbgemm", "x86", "qnnpack", "onednn")
PROGRAMS = sorted(file.stem.removeprefix("torch_") for file in EXAMPLES.glob("torch_*.py") if file.stem != "torch_example")

sys.path.insert(0, str(EXAMPLES))


def make(name, engine):
    """The same model and inputs on every call; the engine stays selected."""
    from torch_example import make as seeded
    return seeded(importlib.import_module("torch_" + name).build, engine, seed=len(name))

"""runtimes.py: what a test needs from outside, or the named reason why it is skipped."""

import importlib
import os

import pytest

from lastbit import LastbitError
from lastbit.engine import find_program

REQUIRED = os.environ.get("LASTBIT_REQUIRE_RUNTIMES") == "1"


def need(*modules):
    """Skips the module that calls it, by name, unless LASTBIT_REQUIRE_RUNTIMES=1: then it fails.

    LASTBIT_REQUIRE_TORCH=1 requires PyTorch alone.
    """
    for name in modules:
        need_module(name, allow_module_level=True)


def need_module(name, allow_module_level=False):
    """The same for one module, inside a test."""
    try:
        importlib.import_module(name)
    except ImportError as error:
        reason = f"{name} is not installed ({error})"
        if REQUIRED or os.environ.get(f"LASTBIT_REQUIRE_{name.upper()}") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason, allow_module_level=allow_module_level)


def need_program():
    """Skips a test where the program lastbit was not built; $LASTBIT, if set, has to be there."""
    try:
        return find_program()
    except LastbitError as error:
        if os.environ.get("LASTBIT"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))

"""runtimes.py: what a test needs from outside, or the named reason why it is skipped."""

import importlib
import os

import pytest

from lastbit import LastbitError
from lastbit.engine import find_program

REQUIRED = os.environ.get("LASTBIT_REQUIRE_RUNTIMES") == "1"


def need(*modules):
    """Skips the module that calls it, by name, unless LASTBIT_REQUIRE_RUNTIMES=1: then it fails."""
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as error:
            reason = f"{name} is not installed ({error})"
            if REQUIRED:
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason, allow_module_level=True)


def need_program():
    """Skips a test where the program lastbit was not built."""
    try:
        return find_program()
    except LastbitError as error:
        pytest.skip(str(error))

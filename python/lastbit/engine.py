"""engine.py: finds the program `lastbit`, runs it on dumps, and holds what it says.

The program is $LASTBIT if that is set, else `lastbit` on the PATH.
"""

import html
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lastbit.errors import LastbitError

#: Exit statuses of the program that come with a report: identical, different, nothing compared.
REPORTED = (0, 1, 5)


def find_program():
    """The path of the program, or LastbitError saying where it was looked for."""
    chosen = os.environ.get("LASTBIT")
    if chosen:
        found = shutil.which(chosen)
        if found is None:
            raise LastbitError(f"$LASTBIT is {chosen!r}, which is not a program that can be run")
        return found
    found = shutil.which("lastbit")
    if found is None:
        raise LastbitError("the program lastbit was not found: set $LASTBIT or put it on the PATH")
    return found


def verify(*dumps, profile=None, chained=False, options=()):
    """`lastbit verify` on one or several dumps, as a Report."""
    command = [find_program(), "verify", *map(str, dumps)]
    if profile is not None:
        command += ["--profile", str(profile)]
    if chained:
        command += ["--chained"]
    command += list(options)
    with tempfile.TemporaryDirectory(prefix="lastbit-") as folder:
        path = Path(folder) / "report.json"
        done = subprocess.run([*command, "--format", "text", "--format", f"json={path}", "--color", "never"],
                              capture_output=True, text=True, encoding="utf-8", errors="replace")
        if done.returncode not in REPORTED or not path.exists():
            lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise LastbitError(lines[-1] if lines else f"lastbit verify ended with status {done.returncode}")
        data = json.loads(path.read_text(encoding="utf-8"))
    return Report(data, done.stdout, done.returncode)


class Report:
    """What `lastbit verify` found. Prints as its text, shows as a table in a notebook."""

    def __init__(self, data, text="", status=0):
        self._data = data
        self.text = text
        self.status = status

    @property
    def verdict(self):
        """identical, different or not_checked, of the whole."""
        return self._data["verdict"]

    @property
    def identical(self):
        """Every layer was checked and every element is equal."""
        return self.verdict == "identical"

    @property
    def layers(self):
        """One dict a layer, in execution order: name, op, elements, mismatches, max_lsb, causes, ..."""
        return self._data["layers"]

    @property
    def different(self):
        """The layers that differ, by themselves or chained."""
        return [layer for layer in self.layers if layer["verdict"] == "different"]

    @property
    def first_divergence(self):
        return self._data.get("first_divergence")

    def to_dict(self):
        return json.loads(json.dumps(self._data))

    def __bool__(self):
        return self.identical

    def __str__(self):
        return self.text.rstrip("\n") or "\n".join([self.summary(), *map(_line, self.layers)])

    def __repr__(self):
        return f"<lastbit report: {self.summary()}>"

    def summary(self):
        elements = sum(layer["elements"] for layer in self.layers)
        wrong = sum(layer["mismatches"] for layer in self.layers)
        unchecked = sum(layer["verdict"] == "not_checked" for layer in self.layers)
        text = f"{self.verdict}: {len(self.layers)} layers, {elements} elements, {wrong} mismatches"
        return text + (f", {unchecked} layers not checked" if unchecked else "")

    def _repr_html_(self):
        head = "".join(f"<th style='text-align:left'>{name}</th>"
                       for name in ("layer", "op", "elements", "mismatches", "max LSB", "verdict", "why"))
        rows = "".join(
            f"<tr style='background:{_COLOURS.get(layer['verdict'], 'none')}'>"
            + "".join(f"<td style='text-align:left'>{html.escape(str(cell))}</td>" for cell in _cells(layer))
            + "</tr>" for layer in self.layers)
        return (f"<p><b>{html.escape(self.summary())}</b></p>"
                f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")


_COLOURS = {"different": "rgba(220,60,60,.18)", "not_checked": "rgba(220,170,40,.18)"}


def _cells(layer):
    why = layer.get("reason") or "; ".join(cause.get("name", "") for cause in layer.get("causes", ()))
    return (layer["name"], layer["op"], layer["elements"], layer["mismatches"], layer.get("max_lsb", 0),
            layer["verdict"], why)


def _line(layer):
    name, op, elements, mismatches, max_lsb, verdict, why = _cells(layer)
    return f"{verdict:<11} {name} ({op}): {mismatches} of {elements}, max {max_lsb} LSB" + (f"  {why}" if why else "")

"""engine.py: verifies dumps, requantizes arrays, lists profiles.

Inside this process by the extension module that `pip install` builds; by the program where there is none, or where $LASTBIT
names one. The program is $LASTBIT if that is set, else the one installed with this package, else `lastbit` on the PATH.
"""

import html
import importlib.metadata
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lastbit.errors import LastbitError

#: Exit statuses of the program that come with a report: identical, different, nothing compared.
REPORTED = (0, 1, 5)
FORMS = ("integer", "float", "exact")


def extension():
    """The extension module, or None where it was not built."""
    try:
        from lastbit import _native
    except ImportError:
        return None
    return _native


def native():
    """The extension module, or None where it was not built or $LASTBIT chooses a program."""
    return None if os.environ.get("LASTBIT") else extension()


def find_program():
    """The path of the program, or LastbitError saying where it was looked for."""
    chosen = os.environ.get("LASTBIT")
    if chosen:
        found = shutil.which(chosen)
        if found is None:
            raise LastbitError(f"$LASTBIT is {chosen!r}, which is not a program that can be run")
        return found
    found = _installed_program() or shutil.which("lastbit")
    if found is None:
        raise LastbitError("the program lastbit was not found: set $LASTBIT or put it on the PATH")
    return found


def ready():
    """LastbitError unless verify() can do its work."""
    if native() is None:
        find_program()


def _installed_program():
    """The program of the wheel, though its folder may not be on the PATH."""
    try:
        files = importlib.metadata.files("lastbit") or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == "lastbit" and os.access(file.locate(), os.X_OK) and Path(file.locate()).is_file():
            return str(Path(file.locate()).resolve())
    return None


def verify(*dumps, profile=None, layer=None, chained=False, forms=None, jobs=None, options=()):
    """`lastbit verify` on one or several dumps, as a Report. Throws LastbitError with the program's line.

    profile   NAME, NAME@isa or FILE.json instead of what the dump says
    layer     only layers whose name matches this glob
    chained   also run the network through the reference's own tensors
    forms     which of integer, float, exact: a list, or text with commas; all by default
    jobs      threads; all cores by default
    options   further arguments of the program, which then does the work
    """
    dumps = [os.fspath(dump) for dump in dumps]
    if not dumps:
        raise LastbitError("verify: found no dump, expected one at least")
    forms = _forms(forms)
    profile = "" if profile is None else os.fspath(profile)
    if jobs is not None and jobs < 1:
        raise LastbitError(f"jobs: found {jobs}, expected 1 at least")
    module = None if options else native()
    if module is not None:
        return Report(*module.verify(dumps, profile, layer or "", set(forms), chained, jobs or 0))
    command = [find_program(), "verify", *dumps, "--forms", ",".join(forms)]
    command += ["--profile", profile] if profile else []
    command += ["--layer", layer] if layer else []
    command += ["--chained"] if chained else []
    command += ["-j", str(jobs)] if jobs else []
    command += list(options)
    with tempfile.TemporaryDirectory(prefix="lastbit-") as folder:
        path = Path(folder) / "report.json"
        text, status = run([*command, "--format", "text", "--format", f"json={path}", "--color", "never"])
        if not path.exists():
            raise LastbitError(f"lastbit verify ended with status {status} and no report")
        return Report(path.read_text(encoding="utf-8"), text, status)


def run(command, given=None):
    """Output and exit status of the program; LastbitError with its last line when that status has no report."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode not in REPORTED:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise LastbitError(lines[-1].removeprefix("lastbit: ") if lines else f"lastbit ended with status {done.returncode}")
    return done.stdout, done.returncode


def render(report, form):
    """A JSON report as another format, `html` for example."""
    module = native()
    if module is not None:
        return module.render(report, form)
    return run([find_program(), "report", "-", "--format", form], report)[0]


def _forms(given):
    if given is None:
        return FORMS
    chosen = [word.strip() for word in given.split(",")] if isinstance(given, str) else list(given)
    for word in chosen:
        if word not in FORMS:
            raise LastbitError(f'forms: found "{word}", expected integer, float, exact')
    return chosen


class Report:
    """What `lastbit verify` found. Prints as its text, shows as a table in a notebook."""

    def __init__(self, data, text="", status=0):
        """`data`: the program's JSON report, as text or as the dict in it."""
        self._json = data if isinstance(data, str) else None
        self._data = json.loads(data) if isinstance(data, str) else data
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

    def to_json(self):
        """The report as `lastbit verify --format json` writes it, byte for byte."""
        return self._json or json.dumps(self._data, indent=2) + "\n"

    def to_html(self):
        """The report as a page of its own, with its plots."""
        return render(self.to_json(), "html")

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

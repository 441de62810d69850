"""result.py: the reports of all shards as one, and an older result taken apart again."""

import json
import os
import re
import tempfile
from pathlib import Path

from lastbit import engine
from lastbit.errors import LastbitError

#: Files given to one `lastbit merge`: a command line holds some two megabytes.
AT_ONCE = 1000


def merge(program, reports, command, out):
    """Writes the merged report to `out` as the program writes it, with `command` in it. The exit status of the whole."""
    with tempfile.TemporaryDirectory(prefix="lastbit-") as folder:
        paths = []
        for report in reports:
            paths.append(Path(folder) / f"{len(paths)}.json")
            paths[-1].write_text(report, encoding="utf-8")
        level = 0
        while True:
            groups = [paths[i:i + AT_ONCE] for i in range(0, len(paths), AT_ONCE)]
            paths = []
            for i, group in enumerate(groups):
                path = Path(folder) / f"merged-{level}-{i}.json"
                _, status = engine.run([program, "merge", *map(str, group), "--format", f"json={path}"])
                paths.append(path)
            level += 1
            if len(paths) == 1:
                break
        text = paths[0].read_text(encoding="utf-8")
    line = '  "command": ' + json.dumps(command, ensure_ascii=False, separators=(",", ":")) + ","
    text, found = re.subn(r'^  "command": \[.*\],$', lambda _: line, text, count=1, flags=re.MULTILINE)
    if found != 1:
        raise LastbitError("lastbit merge: found a report without a command, expected one; this is a mistake of lastbit's own")
    write(out, text)
    return status, json.loads(text)


def write(path, text):
    """Beside and renamed: a reader never sees half a file."""
    beside = Path(f"{path}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    except OSError as error:
        raise LastbitError(f"{path}: cannot be written: {error.strerror}") from None


def take_apart(path, version, options):
    """{dump: (layers, report)} of an older result of the same version and options."""
    try:
        whole = json.loads(Path(path).read_text(encoding="utf-8"))
        dumps, command, tool = whole["dumps"], whole["command"], whole["tool"]["version"]
        if tool != version or command != ["verify", *dumps, *options]:
            raise LastbitError(f"{path}: made by lastbit {tool} {' '.join(command)}, expected lastbit {version} verify ... {' '.join(options)}; leave out --resume")
        parts, layers_of = {}, {dump: [] for dump in dumps}
        for layer in whole["layers"]:
            layers_of[layer["dump"]].append(layer)
        for dump, producer in zip(dumps, whole["producers"]):
            layers = layers_of[dump]
            part = {**whole, "dumps": [dump], "producers": [producer], "layers": layers, "command": ["verify", dump, *options]}
            parts[dump] = [layer["position"] for layer in layers], json.dumps(part)
        return parts
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LastbitError(f"{path}: not a result to resume from ({type(error).__name__}: {error})") from None

"""plan.py: which dumps there are, and the shards that they are cut into."""

import glob
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """What decides about a result, besides the dumps. `arguments` spells it as `lastbit verify` spells its own command."""

    profile: str = ""
    layer: str = ""
    forms: tuple = ("integer", "float", "exact")
    chained: bool = False

    def arguments(self):
        words = ["--profile", self.profile] if self.profile else []
        words += ["--layer", self.layer] if self.layer else []
        forms = [form for form in ("integer", "float", "exact") if form in self.forms]
        words += ["--forms", ",".join(forms)] if len(forms) < 3 else []
        return words + (["--chained"] if self.chained else [])


@dataclass(frozen=True)
class Shard:
    """Layers first to end (without it) of a dump; the whole dump if end is None."""

    dump: str
    first: int = 0
    end: int | None = None
    layers: int = 1  # how much work this is

    def arguments(self):
        return [self.dump] + ([] if self.end is None else ["--positions", f"{self.first}:{self.end}"])


def find(patterns):
    """(dumps, passed_over): the dumps that patterns name, sorted as `lastbit merge` sorts them, and folders with files of arrays
    that a pattern matched and that belong to no dump.

    A pattern with * ? [ ** selects the folders that hold a manifest.json; anything else is a dump, whether it can be read or not.
    """
    dumps, folders = set(), set()
    for pattern in patterns:
        if not glob.has_magic(pattern):
            dumps.add(pattern)
            continue
        for path in glob.iglob(pattern, recursive=True):
            if os.path.isdir(path):
                path = path.rstrip(os.sep) or path
                (dumps if os.path.isfile(os.path.join(path, "manifest.json")) else folders).add(path)
    inside = tuple(dump + os.sep for dump in dumps)
    passed_over = [path for path in folders if not (path + os.sep).startswith(inside) and _holds_arrays(path)]
    return sorted(dumps, key=os.fsencode), sorted(passed_over)


def _holds_arrays(folder):
    return any(name.endswith((".npy", ".npz", ".safetensors")) for name in os.listdir(folder))


def shards(dump, options, split):
    """The dump in pieces of at most `split` layers. Not under --chained, where a layer needs those before it."""
    count = layers(dump)
    if options.chained or options.layer or count <= split:
        return [Shard(dump, layers=max(count, 1))]
    pieces = -(-count // split)
    cuts = [count * i // pieces for i in range(pieces + 1)]
    return [Shard(dump, first, end, end - first) for first, end in zip(cuts, cuts[1:])]


def layers(dump):
    """How many the manifest lists; 0 if it cannot be read."""
    try:
        return len(json.loads(_manifest(dump).read_bytes())["layers"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0  # the program will say what is wrong


def _manifest(dump):
    path = Path(dump)
    return path if path.name == "manifest.json" else path / "manifest.json"


def _files(dump):
    for folder, subfolders, names in os.walk(_manifest(dump).parent):
        subfolders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            yield path, os.stat(path)


def fingerprint(dump):
    """Changes when the dump does: its manifest, and size and time of every file in it."""
    digest = hashlib.sha256()
    try:
        digest.update(_manifest(dump).read_bytes())
        for path, status in _files(dump):
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    except OSError as error:
        digest.update(type(error).__name__.encode())
    return digest.hexdigest()


def newest(dump):
    """When the youngest file of the dump was written, in ns."""
    return max((status.st_mtime_ns for _, status in _files(dump)), default=0)

"""dump.py: writes a dump: plain .npy files at once, one manifest at the end.

    with DumpWriter("run", producer={"framework": "pytorch", "version": "2.13.0"}) as dump:
        dump.tensor("x", x)                                      # float32
        dump.tensor("y", q, scale=0.05, zero_point=3)            # dtype is q's own
        dump.tensor("w", w, scale=scales, zero_point=zeros, axis=0, constant=True)
        dump.layer("conv", "conv2d", {"x": "x", "weight": "w"}, {"y": "y"}, {"stride": [1, 1]})

A tensor is on disk when `tensor()` returns and nothing of it is kept. A folder without manifest.json
is not a dump, so a run that died half-way can never be taken for one.
"""

import hashlib
import json
import math
import os
import re
from pathlib import Path

import numpy as np

from lastbit.errors import LastbitError

FORMAT = "lastbit-dump"
VERSION = 1

#: What an array may mean. The sub-byte types are stored one value a byte unless `packed` says otherwise.
DTYPES = ("uint8", "int8", "uint16", "int16", "int32", "int64", "uint4", "int4", "uint2", "int2",
          "float16", "float32", "float64")

#: The other keys a tensor may carry; their meaning stands in the format's document.
TENSOR_KEYS = ("packed", "shape", "group_size", "qmin", "qmax", "layout", "memory_layout")


class DumpWriter:
    """One dump in the making. Use it as a context manager; an exception leaves no manifest behind."""

    def __init__(self, out, producer, profile=None, weights=None):
        """`weights`: a sibling folder for tensors marked `constant`, shared by several dumps.

        Its files are named by their content, so that a second dump writes none of them again.
        """
        self.out = Path(out)
        self.producer = {key: str(value) for key, value in producer.items() if value is not None}
        self.profile = profile
        self.weights = self.out.parent / weights if weights else None
        self.tensors = {}
        self.layers = []
        self._written = 0
        self._produced = {}
        self._prepare()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if kind is None:
            self.close()

    # -- tensors ---------------------------------------------------------------------------------

    def tensor(self, name, array, *, dtype=None, scale=None, zero_point=None, axis=None,
               constant=False, **keys):
        """Writes `array` now and returns its name. `scale` and `zero_point`: a number or an array.

        Further keys (`packed`, `shape`, `qmin`, `memory_layout`, ...) go to the manifest as they are;
        None means absent.
        """
        if name in self.tensors:
            raise LastbitError(f"{self.out}: tensor {name!r} is defined twice")
        array = np.asarray(array)
        entry = {"file": None, "dtype": self._dtype(name, array, dtype)}
        if axis is not None:
            entry["axis"] = int(axis)
        for key, value in keys.items():
            if key not in TENSOR_KEYS:
                raise LastbitError(f"{self.out}: tensor {name!r}: no such key: {key!r}")
            if value is not None:
                entry[key] = value
        entry["file"] = self._write(name, array, constant)
        if scale is not None:
            entry["scale"] = self._number_or_file(name + ".scale", scale, constant)
        if zero_point is not None:
            entry["zero_point"] = self._number_or_file(name + ".zero_point", _one_for_all(zero_point), constant)
        self.tensors[name] = entry
        return name

    def unique(self, name):
        """`name`, or `name#2`, `name#3`, ... if a tensor has it already."""
        return _unique(name, self.tensors)

    # -- layers ----------------------------------------------------------------------------------

    def layer(self, name, op, inputs, outputs, attributes=None, profile=None):
        """One operator application; `inputs` and `outputs` map the operator's own names to tensors."""
        for place, tensors in (("inputs", inputs), ("outputs", outputs)):
            for key, tensor in tensors.items():
                if tensor not in self.tensors:
                    raise LastbitError(f"{self.out}: layer {name!r}: {place}.{key} names {tensor!r}, "
                                       "which is not in the dump")
        for tensor in outputs.values():
            if tensor in self._produced:
                raise LastbitError(f"{self.out}: layer {name!r}: {tensor!r} is already an output of "
                                   f"{self._produced[tensor]!r}")
            self._produced[tensor] = name
        layer = {"name": name, "op": op, "inputs": dict(inputs), "outputs": dict(outputs),
                 "attributes": {key: plain(value) for key, value in (attributes or {}).items()}}
        if profile is not None:
            layer["profile"] = profile
        self.layers.append(layer)
        return name

    def forget(self, name):
        """Takes a tensor out again that no layer reads: it turned out to lie inside a layer."""
        for layer in self.layers:
            if name in layer["inputs"].values() or name in layer["outputs"].values():
                raise LastbitError(f"{self.out}: tensor {name!r} is in use by {layer['name']!r}")
        self._produced.pop(name, None)
        (self.out / self.tensors.pop(name)["file"]).unlink()

    # -- the end ---------------------------------------------------------------------------------

    def manifest(self):
        top = {"format": FORMAT, "version": VERSION, "producer": self.producer}
        if self.profile is not None:
            top["profile"] = self.profile
        if self.weights is not None:
            top["root"] = ".."
        return {**top, "tensors": self.tensors, "layers": self.layers}

    def close(self):
        """Writes the manifest, in one step: it is either whole or not there."""
        partial = self.out / "manifest.json.part"
        partial.write_text(_manifest_text(self.manifest()), encoding="ascii")
        os.replace(partial, self.out / "manifest.json")

    def discard(self):
        """Takes away what a run that failed has written (shared weights stay: others may hold them)."""
        for file in sorted((self.out / "tensors").glob("*.npy")):
            file.unlink()
        for folder in (self.out / "tensors", self.out):
            try:
                folder.rmdir()
            except OSError:
                pass

    # -- how it is done --------------------------------------------------------------------------

    def _prepare(self):
        """An earlier dump in the same place is replaced; anything else there is left alone."""
        manifest = self.out / "manifest.json"
        if self.out.exists() and not self.out.is_dir():
            raise LastbitError(f"{self.out}: is a file, expected a folder for the dump")
        if manifest.exists():
            if not _is_dump(manifest):
                raise LastbitError(f"{manifest}: is not a dump's, expected an empty folder or an earlier dump")
            manifest.unlink()
            for file in sorted((self.out / "tensors").glob("*.npy")):
                file.unlink()
        elif self.out.is_dir():
            foreign = sorted(p.name for p in self.out.iterdir() if p.name not in ("tensors", "manifest.json.part"))
            if foreign:
                raise LastbitError(f"{self.out}: holds {foreign[0]!r}, expected an empty folder or an earlier dump")
            for file in sorted((self.out / "tensors").glob("*.npy")):
                file.unlink()
        (self.out / "tensors").mkdir(parents=True, exist_ok=True)
        if self.weights is not None:
            self.weights.mkdir(parents=True, exist_ok=True)

    def _dtype(self, name, array, dtype):
        dtype = dtype or array.dtype.name
        if dtype not in DTYPES:
            raise LastbitError(f"{self.out}: tensor {name!r}: dtype {dtype} has no name in a dump")
        return dtype

    def _number_or_file(self, name, value, constant):
        """A number goes into the manifest whole (JSON has float64), an array into a file."""
        if np.ndim(value) == 0:
            value = plain(value)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise LastbitError(f"{self.out}: {name} is {value!r}, expected a finite number")
            return value
        return {"file": self._write(name, np.asarray(value), constant)}

    def _write(self, name, array, constant):
        array = np.asarray(array, order="C")
        if array.dtype.hasobject:
            raise LastbitError(f"{self.out}: tensor {name!r}: object arrays are not written")
        if constant and self.weights is not None:
            digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
            digest.update(memoryview(array.reshape(-1).view(np.uint8)))
            path = self.weights / f"{digest.hexdigest()[:32]}.npy"
            if not path.exists():
                _save(path, array)
            return f"../{self.weights.name}/{path.name}"
        self._written += 1
        path = self.out / "tensors" / f"{self._written:05}.{_file_name(name)}.npy"
        _save(path, array)
        return f"tensors/{path.name}"


def plain(value):
    """The JSON form of a NumPy scalar, a tuple, a torch.Size: what `json` would refuse or change."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value


def _one_for_all(zero_point):
    """The number that stands for integers of a channel each which are all the same: the format's own shorter word, and a file less."""
    array = np.asarray(zero_point)
    if array.ndim == 1 and array.size and array.dtype.kind in "iu" and (array == array[0]).all():
        return array[0]
    return zero_point


def _manifest_text(manifest):
    """JSON, one line a tensor and one a layer: what a person looks for is one line to find, and a program reads a third less."""
    def words(value):
        return json.dumps(value, ensure_ascii=True, allow_nan=False)

    def lines(value):
        if isinstance(value, dict):
            return "{\n" + ",\n".join(f"  {words(key)}: {words(item)}" for key, item in value.items()) + "\n }"
        return "[\n" + ",\n".join(f"  {words(item)}" for item in value) + "\n ]"

    top = (f" {words(key)}: {lines(value) if key in ('tensors', 'layers') and value else words(value)}" for key, value in manifest.items())
    return "{\n" + ",\n".join(top) + "\n}\n"


def _save(path, array):
    """Whole or not at all: two processes may share a folder of weights."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    with open(partial, "wb") as file:
        np.lib.format.write_array(file, array, allow_pickle=False)
    os.replace(partial, path)


def _is_dump(manifest):
    try:
        return json.loads(manifest.read_text(encoding="utf-8")).get("format") == FORMAT
    except (OSError, ValueError, AttributeError):
        return False


def _file_name(name):
    """Readable on every file system: the number before it makes it unique, not the name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:80].strip(".") or "tensor"


def _unique(name, taken):
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}#{count}"
    return candidate

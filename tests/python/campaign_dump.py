"""campaign_dump.py: a dump read and altered without lastbit: tensors in the default order, and copies with other outputs."""

import json
import os
import shutil
from pathlib import Path

import numpy as np

f32 = np.float32
LIMITS = {f"{sign}int{bits}": (0, 2 ** bits - 1) if sign else (-2 ** (bits - 1), 2 ** (bits - 1) - 1)
          for sign in ("u", "") for bits in (2, 4, 8, 16, 32)} | {"int64": (-2 ** 63, 2 ** 63 - 1)}
SPATIAL = ("conv", "max_pool", "avg_pool", "adaptive", "upsample", "pixel")


class Tensor:
    """`q` holds the integers (or floats) in the default order of the axes; `stored` turns values back to the file's."""

    def __init__(self, dump, name, order=None):
        entry = dump.top["tensors"][name]
        self.name, self.entry, self.dtype = name, entry, entry["dtype"]
        raw = dump.array(entry["file"])
        layout = entry.get("layout")
        self.permutation = [layout.index(c) for c in order] if layout and order and len(layout) == len(order) else None
        if layout == "IHWO" and order:  # one channel in a group: I is 1, O all of them
            self.permutation = [3, 0, 1, 2]
        self.q = raw if self.permutation is None else raw.transpose(self.permutation)
        self.scale, self.zero = (self.parameter(dump, entry.get(key, default)) for key, default in (("scale", 1.0), ("zero_point", 0)))
        self.axis = entry.get("axis")
        if self.axis is not None and self.permutation is not None:
            self.axis = self.permutation.index(self.axis)
        self.quantized = "scale" in entry

    @staticmethod
    def parameter(dump, value):
        if isinstance(value, dict):
            value = dump.array(value["file"])
            return value if value.size > 1 else value.reshape(-1)[0].item()
        return value

    def stored(self, values):
        return values if self.permutation is None else values.transpose(np.argsort(self.permutation))

    def per(self, value):
        value = np.asarray(value)
        return value if value.ndim == 0 else value.reshape([-1 if i == self.axis else 1 for i in range(self.q.ndim)])

    def centred(self):
        return self.q.astype(np.int64) - self.per(self.zero).astype(np.int64)

    @property
    def range(self):
        low, high = LIMITS[self.dtype]
        return self.entry.get("qmin", low), self.entry.get("qmax", high)


class Layer:
    def __init__(self, dump, entry):
        self.dump, self.entry, self.name, self.op = dump, entry, entry["name"], entry["op"]
        self.attributes = entry.get("attributes", {})
        self.profile = entry.get("profile", dump.top.get("profile", ""))
        spatial = self.op.startswith(SPATIAL)
        rank = None
        self.ins, self.outs = {}, {}
        for ports, names in ((self.ins, entry["inputs"]), (self.outs, entry["outputs"])):
            for port, name in names.items():
                layout = dump.top["tensors"][name].get("layout")
                rank = len(layout) if layout else None
                first = ("IO" if "transpose" in self.op else "OI") if port == "weight" else "NC"
                order = first + {3: "W", 4: "HW", 5: "DHW"}[rank] if spatial and layout else None
                ports[port] = Tensor(dump, name, order)

    @property
    def y(self):
        return self.outs["y" if "y" in self.outs or "h_out" not in self.outs else "h_out"]

    def activation(self):
        return self.attributes.get("activation", "none")


class Dump:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.top = json.loads((self.folder / "manifest.json").read_text())
        self.archives = {}

    def array(self, file):
        path, _, member = file.partition("#")
        if not member:
            return np.load(self.folder / path)
        if path not in self.archives:
            self.archives[path] = np.load(self.folder / path)
        return self.archives[path][member]

    def layers(self):
        return [Layer(self, entry) for entry in self.top["layers"]]


class Altered:
    """A copy of a dump whose every layer is one of the original's with another output."""

    def __init__(self, dump, folder):
        self.dump, self.folder, self.tensors, self.layers = dump, Path(folder), {}, []
        self.arrays, self.used = {}, set()
        self.folder.mkdir(parents=True)

    def use(self, name):
        self.used.add(name)
        return name

    def add(self, layer, name, values):
        """`values` in the default order: of y, or by port."""
        outputs = {}
        for port, v in (values if isinstance(values, dict) else {"y": values}).items():
            out = layer.outs[port]
            member = f"{len(self.layers):05d}.{port}"
            self.arrays[member] = np.ascontiguousarray(out.stored(np.asarray(v).astype(out.q.dtype)))
            self.tensors[f"{name}.{port}"] = {**out.entry, "file": f"faults.npz#{member}"}
            outputs[port] = f"{name}.{port}"
        for key, value in layer.entry["outputs"].items():
            if key not in outputs:
                outputs[key] = f"{name}.{key}"
                self.tensors[f"{name}.{key}"] = self.dump.top["tensors"][value]
        self.layers.append({**layer.entry, "name": name, "outputs": outputs,
                            "inputs": {key: self.use(value) for key, value in layer.entry["inputs"].items()}})

    def carry(self, tensor):
        """A layer that hands on a tensor as it is, so that the dump has it."""
        if any(t == tensor for e in self.layers for t in e["inputs"].values()):
            return None
        shape = list(self.dump.array(self.dump.top["tensors"][tensor]["file"]).shape)
        name = f"carrier/{tensor}"
        self.layers.append({"name": name, "op": "reshape", "inputs": {"x": self.use(tensor)}, "outputs": {"y": f"{tensor}.carried"}, "attributes": {"shape": shape}})
        self.tensors[f"{tensor}.carried"] = dict(self.dump.top["tensors"][tensor])
        return name

    def write(self):
        tensors = {name: self.dump.top["tensors"][name] for name in sorted(self.used)}
        for entry in [*tensors.values(), *self.tensors.values()]:
            for file in [entry["file"], *(entry[k]["file"] for k in ("scale", "zero_point") if isinstance(entry.get(k), dict))]:
                path = file.partition("#")[0]
                source, target = self.dump.folder / path, self.folder / path
                if path != "faults.npz" and not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    try:
                        os.link(source, target)
                    except OSError:
                        shutil.copyfile(source, target)
        np.savez(self.folder / "faults.npz", **self.arrays)
        top = {**self.dump.top, "tensors": {**tensors, **self.tensors}, "layers": self.layers}
        (self.folder / "manifest.json").write_text(json.dumps(top))
        return self.folder

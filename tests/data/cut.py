#!/usr/bin/env python3
"""Cuts a dump down to a few of its layers: how the small dumps beside this file were made from whole families.

usage: cut.py DUMP OUT [--bytes N]

Layers are taken evenly over the dump, every operator and activation of it at least once, until their tensors reach N bytes
before compression. Arrays are copied as they are; the manifest keeps the producer, the profile and every field.
"""
import argparse
import json
import os

import numpy as np

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("dump")
parser.add_argument("out")
parser.add_argument("--bytes", type=int, default=60000)
options = parser.parse_args()

manifest = json.load(open(os.path.join(options.dump, "manifest.json")))
archives = {}


def files_of(tensor):
    """Every file an entry names: values, scales, zero points."""
    yield tensor, "file", tensor["file"]
    for key in ("scale", "zero_point"):
        if isinstance(tensor.get(key), dict):
            yield tensor[key], "file", tensor[key]["file"]


def load(name):
    if "#" not in name:
        return np.load(os.path.join(options.dump, name))
    archive, member = name.split("#")
    if archive not in archives:
        archives[archive] = np.load(os.path.join(options.dump, archive))
    return archives[archive][member]


def cost(layer):
    return sum(load(f).nbytes for t in ports(layer) for _, _, f in files_of(manifest["tensors"][t]))


def ports(layer):
    return list(layer["inputs"].values()) + list(layer["outputs"].values())


layers = manifest["layers"]
kinds = {}
for i, layer in enumerate(layers):
    a = layer.get("attributes", {})
    kinds.setdefault((layer["op"], str(a.get("activation")), str(a.get("variant")), layer.get("profile")), []).append(i)
kept, used = set(), 0
# One of each kind, the smallest; then evenly, as long as there is room.
for members in kinds.values():
    i = min(members, key=lambda k: cost(layers[k]))
    kept.add(i)
    used += cost(layers[i])
step = max(1, len(layers) // 40)
for start in range(step):
    for i in range(start, len(layers), step):
        if i not in kept and used + cost(layers[i]) <= options.bytes:
            kept.add(i)
            used += cost(layers[i])
kept = sorted(kept)

names = {t for i in kept for t in ports(layers[i])}
arrays, tensors = {}, {}
for name in manifest["tensors"]:
    if name in names:
        entry = json.loads(json.dumps(manifest["tensors"][name]))
        for holder, key, file in list(files_of(entry)):
            member = "%05d" % (len(arrays) + 1)
            arrays[member] = load(file)
            holder[key] = "tensors.npz#" + member
        tensors[name] = entry
manifest["tensors"], manifest["layers"] = tensors, [layers[i] for i in kept]
os.makedirs(options.out)
np.savez_compressed(os.path.join(options.out, "tensors.npz"), **arrays)
with open(os.path.join(options.out, "manifest.json"), "w") as f:
    json.dump(manifest, f, separators=(",", ":"))
    f.write("\n")

#!/usr/bin/env python3
"""Does the audit of a dump made with VNNI predict what a CPU without it computed, element for element?

usage: twins.py DUMP TWIN

Both dumps hold the same layers and inputs; the twin was made without VNNI. `lastbit audit DUMP --pairs int16` must name exactly the
elements that differ between the two, with the twin's values. Where inputs differ, because a network hands changes down, as many
elements must differ as the chained audit says. Prints one line a pair and exits 1 where a prediction is wrong.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Dump:
    """Tensors of a dump, read with nothing but NumPy."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.manifest = json.loads((self.folder / "manifest.json").read_text())
        self.layers = {layer["name"]: layer for layer in self.manifest["layers"]}
        self.archives = {}

    def array(self, file):
        if "#" not in file:
            return np.load(self.folder / file)
        archive, member = file.split("#")
        if archive not in self.archives:
            self.archives[archive] = np.load(self.folder / archive)
        return self.archives[archive][member]

    def tensor(self, name):
        return self.array(self.manifest["tensors"][name]["file"])

    def same(self, other, layer):
        """Whether a layer's inputs are the other dump's, bit for bit."""
        mine, theirs = self.layers[layer]["inputs"], other.layers[layer]["inputs"]
        if sorted(mine) != sorted(theirs):
            return False
        return all(self.tensor(mine[p]).tobytes() == other.tensor(theirs[p]).tobytes() for p in mine)


def audit(program, dump, isa):
    command = [program, "audit", str(dump), "--pairs", "int16", "--isa", isa, "--format", "json"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit("%s: exit %d, %s" % (" ".join(command), result.returncode, result.stderr.strip()))
    return {layer["name"]: layer for layer in json.loads(result.stdout)["layers"]}


def check(program, dump, twin):
    """(elements, changed, missed, invented or with another value, layers that inherit changes, layers audited)"""
    a, b = Dump(dump), Dump(twin)
    elements = changed = missed = wrong = other = layers = 0
    for name, report in audit(program, dump, b.manifest["producer"]["isa"]).items():
        audited = report["audit"]
        if name not in b.layers:
            continue
        if not a.same(b, name):
            other += 1
            for port, tensor in a.layers[name]["outputs"].items():
                before, after = a.tensor(tensor), b.tensor(b.layers[name]["outputs"][port])
                chained = next((c["chained_changed"] for c in audited["costs"] if c["output"] == port), 0)
                missed += abs(int((before != after).sum()) - chained)
            continue
        if not audited["accumulates"]:
            continue
        layers += 1
        if not audited["costs"]:
            continue
        cost = audited["costs"][0]
        before, after = a.tensor(a.layers[name]["outputs"][cost["output"]]), b.tensor(b.layers[name]["outputs"][cost["output"]])
        predicted = before.copy()
        for element in cost["elements_changed"]:
            predicted[tuple(element["index"])] = element["to"]
        elements += before.size
        changed += int((before != after).sum())
        says = {tuple(e["index"]) for e in cost["elements_changed"]}
        assert len(says) == cost["changed"], (name, len(says), cost["changed"])
        really = {tuple(int(v) for v in i) for i in np.argwhere(before != after)}
        missed += len(really - says)
        wrong += len(says - really) + sum(predicted[i] != after[i] for i in says & really)
    return elements, changed, missed, wrong, other, layers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dump")
    parser.add_argument("twin")
    parser.add_argument("--lastbit", default=os.environ.get("LASTBIT", str(ROOT / "build/release/lastbit")))
    options = parser.parse_args()
    elements, changed, missed, wrong, other, layers = check(options.lastbit, options.dump, options.twin)
    print("%s: %d layers (%d more inherit changes), %d elements, %d changed, %d not predicted, %d predicted wrongly"
          % (options.twin, layers, other, elements, changed, missed, wrong))
    return 1 if missed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""campaign.py: plants causes into the clean dumps of a folder and counts what `lastbit verify` makes of them.

usage: campaign.py FOLDER... [--lastbit PROGRAM] [--layers N] [--keep DIR] [--failures N] [--only SUBSTRING] [--pairs]

Every dump under FOLDER is read with NumPy alone; layers whose clean output these formulas do not give are left out.
"""

import argparse
import collections
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np  # noqa: E402
from campaign_dump import Altered, Dump  # noqa: E402
import campaign_dynamic  # noqa: E402
import campaign_fused  # noqa: E402
import campaign_graph  # noqa: E402
import campaign_low_bits  # noqa: E402
import campaign_moves  # noqa: E402
import campaign_pools  # noqa: E402
import campaign_recurrent  # noqa: E402
import campaign_sum_plants  # noqa: E402
import campaign_values  # noqa: E402
from campaign_sums import Sum  # noqa: E402

np.seterr(all="ignore")
SUMS = ("linear", "matmul", *(f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)))


def of_layer(layer, pairs=False):
    """(name, values) of everything that can be planted into one layer."""
    yield from of_operator(layer, pairs)
    if not pairs:
        yield from campaign_graph.miswritten(layer)


def of_operator(layer, pairs):
    if layer.op in SUMS and layer.y.q.dtype.kind in "iu" and layer.y.quantized:
        try:
            s = Sum(layer)
        except (ValueError, KeyError):
            return
        if s.clean():
            yield from campaign_sum_plants.pairs(s) if pairs else campaign_sum_plants.plants(s)
            if not pairs and not s.paired:
                yield from misread(layer, s.again)
    elif not pairs and layer.op == "conv2d_add":
        s = campaign_fused.Fused(layer)
        if np.array_equal(s.shaped(s.requantize(s.clean_acc)), layer.y.q):
            yield from campaign_fused.plants(s)
            yield from misread(layer, s.again)
    elif layer.op.split("_")[0] in ("lstm", "gru"):
        if not pairs:
            yield from campaign_recurrent.plants(layer)
    elif layer.op in campaign_low_bits.OPERATORS or layer.attributes.get("per_token"):
        if not pairs:
            yield from campaign_low_bits.plants(layer)
    elif not pairs and layer.op.endswith("_dynamic") and "weight" in layer.ins:
        yield from campaign_dynamic.plants(layer)
    elif pairs:
        yield from campaign_values.pairs(layer)
    else:
        yield from campaign_values.plants(layer)
        yield from campaign_moves.plants(layer)
        yield from campaign_pools.plants(layer)
        yield from misread(layer, campaign_values.again(layer) or campaign_moves.again(layer))


def misread(layer, compute):
    """Faults of what a layer read: another tensor, another order of its bytes."""
    if compute:
        for name, other in campaign_graph.misfed(layer):
            values = compute(other)
            if values is not None:
                yield name, values


def clean(layer):
    return {port: t.q for port, t in layer.outs.items()} if "y" not in layer.outs or "h_n" in layer.outs else layer.y.q


def is_clean(layer, values):
    if isinstance(values, dict):
        return all(np.array_equal(v, layer.outs[port].q) for port, v in values.items())
    return np.array_equal(np.asarray(values), layer.y.q)


def alter(dump, folder, layers, only="", pairs=False):
    """Altered copies: the k-th holds the k-th fault of every layer, the first the clean outputs. Returns them, and what is planted
    by (copy, layer)."""
    copies, planted, seen = [], {}, collections.Counter()
    for layer in dump.layers():
        if not layer.outs.keys() & {"y", "h_out"} or layer.y.q.size < 2 or layer.y.q.size > 60000 or seen[layer.op] >= layers:
            continue
        if layer.attributes.get("variant") == "float" or layer.attributes.get("not_judged"):
            continue
        faults = [(name, values) for name, values in of_layer(layer, pairs)
                  if only in name and not is_clean(layer, values)]
        for k, (name, values) in enumerate([("", clean(layer)), *faults] if faults else []):
            if k == len(copies):
                copies.append(Altered(dump, f"{folder}.{k:03d}"))
            label = f"{layer.name}/{name or 'clean'}/{k}"
            copies[k].add(layer, label, values)
            planted[label] = name
            if name.startswith("input:") and (carrier := copies[k].carry(name[6:])):
                planted[carrier] = ""
        seen[layer.op] += bool(faults)
    return copies, planted


def names_of(cause):
    return {cause["name"], *cause.get("group", [])}


def same(planted, name):
    """An association of the multiplier counts by its family; a saturating register by its width."""
    if planted.startswith("multiplier:") and "(" in planted or planted in ("multiplier:f32", "multiplier:si*sw"):
        return name.startswith(("multiplier:", "profile:")) and not name.startswith("multiplier:q")
    if planted.startswith("accumulator:"):
        return name in (planted, planted + "-partial")
    return name == planted


def judge(planted, layer):
    """found, first, explained."""
    causes = layer["causes"]
    if planted.startswith("position:"):
        place = bool(causes) and any(n.startswith("position:") for n in names_of(causes[0]))
        return place, place, place and (layer["unexplained"] == layer["mismatches"] or not causes[0]["name"].startswith("position:"))
    if planted.startswith("profile:"):  # or one rule that explains as much: it is named before a whole profile
        whole = bool(causes) and causes[0]["explains"] == layer["mismatches"] and not causes[0]["name"].startswith("position:")
        return whole, whole, layer["unexplained"] == 0
    if " + " in planted:
        wanted = planted.split(" + ")
        ok = len(causes) == 2 and all(any(any(same(w, n) for n in names_of(c)) for c in causes) for w in wanted)
        return ok, ok, layer["unexplained"] == 0
    found = any(same(planted, n) for c in causes for n in names_of(c))
    first = bool(causes) and any(same(planted, n) for n in names_of(causes[0]))
    return found, first, layer["unexplained"] == 0


def nobody_could_tell(layer):
    """Inside the intervals of float sums or functions whose last bits are not known."""
    return layer["mismatches"] == 0 and layer["events"]["undefined"] > 0


def run(lastbit, folders):
    r = subprocess.run([lastbit, "verify", *map(str, folders), "--format", "json", "--forms", "integer"], capture_output=True, text=True)
    if not r.stdout:
        raise RuntimeError(r.stderr)
    return json.loads(r.stdout)["layers"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--lastbit", default="build/release/lastbit")
    parser.add_argument("--layers", type=int, default=3, help="layers of one operator of a dump")
    parser.add_argument("--failures", type=int, default=40)
    parser.add_argument("--only", default="")
    parser.add_argument("--pairs", action="store_true")
    parser.add_argument("--keep")
    options = parser.parse_args()
    total, wrong, alarms, open_ones = collections.defaultdict(lambda: [0, 0, 0, 0]), [], 0, 0
    manifests = sorted(m for f in options.folders for m in Path(f).rglob("manifest.json"))
    with tempfile.TemporaryDirectory(dir=options.keep) as scratch:
        for k, manifest in enumerate(manifests):
            dump = Dump(manifest.parent)
            copies, planted = alter(dump, Path(options.keep or scratch) / f"{k:03d}", options.layers, options.only, options.pairs)
            if not planted:
                continue
            try:
                layers = run(options.lastbit, [copy.write() for copy in copies])
            except RuntimeError as error:
                print(manifest.parent, "no report:", str(error)[:300])
                continue
            for layer in layers:
                name = planted[layer["name"]]
                if not name:
                    if layer["mismatches"]:
                        alarms += 1
                        print("ALARM", manifest.parent, layer["name"])
                    continue
                if nobody_could_tell(layer):
                    open_ones += 1
                    continue
                found, first, explained = judge(name, layer)
                family = " + " if " + " in name else name.split(":")[0]
                for key in (family, "op " + layer["op"], "all"):
                    t = total[key]
                    t[0] += 1
                    t[1] += found
                    t[2] += first
                    t[3] += explained
                if not (found and first and explained):
                    wrong.append((str(manifest.parent.parent.name + "/" + manifest.parent.name), layer))
    for key in sorted(total):
        n, found, first, explained = total[key]
        print(f"{key:24} planted {n:6} found {found / n:8.2%} first {first / n:8.2%} explained {explained / n:8.2%}")
    print("alarms", alarms, "inside an interval", open_ones)
    kinds = collections.Counter()
    for where, layer in wrong:
        kind = layer["op"] + " " + layer["name"].split("/")[1]
        kinds[kind] += 1
        if kinds[kind] <= 2 and options.failures > 0:
            options.failures -= 1
            causes = [(c["name"], c.get("group", []), c["explains"]) for c in layer["causes"]]
            print(f"{where} {layer['name']} {layer['profile']}: {layer['mismatches']} of {layer['elements']}, {layer['unexplained']} unexplained: {causes}")
    print(kinds.most_common(60))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""litert.py: a dump of a .tflite model as LiteRT really runs it.

    lastbit.litert.dump("model.tflite", {"x": x}, "run/", resolver="xnnpack")
    python -m lastbit.litert model.tflite --inputs x.npz --out run/

Resolvers: `xnnpack` (LiteRT's default, the XNNPACK delegate; what it refuses runs on the builtin kernels
and carries their profile), `builtin` (without delegate), `ref` (the reference kernels).
"""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from lastbit import inputs as given
from lastbit import isa, litert_moves, litert_nodes, litert_value, litert_window  # noqa: F401  (they register)
from lastbit.dump import DumpWriter
from lastbit.errors import LastbitError
from lastbit.litert_graph import INTEGERS, PROFILES, Graph
from lastbit.litert_run import RESOLVERS, run


def dump(model, inputs, out, *, resolver="xnnpack"):
    """Runs `model` (a path or bytes) on `inputs` and writes every operator's tensors to the folder `out`.

    `inputs`: a dict of arrays by input name, a list in the model's order, or the only input.
    """
    done = run(model, inputs, resolver)
    if not any(t.dtype in INTEGERS and t.scale for t in done.tensors):
        counts = ", ".join(f"{name} {count}" for name, count in sorted(Counter(o.kind for o in done.operators).items()))
        raise LastbitError(f"{done.place}: a float model ({counts}), expected quantized tensors")
    producer = {"framework": "litert", "version": done.version, "engine": resolver, "isa": isa.detect(),
                "model": Path(model).stem if isinstance(model, (str, os.PathLike)) else None}
    with DumpWriter(out, producer, PROFILES[resolver]) as writer:
        graph = Graph(done, writer)
        for operator in done.operators:
            litert_nodes.write(graph, operator)
    return Path(out)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m lastbit.litert",
                                     description="Runs a TFLite model in LiteRT and dumps every layer.")
    parser.add_argument("model", help="the model, MODEL.tflite")
    parser.add_argument("--inputs", required=True, metavar="FILE", help=".npz with one array an input, or .npy")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the dump goes")
    parser.add_argument("--resolver", choices=RESOLVERS, default="xnnpack", help="the kernels to run on")
    args = parser.parse_args(arguments)
    try:
        print(dump(args.model, given.read(args.inputs), args.out, resolver=args.resolver))
    except LastbitError as error:
        print(f"lastbit: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

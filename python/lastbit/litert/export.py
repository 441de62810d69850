"""export.py: one run of a model, written operator by operator."""

import os
from collections import Counter
from pathlib import Path

from lastbit import isa
from lastbit.dump import DumpWriter
from lastbit.errors import LastbitError
from lastbit.litert import moves, nodes, value, window  # noqa: F401  (they register their operators)
from lastbit.litert.graph import INTEGERS, PROFILES, Graph
from lastbit.litert.run import run


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
            nodes.write(graph, operator)
    return Path(out)

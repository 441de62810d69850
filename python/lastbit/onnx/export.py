"""export.py: one run of a model, written node by node."""

import os
from collections import Counter
from pathlib import Path

from lastbit import isa
from lastbit.dump import DumpWriter
from lastbit.errors import LastbitError
from lastbit.onnx import moves, nodes, product, value, window  # noqa: F401  (they register their operators)
from lastbit.onnx.graph import INTEGERS, WEIGHTED, Graph
from lastbit.onnx.run import run

PROFILE = "onnxruntime"

#: A graph without any of these is a float model: there is nothing to verify.
QUANTIZED = {*WEIGHTED, "QLinearConcat", "DynamicQuantizeLinear", "MatMulNBits"}


def dump(model, inputs, out, *, options=None):
    """Runs `model` (a path, bytes or onnx.ModelProto) on `inputs` and writes what ran to the folder `out`.

    `inputs`: a dict of arrays by input name, a list in the model's order, or the only input.
    `options`: ONNX Runtime session settings, such as {"session.x64quantprecision": "1"}.
    """
    done = run(model, inputs, options)
    kernels = Counter(node.op_type for node in done.nodes)
    counts = ", ".join(f"{name} {count}" for name, count in sorted(kernels.items()))
    if not QUANTIZED & set(kernels) and not any(v.dtype.name in INTEGERS for v in done.values.values()):
        raise LastbitError(f"{done.place}: a float model ({counts}), expected quantized operators (QDQ or QOperator)")
    isa_name = isa.detect()
    producer = {"framework": "onnxruntime", "version": done.version, "engine": "cpu", "isa": isa_name,
                "u8s8_pairs": "saturate" if isa_name in isa.SATURATING_PAIRS else "exact", "kernels": counts,
                "graph": "optimized", "model": Path(model).stem if isinstance(model, (str, os.PathLike)) else None}
    with DumpWriter(out, producer, PROFILE) as writer:
        graph = Graph(done, writer)
        for node in done.nodes:
            nodes.write(graph, node)
    return Path(out)

"""onnx.py: a dump of an ONNX model as ONNX Runtime really runs it.

    lastbit.onnx.dump("model.onnx", {"x": x}, "run/")
    python -m lastbit.onnx model.onnx --inputs x.npz --out run/

The layers are the nodes of the graph after optimization (QLinearConv, QGemm, DynamicQuantizeMatMul, ...)
with the tensors that stood between them. A float operator on the way is there under its own name.
"""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from lastbit import inputs as given
from lastbit import isa, onnx_moves, onnx_nodes, onnx_product, onnx_value, onnx_window  # noqa: F401  (they register)
from lastbit.dump import DumpWriter
from lastbit.errors import LastbitError
from lastbit.onnx_graph import WEIGHTED, Graph
from lastbit.onnx_run import run

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
    if not QUANTIZED & set(kernels):
        raise LastbitError(f"{done.place}: a float model ({counts}), expected quantized operators (QDQ or QOperator)")
    isa_name = isa.detect()
    producer = {"framework": "onnxruntime", "version": done.version, "engine": "cpu", "isa": isa_name,
                "u8s8_pairs": "saturate" if isa_name in isa.SATURATING_PAIRS else "exact", "kernels": counts,
                "model": Path(model).stem if isinstance(model, (str, os.PathLike)) else None}
    with DumpWriter(out, producer, PROFILE) as writer:
        graph = Graph(done, writer)
        for node in done.nodes:
            onnx_nodes.write(graph, node)
    return Path(out)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m lastbit.onnx",
                                     description="Runs an ONNX model in ONNX Runtime and dumps every layer.")
    parser.add_argument("model", help="the model, MODEL.onnx")
    parser.add_argument("--inputs", required=True, metavar="FILE", help=".npz with one array an input, or .npy")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the dump goes")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE",
                        help="a setting of the session, such as session.x64quantprecision=1")
    args = parser.parse_args(arguments)
    try:
        options = dict(_setting(text) for text in args.option)
        print(dump(args.model, given.read(args.inputs), args.out, options=options))
    except LastbitError as error:
        print(f"lastbit: {error}", file=sys.stderr)
        return 2
    return 0


def _setting(text):
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise LastbitError(f"--option: found {text!r}, expected KEY=VALUE")
    return key, value


if __name__ == "__main__":
    sys.exit(main())

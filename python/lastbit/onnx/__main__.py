"""python -m lastbit.onnx: a dump from a model file and a file of inputs."""

import argparse
import sys

from lastbit import inputs as given
from lastbit.errors import LastbitError
from lastbit.onnx.export import dump


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

"""python -m lastbit.litert: a dump from a model file and a file of inputs."""

import argparse
import sys

from lastbit import inputs as given
from lastbit.errors import LastbitError
from lastbit.litert.export import dump
from lastbit.litert.run import RESOLVERS


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

"""One network, the same integers, through PyTorch, ONNX Runtime and LiteRT.

    PYTHONPATH=python python python/examples/three_runtimes --out runs         # the runtimes that are installed
    lastbit verify --chained runs/pytorch runs/onnxruntime runs/litert
    lastbit diff runs/pytorch runs/onnxruntime

A residual block: strided convolution, depthwise, pointwise, sum, mean over the image, dense. Every layer has
the same name, weights, biases, scales and zero points in all three; what differs is the runtimes' arithmetic.
"""

import argparse
import importlib

from network import inputs, network

RUNTIMES = {"pytorch": "in_pytorch", "onnxruntime": "in_onnx", "litert": "in_tflite"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="runs", metavar="FOLDER")
    parser.add_argument("--runtime", choices=RUNTIMES, action="append", help="only this one; may be given again")
    args = parser.parse_args()
    for name in args.runtime or RUNTIMES:
        try:
            importlib.import_module(RUNTIMES[name]).dump(network(), inputs(), f"{args.out}/{name}")
            print(f"{args.out}/{name}")
        except ImportError as error:
            print(f"{name}: left out ({error})")


if __name__ == "__main__":
    main()

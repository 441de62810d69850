"""python -m lastbit.torch MODEL.pt --inputs x.pt --out run/

Dumps a TorchScript archive (or a torch.export program, .pt2). Exit status 0, or 2 with one line.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np

from lastbit.errors import LastbitError


def main(argv=None):
    options = parse(argv)
    warnings.showwarning = lambda message, *rest, **more: print(f"lastbit.torch: warning: {message}", file=sys.stderr)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    try:
        from lastbit.torch import dump, load
        model = load(options.model, options.engine)
        done = dump(model, read(options.inputs), options.out, samples=options.samples)
    except LastbitError as error:
        print(f"lastbit.torch: {error}", file=sys.stderr)
        return 2
    except (RuntimeError, TypeError, ValueError, OSError) as error:
        print(f"lastbit.torch: {options.model}: {complaint(error)}", file=sys.stderr)
        return 2
    for path in done if isinstance(done, list) else [done]:
        print(f"{path}: {path.layers} layers")
    return 0


def complaint(error):
    """The one line of a model's own error that says what: TorchScript puts a traceback before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1 if any("Traceback" in line for line in lines) else 0][:300]


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m lastbit.torch", description="Dump a quantized TorchScript model.")
    parser.add_argument("model", metavar="MODEL.pt", help="TorchScript archive, or a torch.export program (.pt2)")
    parser.add_argument("--inputs", required=True, metavar="x.pt",
                        help="tensor, tuple or list of tensors (torch.save), or one array (.npy)")
    parser.add_argument("--out", required=True, metavar="run/", help="folder to write")
    parser.add_argument("--samples", type=int, metavar="N", help="N runs that share their weights on disk")
    parser.add_argument("--engine", help="fbgemm, x86, qnnpack or onednn: packs the weights for it")
    return parser.parse_args(argv)


def read(path):
    import torch
    path = Path(path)
    try:
        if path.suffix == ".npy":
            return torch.from_numpy(np.load(path, allow_pickle=False))
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise LastbitError(f"{path}: {line}; expected a tensor saved by torch.save, or a .npy file") from error


if __name__ == "__main__":
    sys.exit(main())

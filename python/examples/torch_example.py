"""torch_example.py: what the PyTorch examples share: ways to quantize, and the run from a command line.

    PYTHONPATH=python python python/examples/torch_resnet18.py [--engine qnnpack] [--out run/]
"""

import argparse
import warnings

import torch
import torch.ao.quantization as tq
from torch import nn


class Wrapped(nn.Module):
    """quant, body, dequant."""

    def __init__(self, body):
        super().__init__()
        self.quant, self.body, self.dequant = tq.QuantStub(), body, tq.DeQuantStub()

    def forward(self, x):
        return self.dequant(self.body(self.quant(x)))


def static(model, x, engine, fuse=(), qconfig=None):
    """Eager mode: fuse, prepare, calibrate on x, convert."""
    model.eval()
    model.qconfig = qconfig or tq.get_default_qconfig(engine)
    if fuse:
        tq.fuse_modules(model, [list(names) for names in fuse], inplace=True)
    prepared = tq.prepare(model)
    with torch.no_grad():
        prepared(x)
    return tq.convert(prepared)


def qat(model, x, engine, fuse=()):
    """Quantization-aware preparation, two passes in place of training, convert."""
    model.train()
    model.qconfig = tq.get_default_qat_qconfig(engine)
    if fuse:
        tq.fuse_modules_qat(model, [list(names) for names in fuse], inplace=True)
    prepared = tq.prepare_qat(model)
    for _ in range(2):
        prepared(x)
    return tq.convert(prepared.eval())


def reduced(engine):
    """FBGEMM's activations keep to 0..127, so that no pair of products saturates on older processors."""
    return tq.HistogramObserver.with_args(reduce_range=engine in ("fbgemm", "x86"))


def make(build, engine, seed=0):
    """(model, inputs), the same on every call. The engine stays selected: a model runs on the one it was packed for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao.quantization is deprecated, and says so often
        torch.backends.quantized.engine = engine
        torch.manual_seed(seed)
        return build(engine)


def main(build):
    import lastbit.torch
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", default=torch.backends.quantized.engine)
    parser.add_argument("--out", default="run")
    options = parser.parse_args()
    model, inputs = make(build, options.engine)
    run = lastbit.torch.dump(model, inputs, options.out)
    print(f"{run}: {run.layers} layers; now: lastbit verify --chained {run}")
    print(lastbit.verify(run, chained=True))

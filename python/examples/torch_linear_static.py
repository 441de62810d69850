"""Linear(10, 2), statically quantized."""

import torch
from torch import nn
from torch_example import Wrapped, main, static


def build(engine):
    x = torch.randn(4, 10)
    return static(Wrapped(nn.Linear(10, 2)), x, engine), x


if __name__ == "__main__":
    main(build)

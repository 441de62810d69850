"""MobileNetV2's first layer after quantization-aware training: ConvReLU2d 3 -> 32, 3x3, stride 2."""

import torch
from torch import nn
from torch_example import Wrapped, main, qat


def build(engine):
    model = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
    x = torch.randn(2, 3, 24, 24)
    return qat(Wrapped(model), x, engine, [("body.0", "body.1", "body.2")]), x


if __name__ == "__main__":
    main(build)

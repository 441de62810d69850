"""A squeeze-and-excite block: hardswish, global average pool, hardsigmoid gate, broadcast product."""

import torch
import torch.ao.quantization as tq
from torch import nn
from torch_example import main, static


class SqueezeExcite(nn.Module):
    def __init__(self, channels=16):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.stem, self.act = nn.Conv2d(3, channels, 3, 2, 1), nn.Hardswish()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.relu, self.fc2 = nn.Conv2d(channels, 8, 1), nn.ReLU(), nn.Conv2d(8, channels, 1)
        self.gate, self.mul = nn.Hardsigmoid(), nn.quantized.FloatFunctional()
        self.project, self.last = nn.Conv2d(channels, 24, 1), nn.Hardswish()

    def forward(self, x):
        x = self.act(self.stem(self.quant(x)))
        x = self.mul.mul(x, self.gate(self.fc2(self.relu(self.fc1(self.pool(x))))))
        return self.dequant(self.last(self.project(x)))


def build(engine):
    model, x = SqueezeExcite(), torch.randn(2, 3, 20, 20)
    return static(model, x, engine, [("fc1", "relu")]), x


if __name__ == "__main__":
    main(build)

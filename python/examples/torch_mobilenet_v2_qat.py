"""A MobileNetV2 after quantization-aware training: its shape at an eighth of the width."""

import torch
import torch.ao.quantization as tq
from torch import nn
from torch_example import main, qat


def conv_bn(c_in, c_out, kernel, stride=1, groups=1, relu=True):
    layers = [nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(c_out)]
    return layers + [nn.ReLU()] if relu else layers


class InvertedResidual(nn.Module):
    def __init__(self, c_in, c_out, stride, expand):
        super().__init__()
        hidden = c_in * expand
        self.conv = nn.Sequential(*conv_bn(c_in, hidden, 1), *conv_bn(hidden, hidden, 3, stride, hidden),
                                  *conv_bn(hidden, c_out, 1, relu=False))
        self.fuse = [("conv.0", "conv.1", "conv.2"), ("conv.3", "conv.4", "conv.5"), ("conv.6", "conv.7")]
        self.add = nn.quantized.FloatFunctional() if stride == 1 and c_in == c_out else None

    def forward(self, x):
        return self.conv(x) if self.add is None else self.add.add(x, self.conv(x))


class MobileNetV2(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        blocks = [(8, 8, 1, 1), (8, 16, 2, 6), (16, 16, 1, 6), (16, 24, 2, 6), (24, 24, 1, 6)]
        self.features = nn.Sequential(nn.Sequential(*conv_bn(3, 8, 3, 2)), *(InvertedResidual(*block) for block in blocks),
                                      nn.Sequential(*conv_bn(24, 64, 1)))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(64, 10))

    def fusions(self):
        for index, module in enumerate(self.features):
            for names in getattr(module, "fuse", [("0", "1", "2")]):
                yield [f"features.{index}.{name}" for name in names]

    def forward(self, x):
        return self.dequant(self.classifier(self.features(self.quant(x)).mean([2, 3])))


def build(engine):
    model, x = MobileNetV2(), torch.randn(2, 3, 32, 32)
    return qat(model, x, engine, model.fusions()), x


if __name__ == "__main__":
    main(build)

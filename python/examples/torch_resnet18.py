"""A ResNet-18: eight basic blocks, an eighth of the width."""

import torch
import torch.ao.quantization as tq
from torch import nn
from torch_example import main, static


class BasicBlock(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1, self.bn1, self.relu1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()
        self.conv2, self.bn2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out)
        self.add = nn.quantized.FloatFunctional()
        self.downsample = None
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.add.add_relu(y, x if self.downsample is None else self.downsample(x))


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.conv1, self.bn1, self.relu = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        widths = [(8, 8, 1), (8, 8, 1), (8, 16, 2), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)]
        self.layers = nn.Sequential(*(BasicBlock(*width) for width in widths))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(64, 10)

    def fusions(self):
        yield "conv1", "bn1", "relu"
        for index, block in enumerate(self.layers):
            at = f"layers.{index}."
            yield at + "conv1", at + "bn1", at + "relu1"
            yield at + "conv2", at + "bn2"
            if block.downsample is not None:
                yield at + "downsample.0", at + "downsample.1"

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(self.quant(x)))))
        return self.dequant(self.fc(torch.flatten(self.avgpool(self.layers(x)), 1)))


def build(engine):
    model, x = ResNet18(), torch.randn(1, 3, 48, 48)
    return static(model, x, engine, model.fusions()), x


if __name__ == "__main__":
    main(build)

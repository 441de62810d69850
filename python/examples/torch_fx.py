"""FX graph mode: a float network without stubs, traced, prepared, converted."""

import torch
import torch.ao.quantization as tq
from torch import nn
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx
from torch_example import main


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 10, 3, padding=1), nn.BatchNorm2d(10), nn.ReLU()
        self.conv2, self.pool, self.fc = nn.Conv2d(10, 10, 3, padding=1, groups=2), nn.AdaptiveAvgPool2d(1), nn.Linear(10, 4)

    def forward(self, x):
        x = self.relu(self.bn(self.conv(x)))
        x = self.relu(self.conv2(x) + x)
        return self.fc(torch.flatten(self.pool(x), 1))


def build(engine):
    model, x = Model().eval(), torch.randn(2, 3, 12, 12)
    prepared = prepare_fx(model, tq.get_default_qconfig_mapping(engine), (x,))
    with torch.no_grad():
        prepared(x)
    return convert_fx(prepared), x


if __name__ == "__main__":
    main(build)

"""A dynamically quantized GRU of two layers, and a head."""

import torch
import torch.ao.quantization as tq
from torch import nn
from torch_example import main


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(12, 16, num_layers=2), nn.Linear(16, 5)

    def forward(self, x):
        return self.head(self.rnn(x)[0])


def build(engine):
    return tq.quantize_dynamic(Model().eval(), {nn.GRU, nn.Linear}, dtype=torch.qint8), torch.randn(6, 3, 12)


if __name__ == "__main__":
    main(build)

"""Linear(10, 2), dynamically quantized: the input's scale is chosen when it arrives."""

import torch
import torch.ao.quantization as tq
from torch import nn
from torch_example import main


def build(engine):
    model = tq.quantize_dynamic(nn.Sequential(nn.Linear(10, 2)).eval(), {nn.Linear}, dtype=torch.qint8)
    return model, torch.randn(4, 10)


if __name__ == "__main__":
    main(build)

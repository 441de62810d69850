"""twin_network.py ENGINE SEED FOLDER: dumps a network whose pairs of products saturate where the CPU has no VNNI.

Activations use all of 0..255 and weights all of -127..127, which reduced range would not. Run in a process of its own: the
environment says which instructions PyTorch may use.
"""
import sys

import torch
import torch.ao.nn.quantized as nnq

import lastbit.torch

engine, seed, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
torch.manual_seed(seed)
torch.backends.quantized.engine = engine
torch.set_num_threads(1)


def weight(*shape):
    scales = torch.rand(shape[0], dtype=torch.float64) * 0.01 + 0.001
    return torch.quantize_per_channel(torch.randint(-127, 128, shape) * scales.float().reshape(-1, *[1] * (len(shape) - 1)), scales, torch.zeros(shape[0], dtype=torch.int64), 0, torch.qint8)


def layer(module, shape, scale, zero_point):
    module.set_weight_bias(weight(*shape), torch.randn(shape[0]))
    module.scale, module.zero_point = scale, zero_point
    return module


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = nnq.Quantize(0.02, 128, torch.quint8)
        self.conv = layer(nnq.Conv2d(5, 12, 3, stride=2, padding=1), (12, 5, 3, 3), 0.4, 120)
        self.grouped = layer(nnq.Conv2d(12, 16, 3, groups=4), (16, 3, 3, 3), 3.0, 100)
        self.pointwise = layer(nnq.Conv2d(16, 9, 1), (9, 16, 1, 1), 17.0, 128)
        self.linear = layer(nnq.Linear(9 * 5 * 5, 11), (11, 225), 900.0, 128)
        self.dequant = nnq.DeQuantize()

    def forward(self, x):
        y = self.pointwise(self.grouped(self.conv(self.quant(x))))
        return self.dequant(self.linear(torch.flatten(y, 1)))


lastbit.torch.dump(Network().eval(), torch.randn(3, 5, 14, 14) * 1.3, folder)

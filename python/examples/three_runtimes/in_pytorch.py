"""in_pytorch.py: the network as quantized modules of PyTorch, engine fbgemm."""

import numpy as np
import torch
import torch.ao.nn.intrinsic.quantized as fused
import torch.ao.nn.quantized as nnq
from network import ADD, MEAN, W, X

import lastbit.torch


def dump(net, x, out):
    torch.backends.quantized.engine = "fbgemm"

    def filled(module, layer, x_scale):
        bias = torch.from_numpy(layer.bias * (np.float64(x_scale) * np.float64(W))).float()
        weight = torch._make_per_tensor_quantized_tensor(torch.from_numpy(layer.weight), float(W), 0)
        module.set_weight_bias(weight, bias)
        module.scale, module.zero_point = float(layer.scale), layer.zero
        return module

    def conv(layer, x_scale):
        o, i, k, _ = layer.weight.shape
        kind = fused.ConvReLU2d if layer.relu else nnq.Conv2d
        return filled(kind(i * layer.groups, o, k, layer.stride, k // 2, groups=layer.groups), layer, x_scale)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.quant = nnq.Quantize(float(X[0]), X[1], torch.quint8)
            self.stem, self.deep = conv(net["stem"], X[0]), conv(net["deep"], net["stem"].scale)
            self.wide, self.add = conv(net["wide"], net["deep"].scale), nnq.QFunctional()
            self.add.scale, self.add.zero_point = float(ADD[0]), ADD[1]
            self.mean = torch.nn.AdaptiveAvgPool2d(1)
            self.dense, self.dequant = filled(nnq.Linear(16, 10), net["dense"], MEAN[0]), nnq.DeQuantize()

        def forward(self, x):
            stem = self.stem(self.quant(x))
            y = self.mean(self.add.add(stem, self.wide(self.deep(stem))))
            return self.dequant(self.dense(torch.flatten(y, 1)))

    lastbit.torch.dump(Model().eval(), torch.from_numpy(x), out)

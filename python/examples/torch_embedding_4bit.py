"""A 4-bit embedding bag: its weights stay packed in the dump."""

import torch
import torch.ao.quantization as tq
from torch import nn
from torch_example import main


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(30, 12, mode="sum")

    def forward(self, indices, offsets):
        return self.bag(indices, offsets)


def build(engine):
    model = Model().eval()
    model.bag.qconfig = tq.float_qparams_weight_only_qconfig_4bit
    return tq.convert(tq.prepare(model)), (torch.randint(0, 30, (17,)), torch.tensor([0, 4, 4, 11]))


if __name__ == "__main__":
    main(build)

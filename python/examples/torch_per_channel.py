"""One weight scale a channel, on every engine, whatever the engine's default is."""

import torch
import torch.ao.quantization as tq
from torch import nn
from torch_example import Wrapped, main, reduced, static


def build(engine):
    qconfig = tq.QConfig(activation=reduced(engine), weight=tq.default_per_channel_weight_observer)
    model = nn.Sequential(nn.Conv2d(8, 12, 3, padding=1, groups=2), nn.ReLU(), nn.Conv2d(12, 6, (1, 3), (2, 1)),
                          nn.Flatten(), nn.Linear(6 * 4 * 6, 5))
    x = torch.randn(2, 8, 8, 8)
    return static(Wrapped(model), x, engine, [("body.0", "body.1")], qconfig), x


if __name__ == "__main__":
    main(build)

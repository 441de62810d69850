"""A U-Net of two levels with 2x2 transposed convolutions.

PyTorch 2.13 itself computes some of these wrong, and lastbit names the fault: on x86 and oneDNN wherever the
channels in and out differ; on FBGEMM with channels in multiples of 8 (a=8, b=16), whose weights it loses as
well: convert those inside lastbit.torch.keep_weights().
"""

import torch
import torch.ao.quantization as tq
from torch import nn
from torch_example import main, reduced, static


def block(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.ReLU())


class UNet(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.down1, self.down2, self.bottom = block(3, a), block(a, b), block(b, 2 * b)
        self.pool = nn.MaxPool2d(2)
        self.up2, self.up1 = nn.ConvTranspose2d(2 * b, b, 2, 2), nn.ConvTranspose2d(b, a, 2, 2)
        self.cat2, self.cat1 = nn.quantized.FloatFunctional(), nn.quantized.FloatFunctional()
        self.left2, self.left1, self.head = block(2 * b, b), block(2 * a, a), nn.Conv2d(a, 1, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        one = self.down1(self.quant(x))
        two = self.down2(self.pool(one))
        y = self.bottom(self.pool(two))
        y = self.left2(self.cat2.cat([self.up2(y), two], 1))
        y = self.left1(self.cat1.cat([self.up1(y), one], 1))
        return self.dequant(self.sigmoid(self.head(y)))


def build(engine, a=6, b=12):
    model, x = UNet(a, b), torch.randn(1, 3, 16, 24)
    fuse = [(f"{name}.0", f"{name}.1") for name in ("down1", "down2", "bottom", "left2", "left1")]
    # Transposed convolutions take no per-channel weights from the default observers.
    return static(model, x, engine, fuse, tq.QConfig(activation=reduced(engine), weight=tq.default_weight_observer)), x


if __name__ == "__main__":
    main(build)

"""torch_models.py: the networks people ask about, small, quantized in every way PyTorch has.

PROGRAMS: name -> function(engine) -> (model, inputs). Weights and inputs come from a fixed seed.
"""

import copy
import warnings

import torch
import torch.ao.quantization as tq
from torch import nn

ENGINES = ("fbgemm", "x86", "qnnpack", "onednn")

warnings.filterwarnings("ignore", module="torch.*")


def static(model, x, engine, fuse=(), qconfig=None):
    """Eager mode: fuse, prepare, calibrate, convert."""
    model.eval()
    model.qconfig = qconfig or tq.get_default_qconfig(engine)
    if fuse:
        tq.fuse_modules(model, [list(names) for names in fuse], inplace=True)
    prepared = tq.prepare(model)
    with torch.no_grad():
        prepared(x)
    return tq.convert(prepared)


def qat(model, x, engine, fuse=()):
    """Quantization-aware preparation, two steps, convert."""
    model.train()
    model.qconfig = tq.get_default_qat_qconfig(engine)
    if fuse:
        tq.fuse_modules_qat(model, [list(names) for names in fuse], inplace=True)
    prepared = tq.prepare_qat(model)
    for _ in range(2):
        prepared(x)
    return tq.convert(prepared.eval())


class Wrapped(nn.Module):
    """quant, body, dequant."""

    def __init__(self, body):
        super().__init__()
        self.quant, self.body, self.dequant = tq.QuantStub(), body, tq.DeQuantStub()

    def forward(self, x):
        return self.dequant(self.body(self.quant(x)))


# -- single layers -----------------------------------------------------------------------------------

def conv1x1(engine):
    """A 1x1 convolution and ReLU, as in the forum question whose author read it with hooks."""
    model, x = nn.Sequential(nn.Conv2d(16, 24, 1), nn.ReLU()), torch.randn(1, 16, 7, 9)
    return static(Wrapped(model), x, engine, [("body.0", "body.1")]), x


def conv_relu_qat(engine):
    """MobileNetV2's first layer after QAT: ConvBnReLU 3 -> 32, 3x3, stride 2."""
    model = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
    x = torch.randn(2, 3, 24, 24)
    return qat(Wrapped(model), x, engine, [("body.0", "body.1", "body.2")]), x


def linear_static(engine):
    x = torch.randn(4, 10)
    return static(Wrapped(nn.Linear(10, 2)), x, engine), x


def linear_dynamic(engine):
    model = tq.quantize_dynamic(nn.Sequential(nn.Linear(10, 2)).eval(), {nn.Linear}, dtype=torch.qint8)
    return model, torch.randn(4, 10)


def per_channel(engine):
    """One weight scale a channel, on every engine, whatever its default is."""
    qconfig = tq.QConfig(activation=tq.HistogramObserver.with_args(reduce_range=engine in ("fbgemm", "x86")),
                         weight=tq.default_per_channel_weight_observer)
    model = nn.Sequential(nn.Conv2d(8, 12, 3, padding=1, groups=2), nn.ReLU(), nn.Conv2d(12, 6, (1, 3), (2, 1)),
                          nn.Flatten(), nn.Linear(6 * 4 * 6, 5))
    x = torch.randn(2, 8, 8, 8)
    return static(Wrapped(model), x, engine, [("body.0", "body.1")], qconfig), x


# -- networks ----------------------------------------------------------------------------------------

class InvertedResidual(nn.Module):
    def __init__(self, c_in, c_out, stride, expand):
        super().__init__()
        hidden = c_in * expand
        self.conv = nn.Sequential(
            nn.Conv2d(c_in, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(),
            nn.Conv2d(hidden, c_out, 1, bias=False), nn.BatchNorm2d(c_out))
        self.fuse = [("conv.0", "conv.1", "conv.2"), ("conv.3", "conv.4", "conv.5"), ("conv.6", "conv.7")]
        self.add = nn.quantized.FloatFunctional() if stride == 1 and c_in == c_out else None

    def forward(self, x):
        return self.conv(x) if self.add is None else self.add.add(x, self.conv(x))


class MobileNetV2(nn.Module):
    """Its shape at an eighth of the width: stem, five inverted residuals, head."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        blocks = [(8, 8, 1, 1), (8, 16, 2, 6), (16, 16, 1, 6), (16, 24, 2, 6), (24, 24, 1, 6)]
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
            *(InvertedResidual(*block) for block in blocks),
            nn.Sequential(nn.Conv2d(24, 64, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(64, 10))

    def fusions(self):
        last = len(self.features) - 1
        for index, module in enumerate(self.features):
            own = [("0", "1", "2")] if index in (0, last) else module.fuse
            yield from ([f"features.{index}.{name}" for name in names] for names in own)

    def forward(self, x):
        x = self.features(self.quant(x)).mean([2, 3])
        return self.dequant(self.classifier(x))


def mobilenet_v2_qat(engine):
    model, x = MobileNetV2(), torch.randn(2, 3, 32, 32)
    return qat(model, x, engine, model.fusions()), x


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
    """Eight basic blocks, an eighth of the width."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.conv1, self.bn1, self.relu = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        widths = [(8, 8, 1), (8, 8, 1), (8, 16, 2), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)]
        self.layers = nn.Sequential(*(BasicBlock(*width) for width in widths))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(64, 10)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(self.quant(x)))))
        x = torch.flatten(self.avgpool(self.layers(x)), 1)
        return self.dequant(self.fc(x))


def resnet18(engine):
    model, x = ResNet18(), torch.randn(1, 3, 48, 48)
    fuse = [("conv1", "bn1", "relu")]
    for index, block in enumerate(model.layers):
        at = f"layers.{index}."
        fuse += [(at + "conv1", at + "bn1", at + "relu1"), (at + "conv2", at + "bn2")]
        if block.downsample is not None:
            fuse.append((at + "downsample.0", at + "downsample.1"))
    return static(model, x, engine, fuse), x


class UNet(nn.Module):
    """Two levels, 2x2 transposed convolutions. Channels are no multiples of 8: those are wrong in PyTorch itself."""

    def __init__(self, a=6, b=12):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        block = lambda c_in, c_out: nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.ReLU())  # noqa: E731
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


def per_tensor(engine):
    """Transposed convolutions take no per-channel weights from the default observers."""
    return tq.QConfig(activation=tq.HistogramObserver.with_args(reduce_range=engine in ("fbgemm", "x86")),
                      weight=tq.default_weight_observer)


def unet(engine, a=6, b=12):
    model, x = UNet(a, b), torch.randn(1, 3, 16, 24)
    fuse = [(f"{name}.0", f"{name}.1") for name in ("down1", "down2", "bottom", "left2", "left1")]
    return static(model, x, engine, fuse, per_tensor(engine)), x


class SqueezeExcite(nn.Module):
    def __init__(self, channels=16):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.stem, self.act = nn.Conv2d(3, channels, 3, 2, 1), nn.Hardswish()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.relu, self.fc2 = nn.Conv2d(channels, 8, 1), nn.ReLU(), nn.Conv2d(8, channels, 1)
        self.gate, self.mul = nn.Hardsigmoid(), nn.quantized.FloatFunctional()
        self.project, self.last = nn.Conv2d(channels, 24, 1), nn.Hardswish()

    def forward(self, x):
        x = self.act(self.stem(self.quant(x)))
        x = self.mul.mul(x, self.gate(self.fc2(self.relu(self.fc1(self.pool(x))))))
        return self.dequant(self.last(self.project(x)))


def squeeze_excite(engine):
    model, x = SqueezeExcite(), torch.randn(2, 3, 20, 20)
    return static(model, x, engine, [("fc1", "relu")]), x


# -- recurrent and embedding -------------------------------------------------------------------------

class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn, self.head = kind(12, 16, num_layers=2), nn.Linear(16, 5)

    def forward(self, x):
        return self.head(self.rnn(x)[0])


def _recurrent(kind):
    return tq.quantize_dynamic(Recurrent(kind).eval(), {kind, nn.Linear}, dtype=torch.qint8), torch.randn(6, 3, 12)


def lstm_dynamic(engine):
    return _recurrent(nn.LSTM)


def gru_dynamic(engine):
    return _recurrent(nn.GRU)


def embedding_4bit(engine):
    """A 4-bit embedding bag: its weights stay packed in the dump."""
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.bag = nn.EmbeddingBag(30, 12, mode="sum", include_last_offset=False)

        def forward(self, indices, offsets):
            return self.bag(indices, offsets)

    model = Bag().eval()
    model.bag.qconfig = tq.float_qparams_weight_only_qconfig_4bit
    model = tq.convert(tq.prepare(model))
    return model, (torch.randint(0, 30, (17,)), torch.tensor([0, 4, 4, 11]))


# -- other fronts ------------------------------------------------------------------------------------

class Plain(nn.Module):
    """A float network with no stubs: what FX graph mode and PT2E start from."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 10, 3, padding=1), nn.BatchNorm2d(10), nn.ReLU()
        self.conv2, self.pool, self.fc = nn.Conv2d(10, 10, 3, padding=1, groups=2), nn.AdaptiveAvgPool2d(1), nn.Linear(10, 4)

    def forward(self, x):
        x = self.relu(self.bn(self.conv(x)))
        x = self.relu(self.conv2(x) + x)
        return self.fc(torch.flatten(self.pool(x), 1))


def fx(engine):
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx
    model, x = Plain().eval(), torch.randn(2, 3, 12, 12)
    prepared = prepare_fx(model, tq.get_default_qconfig_mapping(engine), (x,))
    with torch.no_grad():
        prepared(x)
    return convert_fx(prepared), x


def torchscript(engine, path=None):
    """Traced, frozen, saved and loaded."""
    import io
    model, x = squeeze_excite(engine)
    with torch.no_grad():
        frozen = torch.jit.freeze(torch.jit.trace(model, x))
    archive = io.BytesIO()
    torch.jit.save(frozen, archive)
    archive.seek(0)
    return torch.jit.load(archive), x


def pt2e(engine):
    """torch.export, then torchao's PT2E: quantize and dequantize around float operators."""
    import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as x86
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    model = nn.Sequential(nn.Conv2d(3, 10, 3, padding=1), nn.BatchNorm2d(10), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Conv2d(10, 6, 3, 2, 1, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 3 * 3, 4)).eval()
    x = torch.randn(2, 3, 12, 12)
    quantizer = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
    prepared = prepare_pt2e(torch.export.export(model, (x,)).module(), quantizer)
    with torch.no_grad():
        prepared(x)
    return convert_pt2e(prepared), x


PROGRAMS = {function.__name__: function for function in (
    conv1x1, conv_relu_qat, linear_static, linear_dynamic, per_channel, mobilenet_v2_qat, resnet18, unet,
    squeeze_excite, lstm_dynamic, gru_dynamic, embedding_4bit, fx, torchscript, pt2e)}


def make(name, engine):
    """(model, inputs), the same on every call; the engine stays selected: a model runs on the one it was packed for."""
    torch.backends.quantized.engine = engine
    torch.manual_seed(len(name))
    model, inputs = PROGRAMS[name](engine)
    return model, copy.deepcopy(inputs)

"""PT2E: torch.export, then torchao: quantize and dequantize around float operators.

The integers are exact; the float layers between them are decided within the bound of their sum.
"""

import torch
from torch import nn
from torch_example import main


def build(engine):
    import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as x86
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    model = nn.Sequential(nn.Conv2d(3, 10, 3, padding=1), nn.BatchNorm2d(10), nn.ReLU(),
                          nn.Conv2d(10, 6, 3, 2, 1, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 6 * 6, 4)).eval()
    x = torch.randn(2, 3, 12, 12)
    quantizer = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
    prepared = prepare_pt2e(torch.export.export(model, (x,)).module(), quantizer)
    with torch.no_grad():
        prepared(x)
    return convert_pt2e(prepared), x


if __name__ == "__main__":
    main(build)

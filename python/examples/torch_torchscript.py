"""TorchScript: traced, frozen, saved, loaded. Loading packs the weights for the engine that is then selected."""

import io

import torch
import torch_squeeze_excite
from torch_example import main


def build(engine):
    model, x = torch_squeeze_excite.build(engine)
    with torch.no_grad():
        frozen = torch.jit.freeze(torch.jit.trace(model, x))
    archive = io.BytesIO()
    torch.jit.save(frozen, archive)
    archive.seek(0)
    return torch.jit.load(archive), x


if __name__ == "__main__":
    main(build)

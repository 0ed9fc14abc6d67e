"""Re-makes windows of authentic training pictures with published networks and autoencoders drawn at random (one GPU).

Run: python3 makers.py DATA WEIGHTS OUT (PyTorch, NumPy, Pillow, safetensors; some three minutes on one GPU). DATA is the
data set. WEIGHTS holds taef2_encoder.pth and taef2_decoder.pth (of the data set) and, each as NAME.param and
NAME.safetensors of ncnn_to_safetensors.py, the up-samplers compact (realesr-animevideov3-x4), span (ClearReality4x),
spanx4 (spanx4_ch48), x4plus and anime (realesrgan-x4plus and its -anime form). OUT gets windows.npy (bytes
`[n, 224, 224, 3]`), windows.tsv (path, left, top) and for each maker NN.npz: `name`, `index` of windows and `made`.

Every window goes through EACH makers. What is coarser than six pixels comes from the authentic window (frequency
alignment of Dual Data Alignment, arXiv 2505.14359), and in half of the cases the energy of the two finer bands as well,
so that neither tone nor blur gives a pair away. Our own autoencoders differ in halvings, way up, width, kernel,
activation, normalisation and bottleneck; half of them also please a discriminator of patches. `--limit`, `--own` and
`--steps` try it on a CPU.
"""

import argparse
import csv
import os
import subprocess
import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

SIDE, EACH, OWN, PARTS, SEED = 224, 4, 14, 6, 20261126
PUBLISHED = ["taef2", "compact", "span", "spanx4", "x4plus", "anime"]


def blur(x, sigma):
    radius = int(3 * sigma + 0.5)
    at = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = (kernel / kernel.sum()).repeat(3, 1, 1)
    x = F.pad(x, [radius] * 4, mode="reflect")
    return F.conv2d(F.conv2d(x, kernel[:, :, None, :], groups=3), kernel[:, :, :, None], groups=3)


def aligned(made, real, strength):
    """Coarse tones of the authentic picture; in half of the cases also the energy of its finer bands."""
    coarse = blur(real, 6.0)
    made = made - blur(made, 6.0)
    fine, own = made - blur(made, 1.0), (real - coarse) - blur(real - coarse, 1.0)
    middle, theirs = made - fine, (real - coarse) - own
    energy = lambda v: v.square().mean((1, 2, 3), keepdim=True).sqrt() + 1e-4
    use = strength[:, None, None, None]
    gain = lambda a, b, most: 1 + use * ((energy(a) / energy(b)).clamp(1 / most, most) - 1)
    return (coarse + fine * gain(own, fine, 2.0) + middle * gain(theirs, middle, 1.5)).clamp(0, 1)


# Published networks.


class TaefBlock(nn.Module):
    def __init__(self, pool):
        super().__init__()
        conv = lambda: nn.Conv2d(64, 64, 3, padding=1)
        self.conv = nn.Sequential(conv(), nn.ReLU(), conv(), nn.ReLU(), conv())
        if pool:
            one = lambda a, b: nn.Conv2d(a, b, 1, bias=False)
            self.pool = nn.Sequential(one(64, 256), nn.GroupNorm(4, 256), nn.ReLU(), one(256, 64))

    def forward(self, x):
        if hasattr(self, "pool"):
            x = x + self.pool(x)
        return F.relu(self.conv(x) + x)


class Taef(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.parts = {}
        for side in ("encoder", "decoder"):
            state = torch.load(os.path.join(weights, f"taef2_{side}.pth"), map_location="cpu", weights_only=True)
            last = max(int(k.split(".")[0]) for k in state)
            layers = []
            for at in range(last + 1):
                keys = [k[len(f"{at}."):] for k in state if k.startswith(f"{at}.")]
                if any(k.startswith("conv.") for k in keys):
                    layer = TaefBlock(any(k.startswith("pool.") for k in keys))
                elif "weight" in keys:
                    out, inputs = state[f"{at}.weight"].shape[:2]
                    stride = 2 if side == "encoder" and "bias" not in keys else 1
                    layer = nn.Conv2d(inputs, out, 3, stride, 1, bias="bias" in keys)
                elif side == "decoder" and at == 0:
                    layer = Bound()
                elif side == "decoder" and at == 2:
                    layer = nn.ReLU()
                else:
                    layer = nn.Upsample(scale_factor=2)
                layers.append(layer)
            network = nn.Sequential(*layers)
            network.load_state_dict(state)
            setattr(self, side, network)

    def forward(self, x):
        return self.decoder(self.encoder(x))


class Bound(nn.Module):
    def forward(self, x):
        return torch.tanh(x / 3) * 3


class Compact(nn.Module):
    def __init__(self, path):
        super().__init__()
        self.w = nn.ParameterDict({k.replace(".", "-"): v.float() for k, v in load_file(path).items()})

    def forward(self, x):
        h = x
        for i in range(18):
            h = F.conv2d(h, self.w[f"Conv_{2 * i}-weight"], self.w[f"Conv_{2 * i}-bias"], padding=1)
            if i < 17:
                h = F.prelu(h, self.w[f"PRelu_{2 * i + 1}-weight"])
        return F.pixel_shuffle(h, 4) + F.interpolate(x, scale_factor=4)


class Listed(nn.Module):
    """Convolutions of a file in their order."""

    def __init__(self, path):
        super().__init__()
        state = {k: v.float() for k, v in load_file(path).items()}
        names = [line.split()[1] for line in open(path.replace(".safetensors", ".param")) if line.startswith("Convolution ")]
        self.weights = nn.ParameterList(state[f"{n}.weight"] for n in names)
        self.biases = nn.ParameterList(state[f"{n}.bias"] for n in names)
        self.mean = nn.Parameter(state["/Constant_output_0"].view(1, 3, 1, 1) if "/Constant_output_0" in state else torch.zeros(1))

    def conv(self, at, x):
        weight = self.weights[at]
        return F.conv2d(x, weight, self.biases[at], padding=weight.shape[-1] // 2)


class Span(Listed):
    def forward(self, x):
        stem = self.conv(0, (x - self.mean) * 255)
        h, early = stem, None
        for block in range(6):
            first = F.silu(self.conv(3 * block + 1, h))
            third = self.conv(3 * block + 3, F.silu(self.conv(3 * block + 2, first)))
            h = (third + h) * (torch.sigmoid(third) - 0.5)
            early = h if early is None else early
        joint = self.conv(20, torch.cat([stem, self.conv(19, h), early, first], 1))
        return F.pixel_shuffle(self.conv(21, joint), 4)


class Dense(Listed):
    """RRDBNet (ESRGAN: Wang et al., ECCVW 2018, arXiv 1809.00219)."""

    def forward(self, x):
        act = lambda v: F.leaky_relu(v, 0.2)
        h = stem = self.conv(0, x)
        at = 1
        while at + 5 < len(self.weights) - 4:
            outer = h
            for _ in range(3):
                parts = [h]
                for _ in range(4):
                    parts.append(act(self.conv(at, torch.cat(parts, 1))))
                    at += 1
                h = h + 0.2 * self.conv(at, torch.cat(parts, 1))
                at += 1
            h = outer + 0.2 * h
        h = stem + self.conv(at, h)
        for step in (1, 2):
            h = act(self.conv(at + step, F.interpolate(h, scale_factor=2)))
        return self.conv(at + 4, act(self.conv(at + 3, h)))


# Our own.


class Up(nn.Module):
    def __init__(self, kind, width):
        super().__init__()
        self.kind = kind
        self.layer = {
            "transposed2": lambda: nn.ConvTranspose2d(width, width, 2, 2),
            "transposed3": lambda: nn.ConvTranspose2d(width, width, 3, 2, 1, 1),
            "transposed4": lambda: nn.ConvTranspose2d(width, width, 4, 2, 1),
            "shuffle": lambda: nn.Conv2d(width, 4 * width, 3, padding=1),
        }.get(kind, lambda: nn.Conv2d(width, width, 3, padding=1))()

    def forward(self, x):
        if self.kind in ("nearest", "bilinear", "bicubic"):
            x = F.interpolate(x, scale_factor=2, mode=self.kind)
        x = self.layer(x)
        return F.pixel_shuffle(x, 2) if self.kind == "shuffle" else x


class Own(nn.Module):
    def __init__(self, rng):
        super().__init__()
        pick = lambda *of: of[rng.integers(len(of))]
        self.stages = int(pick(1, 1, 2, 2, 3))
        self.kind = str(pick("transposed2", "transposed3", "transposed4", "shuffle", "nearest", "nearest", "bilinear", "bicubic"))
        self.bottleneck = str(pick("plain", "noise", "levels"))
        self.adversary = bool(rng.random() < 0.5)
        width = int(pick(32, 48, 64))
        kernel = int(pick(3, 3, 5))
        act = pick(nn.ReLU, nn.SiLU, nn.GELU, nn.ELU, lambda: nn.LeakyReLU(0.2))
        norm = pick(nn.Identity, nn.Identity, lambda: nn.GroupNorm(8, width))
        latent = {1: 9, 2: 16, 3: 32}[self.stages]
        conv = lambda a, b, k=3, s=1: nn.Conv2d(a, b, k, s, k // 2)

        def block(k):
            return Residual(nn.Sequential(norm(), act(), conv(width, width, k), norm(), act(), conv(width, width, 3)))

        down, up = [conv(3, width)], [conv(latent, width)]
        for _ in range(self.stages):
            down += [block(3), conv(width, width, 3, 2)]
            up += [block(kernel), Up(self.kind, width)]
        self.encoder = nn.Sequential(*down, block(3), act(), conv(width, latent))
        self.decoder = nn.Sequential(*up, block(3), act(), conv(width, 3))
        self.base = str(pick("nearest", "bilinear", "bicubic"))
        self.name = f"own-{self.stages}-{self.kind}-{self.bottleneck}-w{width}k{kernel}" + ("-adv" if self.adversary else "")

    def forward(self, x):
        small = F.avg_pool2d(x, 2**self.stages)
        z = self.encoder(x)
        z = torch.cat([z[:, :3] + small, z[:, 3:]], 1)
        if self.bottleneck == "noise":
            z = z + 0.03 * torch.randn_like(z)
        elif self.bottleneck == "levels":
            bounded = torch.tanh(z)
            z = bounded + (torch.round(bounded * 10) / 10 - bounded).detach()
        return self.decoder(z) + F.interpolate(z[:, :3], scale_factor=2**self.stages, mode=self.base)


class Residual(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


def trained(network, windows, steps, generator):
    """Absolute differences of pixels and of their neighbours; some also please a discriminator of patches (hinge)."""
    device = windows.device
    network = network.to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0, betas=(0.9, 0.99))
    judge = nn.Sequential(
        nn.Conv2d(3, 48, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(48, 96, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(96, 1, 3, 1, 1)
    ).to(device)
    judges = torch.optim.AdamW(judge.parameters(), lr=5e-4, weight_decay=0, betas=(0.5, 0.99))
    side = 96
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 20) * (1 - 0.95 * step / steps)
        i = torch.randint(len(windows), (24,), generator=generator)
        y, x = (int(v) for v in torch.randint((SIDE - side) // 8, (2,), generator=generator) * 8)
        truth = windows[i.to(device), y : y + side, x : x + side].permute(0, 3, 1, 2).float() / 255
        made = network(truth)
        error = made - truth
        found = error.abs().mean() + error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
        if network.adversary and step > steps // 3:
            found = found - 0.01 * judge(made).mean()
        optimizer.zero_grad()
        found.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if network.adversary and step > steps // 4:
            judges.zero_grad()
            (F.relu(1 - judge(truth)).mean() + F.relu(1 + judge(made.detach())).mean()).backward()
            judges.step()
    print(f"{network.name}: loss {found.item():.4f}", flush=True)
    return network.eval()


def upsampled(network, x, generator):
    by = int([2, 2, 3, 4][torch.randint(4, (1,), generator=generator)])
    mode = ["bicubic", "bilinear", "area"][torch.randint(3, (1,), generator=generator)]
    size = [-(-side // by) for side in x.shape[2:]]
    small = F.interpolate(x, size=size, mode=mode, **({} if mode == "area" else {"antialias": True}))
    large = network((small.clamp(0, 1) * 255).round() / 255).clamp(0, 1)
    return F.interpolate(large, size=x.shape[2:], mode="bicubic", antialias=True)


def authentic(data, limit):
    """Central windows on the pictures' block grid, with their places."""
    with open(os.path.join(data, "manifest.tsv"), newline="") as file:
        rows = [r for r in csv.DictReader(file, delimiter="\t") if r["split"] == "train" and r["label"] == "0"]
    other = (".mp4", ".gif", ".webm", ".mov", ".avi", ".mkv", ".whole.jpg")
    paths = sorted(r["path"] for r in rows if not r["path"].lower().endswith(other))
    if limit:
        paths = paths[:: max(1, len(paths) // limit)]
    windows, places = [], []
    for path in paths:
        picture = Image.open(os.path.join(data, path)).convert("RGB")
        if min(picture.size) >= SIDE:
            left, top = ((side - SIDE) // 2 // 8 * 8 for side in picture.size)
            windows.append(np.asarray(picture.crop((left, top, left + SIDE, top + SIDE))))
            places.append((path, left, top))
    return np.stack(windows), places


def published(name, weights):
    file = os.path.join(weights, f"{name}.safetensors")
    if name == "taef2":
        return Taef(weights)
    return Compact(file) if name == "compact" else Span(file) if name.startswith("span") else Dense(file)


def part(args):
    """Every PARTS-th maker."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    windows = np.load(os.path.join(args.out, "windows.npy"))
    pixels = torch.from_numpy(windows).to(device)
    rng = np.random.default_rng(SEED)
    own = [Own(rng) for _ in range(args.own)]
    makers = PUBLISHED + [network.name for network in own]
    ranks = np.random.default_rng(SEED + 1).random((len(windows), len(makers))).argsort(1)
    for m in range(args.part, len(makers), PARTS):
        generator = torch.Generator().manual_seed(SEED + m)
        torch.manual_seed(SEED + m)
        if m >= len(PUBLISHED):
            network = own[m - len(PUBLISHED)]
            network = trained(network, pixels, args.steps * min(2, network.stages), generator)
        else:
            network = published(makers[m], args.weights).to(device).eval()
        enlarges = 0 < m < len(PUBLISHED)
        index = np.nonzero((ranks[:, :EACH] == m).any(1))[0]
        made = []
        with torch.no_grad():
            for at in range(0, len(index), 16):
                real = pixels[torch.from_numpy(index[at : at + 16]).to(device)].permute(0, 3, 1, 2).float() / 255
                strength = (torch.rand(len(real), generator=generator) < 0.5).float().to(device)
                x = aligned(upsampled(network, real, generator) if enlarges else network(real), real, strength)
                made.append((x * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy())
        made = np.concatenate(made) if made else np.zeros((0, SIDE, SIDE, 3), np.uint8)
        np.savez(os.path.join(args.out, f"{m:02}.npz"), index=index, made=made, name=makers[m])
        print(f"{makers[m]}: {len(index)} windows", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("data", "weights", "out"):
        parser.add_argument(name)
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--limit", type=int, help="only so many windows")
    parser.add_argument("--own", type=int, default=OWN, help="autoencoders of our own")
    parser.add_argument("--steps", type=int, default=500, help="of an autoencoder with one halving")
    args = parser.parse_args()
    if args.part is not None:
        return part(args)
    os.makedirs(args.out, exist_ok=True)
    windows, places = authentic(args.data, args.limit)
    np.save(os.path.join(args.out, "windows.npy"), windows)
    with open(os.path.join(args.out, "windows.tsv"), "w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows(places)
    again = [sys.executable, __file__, *sys.argv[1:], "--part"]
    running = [subprocess.Popen([*again, str(i)]) for i in range(PARTS)]
    failed = [process.wait() for process in running]
    if any(failed):
        sys.exit("a maker failed")


if __name__ == "__main__":
    main()

"""Fits low-rank updates (LoRA) of the default's rounded tower together with a head, on aligned pairs and pictures.

Run: python3 adapt.py DATA MADE TOWER OUT (PyTorch, NumPy, Pillow, safetensors; one GPU, a few minutes).
DATA is the data set, MADE the folder of makers.py, TOWER the file tower-*.safetensors that
`realscope train recipes/adapted.toml` leaves: matrices on lattices. Writes
OUT/all.safetensors, fitted on all folds, and for every fold OUT/FOLD.safetensors, which never saw it; recipes take the
folder as `adapter`. `--limit N --steps N` try it on a CPU.

The matrices stay as they are rounded and the input of the MLP's second product is rounded to eight bits as an engine
does (gradients pass through), so that updates and head know what ships (after QLoRA: Dettmers et al., NeurIPS 2023,
arXiv 2305.14314); the other inputs, whose rounding is a tenth of that, stay as they are.
A batch is half windows of aligned pairs (an authentic picture and what a maker of pairs made of it, the same delivery,
both through JPEG q95 first), three eighths whole pictures and an eighth windows at native resolution. The head is
fitted on the frozen tower first. What is written is the tower at SHARE of the way that the updates went (after WiSE-FT:
Wortsman et al., CVPR 2022, arXiv 2109.01903). For how this was chosen see docs/experiments.md.
"""

import argparse
import csv
import glob
import io
import math
import multiprocessing
import os
import zlib
from collections import Counter

import numpy as np
import torch
from PIL import Image, ImageFilter
from safetensors.numpy import save_file
from safetensors.torch import load_file
from torch.nn import functional as F

SIDE, STORED, WINDOW = 224, 272, 512
BLOCKS, READ, HIDDEN, HEADS = 10, 3, 768, 12
WIDTH = 3 * READ * HIDDEN
WHOLES, WINDOWS, VERSIONS = 10, 8, 3  # deliveries of a picture, of its windows, of a pair
RANK, SCALING, RATE, HEAD_RATE, DECAY = 4, 2.0, 2e-4, 5e-5, 0.05
STEPS, BATCH, PAIRED, WINDOWED, SHARE = 400, 128, 0.5, 0.25, 0.5
SMOOTHING, DROPOUT, GROUP_POWER = 0.06, 0.1, 0.6
FLAT = 8  # deviation of a window in grey levels
MATRICES = {name: f"self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj", "out_proj")}
MATRICES |= {name: f"mlp.{name}" for name in ("fc1", "fc2")}
FILTERS = [Image.BILINEAR, Image.BICUBIC, Image.LANCZOS, Image.BOX]


# Deliveries, the same for both classes.


def encoded(picture, kind, quality, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, quality=int(quality), **options)
    buffer.seek(0)
    return Image.open(buffer).convert("RGB")


def square(picture, rng):
    """The shorter side brought to the input's, a random place along the longer one."""
    by = SIDE / min(picture.size)
    size = [max(SIDE, round(side * by)) for side in picture.size]
    picture = picture.resize(size, Image.BICUBIC) if by != 1 else picture
    left, top = (int(rng.integers(side - SIDE + 1)) for side in size)
    return np.asarray(picture.crop((left, top, left + SIDE, top + SIDE)))


def plan(rng, rescaled, least):
    jpeg = lambda least: (rng.integers(least, 98), 2 if rng.random() < 0.7 else 0)
    return {
        "scale": rng.uniform(least, 1) if rng.random() < rescaled else 1,
        "filter": FILTERS[rng.integers(4)],
        "first": jpeg(70) if rng.random() < 0.8 / 3 else None,
        "blur": rng.uniform(0.3, 1.2) if rng.random() < 0.1 else 0,
        "noise": (rng.uniform(0.5, 5), int(rng.integers(2**31))) if rng.random() < 0.1 else None,
        "colour": rng.uniform(0.85, 1.15, 3) if rng.random() < 0.3 else None,
        "webp": rng.integers(45, 96) if rng.random() < 0.1 else None,
        "jpeg": jpeg(35) if rng.random() < 0.8 else None,
    }


def delivered(picture, how):
    if how["first"]:
        picture = encoded(picture, "JPEG", how["first"][0], subsampling=how["first"][1])
    if how["scale"] != 1:
        size = [max(16, round(side * how["scale"])) for side in picture.size]
        picture = picture.resize(size, how["filter"])
    if how["blur"]:
        picture = picture.filter(ImageFilter.GaussianBlur(how["blur"]))
    if how["noise"] or how["colour"] is not None:
        values = np.asarray(picture).astype(np.float32)
        if how["noise"]:
            strength, seed = how["noise"]
            values = values + np.random.default_rng(seed).normal(0, strength, values.shape)
        if how["colour"] is not None:
            values = values * how["colour"]
        picture = Image.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8))
    if how["webp"]:
        picture = encoded(picture, "WEBP", how["webp"], method=2)
    if how["jpeg"]:
        picture = encoded(picture, "JPEG", how["jpeg"][0], subsampling=how["jpeg"][1])
    return picture


def opened(path):
    return Image.open(path).convert("RGB")


def views(task):
    """Deliveries of a whole picture, then windows at native resolution."""
    data, path = task
    rng = np.random.default_rng(zlib.crc32(path.encode()))
    stored = opened(os.path.join(data, path))
    sibling = os.path.join(data, path.replace(".crop.jpg", ".whole.jpg"))
    whole = opened(sibling) if os.path.isfile(sibling) else stored
    if max(whole.size) > STORED:
        by = STORED / max(whole.size)
        whole = whole.resize([max(8, round(side * by)) for side in whole.size], Image.LANCZOS)
    out = []
    for _ in range(WHOLES):
        a, b = rng.random(), rng.random()
        w, h = (max(1, int(side * (0.85 + 0.15 * v))) for side, v in zip(whole.size, (a, b)))
        left, top = int(b * (whole.width - w)), int(a * (whole.height - h))
        cut = whole.crop((left, top, left + w, top + h))
        out.append(square(delivered(cut, plan(rng, 0.7, 0.45)), rng))
    most = min(*stored.size, WINDOW)
    for _ in range(WINDOWS):
        least = min(SIDE, most)
        side = least if rng.random() < 0.5 else int(rng.integers(least, most + 1))
        left, top = (int(rng.integers(edge - side + 1)) for edge in stored.size)
        cut = stored.crop((left, top, left + side, top + side))
        out.append(square(delivered(cut, plan(rng, 0.4, 0.6)), rng))
    return np.stack(out)


def pair_views(task):
    """Versions of a pair: authentic, made, authentic, made."""
    key, *both = task
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    both = [encoded(Image.fromarray(pixels), "JPEG", 95, subsampling=0) for pixels in both]
    out = []
    for _ in range(VERSIONS):
        how = plan(rng, 0.3, 0.6)
        out += [square(delivered(picture, how), rng) for picture in both]
    return np.stack(out)


# The tower.


def by_token(x):
    """Unsigned eight bits with a range of its own for each token."""
    low = x.amin(2, keepdim=True)
    step = ((x.amax(2, keepdim=True) - low) / 255).clamp(min=1e-12)
    return torch.round((x - low) / step) * step + low


class Rounded(torch.autograd.Function):
    """What an engine makes of a product's input; the gradient passes as it is."""

    @staticmethod
    def forward(context, x, how):
        return how(x.float()).to(x.dtype)

    @staticmethod
    def backward(context, gradient):
        return gradient, None


class Tower:
    """The rounded weights, and features under updates of its matrices."""

    def __init__(self, path, device):
        prefix = "vision_model."
        self.rest = {
            name[len(prefix) :]: value.float().to(device)
            for name, value in load_file(path).items()
            if name.startswith(prefix)
        }
        self.matrices = {
            (block, name): self.rest.pop(f"encoder.layers.{block}.{key}.weight")
            for block in range(BLOCKS)
            for name, key in MATRICES.items()
        }
        # Training needs the range of bfloat16, features the digits of half floats.
        self.cuda = device.type == "cuda"
        kinds = (torch.bfloat16, torch.float16) if self.cuda else (torch.float32,)
        self.cast = {kind: {name: v.to(kind) for name, v in self.rest.items()} for kind in kinds}
        pixel = lambda v: torch.tensor(v, device=device) * 255
        self.mean = pixel([0.48145466, 0.4578275, 0.40821073])
        self.deviation = pixel([0.26862954, 0.26130258, 0.27577711])
        # Fused, rounding costs little.
        self.by_token = torch.compile(by_token, dynamic=True) if self.cuda else by_token

    def norm(self, x, name):
        return F.layer_norm(x, (HIDDEN,), self.rest[f"{name}.weight"], self.rest[f"{name}.bias"], 1e-5)

    def features(self, pixels, matrices):
        """Class token, mean and deviation of the patch tokens of the last blocks, for `[n, 224, 224, 3]` bytes."""
        kind = matrices[0, "fc1"].dtype
        cast = self.cast[kind]
        x = ((pixels.float() - self.mean) / self.deviation).permute(0, 3, 1, 2).to(kind)
        x = F.conv2d(x, cast["embeddings.patch_embedding.weight"], stride=16).flatten(2).transpose(1, 2)
        first = cast["embeddings.class_embedding"].expand(len(x), 1, HIDDEN)
        x = torch.cat([first, x], 1).float() + self.rest["embeddings.position_embedding.weight"]
        x = self.norm(x, "pre_layrnorm")
        out = []
        for block in range(BLOCKS):
            stem = f"encoder.layers.{block}."

            def linear(value, name):
                return F.linear(value, matrices[block, name], cast[f"{stem}{MATRICES[name]}.bias"])

            h = self.norm(x, stem + "layer_norm1").to(kind)
            q, k, v = (
                linear(h, name).view(len(h), -1, HEADS, HIDDEN // HEADS).transpose(1, 2)
                for name in ("q_proj", "k_proj", "v_proj")
            )
            h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
            x = x + linear(h, "out_proj").float()
            h = linear(self.norm(x, stem + "layer_norm2").to(kind), "fc1")
            h = Rounded.apply(h * torch.sigmoid(1.702 * h), self.by_token)
            x = x + linear(h, "fc2").float()
            if block >= BLOCKS - READ:
                patches = x[:, 1:]
                deviation = (patches.var(1, unbiased=False) + 1e-6).sqrt()
                out += [x[:, 0], patches.mean(1), deviation]
        return torch.cat(out, 1)

    def updated(self, factors):
        """Matrices for training."""
        kind = torch.bfloat16 if self.cuda else torch.float32
        sums = {key: self.matrices[key] + SCALING * (b @ a) for key, (a, b) in factors.items()}
        return {key: w.to(kind) for key, w in sums.items()}

    def frozen(self):
        kind = torch.float16 if self.cuda else torch.float32
        return {key: w.to(kind) for key, w in self.matrices.items()}


class Head(torch.nn.Module):
    """A linear layer on standardised features."""

    def __init__(self, rows):
        super().__init__()
        self.register_buffer("mean", rows.mean(0))
        self.register_buffer("deviation", rows.std(0) + 1e-3)
        self.weight = torch.nn.Parameter(torch.zeros_like(self.mean))
        self.bias = torch.nn.Parameter(torch.zeros(1, device=rows.device))

    def forward(self, features):
        return F.dropout((features - self.mean) / self.deviation, DROPOUT) @ self.weight + self.bias


def loss(logits, labels):
    return F.binary_cross_entropy_with_logits(logits, labels * (1 - SMOOTHING) + SMOOTHING / 2)


def group_weights(items, chosen):
    """Classes count alike, groups within them by a power of their size."""
    sizes = Counter((items[i]["label"], items[i]["group"]) for i in chosen)
    totals = Counter()
    for (label, _), n in sizes.items():
        totals[label] += n**GROUP_POWER
    key = lambda i: (items[i]["label"], items[i]["group"])
    return [sizes[key(i)] ** (GROUP_POWER - 1) / totals[items[i]["label"]] for i in chosen]


def first_head(cached, chosen, weights, labels):
    """The head on the frozen tower: whole pictures twice as often as windows."""
    head = Head(cached[chosen].float().flatten(0, 1))
    optimizer = torch.optim.AdamW(head.parameters(), lr=5e-4, weight_decay=DECAY)
    columns = torch.tensor([1 / WHOLES] * WHOLES + [0.5 / WINDOWS] * WINDOWS, device=cached.device)
    steps = 8 * 3 * len(chosen) // 256
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 5e-4 * 0.5 * (1 + math.cos(math.pi * step / steps))
        i = chosen[torch.multinomial(weights, 256, True)]
        rows = cached[i, torch.multinomial(columns, 256, True)].float()
        optimizer.zero_grad()
        loss(head(rows), labels[i]).backward()
        optimizer.step()
    return head


def adapt(tower, head, pictures, pairs, labels, chosen, weights, allowed, steps):
    """Fits updates and head; the factors by matrix."""
    device = pictures.device
    factors = {}
    for key, matrix in tower.matrices.items():
        outputs, inputs = matrix.shape
        a = torch.randn(RANK, inputs, device=device) / inputs**0.5
        factors[key] = [torch.nn.Parameter(a), torch.nn.Parameter(torch.zeros(outputs, RANK, device=device))]
    updates = [f for both in factors.values() for f in both]
    groups = [{"params": updates, "base": RATE}, {"params": [head.weight, head.bias], "base": HEAD_RATE}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, weight_decay=DECAY)
    batch = BATCH if device.type == "cuda" else 8
    twice = int(batch * PAIRED) // 2
    single = batch - 2 * twice
    any_of = lambda n, size: torch.randint(n, (size,), device=device)
    for step in range(steps):
        cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * min(1, (step + 1) / 20) * cosine
        i = chosen[torch.multinomial(weights, single, True)]
        windowed = torch.rand(single, device=device) < WINDOWED
        column = torch.where(windowed, WHOLES + any_of(WINDOWS, single), any_of(WHOLES, single))
        flip = lambda x, mask: torch.where(mask[:, None, None, None], x.flip(2), x)
        mask = torch.rand(single, device=device) < 0.5
        j, version = allowed[any_of(len(allowed), twice)], any_of(VERSIONS, twice)
        same = torch.rand(twice, device=device) < 0.5
        x = [flip(pictures[i, column], mask)]
        x += [flip(pairs[j, 2 * version + made], same) for made in (0, 1)]
        zeros = torch.zeros(twice, device=device)
        y = torch.cat([labels[i], zeros, zeros + 1])
        optimizer.zero_grad()
        found = loss(head(tower.features(torch.cat(x), tower.updated(factors))), y)
        found.backward()
        torch.nn.utils.clip_grad_norm_(updates, 1.0)
        optimizer.step()
    print(f"{steps} steps, loss {found.item():.3f}", flush=True)
    return factors


def save(path, factors, head):
    out = {}
    for (block, name), (a, b) in factors.items():
        stem = f"vision_model.encoder.layers.{block}.{MATRICES[name]}.lora_"
        out[f"{stem}A.weight"] = a.detach().half().cpu().numpy()
        out[f"{stem}B.weight"] = (SHARE * SCALING * b.detach()).half().cpu().numpy()
    weight = (head.weight / head.deviation).detach()
    bias = head.bias.detach().double() - (weight.double() * head.mean.double()).sum()
    out["head.weight"] = weight[None].cpu().numpy()
    out["head.bias"] = bias.float().cpu().numpy()
    save_file(out, path)


def read_items(data):
    with open(os.path.join(data, "manifest.tsv"), newline="") as file:
        rows = [r for r in csv.DictReader(file, delimiter="\t") if r["split"] == "train"]
    clip = (".mp4", ".gif", ".webm", ".mov", ".avi", ".mkv", ".whole.jpg")
    return sorted((r for r in rows if not r["path"].lower().endswith(clip)), key=lambda r: r["path"])


def read_pairs(folder):
    """Authentic picture, its window and what was made of it; flat windows show no trace."""
    windows = np.load(os.path.join(folder, "windows.npy"))
    with open(os.path.join(folder, "windows.tsv"), newline="") as file:
        paths = [row[0] for row in csv.reader(file, delimiter="\t")]
    textured = windows.std((1, 2, 3)) >= FLAT
    for file in sorted(glob.glob(os.path.join(folder, "[0-9]*.npz"))):
        maker = np.load(file)
        for i, made in zip(maker["index"], maker["made"]):
            if textured[i]:
                yield paths[i], (f"{paths[i]}/{maker['name']}", windows[i], made)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("data", "made", "tower", "out"):
        parser.add_argument(name)
    parser.add_argument("--limit", type=int, help="only so many pictures and pairs")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    items, found = read_items(args.data), list(read_pairs(args.made))
    folds = {r["path"]: r["fold"] for r in items}
    if args.limit:
        items = items[:: max(1, len(items) // args.limit)][: args.limit]
        found = found[:: max(1, len(found) // args.limit)][: args.limit]
    with multiprocessing.Pool(args.processes) as pool:
        pictures = np.stack(pool.map(views, [(args.data, r["path"]) for r in items], 8))
        pairs = np.stack(pool.map(pair_views, [task for _, task in found], 8))
    print(f"{len(items)} pictures, {len(found)} pairs", flush=True)
    pictures, pairs = (torch.from_numpy(v).to(device) for v in (pictures, pairs))
    tower = Tower(args.tower, device)
    frozen = tower.frozen()
    cached = torch.empty(*pictures.shape[:2], WIDTH, dtype=torch.float16, device=device)
    with torch.no_grad():
        for column in range(pictures.shape[1]):
            for at in range(0, len(items), 256):
                part = pictures[at : at + 256, column]
                cached[at : at + 256, column] = tower.features(part, frozen).half()
    labels = torch.tensor([float(r["label"]) for r in items], device=device)
    os.makedirs(args.out, exist_ok=True)
    for fold in ["all", *sorted(set(folds.values()))]:
        seen = [i for i, r in enumerate(items) if r["fold"] != fold]
        allowed = [i for i, p in enumerate(found) if folds.get(p[0], fold) != fold]
        weights = torch.tensor(group_weights(items, seen), device=device)
        seen, allowed = (torch.tensor(v, device=device) for v in (seen, allowed))
        head = first_head(cached, seen, weights, labels)
        factors = adapt(tower, head, pictures, pairs, labels, seen, weights, allowed, args.steps)
        save(os.path.join(args.out, f"{fold}.safetensors"), factors, head)


if __name__ == "__main__":
    main()

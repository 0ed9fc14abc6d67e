"""What is usual of authentic photographs: percentiles of the signals that a scan shows and does not judge by.

python3 scripts/usual.py MANIFEST | (cd FOLDER && realscope scan --format ndjson -) | python3 scripts/usual.py
python3 scripts/usual.py MANIFEST | (cd FOLDER && head -300 | python3 scripts/usual.py --shrink OUT)

The first line lists pictures of a manifest (authentic, of the training split, with the pixels of their source file, at
most 30 of a group), scans them and prints the percentiles. The second makes copies at 60% of the size as PNG, which
have no grid; it needs Pillow. `crates/realscope/src/scanner/evidence.rs` has the numbers.
"""

import csv
import hashlib
import json
import math
import sys

MOST_OF_A_GROUP = 30
UNTOUCHED = ("original-pixels", "lossless-crop")
CODES = ("noise_level", "blocking_grid", "resampling")


def pictures(manifest):
    """Paths, by the hash of their names, so that the choice depends on nothing else."""
    with open(manifest, newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    rows.sort(key=lambda r: hashlib.sha256(r["path"].encode()).digest())
    taken = {}
    for row in rows:
        if (row["split"], row["label"]) != ("train", "0") or row["stored_as"] not in UNTOUCHED:
            continue
        taken[row["group"]] = taken.get(row["group"], 0) + 1
        if taken[row["group"]] <= MOST_OF_A_GROUP:
            yield row["path"]


def percentile(values, share):
    """Linear between the two nearest ranks."""
    values = sorted(values)
    at = share * (len(values) - 1)
    low = math.floor(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (at - low) * (values[high] - values[low])


def shrink(folder):
    """Copies of the pictures on standard input that have no 8x8 grid."""
    from PIL import Image

    for number, line in enumerate(sys.stdin):
        picture = Image.open(line.strip()).convert("RGB")
        size = (int(picture.width * 0.6), int(picture.height * 0.6))
        picture.resize(size, Image.Resampling.LANCZOS).save(f"{folder}/{number}.png")


if sys.argv[1:2] == ["--shrink"]:
    shrink(sys.argv[2])
elif len(sys.argv) > 1:
    print("\n".join(pictures(sys.argv[1])))
else:
    found = {code: [] for code in CODES}
    for line in sys.stdin:
        for evidence in json.loads(line)["evidence"]:
            if evidence["code"] in found:
                found[evidence["code"]].append(evidence["value"])
    for code, values in found.items():
        marks = ", ".join(f"{percentile(values, share):.3f}" for share in (0.05, 0.5, 0.95))
        print(f"{code}: {len(values)} pictures, 5th, 50th and 95th percentile {marks}")

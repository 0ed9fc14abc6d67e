"""Times `realscope eval metrics` on a large CSV against Polars and NumPy in the same run.

usage: compare_metrics.py REALSCOPE [ROWS]     (needs polars and numpy)

Makes the CSV (200 groups, two classes), then runs, by turns and three times each: `eval metrics` with 1,000 resamples by
group, and a script that reads the file, checks paths and scores, and takes AUC, AP, EER, Brier score, negative
log-likelihood, ECE and accuracy, without intervals. Prints the least seconds of each, peak memory, the ratio, and the values.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

PEER = """
import sys
import numpy as np
import polars as pl

d = pl.read_csv(sys.argv[1])
assert d["path"].n_unique() == len(d)
y, s = d["label"].to_numpy(), d["score"].to_numpy()
assert np.isfinite(s).all()
order = np.argsort(-s, kind="stable")
y_sorted, s_sorted = y[order], s[order]
tp = np.cumsum(y_sorted)
fp = np.arange(1, len(tp) + 1) - tp
last = np.r_[s_sorted[1:] != s_sorted[:-1], True]
tp, fp = tp[last], fp[last]
tpr, fpr = np.r_[0, tp / tp[-1]], np.r_[0, fp / fp[-1]]
p = np.clip(s, np.finfo(float).eps, 1 - np.finfo(float).eps)
bins = np.clip(np.ceil(s * 15).astype(int) - 1, 0, 14)
print(
    np.trapezoid(tpr, fpr),
    np.sum(np.diff(tpr) * tp / (tp + fp)),
    fpr[np.argmin(abs(fpr - (1 - tpr)))],
    np.mean((s - y) ** 2),
    -np.mean(np.where(y == 1, np.log(p), np.log(1 - p))),
    abs(np.bincount(bins, s, 15) - np.bincount(bins, y, 15)).sum() / len(s),
    np.mean((s >= 0.5) == (y == 1)),
)
"""
KEYS = ["auc", "ap", "eer", "brier", "nll", "ece", "accuracy"]


def timed(command):
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} failed")
    return time.perf_counter() - begun, usage.ru_maxrss / 1024, out


def make(path, rows):
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    group = rng.integers(0, 200, rows)
    label = group % 2
    columns = {
        "path": [f"p/{i:08}.jpg" for i in range(rows)],
        "label": label,
        "group": [f"g{g}" for g in group],
        "score": np.clip(rng.normal(0.4 + 0.2 * label, 0.2), 0, 1),
    }
    pl.DataFrame(columns).write_csv(path)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--make":
        return make(sys.argv[2], int(sys.argv[3]))
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "predictions.csv")
        # In a process of its own: a child's peak memory counts what its parent holds when it starts.
        subprocess.run([sys.executable, __file__, "--make", path, str(rows)], check=True)
        ours, theirs = [], []
        for _ in range(3):
            ours.append(timed([sys.argv[1], "eval", "metrics", path, "--format", "json"]))
            theirs.append(timed([sys.executable, "-c", PEER, path]))
    mine, peer = min(ours), min(theirs)
    values = json.loads(mine[2])
    print(f"{rows} rows: realscope {mine[0]:.2f} s, {mine[1]:.0f} MiB (1,000 resamples)")
    print(f"Polars and NumPy {peer[0]:.2f} s, {peer[1]:.0f} MiB; ratio {mine[0] / peer[0]:.2f}")
    print("realscope       ", *(f"{values[k]['value']:.6f}" for k in KEYS))
    print("Polars and NumPy", *(f"{float(v):.6f}" for v in peer[2].split()))


if __name__ == "__main__":
    main()

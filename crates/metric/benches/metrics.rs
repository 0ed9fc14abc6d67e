//! Time of all measures and of the bootstrap, as a ratio to scikit-learn in the same run.
//!
//! `cargo bench -p realscope-metric` prints seconds; with `REALSCOPE_PYTHON` naming an interpreter that has
//! NumPy and scikit-learn, also the ratio. `REALSCOPE_BENCH_ROWS` sets the number of rows (1,000,000).

use std::process::Command;
use std::time::Instant;

use realscope_metric::{Scores, ap, auc, bootstrap, brier, ece, eer, nll};

const SCRIPT: &str = "
import sys, time, numpy as np
from sklearn import metrics as m
n = int(sys.argv[1])
i = np.arange(n, dtype=np.uint64)
y = (i % 3 == 0).astype(int)
u = ((i * np.uint64(2654435761)) % np.uint64(1000003)).astype(float) / 1000003.0
s = np.clip(0.7 * u + 0.3 * y, 0, 1)
t = time.perf_counter()
m.roc_auc_score(y, s); m.average_precision_score(y, s); m.roc_curve(y, s)
m.brier_score_loss(y, s); m.log_loss(y, s)
print(time.perf_counter() - t)
";

fn main() {
    let n: usize = std::env::var("REALSCOPE_BENCH_ROWS")
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(1_000_000);
    let rows: Vec<(f64, bool, u32)> = (0..n as u64)
        .map(|i| {
            let positive = i % 3 == 0;
            let u = (i.wrapping_mul(2_654_435_761) % 1_000_003) as f64 / 1_000_003.0;
            let score = (0.7 * u + 0.3 * f64::from(u8::from(positive))).min(1.0);
            (score, positive, (i % 200) as u32)
        })
        .collect();
    let begun = Instant::now();
    let scores = Scores::new(rows);
    let v = scores.all();
    let values = [
        auc::auc(&v),
        ap::average_precision(&v),
        eer::eer(&v),
        brier::brier(&v),
        nll::nll(&v),
        ece::equal_width(&v).map(|b| ece::error(&b)),
    ];
    let ours = begun.elapsed().as_secs_f64();
    println!("{n} rows, six measures: {ours:.3} s ({values:?})");
    let begun = Instant::now();
    let interval = bootstrap::intervals(&scores, 1000, 1, &ece::edges(), |v| {
        [auc::auc(v), eer::eer(v), brier::brier(v)]
    });
    println!(
        "1,000 resamples by group, three measures: {:.3} s ({interval:?})",
        begun.elapsed().as_secs_f64()
    );
    if let Some(python) = std::env::var_os("REALSCOPE_PYTHON") {
        let output = Command::new(python)
            .args(["-c", SCRIPT, &n.to_string()])
            .output()
            .expect("the interpreter starts");
        let text = String::from_utf8_lossy(&output.stdout);
        match text.trim().parse::<f64>() {
            Ok(theirs) => println!(
                "scikit-learn: {theirs:.3} s; ours takes {:.2} of it",
                ours / theirs
            ),
            Err(_) => println!("scikit-learn: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}

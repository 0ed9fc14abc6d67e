//! Coverage-risk curve of abstention: decisions are kept in order of confidence `|p - threshold|`;
//! the risk is the share of wrong ones among those kept (El-Yaniv and Wiener, JMLR 2010).

use super::View;

/// Share kept and share wrong among them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept {
    /// Share of all rows.
    pub coverage: f64,
    /// Share of wrong decisions among them.
    pub risk: f64,
}

/// The curve, most confident first; equally confident rows come in together.
#[must_use]
pub fn coverage_risk(v: &View<'_>, threshold: f64) -> Vec<Kept> {
    let mut rows: Vec<(f64, f64, f64)> = v
        .rows()
        .filter(|r| r.2 > 0.0)
        .map(|(p, positive, t)| {
            let wrong = (p >= threshold) != positive;
            ((p - threshold).abs(), t * f64::from(u8::from(wrong)), t)
        })
        .collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut kept, mut wrong) = (0.0, 0.0);
    let mut curve = Vec::new();
    for (i, (confidence, bad, times)) in rows.iter().enumerate() {
        kept += times;
        wrong += bad;
        if rows.get(i + 1).is_none_or(|next| next.0 != *confidence) {
            curve.push(Kept {
                coverage: kept / v.total(),
                risk: wrong / kept,
            });
        }
    }
    curve
}

/// Area under the curve by steps of coverage: mean risk over all coverages.
#[must_use]
pub fn area(curve: &[Kept]) -> Option<f64> {
    let mut last = 0.0;
    let mut sum = 0.0;
    for k in curve {
        sum += (k.coverage - last) * k.risk;
        last = k.coverage;
    }
    (!curve.is_empty()).then_some(sum)
}

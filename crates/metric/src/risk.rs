//! Coverage-risk curve of abstention: decisions are kept in order of confidence `|p - threshold|`;
//! the risk is the share of wrong ones among those kept (El-Yaniv and Wiener, JMLR 2010).

use crate::scores::Drawn;

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
pub fn coverage_risk(v: &Drawn<'_>, threshold: f64) -> Vec<Kept> {
    let row = |(p, positive, t): (f64, bool, f64)| {
        let wrong = (p >= threshold) != positive;
        ((p - threshold).abs(), t * f64::from(u8::from(wrong)), t)
    };
    let drawn = |r: &(f64, bool, f64)| r.2 > 0.0;
    // From both ends of the scores confidence falls towards the threshold, so two runs in order merge.
    let mut above = v
        .rows()
        .take_while(|r| r.0 >= threshold)
        .filter(drawn)
        .map(row)
        .peekable();
    let mut below = v
        .rows()
        .rev()
        .take_while(|r| r.0 < threshold)
        .filter(drawn)
        .map(row)
        .peekable();
    let (mut kept, mut wrong) = (0.0, 0.0);
    let mut curve = Vec::new();
    loop {
        let upper = above.peek().map(|r| r.0);
        let lower = below.peek().map(|r| r.0);
        let Some(confidence) = upper.into_iter().chain(lower).reduce(f64::max) else {
            return curve;
        };
        let same = |r: &(f64, f64, f64)| r.0 == confidence;
        while let Some((_, bad, times)) = above.next_if(same).or_else(|| below.next_if(same)) {
            kept += times;
            wrong += bad;
        }
        curve.push(Kept {
            coverage: kept / v.total(),
            risk: wrong / kept,
        });
    }
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

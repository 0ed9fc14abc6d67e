//! What a check found, and its sentences for people.

use std::collections::BTreeMap;

use serde::Serialize;

/// Two items that show the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Twin {
    /// Paths.
    pub paths: [String; 2],
    /// `bytes` (same file) or `perceptual` (same picture, differently encoded).
    pub kind: String,
    /// Whether they lie in two splits.
    pub across_splits: bool,
    /// Whether they have two labels.
    pub labels_differ: bool,
}

/// How well something that is no trace tells the classes apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confound {
    /// What the baseline sees.
    pub baseline: String,
    /// AUC out of sample, folds by group; null when a class is missing or has a single group.
    pub auc: Option<f64>,
    /// Whether that is better than chance allows: above .60 or below .40.
    pub warning: bool,
}

/// The findings.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Findings {
    /// Items by class, authentic first.
    pub items: [usize; 2],
    /// Items that could not be decoded, with the reason.
    pub unreadable: Vec<(String, String)>,
    /// Duplicates.
    pub twins: Vec<Twin>,
    /// Groups that lie in more than one split.
    pub groups_across_splits: Vec<String>,
    /// Videos that lie in more than one split.
    pub videos_across_splits: Vec<String>,
    /// Match sets with a single class.
    pub one_sided_match_sets: Vec<String>,
    /// Share of each format by class.
    pub formats: BTreeMap<String, [usize; 2]>,
    /// Baselines.
    pub confounds: Vec<Confound>,
}

impl Findings {
    /// Sentences for people, worst first.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut out = Vec::new();
        let crossing = self.twins.iter().filter(|t| t.across_splits).count();
        if crossing > 0 {
            out.push(format!("{crossing} duplicates lie in two splits"));
        }
        let contradicting = self.twins.iter().filter(|t| t.labels_differ).count();
        if contradicting > 0 {
            out.push(format!("{contradicting} duplicates have two labels"));
        }
        for (what, list) in [
            ("group", &self.groups_across_splits),
            ("video", &self.videos_across_splits),
        ] {
            if !list.is_empty() {
                out.push(format!(
                    "{} {what}s lie in more than one split: {}",
                    list.len(),
                    list.iter().take(5).cloned().collect::<Vec<_>>().join(", ")
                ));
            }
        }
        for c in self.confounds.iter().filter(|c| c.warning) {
            out.push(format!(
                "{} alone tells the classes apart with AUC {:.2}: encode and cut both alike before \
                 you believe an accuracy",
                c.baseline,
                c.auc.unwrap_or(0.5)
            ));
        }
        if !self.unreadable.is_empty() {
            out.push(format!("{} items cannot be decoded", self.unreadable.len()));
        }
        for set in &self.one_sided_match_sets {
            out.push(format!("match set `{set}` has a single class"));
        }
        out
    }
}

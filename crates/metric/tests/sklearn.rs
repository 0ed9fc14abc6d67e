//! Every measure agrees with scikit-learn and SciPy on 200 random sets.

use realscope_metric::{Drawn, Scores, accuracy, ap, auc, brier, ece, eer, f1, nll, tpr_at_fpr};
use serde_json::Value;

fn measure(name: &str, v: &Drawn<'_>) -> Option<f64> {
    let at = v.at(0.5);
    match name {
        "accuracy" => accuracy::accuracy(v, at),
        "balanced_accuracy" => accuracy::balanced_accuracy(v, at),
        "auc" => auc::auc(v),
        "eer" => eer::eer(v),
        "tpr_at_fpr_0_01" => tpr_at_fpr::tpr_at_fpr(v, 0.01),
        "recall_at_fpr_0_05" => tpr_at_fpr::tpr_at_fpr(v, 0.05),
        "ap" => ap::average_precision(v),
        "f1" => f1::f1(v, at),
        "brier" => brier::brier(v),
        "nll" => nll::nll(v),
        "ece" => ece::equal_width(v).map(|b| ece::error(&b)),
        "ece_adaptive" => ece::equal_mass(v).map(|b| ece::error(&b)),
        other => panic!("unknown measure {other}"),
    }
}

#[test]
fn all_measures_agree() {
    let text = include_str!("../fixtures/sklearn.json");
    let file: Value = serde_json::from_str(text).expect("json");
    let cases = file["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 200);
    let mut compared = std::collections::BTreeMap::new();
    for (i, c) in cases.iter().enumerate() {
        let list = |key: &str| c[key].as_array().expect("list").clone();
        let rows = list("scores")
            .iter()
            .zip(list("labels"))
            .map(|(s, l)| (s.as_f64().expect("score"), l == 1, 0))
            .collect();
        let scores = Scores::new(rows);
        let expected = c["expected"].as_object().expect("expected");
        for (name, value) in expected {
            let found = measure(name, &scores.all()).unwrap_or_else(|| panic!("{i} {name}"));
            let value = value.as_f64().expect("number");
            assert!(
                (found - value).abs() < 1e-9,
                "case {i} {name}: {found}, not {value}"
            );
            *compared.entry(name.clone()).or_insert(0) += 1;
        }
        // What scikit-learn cannot give, we do not give either.
        if !expected.contains_key("auc") {
            assert_eq!(auc::auc(&scores.all()), None, "case {i}");
        }
        if !expected.contains_key("brier") {
            assert_eq!(brier::brier(&scores.all()), None, "case {i}");
        }
    }
    assert!(compared.values().all(|n| *n >= 40), "{compared:?}");
}

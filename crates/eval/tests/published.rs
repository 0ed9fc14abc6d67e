//! The compatibility measures give what the published evaluation code of each benchmark gives.

use realscope_eval::compat::{deepfakebench, dgm4, forgerynet, genvidbench, owdfa};
use realscope_metric::temporal::{self, Proposal, Video};
use realscope_metric::{Scores, accuracy, clustering, f1};
use serde_json::Value;

fn cases(name: &str) -> Vec<Value> {
    let path = format!("{}/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("fixture");
    let file: Value = serde_json::from_str(&text).expect("json");
    file["cases"].as_array().expect("cases").clone()
}

fn numbers(v: &Value) -> Vec<f64> {
    let list = v.as_array().expect("a list");
    list.iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn indices(v: &Value) -> Vec<usize> {
    numbers(v).into_iter().map(|x| x as usize).collect()
}

fn close(what: &str, found: f64, expected: &Value, tolerance: f64) {
    let expected = expected
        .as_f64()
        .unwrap_or_else(|| panic!("{what}: {expected}"));
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: {found} instead of {expected}"
    );
}

#[test]
fn deepfakebench_frames_and_videos() {
    let cases = cases("metrics-deepfakebench");
    assert_eq!(cases.len(), 9);
    for c in cases {
        let name = c["case"].as_str().expect("name");
        let scores: Vec<f32> = numbers(&c["scores"]).iter().map(|s| *s as f32).collect();
        let labels: Vec<u32> = numbers(&c["labels"]).iter().map(|l| *l as u32).collect();
        let names = c["image_names"].as_array().expect("names");
        let clips = names[0].is_array();
        let found = if clips {
            deepfakebench::clip_metrics(&scores, &labels)
        } else {
            let names: Vec<&str> = names.iter().map(|n| n.as_str().expect("name")).collect();
            for v in deepfakebench::videos(&names, &scores, &labels) {
                let expected = &c["videos"][&v.name];
                assert_eq!(expected["frames"], v.frames, "{name} {}", v.name);
                assert_eq!(expected["label"], v.label, "{name} {}", v.name);
                close(&v.name, v.score, &expected["score"], 1e-12);
            }
            deepfakebench::frame_metrics(&names, &scores, &labels)
        }
        .expect("both classes");
        let e = &c["expected"];
        for (key, value) in [
            ("acc", found.acc),
            ("auc", found.auc),
            ("eer", found.eer),
            ("ap", found.ap),
            ("video_auc", found.video_auc),
        ] {
            close(&format!("{name} {key}"), value, &e[key], 1e-9);
        }
    }
}

#[test]
fn genvidbench_classes() {
    for c in cases("metrics-genvidbench") {
        let scores: Vec<Vec<f64>> = c["scores"]
            .as_array()
            .expect("rows")
            .iter()
            .map(numbers)
            .collect();
        let m = genvidbench::metrics(&scores, &indices(&c["labels"])).expect("rows");
        for (key, value) in [("top1", m.top1), ("top5", m.top5), ("mean1", m.mean1)] {
            close(
                &format!("{} {key}", c["case"]),
                value,
                &c["expected"][key],
                1e-9,
            );
        }
    }
}

#[test]
fn owdfa_clusters() {
    for c in cases("ow-dfa-metrics") {
        let (p, t) = (indices(&c["predicted"]), indices(&c["true"]));
        let e = &c["expected"];
        let title = &c["title"];
        for (key, value) in [
            ("direct_acc", clustering::direct_accuracy(&p, &t)),
            ("hungarian_acc", clustering::hungarian_accuracy(&p, &t)),
            ("nmi", clustering::nmi(&p, &t)),
            ("ari", clustering::ari(&p, &t)),
        ] {
            close(
                &format!("{title} {key}"),
                value.expect("rows"),
                &e[key],
                1e-9,
            );
        }
        if c["val_stat"].is_object() {
            let tags: Vec<u8> = numbers(&c["tags"]).iter().map(|t| *t as u8).collect();
            let m = owdfa::metrics(&p, &t, &tags, &numbers(&c["confidence"])).expect("rows");
            let v = &c["val_stat"];
            let (known, novel) = (m.known.expect("known"), m.novel.expect("novel"));
            for (key, value) in [
                ("all_acc", m.all.acc),
                ("all_nmi", m.all.nmi),
                ("all_ari", m.all.ari),
                ("known_acc", known.acc),
                ("known_nmi", known.nmi),
                ("known_ari", known.ari),
                ("novel_acc", novel.acc),
                ("novel_nmi", novel.nmi),
                ("novel_ari", novel.ari),
                ("val_uncert", m.uncertainty),
            ] {
                close(&format!("{title} {key}"), value, &v[key], 1e-9);
            }
        }
    }
}

#[test]
fn dgm4_detection_and_grounding() {
    for c in cases("metrics-dgm4") {
        let items: Vec<dgm4::Grounding> = c["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|i| {
                let class = i["fake_cls"].as_str().expect("class");
                let four = |v: &Value| -> [f64; 4] { numbers(v).try_into().expect("four") };
                let words = indices(&i["subwords_of_each_word"]);
                let fake_words = indices(&i["fake_words"]);
                let owner = words.iter().enumerate().flat_map(|(w, n)| vec![w; *n]);
                let logits = i["token_logits"].as_array().expect("logits");
                let item = dgm4::Grounding {
                    fake: class != "orig",
                    real_fake: numbers(&i["real_fake_logits"]).try_into().expect("two"),
                    manipulations: ["face_swap", "face_attribute", "text_swap", "text_attribute"]
                        .map(|m| class.contains(m)),
                    multi_label: four(&i["multi_label_logits"]),
                    predicted: four(&i["box_predicted_cxcywh"]),
                    truth: four(&i["box_true_cxcywh"]),
                    tokens: owner
                        .zip(logits)
                        .map(|(w, l)| {
                            (fake_words.contains(&w), numbers(l).try_into().expect("two"))
                        })
                        .collect(),
                };
                close(
                    "iou",
                    dgm4::iou(item.predicted, item.truth),
                    &i["iou"],
                    1e-6,
                );
                item
            })
            .collect();
        let m = dgm4::metrics(&items).expect("both classes");
        let e = &c["expected"];
        for (key, value) in [
            ("auc", m.auc),
            ("acc", m.acc),
            ("eer", m.eer),
            ("map", m.map),
            ("OP", m.overall[0]),
            ("OR", m.overall[1]),
            ("OF1", m.overall[2]),
            ("CP", m.per_class[0]),
            ("CR", m.per_class[1]),
            ("CF1", m.per_class[2]),
            ("iou_mean", m.iou_mean),
            ("iou_50", m.iou_above[0]),
            ("iou_75", m.iou_above[1]),
            ("iou_95", m.iou_above[2]),
            ("token_acc", m.token[0]),
            ("token_precision", m.token[1]),
            ("token_recall", m.token[2]),
            ("token_f1", m.token[3]),
        ] {
            close(&format!("{} {key}", c["case"]), value, &e[key], 1e-6);
        }
        for (found, expected) in m.ap_per_class.iter().zip(numbers(&e["ap_per_class"])) {
            assert!((found - expected).abs() < 1e-6);
        }
        for (found, expected) in m.f1_per_class.iter().zip(numbers(&e["f1_per_class"])) {
            assert!((found - expected).abs() < 1e-6);
        }
    }
}

fn grid(v: &Value) -> forgerynet::Grid {
    let rows: Vec<Vec<f64>> = v.as_array().expect("rows").iter().map(numbers).collect();
    forgerynet::Grid {
        width: rows[0].len(),
        height: rows.len(),
        values: rows.iter().flatten().map(|v| *v as f32).collect(),
    }
}

#[test]
fn forgerynet_tasks() {
    let mut seen = 0;
    for c in cases("metrics-forgerynet") {
        let e = &c["expected"];
        let what = format!("{} {}", c["task"], c["case"]);
        if c["scores"].is_array() {
            let scores: Vec<Vec<f64>> = c["scores"]
                .as_array()
                .expect("rows")
                .iter()
                .map(numbers)
                .collect();
            let m = forgerynet::classification(&scores, &indices(&c["labels"])).expect("rows");
            close(&what, m.m_acc, &e["mAcc"], 1e-4);
            close(&what, m.auc.expect("both"), &e["AUC"], 1e-4);
        } else if c["items"].is_array() {
            let mut s = forgerynet::Spatial::default();
            for i in c["items"].as_array().expect("items") {
                s.add(&grid(&i["logits"]), &grid(&i["mask"]));
            }
            let (iou, diff) = (s.iou(), s.iou_diff());
            for (key, value) in [
                ("iou_0.1", iou[0]),
                ("iou_0.2", iou[1]),
                ("iou_diff_0.01", diff[0]),
                ("iou_diff_0.05", diff[1]),
                ("iou_diff_0.1", diff[2]),
                ("l1_loss", s.l1_loss()),
            ] {
                close(&format!("{what} {key}"), value, &e[key], 1e-5);
            }
        } else {
            let videos: Vec<Video> = c["videos"]
                .as_array()
                .expect("videos")
                .iter()
                .map(|v| Video {
                    labels: v["labels"]
                        .as_array()
                        .expect("labels")
                        .iter()
                        .map(|l| numbers(l).try_into().expect("two"))
                        .collect(),
                    proposals: v["proposals"]
                        .as_array()
                        .expect("proposals")
                        .iter()
                        .map(|p| {
                            let p = numbers(p);
                            Proposal {
                                score: p[0],
                                segment: [p[1], p[2]],
                            }
                        })
                        .collect(),
                })
                .collect();
            for (key, overlap) in [("AP_0.50", 0.5), ("AP_0.75", 0.75), ("AP_0.90", 0.9)] {
                let ap = forgerynet::temporal_ap(&videos, overlap).expect("labels");
                close(&format!("{what} {key}"), ap, &e[key], 1e-4);
            }
            let map = forgerynet::temporal_map(&videos).expect("labels");
            close(&what, map, &e["mAP"], 1e-4);
            for (key, n) in [("AR_2", 2), ("AR_5", 5)] {
                let ar = temporal::average_recall(&videos, n).expect("labels");
                close(&format!("{what} {key}"), 100.0 * ar, &e[key], 1e-4);
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 7);
}

#[test]
fn genconvit_confusion_counts_give_its_published_accuracy_and_f1() {
    for ([tp, missed, fp, tn], acc, f) in [
        ([320, 3, 3, 74], 0.9850, 0.9907),
        ([200, 3, 9, 195], 0.9705, 0.9709),
        ([630, 10, 49, 1294], 0.9702, 0.9553),
        ([585, 7, 100, 490], 0.9095, 0.9162),
    ] {
        let rows = |n: usize, score: f64, positive: bool| vec![(score, positive, 0); n];
        let scores = Scores::new(
            [
                rows(tp, 0.9, true),
                rows(missed, 0.1, true),
                rows(fp, 0.9, false),
                rows(tn, 0.1, false),
            ]
            .concat(),
        );
        let v = scores.all();
        let at = v.at(0.5);
        assert!((accuracy::accuracy(&v, at).expect("rows") - acc).abs() < 5.1e-5);
        assert!((f1::f1(&v, at).expect("positives") - f).abs() < 5.1e-5);
    }
}

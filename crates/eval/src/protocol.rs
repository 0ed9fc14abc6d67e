//! Protocols: named, versioned ways of delivering pictures and of cutting a data set.

use realscope_data::manifest::Item;
use realscope_delivery::perturb::sets;

pub use realscope_delivery::arm::Arm;

/// How a set of items is chosen and its results are read.
pub struct Protocol {
    /// Name.
    pub name: &'static str,
    /// Version; part of a run's identity.
    pub version: u32,
    /// What it measures, and the source of its definition.
    pub summary: &'static str,
    /// Arms.
    pub arms: fn() -> Vec<Arm>,
    /// Whether an item takes part.
    pub takes: fn(&Item) -> bool,
}

fn native_only() -> Vec<Arm> {
    vec![Arm::Native]
}

fn delivery_arms() -> Vec<Arm> {
    vec![
        Arm::Native,
        Arm::BothQ95,
        Arm::Web,
        Arm::Hard,
        Arm::WebScaled,
        Arm::HardScaled,
        Arm::FakesOnlyQ96,
    ]
}

fn genvideo_arms() -> Vec<Arm> {
    let degraded = sets::genvideo().into_iter();
    std::iter::once(Arm::Native)
        .chain(degraded.map(|perturbation| Arm::Perturbed { perturbation }))
        .collect()
}

/// The test side: `test` or `public`, or all where a set names no split.
fn is_test(item: &Item) -> bool {
    matches!(item.split.as_str(), "" | "test" | "public")
}

/// The side that a set calls validation and others test.
fn is_held_out(item: &Item) -> bool {
    matches!(item.split.as_str(), "val" | "test")
}

/// Whether an item is not a video: by its name, or an animation that the manifest calls one.
pub(crate) fn is_picture(item: &Item) -> bool {
    let lower = item.path.to_ascii_lowercase();
    let named = [".mp4", ".avi", ".mov", ".webm", ".mkv", ".m4v"];
    let animated = lower.ends_with(".gif") && !item.video.is_empty();
    !animated && !named.iter().any(|e| lower.ends_with(e))
}

/// Pictures of the test side.
fn is_test_picture(item: &Item) -> bool {
    is_test(item) && is_picture(item)
}

/// Videos of the test side.
fn is_test_video(item: &Item) -> bool {
    is_test(item) && !is_picture(item)
}

fn video_arms() -> Vec<Arm> {
    vec![Arm::Native, Arm::Web, Arm::Hard]
}

/// All protocols.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol {
        name: "delivery",
        version: 1,
        summary: "Realscope: native, q95, web, hard, web-scaled, hard-scaled and fakes-only-q96; matched sets first",
        arms: delivery_arms,
        takes: is_test_picture,
    },
    Protocol {
        name: "native",
        version: 1,
        summary: "pictures as they are",
        arms: native_only,
        takes: is_test_picture,
    },
    Protocol {
        name: "video",
        version: 1,
        summary: "videos alone, by their frames: as they are, web and hard",
        arms: video_arms,
        takes: is_test_video,
    },
    Protocol {
        name: "aigcdetect",
        version: 1,
        summary: "AIGCDetectBenchmark: accuracy and AP of each generator against its own reals, then the mean",
        arms: native_only,
        takes: is_test_picture,
    },
    Protocol {
        name: "genimage",
        version: 1,
        summary: "GenImage 8x8: validation side of each generator; train one detector a generator, compare the runs",
        arms: native_only,
        takes: |i| is_held_out(i) && is_picture(i),
    },
    Protocol {
        name: "deepfakebench",
        version: 1,
        summary: "DeepfakeBench: frame and video AUC, within and across data sets (`eval metrics --compat deepfakebench`)",
        arms: native_only,
        takes: is_test,
    },
    Protocol {
        name: "df40",
        version: 1,
        summary: "DF40: frame AUC by method and domain; P1 same domain, P2 same forgery, P3 both differ, P4 one against all",
        arms: native_only,
        takes: is_test,
    },
    Protocol {
        name: "genvideo",
        version: 1,
        summary: "GenVideo, videos or extracted frames: generators never seen, as they are and with frames under its degradations",
        arms: genvideo_arms,
        takes: is_test,
    },
    Protocol {
        name: "genvidbench",
        version: 1,
        summary: "GenVidBench, videos or extracted frames: trained on pair 1, tested on pair 2 (`eval metrics --compat genvidbench`)",
        arms: native_only,
        takes: is_test,
    },
    Protocol {
        name: "forgerynet",
        version: 1,
        summary: "ForgeryNet, classification of pictures and videos (`eval metrics --compat forgerynet`)",
        arms: native_only,
        takes: is_held_out,
    },
    Protocol {
        name: "ow-dfa",
        version: 1,
        summary: "OW-DFA: detection on its pictures; attribution from a file (`eval metrics --compat ow-dfa`)",
        arms: native_only,
        takes: is_test_picture,
    },
    Protocol {
        name: "dgm4",
        version: 1,
        summary: "DGM4: detection on its pictures; grounding from a file (`eval metrics --compat dgm4`)",
        arms: native_only,
        takes: is_test_picture,
    },
    Protocol {
        name: "fairness",
        version: 1,
        summary: "rates by a metadata column, Casual Conversations style (`eval metrics RUN --by COLUMN --attributes FILE`)",
        arms: native_only,
        takes: is_test,
    },
];

/// A protocol by name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Protocol> {
    PROTOCOLS.iter().find(|p| p.name == name)
}

//! What a file declares about its own making. It stands beside the pixels and never decides.
//!
//! Every claim of the file is collected with its place; `declared` is the strongest of them.

use realscope_media::Facts;
use realscope_media::metadata::c2pa::{Action, C2pa, Manifest};
use realscope_media::metadata::{MarkClaim, Metadata, names_generator};

use crate::record::{Claim, Declared, Integrity, Provenance, Trust};

/// What a digital source type (IPTC NewsCodes, C2PA) declares; `None` for one that speaks of neither generation, edit
/// nor capture.
#[must_use]
pub fn of_source_type(term: &str) -> Option<Declared> {
    Some(match term {
        "trainedAlgorithmicMedia"
        | "trainedAlgorithmicData"
        | "algorithmicMedia"
        | "dataDrivenMedia" => Declared::Generated,
        "compositeWithTrainedAlgorithmicMedia" | "compositeSynthetic" => {
            Declared::CompositeWithGenerated
        }
        "algorithmicallyEnhanced"
        | "humanEdits"
        | "minorHumanEdits"
        | "compositeCapture"
        | "composite" => Declared::Edited,
        "digitalCapture" | "computationalCapture" | "negativeFilm" | "positiveFilm" | "print" => {
            Declared::Captured
        }
        _ => return None,
    })
}

/// What the file declares, in one place.
#[must_use]
pub fn of(facts: &Facts) -> Provenance {
    let mut provenance = of_metadata(&facts.metadata);
    // Credentials that are said to exist and do not, or were not checked.
    let told = facts.notes.iter().filter(|n| {
        matches!(
            n.code.as_str(),
            "credentials_stripped" | "credentials_not_checked" | "credentials_not_read"
        )
    });
    provenance
        .found
        .extend(told.map(|n| n.sentence.trim_end_matches('.').to_owned()));
    provenance
}

/// What metadata declare, in one place.
#[must_use]
pub fn of_metadata(m: &Metadata) -> Provenance {
    let mut found = Vec::new();
    let mut claims = Vec::new();
    for g in &m.generators {
        found.push(match &g.model {
            Some(model) => format!("{} in {} ({model})", g.tool, g.place),
            None => format!("{} in {}", g.tool, g.place),
        });
        // What a manifest says of its programs is weighed with its actions.
        if g.place != C2PA_PLACE {
            let declared = match g.claim {
                MarkClaim::EditedWithAi => Declared::EditedWithAi,
                _ => Declared::Generated,
            };
            claim(&mut claims, declared, &g.tool, &g.place);
        }
    }
    for label in &m.aigc {
        let says = match label.label.as_str() {
            "1" => "generated",
            "2" => "possibly generated",
            _ => "suspected of being generated",
        };
        let producer = label
            .producer
            .as_deref()
            .map_or(String::new(), |p| format!(", made by {p}"));
        found.push(format!(
            "China's label of generated content: {says}{producer} ({})",
            label.place
        ));
        claim(&mut claims, Declared::Generated, says, &label.place);
    }
    if let Some(c2pa) = &m.c2pa {
        credentials(c2pa, &mut found, &mut claims);
    }
    if let Some(term) = m
        .xmp
        .as_ref()
        .and_then(|x| x.digital_source_type.as_deref())
    {
        found.push(format!("digital source type {term} (XMP)"));
        if let Some(declared) = of_source_type(term) {
            claim(&mut claims, declared, term, "XMP DigitalSourceType");
        }
    }
    if let Some((make, model)) = camera(m) {
        found.push(format!("EXIF names the camera {make} {model}"));
        claim(
            &mut claims,
            Declared::Captured,
            &format!("{make} {model}"),
            "EXIF Make and Model",
        );
    }
    if let Some((make, model)) = recorder(m) {
        // A computer records what is on its screen as often as what is before its camera.
        let computer = model.starts_with("Mac") || model.starts_with("iMac");
        let kind = if computer { "computer" } else { "camera" };
        found.push(format!("the video names the {kind} {make} {model}"));
        if !computer && !is_screen_recording(m) {
            claim(
                &mut claims,
                Declared::Captured,
                &format!("{make} {model}"),
                VIDEO_CAMERA,
            );
        }
    }
    let strongest = claims.iter().map(|c| c.declared).max();
    Provenance {
        declared: strongest.unwrap_or(Declared::None),
        claims,
        found,
        integrity: m.c2pa.as_ref().map(|c| integrity(&c.integrity)),
        trust: m.c2pa.as_ref().map(|c| trust(&c.trust)),
        contradictions: Vec::new(),
        not_checkable: vec![
            "SynthID and other proprietary watermarks cannot be checked here.".into(),
        ],
    }
}

/// Where names of programs in content credentials stand.
const C2PA_PLACE: &str = "C2PA manifest";

/// Most claims of a record.
const MAX_CLAIMS: usize = 256;

fn claim(claims: &mut Vec<Claim>, declared: Declared, what: &str, place: &str) {
    let claim = Claim {
        declared,
        what: what.into(),
        place: place.into(),
    };
    if claims.len() < MAX_CLAIMS && !claims.contains(&claim) {
        claims.push(claim);
    }
}

/// Make and model of a camera; what generators write in their place is none.
#[must_use]
pub fn camera(m: &Metadata) -> Option<(&str, &str)> {
    let exif = m.exif.as_ref()?;
    let (make, model) = (exif.make.as_deref()?, exif.model.as_deref()?);
    (!names_generator(make) && !names_generator(model)).then_some((make, model))
}

/// Where videos name their camera.
pub(crate) const VIDEO_CAMERA: &str = "video metadata Make and Model";

/// Make and model of the camera that a video's own fields name: those of Apple, of Android, of QuickTime.
pub(crate) fn recorder(m: &Metadata) -> Option<(&str, &str)> {
    const FIELDS: [[&str; 2]; 3] = [
        ["com.apple.quicktime.make", "com.apple.quicktime.model"],
        ["com.android.manufacturer", "com.android.model"],
        ["\u{a9}mak", "\u{a9}mod"],
    ];
    FIELDS.iter().find_map(|[make, model]| {
        let (make, model) = (video_text(m, make)?, video_text(m, model)?);
        (!names_generator(make) && !names_generator(model)).then_some((make, model))
    })
}

/// Whether a video says that it shows what was on a screen: recordings by iOS name their author so.
#[must_use]
pub fn is_screen_recording(m: &Metadata) -> bool {
    video_text(m, "com.apple.quicktime.author") == Some("ReplayKitRecording")
}

fn video_text<'a>(m: &'a Metadata, key: &str) -> Option<&'a str> {
    let found = m.container_text.iter().find(|(k, _)| k == key)?;
    Some(found.1.trim_matches(['\0', ' '])).filter(|text| !text.is_empty())
}

fn credentials(c2pa: &C2pa, found: &mut Vec<String>, claims: &mut Vec<Claim>) {
    let url = c2pa.remote_url.as_deref();
    if c2pa.integrity != "not_checked" {
        let problems = if c2pa.problems.is_empty() {
            String::new()
        } else {
            format!(" ({})", c2pa.problems.join(", "))
        };
        found.push(format!(
            "content credentials, integrity {}{problems}, trust {}{}",
            c2pa.integrity,
            trust_words(&c2pa.trust),
            c2pa.signer
                .as_deref()
                .map_or(String::new(), |s| format!(", signed by {s}"))
        ));
    }
    if let Some(url) = url {
        let fetched = if c2pa.fetched {
            "fetched"
        } else {
            "not fetched"
        };
        let also = if c2pa.manifest.is_some() && !c2pa.fetched {
            "are also"
        } else {
            "are"
        };
        found.push(format!(
            "content credentials {also} kept at {url}, which was {fetched}"
        ));
    }
    let mut terms: Vec<&str> = c2pa
        .digital_source_types
        .iter()
        .map(String::as_str)
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    terms.retain(|t| seen.insert(*t));
    found.extend(
        terms
            .iter()
            .map(|t| format!("digital source type {t} (C2PA)")),
    );
    for (linked, root) in c2pa
        .manifest
        .iter()
        .map(|m| (true, m))
        .chain(c2pa.unlinked.iter().map(|m| (false, m)))
    {
        for (way, manifest) in root.all() {
            let place = place(&way, manifest, linked);
            let mut own = of_manifest(manifest);
            // A manifest that does not hold is no proof of a camera.
            own.retain(|(d, _)| *d != Declared::Captured || manifest.integrity == "valid");
            for (declared, what) in own {
                // What a part of the picture is, the picture is in part.
                let part = way.iter().any(|r| *r != "parentOf");
                let declared = match (part, declared) {
                    (true, Declared::Generated) => Declared::CompositeWithGenerated,
                    (true, Declared::Captured) => continue,
                    (_, declared) => declared,
                };
                claim(claims, declared, &what, &place);
            }
        }
    }
}

/// Trust as a reader should understand it.
pub(crate) fn trust_words(word: &str) -> &str {
    match word {
        "not_checked" => "not checked",
        other => other,
    }
}

fn place(way: &[&str], manifest: &Manifest, linked: bool) -> String {
    let writer = manifest
        .claim_generator
        .as_deref()
        .unwrap_or("an unnamed program");
    match (way, linked) {
        ([], true) => format!("C2PA, active manifest by {writer}"),
        ([], false) => format!("C2PA, a manifest by {writer} that nothing refers to"),
        (way, _) => format!("C2PA, ingredient ({}) by {writer}", way.join(", ")),
    }
}

/// Actions that change what a picture shows.
fn edits(verb: &str) -> bool {
    matches!(
        verb,
        "edited"
            | "adjustedColor"
            | "color_adjustments"
            | "addedText"
            | "cropped"
            | "cut"
            | "deleted"
            | "drawing"
            | "enhanced"
            | "filtered"
            | "masked"
            | "placed"
            | "removed"
            | "resized"
            | "resized.proportional"
            | "trimmed"
    )
}

fn of_manifest(m: &Manifest) -> Vec<(Declared, String)> {
    let mut out = Vec::new();
    for action in &m.actions {
        of_action(action, &mut out);
    }
    for t in &m.source_types {
        let declared = of_source_type(&t.term);
        out.extend(declared.map(|d| (d, format!("{} in {}", t.term, t.place))));
    }
    for label in m.assertions.iter().filter(|l| l.contains("generative-ai")) {
        out.push((Declared::EditedWithAi, format!("assertion {label}")));
    }
    for i in &m.ingredients {
        let model = i
            .data_types
            .iter()
            .find(|t| t.starts_with("c2pa.types.model") || t.starts_with("c2pa.types.generator"));
        out.extend(model.map(|t| (Declared::EditedWithAi, format!("an ingredient of type {t}"))));
    }
    let told = out.iter().any(|(d, _)| *d != Declared::Edited);
    let writer = m.claim_generator.as_deref().filter(|w| names_generator(w));
    if let Some(writer) = writer.filter(|_| !told) {
        // A generator's own manifest that says nothing else.
        let edited = m.actions.iter().any(|a| verb(a) == "opened");
        let declared = if edited {
            Declared::EditedWithAi
        } else {
            Declared::Generated
        };
        out.push((declared, format!("written by {writer}")));
    }
    out
}

fn verb(action: &Action) -> &str {
    action
        .action
        .strip_prefix("c2pa.")
        .unwrap_or(&action.action)
}

fn of_action(action: &Action, out: &mut Vec<(Declared, String)>) {
    let verb = verb(action);
    let before = out.len();
    let terms = action.source_type.iter();
    let terms = terms.chain(action.source_types.iter().map(|t| &t.term));
    for term in terms {
        let declared = match (of_source_type(term), verb) {
            (Some(Declared::Generated), "placed") => Declared::CompositeWithGenerated,
            (Some(Declared::Generated), verb) if edits(verb) => Declared::EditedWithAi,
            // An edit of a photograph leaves no photograph as it was.
            (Some(Declared::Captured), verb) if edits(verb) => Declared::Edited,
            (Some(declared), _) => declared,
            (None, _) => continue,
        };
        out.push((
            declared,
            format!("action {} of source type {term}", action.action),
        ));
    }
    let named = action.agent.iter().chain(action.vendor.values());
    for name in named.filter(|n| names_generator(n)) {
        // The source type says it better.
        if out.len() > before {
            break;
        }
        let declared = match verb {
            "created" => Declared::Generated,
            "placed" => Declared::CompositeWithGenerated,
            verb if edits(verb) || verb == "opened" => Declared::EditedWithAi,
            _ => continue,
        };
        out.push((declared, format!("action {} by {name}", action.action)));
    }
    if edits(verb) {
        out.push((Declared::Edited, format!("action {}", action.action)));
    }
}

fn integrity(word: &str) -> Integrity {
    match word {
        "valid" => Integrity::Valid,
        "not_checked" => Integrity::NotChecked,
        _ => Integrity::Invalid,
    }
}

fn trust(word: &str) -> Trust {
    match word {
        "trusted" => Trust::Trusted,
        "untrusted" => Trust::Untrusted,
        _ => Trust::NotChecked,
    }
}

#[cfg(test)]
mod tests {
    use realscope_media::metadata::c2pa::Ingredient;
    use realscope_media::metadata::{AigcLabel, ExifFacts, GeneratorMark};

    use super::*;

    fn manifest(actions: &[(&str, Option<&str>)], ingredients: Vec<(&str, Manifest)>) -> Manifest {
        Manifest {
            integrity: "valid".into(),
            actions: actions
                .iter()
                .map(|(action, term)| Action {
                    action: format!("c2pa.{action}"),
                    source_type: term.map(Into::into),
                    ..Action::default()
                })
                .collect(),
            ingredients: ingredients
                .into_iter()
                .map(|(relationship, m)| Ingredient {
                    relationship: relationship.into(),
                    manifest: Some(m),
                    ..Ingredient::default()
                })
                .collect(),
            ..Manifest::default()
        }
    }

    fn declared(m: Manifest) -> Declared {
        of_metadata(&Metadata {
            c2pa: Some(C2pa {
                integrity: "valid".into(),
                manifest: Some(m),
                ..C2pa::default()
            }),
            ..Metadata::default()
        })
        .declared
    }

    #[test]
    fn the_strongest_claim_of_the_history_is_declared() {
        let ai = Some("trainedAlgorithmicMedia");
        let camera = || manifest(&[("created", Some("digitalCapture"))], vec![]);
        let generated = || manifest(&[("created", ai)], vec![]);
        let opened = |way, m| {
            manifest(
                &[("opened", None), ("color_adjustments", None)],
                vec![(way, m)],
            )
        };
        let deep = opened("parentOf", opened("parentOf", generated()));
        for (m, expected) in [
            (camera(), Declared::Captured),
            (opened("parentOf", camera()), Declared::Edited),
            (opened("parentOf", generated()), Declared::Generated),
            (deep, Declared::Generated),
            (
                opened("componentOf", generated()),
                Declared::CompositeWithGenerated,
            ),
            (
                opened("inputTo", generated()),
                Declared::CompositeWithGenerated,
            ),
            (
                manifest(
                    &[("opened", None), ("edited", ai)],
                    vec![("parentOf", camera())],
                ),
                Declared::EditedWithAi,
            ),
            (
                manifest(&[("placed", ai)], vec![]),
                Declared::CompositeWithGenerated,
            ),
            (
                manifest(
                    &[("edited", Some("compositeWithTrainedAlgorithmicMedia"))],
                    vec![],
                ),
                Declared::CompositeWithGenerated,
            ),
            (
                manifest(&[("published", None)], vec![("componentOf", camera())]),
                Declared::None,
            ),
        ] {
            let words = format!("{m:?}");
            assert_eq!(declared(m), expected, "{words}");
        }
    }

    #[test]
    fn a_program_counts_where_nothing_else_is_said() {
        let by = |agent: &str, action: &str, term: Option<&str>| {
            let mut m = manifest(&[(action, term)], vec![]);
            m.actions[0].agent = Some(agent.into());
            m
        };
        assert_eq!(
            declared(by("Adobe Firefly", "created", None)),
            Declared::Generated
        );
        assert_eq!(
            declared(by("Adobe Firefly", "edited", None)),
            Declared::EditedWithAi
        );
        assert_eq!(
            declared(by("Adobe Photoshop", "edited", None)),
            Declared::Edited
        );
        let camera = by(
            "Google C2PA Core Generator Library",
            "created",
            Some("computationalCapture"),
        );
        assert_eq!(declared(camera), Declared::Captured);
        let mut own = manifest(&[("created", None)], vec![]);
        own.claim_generator = Some("ChatGPT".into());
        assert_eq!(declared(own), Declared::Generated);
    }

    #[test]
    fn a_broken_manifest_is_no_proof_of_a_camera_and_its_other_claims_stay() {
        for (term, expected) in [
            ("digitalCapture", Declared::None),
            ("trainedAlgorithmicMedia", Declared::Generated),
        ] {
            let mut m = manifest(&[("created", Some(term))], vec![]);
            m.integrity = "invalid".into();
            assert_eq!(declared(m), expected);
        }
    }

    #[test]
    fn a_generator_in_the_place_of_a_camera_is_none() {
        let of = |make: &str, model: &str| {
            of_metadata(&Metadata {
                exif: Some(ExifFacts {
                    make: Some(make.into()),
                    model: Some(model.into()),
                    ..ExifFacts::default()
                }),
                ..Metadata::default()
            })
            .declared
        };
        assert_eq!(of("Apple", "iPhone 15"), Declared::Captured);
        assert_eq!(of("Black Forest Labs", "flux-dev"), Declared::None);
        assert_eq!(of("prompt:{}", "workflow:{}"), Declared::None);
    }

    #[test]
    fn marks_and_labels_are_claims() {
        let edited = GeneratorMark {
            tool: "Google AI".into(),
            claim: MarkClaim::EditedWithAi,
            ..GeneratorMark::default()
        };
        let mut m = Metadata {
            generators: vec![edited],
            ..Metadata::default()
        };
        assert_eq!(of_metadata(&m).declared, Declared::EditedWithAi);
        m.aigc.push(AigcLabel {
            label: "1".into(),
            ..AigcLabel::default()
        });
        assert_eq!(of_metadata(&m).declared, Declared::Generated);
        assert_eq!(of_metadata(&m).claims.len(), 2);
    }

    #[test]
    fn credentials_elsewhere_are_told() {
        let m = Metadata {
            c2pa: Some(C2pa {
                integrity: "not_checked".into(),
                trust: "not_checked".into(),
                remote_url: Some("https://example.org/m".into()),
                ..C2pa::default()
            }),
            ..Metadata::default()
        };
        let provenance = of_metadata(&m);
        assert_eq!(provenance.integrity, Some(Integrity::NotChecked));
        assert_eq!(
            provenance.found,
            ["content credentials are kept at https://example.org/m, which was not fetched"]
        );
    }
}

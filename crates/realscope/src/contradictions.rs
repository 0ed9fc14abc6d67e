//! Statements of a file that do not go together. They are context for a reader and decide nothing.

use realscope_media::metadata::ExifFacts;
use realscope_media::{ANOTHER_PICTURE, Facts};

use crate::cameras;
use crate::provenance;
use crate::record::{Declared, Provenance};

/// All contradictions, each a sentence.
#[must_use]
pub fn of(facts: &Facts, provenance: &Provenance) -> Vec<String> {
    let mut out = Vec::new();
    let camera = provenance::camera(&facts.metadata).map(|c| ("EXIF", c));
    let recorder = || provenance::recorder(&facts.metadata).map(|c| ("The video", c));
    if let Some((what, (make, model))) = camera.or_else(recorder) {
        let strong = provenance
            .claims
            .iter()
            .filter(|c| c.declared.by_algorithm());
        if let Some(claim) = strong.max_by_key(|c| c.declared) {
            out.push(format!(
                "{what} names the camera {make} {model}, and the file also says {}: {} ({}).",
                claim.declared.word().replace('_', " "),
                claim.what,
                claim.place
            ));
        }
    }
    let captured =
        |c: &&crate::record::Claim| c.declared == Declared::Captured && c.place.starts_with("C2PA");
    let generated = provenance
        .claims
        .iter()
        .find(|c| c.declared == Declared::Generated && !c.place.starts_with("C2PA"));
    if let (Some(_), Some(other)) = (provenance.claims.iter().find(captured), generated) {
        out.push(format!(
            "Content credentials speak of a camera, and {} says generated: {}.",
            other.place, other.what
        ));
    }
    if let Some(exif) = &facts.metadata.exif {
        of_exif(exif, facts, &mut out);
    }
    if let Some(thumbnail) = &facts.thumbnail
        && thumbnail.likeness < ANOTHER_PICTURE
    {
        out.push(format!(
            "The embedded thumbnail ({} x {}) does not look like the picture: likeness {:.2} of 1. The picture was changed \
             after its thumbnail was made.",
            thumbnail.width, thumbnail.height, thumbnail.likeness
        ));
    }
    for part in &facts.behind {
        if let Some(likeness) = part.likeness.filter(|l| *l < ANOTHER_PICTURE) {
            out.push(format!(
                "Behind the picture stands {} of it that does not look like it: likeness {likeness:.2} of 1. The picture \
                 was changed after its preview was made.",
                part.what
            ));
        }
    }
    out
}

fn of_exif(exif: &ExifFacts, facts: &Facts, out: &mut Vec<String>) {
    if let Some([latitude, longitude]) = exif.position
        && (latitude.abs() > 90.0 || longitude.abs() > 180.0)
    {
        out.push(format!(
            "The place {latitude:.4}, {longitude:.4} lies outside of the world."
        ));
    }
    if let (Some(taken), Some(changed)) = (&exif.date_time_original, &exif.date_time)
        && let (Some(a), Some(b)) = (time(taken), time(changed))
        && a > b
    {
        out.push(format!(
            "The picture was taken ({taken}) after its file was last changed ({changed})."
        ));
    }
    if exif.f_number.is_some_and(|f| f <= 0.0 || f > 128.0) {
        out.push(format!(
            "No lens has the aperture {}.",
            exif.f_number.unwrap_or_default()
        ));
    }
    if exif
        .focal_length
        .is_some_and(|f| !(0.0..=5_000.0).contains(&f))
    {
        let focal = exif.focal_length.unwrap_or_default();
        out.push(format!("No lens has the focal length {focal} mm."));
    }
    if let Some(model) = &exif.model
        && let Some([width, height]) = cameras::exceeded(model, facts.width, facts.height)
    {
        out.push(format!(
            "EXIF names the camera {model}, whose largest picture has {width} x {height} pixels; this one has {} x {}. It was \
             enlarged, put together from several, or not made by that camera.",
            facts.width, facts.height
        ));
    }
    if let (Some(software), Some(jpeg)) = (&exif.software, &facts.jpeg)
        && software.starts_with("Adobe Photoshop")
        && jpeg.standard_tables
    {
        out.push(format!(
            "EXIF names {software}, whose quantisation tables are its own; those of the file are the standard ones. \
             Another program saved it since."
        ));
    }
}

/// A date as EXIF writes it, as numbers that compare; `None` for what is no date.
fn time(text: &str) -> Option<[u32; 6]> {
    let mut parts = text.split([':', ' ']);
    let mut out = [0; 6];
    for slot in &mut out {
        *slot = parts.next()?.parse().ok()?;
    }
    (out[0] > 0 && parts.next().is_none()).then_some(out)
}

#[cfg(test)]
mod tests {
    use realscope_media::{DecodeOptions, Limits, decode};

    use super::*;

    fn facts(exif: ExifFacts) -> Facts {
        let mut png = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(64, 64)
            .write_to(&mut png, image::ImageFormat::Png)
            .expect("encodes");
        let decoded = decode(
            &png.into_inner(),
            &Limits::default(),
            &DecodeOptions::default(),
        );
        let mut facts = decoded.expect("decodes").facts;
        facts.metadata.exif = Some(exif);
        facts
    }

    fn said(facts: &Facts) -> Vec<String> {
        of(facts, &provenance::of(facts))
    }

    #[test]
    fn each_contradiction_has_its_sentence_and_a_plain_photograph_none() {
        let plain = ExifFacts {
            make: Some("Apple".into()),
            model: Some("iPhone 13".into()),
            date_time_original: Some("2023:05:01 10:00:00".into()),
            date_time: Some("2023:05:01 10:00:00".into()),
            position: Some([48.1, -179.9]),
            f_number: Some(1.6),
            focal_length: Some(5.7),
            ..ExifFacts::default()
        };
        assert_eq!(said(&facts(plain.clone())), Vec::<String>::new());
        let change = |edit: &dyn Fn(&mut ExifFacts)| {
            let mut exif = plain.clone();
            edit(&mut exif);
            said(&facts(exif)).join(" ")
        };
        assert!(change(&|e| e.position = Some([91.0, 0.0])).contains("outside of the world"));
        assert!(
            change(&|e| e.date_time = Some("2023:04:30 23:00:00".into())).contains("last changed")
        );
        // The picture of these facts has 64 x 64 pixels.
        let mut large = facts(plain.clone());
        (large.width, large.height) = (4096, 4096);
        assert!(
            said(&large)
                .join(" ")
                .contains("largest picture has 4032 x 3024")
        );
        assert!(change(&|e| e.f_number = Some(0.0)).contains("aperture"));
        assert!(change(&|e| e.focal_length = Some(-1.0)).contains("focal length -1 mm"));
        assert_eq!(
            change(&|e| e.date_time = Some("0000:00:00 00:00:00".into())),
            ""
        );
    }
}

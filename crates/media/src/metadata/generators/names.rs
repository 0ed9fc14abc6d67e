//! What programs, makers and credits call themselves.

use super::mark;
use crate::metadata::exif::ExifFacts;
use crate::metadata::mark::{GeneratorMark, MarkClaim};
use crate::metadata::text::cut;

const GOOGLE: &str = "Google AI (Gemini, Imagen)";

/// Names that programs write of themselves, in small letters; the whole field or its first words must be the name.
const PROGRAMS: [(&str, &str); 52] = [
    ("midjourney", "Midjourney"),
    ("dall-e", "DALL-E"),
    ("dall·e", "DALL-E"),
    ("chatgpt", "ChatGPT"),
    ("gpt-4o", "ChatGPT"),
    ("gpt-image", "ChatGPT"),
    ("openai", "OpenAI"),
    ("adobe_firefly", "Adobe Firefly"),
    ("adobe firefly", "Adobe Firefly"),
    ("firefly", "Adobe Firefly"),
    ("google c2pa core generator library", GOOGLE),
    ("google generative ai", GOOGLE),
    ("gemini", GOOGLE),
    ("imagen", GOOGLE),
    ("nano banana", GOOGLE),
    ("veo", "Google Veo"),
    ("novelai", "NovelAI"),
    ("invokeai", "InvokeAI"),
    ("invoke-ai", "InvokeAI"),
    ("fooocus", "Fooocus"),
    ("swarmui", "SwarmUI"),
    ("stableswarmui", "SwarmUI"),
    ("comfyui", "ComfyUI"),
    ("automatic1111", "Stable Diffusion WebUI"),
    ("stable diffusion", "Stable Diffusion"),
    ("sd.next", "SD.Next"),
    ("draw things", "Draw Things"),
    ("easy diffusion", "Easy Diffusion"),
    ("stability ai", "Stability AI"),
    ("dreamstudio", "Stability AI"),
    ("black forest labs", "Black Forest Labs FLUX"),
    ("flux.1", "Black Forest Labs FLUX"),
    ("flux.2", "Black Forest Labs FLUX"),
    ("ideogram", "Ideogram"),
    ("leonardo.ai", "Leonardo"),
    ("leonardo ai", "Leonardo"),
    ("recraft", "Recraft"),
    ("krea ai", "Krea"),
    ("grok", "Grok"),
    ("meta ai", "Meta AI"),
    ("imagine with meta", "Meta AI"),
    ("microsoft_responsible_ai", "Microsoft AI (Designer, Bing)"),
    ("microsoft responsible ai", "Microsoft AI (Designer, Bing)"),
    ("bing image creator", "Microsoft AI (Designer, Bing)"),
    ("runway", "Runway"),
    ("kling", "Kling"),
    ("seedream", "Seedream"),
    ("doubao", "Doubao"),
    ("jimeng", "Jimeng"),
    ("dreamina", "Dreamina"),
    ("qwen-image", "Qwen-Image"),
    ("galaxy ai", "Samsung Galaxy AI"),
];

/// Lines that vendors write as credit: the whole field in small letters, who says so, and what it says.
const CREDITS: [(&str, &str, MarkClaim); 12] = [
    ("made with google ai", GOOGLE, MarkClaim::Generated),
    ("edited with google ai", GOOGLE, MarkClaim::EditedWithAi),
    ("imagined with ai", "Meta AI", MarkClaim::Generated),
    ("imagined by meta ai", "Meta AI", MarkClaim::Generated),
    ("made with meta ai", "Meta AI", MarkClaim::Generated),
    ("edited with meta ai", "Meta AI", MarkClaim::EditedWithAi),
    (
        "edited with galaxy ai",
        "Samsung Galaxy AI",
        MarkClaim::EditedWithAi,
    ),
    (
        "made with adobe firefly",
        "Adobe Firefly",
        MarkClaim::Generated,
    ),
    (
        "made with ai",
        "a generator that is not named",
        MarkClaim::Generated,
    ),
    (
        "ai-generated",
        "a generator that is not named",
        MarkClaim::Generated,
    ),
    (
        "ai generated",
        "a generator that is not named",
        MarkClaim::Generated,
    ),
    (
        "edited with ai",
        "a generator that is not named",
        MarkClaim::EditedWithAi,
    ),
];

/// The generator whose name `value` is or begins with.
fn known(value: &str) -> Option<&'static str> {
    let lower = value.trim().to_lowercase();
    PROGRAMS
        .iter()
        .find(|(name, _)| {
            lower.strip_prefix(name).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with(|c: char| !c.is_alphanumeric())
            })
        })
        .map(|(_, tool)| *tool)
}

/// Whether a field that should name a camera or a person names a generator, or holds its parameters.
#[must_use]
pub fn names_generator(value: &str) -> bool {
    known(value).is_some() || value.contains('{')
}

/// A program's own name.
pub(super) fn program(value: &str, place: &str) -> Option<GeneratorMark> {
    let mut m = mark(known(value)?, place);
    m.model = Some(cut(value));
    Some(m)
}

/// A vendor's credit.
pub(super) fn credit(value: &str, place: &str) -> Option<GeneratorMark> {
    let lower = value.trim().trim_end_matches('.').to_lowercase();
    let (_, tool, claim) = CREDITS.iter().find(|(line, _, _)| *line == lower)?;
    Some(GeneratorMark {
        claim: *claim,
        ..mark(tool, place)
    })
}

/// Black Forest Labs' own code writes `AI generated;txt2img;flux` as the program and the model as that of a camera.
pub(super) fn flux(exif: &ExifFacts) -> Option<GeneratorMark> {
    let software = exif.software.as_deref()?.to_lowercase();
    let kind = software.strip_prefix("ai generated;")?;
    let flux = kind.split(';').any(|word| word == "flux");
    Some(GeneratorMark {
        model: exif.model.clone(),
        prompt: exif.image_description.as_deref().map(cut),
        ..mark(
            if flux {
                "Black Forest Labs FLUX"
            } else {
                "a generator that is not named"
            },
            "EXIF Software",
        )
    })
}

/// Grok signs its pictures: a signature as the description and a number as the artist.
pub(super) fn grok(exif: &ExifFacts) -> Option<GeneratorMark> {
    let described = [&exif.image_description, &exif.user_comment];
    let signature = described
        .into_iter()
        .flatten()
        .find_map(|d| d.strip_prefix("Signature: "))?
        .trim();
    let base64 = signature.len() >= 40
        && signature
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_'));
    let id = exif.artist.as_deref().map(str::trim)?;
    (base64 && is_uuid(id)).then(|| GeneratorMark {
        job_id: Some(id.to_owned()),
        ..mark("Grok", "EXIF signature")
    })
}

/// Whether a text is a UUID.
pub(super) fn is_uuid(id: &str) -> bool {
    id.len() == 36
        && id.char_indices().all(|(i, c)| {
            if matches!(i, 8 | 13 | 18 | 23) {
                c == '-'
            } else {
                c.is_ascii_hexdigit()
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_first_word_and_no_part_of_one() {
        assert_eq!(known("Ideogram AI"), Some("Ideogram"));
        assert_eq!(known("imagen-3.0-generate-002"), Some(GOOGLE));
        for other in [
            "Imagenomic Portraiture",
            "Veolia",
            "Photo by Gemini",
            "grokking",
        ] {
            assert_eq!(known(other), None, "{other}");
        }
        assert!(names_generator(r#"prompt:{"3":{}}"#) && !names_generator("iPhone 15"));
    }

    #[test]
    fn credits_say_what_was_done() {
        let claim = |text: &str| credit(text, "here").map(|m| m.claim);
        assert_eq!(claim("Made with Google AI"), Some(MarkClaim::Generated));
        assert_eq!(
            claim("Edited with Google AI."),
            Some(MarkClaim::EditedWithAi)
        );
        assert_eq!(claim("Not made with Google AI"), None);
    }

    #[test]
    fn signatures_in_exif_are_told_by_both_fields() {
        let mut exif = ExifFacts {
            image_description: Some(format!("Signature: {}", "Ab+/".repeat(20))),
            artist: Some("01234567-89ab-cdef-0123-456789abcdef".into()),
            ..ExifFacts::default()
        };
        assert_eq!(grok(&exif).unwrap().tool, "Grok");
        exif.artist = Some("A person".into());
        assert!(grok(&exif).is_none());
        let exif = ExifFacts {
            software: Some("AI generated;img2img;flux".into()),
            make: Some("Black Forest Labs".into()),
            model: Some("flux-dev".into()),
            ..ExifFacts::default()
        };
        let m = flux(&exif).unwrap();
        assert_eq!(
            (m.tool.as_str(), m.model.as_deref()),
            ("Black Forest Labs FLUX", Some("flux-dev"))
        );
    }
}

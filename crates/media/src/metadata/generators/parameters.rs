//! Parameters as lines of text: Stable Diffusion WebUI, its forks, and others that write as it does.

use super::mark;
use crate::metadata::mark::GeneratorMark;
use crate::metadata::text::cut;

/// Prompt lines, perhaps `Negative prompt: ...`, then a line `Steps: N, Sampler: ..., CFG scale: ...`. Extensions write
/// further lines behind it.
pub(super) fn read(text: &str, place: &str) -> Option<GeneratorMark> {
    let mut start = 0;
    let mut line = None;
    for l in text.split_inclusive('\n') {
        if l.trim_start().starts_with("Steps: ") {
            line = Some((start, l.trim()));
        }
        start += l.len();
    }
    let (start, line) = line?;
    let fields = fields(line);
    let field = |name: &str| {
        let found = fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    };
    let steps = field("Steps")?.parse().ok()?;
    field("Sampler").or_else(|| field("Seed"))?;
    let head = text[..start].trim();
    let (prompt, negative) = match head.split_once("Negative prompt:") {
        Some((prompt, negative)) => (prompt.trim(), Some(negative.trim())),
        None => (head, None),
    };
    let kept = |t: &str| (!t.is_empty()).then(|| cut(t));
    Some(GeneratorMark {
        version: field("Version").map(cut),
        model: field("Model").or_else(|| field("Model hash")).map(cut),
        prompt: kept(prompt),
        negative_prompt: negative.and_then(kept),
        seed: field("Seed").and_then(|v| v.parse().ok()),
        steps: Some(steps),
        sampler: field("Sampler").map(cut),
        ..mark(tool(&field), place)
    })
}

/// Who writes these lines, by the fields that each adds.
fn tool<'a>(field: &impl Fn(&str) -> Option<&'a str>) -> &'static str {
    let version = field("Version").unwrap_or_default();
    let app = field("App").unwrap_or_default();
    if app.starts_with("SD.Next") || field("Parser").is_some() || field("Backend").is_some() {
        "SD.Next"
    } else if version.starts_with("Fooocus") {
        "Fooocus"
    } else if version.starts_with("ComfyUI") {
        "ComfyUI"
    } else if app.to_ascii_lowercase().contains("invoke") {
        "InvokeAI"
    } else if version.starts_with('f') || version.starts_with("neo") || version.contains("forge") {
        "Stable Diffusion WebUI Forge"
    } else {
        "Stable Diffusion WebUI"
    }
}

/// Fields `Name: value`, separated by commas; a value in quotation marks may hold commas.
fn fields(line: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut rest = line;
    while !rest.is_empty() && out.len() < 256 {
        let Some((name, tail)) = rest.split_once(": ") else {
            break;
        };
        let (value, tail) = match tail.strip_prefix('"') {
            Some(quoted) => {
                let mut escaped = false;
                let end = quoted.find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                let end = end.unwrap_or(quoted.len());
                let after = quoted.get(end + 1..).unwrap_or_default();
                (&quoted[..end], after.trim_start_matches([',', ' ']))
            }
            None => tail.split_once(", ").unwrap_or((tail, "")),
        };
        out.push((name.trim().to_owned(), value.trim().to_owned()));
        rest = tail;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBUI: &str = "a red fox\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model hash: abc, Model: v1-5";

    #[test]
    fn webui_parameters_are_parsed() {
        let m = read(WEBUI, "here").unwrap();
        assert_eq!(m.tool, "Stable Diffusion WebUI");
        assert_eq!(m.model.as_deref(), Some("v1-5"));
        assert_eq!(m.prompt.as_deref(), Some("a red fox"));
        assert_eq!(m.negative_prompt.as_deref(), Some("blurry"));
        assert_eq!((m.seed, m.steps), (Some(1), Some(20)));
    }

    #[test]
    fn quoted_commas_and_further_lines_are_survived() {
        let text = "Steps: 9, Sampler: DPM++ 2M, Lora hashes: \"a: 1, Seed: 2\", Seed: 3, Model: m\nTemplate: a {red|blue} fox";
        let m = read(text, "here").unwrap();
        assert_eq!(
            (m.seed, m.model.as_deref(), m.prompt),
            (Some(3), Some("m"), None)
        );
    }

    #[test]
    fn forks_are_told_apart() {
        for (fields, tool) in [
            ("Version: v1.10.1", "Stable Diffusion WebUI"),
            (
                "Version: f2.0.1v1.10.1-previous-664",
                "Stable Diffusion WebUI Forge",
            ),
            ("App: SD.Next, Version: 7f3d1b2", "SD.Next"),
            ("Parser: Full parser", "SD.Next"),
            ("Version: Fooocus v2.5.5", "Fooocus"),
            ("Version: ComfyUI", "ComfyUI"),
        ] {
            let text = format!("a fox\nSteps: 20, Sampler: Euler, Seed: 1, {fields}");
            assert_eq!(read(&text, "here").unwrap().tool, tool, "{fields}");
        }
    }

    #[test]
    fn what_only_looks_like_parameters_is_none() {
        for text in [
            "Steps: many, Seed: 1",
            "Steps: 20",
            "The Steps: 20, Seed: 1",
            "",
        ] {
            assert!(read(text, "here").is_none(), "{text}");
        }
    }
}

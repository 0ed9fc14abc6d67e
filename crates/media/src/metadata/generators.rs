//! Traces that picture generators leave in metadata, recognised by the structure they write.

use serde_json::Value;

use super::declared::Metadata;
use super::mark::GeneratorMark;
use super::text::cut;

fn mark(tool: &str, place: &str) -> GeneratorMark {
    GeneratorMark {
        tool: tool.into(),
        place: place.into(),
        model: None,
        prompt: None,
    }
}

/// Finds the traces in text chunks, comments, EXIF, XMP, IPTC and content credentials.
pub(crate) fn find(
    text: &[(String, String)],
    comments: &[String],
    metadata: &Metadata,
) -> Vec<GeneratorMark> {
    let mut marks: Vec<GeneratorMark> = Vec::new();
    let mut add = |found: Option<GeneratorMark>| {
        if let Some(found) = found
            && !marks.iter().any(|m| m.tool == found.tool)
        {
            marks.push(found);
        }
    };
    let software = text
        .iter()
        .find(|(k, _)| k == "Software")
        .map(|(_, v)| v.as_str());
    let fooocus = text.iter().any(|(k, _)| k == "fooocus_scheme");
    for (key, value) in text {
        let place = format!("PNG text chunk `{key}`");
        add(match key.as_str() {
            "parameters" if fooocus => fooocus_json(value, &place)
                .or_else(|| webui(value, &place).map(|m| renamed(m, "Fooocus"))),
            "parameters" => webui(value, &place).or_else(|| fooocus_json(value, &place)),
            "prompt" => comfy_prompt(value, &place),
            "workflow" => comfy_workflow(value, &place),
            "invokeai_metadata" | "invokeai_graph" | "sd-metadata" => json_object(value)
                .map(|o| with_json(mark("InvokeAI", &place), &o, "model", "positive_prompt")),
            "Dream" if value.contains(" -s") => Some(mark("InvokeAI", &place)),
            "Comment" if software == Some("NovelAI") => json_object(value)
                .map(|o| with_json(mark("NovelAI", &place), &o, "model", "prompt")),
            "Description" => midjourney(value, &place),
            _ => None,
        });
    }
    if software == Some("NovelAI") {
        add(Some(mark("NovelAI", "PNG text chunk `Software`")));
    }
    for comment in comments {
        add(webui(comment, "JPEG comment"));
        add(comfy_prompt(comment, "JPEG comment"));
    }
    if let Some(exif) = &metadata.exif {
        for (value, place) in [
            (&exif.user_comment, "EXIF UserComment"),
            (&exif.image_description, "EXIF ImageDescription"),
        ] {
            if let Some(value) = value {
                add(webui(value, place)
                    .or_else(|| fooocus_json(value, place))
                    .or_else(|| comfy_prompt(value, place))
                    .or_else(|| midjourney(value, place)));
            }
        }
        // ComfyUI's WebP writer puts `prompt:{...}` and `workflow:{...}` into Make and Model.
        for value in [&exif.make, &exif.model].into_iter().flatten() {
            if let Some((key, json)) = value.split_once(':') {
                add(match key.to_ascii_lowercase().as_str() {
                    "prompt" => comfy_prompt(json, "EXIF"),
                    "workflow" => comfy_workflow(json, "EXIF"),
                    _ => None,
                });
            }
        }
        if let Some(software) = &exif.software {
            add(program(software, "EXIF Software"));
        }
    }
    if let Some(xmp) = &metadata.xmp {
        if let Some(tool) = &xmp.creator_tool {
            add(program(tool, "XMP CreatorTool"));
        }
        if let Some(system) = &xmp.ai_system_used {
            add(Some(
                program(system, "XMP AISystemUsed")
                    .unwrap_or_else(|| mark(&cut(system), "XMP AISystemUsed")),
            ));
        }
        if let Some(credit) = &xmp.credit {
            add(google_credit(credit, "XMP Credit"));
        }
        if let Some(description) = &xmp.description {
            add(midjourney(description, "XMP description"));
        }
    }
    if let Some(credit) = metadata.iptc.as_ref().and_then(|i| i.credit.as_deref()) {
        add(google_credit(credit, "IPTC Credit"));
    }
    if let Some(c2pa) = &metadata.c2pa {
        for agent in c2pa.software_agents.iter().chain(&c2pa.claim_generator) {
            add(program(agent, "C2PA manifest"));
        }
    }
    marks
}

fn renamed(mut m: GeneratorMark, tool: &str) -> GeneratorMark {
    m.tool = tool.into();
    m
}

fn json_object(text: &str) -> Option<serde_json::Map<String, Value>> {
    match serde_json::from_str(text.trim()).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

fn with_json(
    mut m: GeneratorMark,
    object: &serde_json::Map<String, Value>,
    model: &str,
    prompt: &str,
) -> GeneratorMark {
    m.model = object.get(model).map(|v| match v {
        Value::String(s) => cut(s),
        Value::Object(o) => cut(o
            .get("name")
            .or_else(|| o.get("model_name"))
            .and_then(Value::as_str)
            .unwrap_or_default()),
        other => cut(&other.to_string()),
    });
    m.prompt = object.get(prompt).and_then(Value::as_str).map(cut);
    m
}

/// Stable Diffusion WebUI: prompt lines, then a last line `Steps: N, Sampler: ..., CFG scale: ...`.
fn webui(text: &str, place: &str) -> Option<GeneratorMark> {
    let last = text.trim_end().lines().last()?;
    if !last.starts_with("Steps: ") {
        return None;
    }
    let field = |name: &str| {
        last.split(", ")
            .find_map(|part| part.strip_prefix(name)?.strip_prefix(": "))
    };
    field("Steps")?.parse::<u32>().ok()?;
    field("Sampler").or_else(|| field("Seed"))?;
    let mut m = mark("Stable Diffusion WebUI", place);
    m.model = field("Model").or_else(|| field("Model hash")).map(cut);
    let prompt = text.split("\nNegative prompt:").next().unwrap_or(text);
    let prompt = prompt.split("\nSteps: ").next().unwrap_or(prompt);
    m.prompt = (!prompt.starts_with("Steps: ")).then(|| cut(prompt));
    Some(m)
}

fn fooocus_json(text: &str, place: &str) -> Option<GeneratorMark> {
    let object = json_object(text)?;
    let known = ["base_model", "sampler", "guidance_scale", "prompt"];
    (known.iter().filter(|k| object.contains_key(**k)).count() >= 3)
        .then(|| with_json(mark("Fooocus", place), &object, "base_model", "prompt"))
}

/// ComfyUI's prompt: an object of nodes, each with `class_type` and `inputs`.
fn comfy_prompt(text: &str, place: &str) -> Option<GeneratorMark> {
    let object = json_object(text)?;
    let node =
        |v: &Value| v.get("class_type").is_some_and(Value::is_string) && v.get("inputs").is_some();
    if object.is_empty() || !object.values().all(node) {
        return None;
    }
    let mut m = mark("ComfyUI", place);
    m.model = object.values().find_map(|n| {
        let inputs = n.get("inputs")?;
        ["ckpt_name", "unet_name"]
            .iter()
            .find_map(|k| inputs.get(k)?.as_str().map(cut))
    });
    m.prompt = object.values().find_map(|n| {
        (n.get("class_type")?.as_str()? == "CLIPTextEncode")
            .then(|| n.get("inputs")?.get("text")?.as_str().map(cut))?
    });
    Some(m)
}

/// ComfyUI's workflow: `nodes` with a `type` each, and `links`.
fn comfy_workflow(text: &str, place: &str) -> Option<GeneratorMark> {
    let object = json_object(text)?;
    let nodes = object.get("nodes")?.as_array()?;
    (object.contains_key("links") && nodes.iter().any(|n| n.get("type").is_some()))
        .then(|| mark("ComfyUI", place))
}

/// Midjourney's description ends with `Job ID: <uuid>`.
fn midjourney(text: &str, place: &str) -> Option<GeneratorMark> {
    let (prompt, id) = text.rsplit_once("Job ID: ")?;
    let id = id.trim();
    let uuid = id.len() == 36
        && id.char_indices().all(|(i, c)| {
            if matches!(i, 8 | 13 | 18 | 23) {
                c == '-'
            } else {
                c.is_ascii_hexdigit()
            }
        });
    uuid.then(|| {
        let mut m = mark("Midjourney", place);
        m.prompt = Some(cut(prompt.trim()));
        m
    })
}

fn google_credit(credit: &str, place: &str) -> Option<GeneratorMark> {
    (credit.trim() == "Made with Google AI").then(|| mark("Google AI (Gemini, Imagen)", place))
}

/// Names that programs write of themselves; the whole field or its first word must be the name.
fn program(value: &str, place: &str) -> Option<GeneratorMark> {
    const PROGRAMS: [(&str, &str); 16] = [
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
        (
            "google c2pa core generator library",
            "Google AI (Gemini, Imagen)",
        ),
        ("gemini", "Google AI (Gemini, Imagen)"),
        ("imagen", "Google AI (Gemini, Imagen)"),
        ("novelai", "NovelAI"),
        ("invokeai", "InvokeAI"),
        ("fooocus", "Fooocus"),
    ];
    let lower = value.trim().to_lowercase();
    let (_, tool) = PROGRAMS.iter().find(|(name, _)| {
        lower
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| !c.is_alphanumeric()))
    })?;
    let mut m = mark(tool, place);
    m.model = Some(cut(value));
    Some(m)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBUI: &str = "a red fox\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model hash: abc, Model: v1-5";

    fn chunk(key: &str, value: &str) -> Vec<(String, String)> {
        vec![(key.into(), value.into())]
    }

    #[test]
    fn webui_parameters_are_parsed() {
        let marks = find(&chunk("parameters", WEBUI), &[], &Metadata::default());
        assert_eq!(marks[0].tool, "Stable Diffusion WebUI");
        assert_eq!(marks[0].model.as_deref(), Some("v1-5"));
        assert_eq!(marks[0].prompt.as_deref(), Some("a red fox"));
    }

    #[test]
    fn a_caption_about_generators_is_no_mark() {
        let caption = "How Midjourney and Steps: 20 changed ComfyUI";
        for key in ["parameters", "prompt", "workflow", "Description", "Comment"] {
            assert!(find(&chunk(key, caption), &[], &Metadata::default()).is_empty());
        }
    }

    #[test]
    fn comfy_prompt_and_workflow_are_told_by_structure() {
        let prompt = r#"{"3":{"class_type":"KSampler","inputs":{}},"4":{"class_type":"CheckpointLoaderSimple","inputs":{"ckpt_name":"sdxl.safetensors"}}}"#;
        let marks = find(&chunk("prompt", prompt), &[], &Metadata::default());
        assert_eq!(marks[0].tool, "ComfyUI");
        assert_eq!(marks[0].model.as_deref(), Some("sdxl.safetensors"));
        let workflow = r#"{"nodes":[{"type":"KSampler"}],"links":[]}"#;
        assert_eq!(
            find(&chunk("workflow", workflow), &[], &Metadata::default())[0].tool,
            "ComfyUI"
        );
    }

    #[test]
    fn a_job_id_must_be_a_uuid() {
        let good = "a cat --v 6 Job ID: 01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!(
            find(&chunk("Description", good), &[], &Metadata::default())[0].tool,
            "Midjourney"
        );
        assert!(
            find(
                &chunk("Description", "Job ID: 7"),
                &[],
                &Metadata::default()
            )
            .is_empty()
        );
    }
}

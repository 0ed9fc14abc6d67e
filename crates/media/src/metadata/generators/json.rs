//! Parameters as JSON: ComfyUI, SwarmUI, InvokeAI, NovelAI, Fooocus, Draw Things, Easy Diffusion.

use serde_json::{Map, Value};

use super::{first, mark};
use crate::metadata::mark::{GeneratorMark, MarkClaim};
use crate::metadata::text::cut;

type Object = Map<String, Value>;

/// The object that a text is, where it is one. Python writes numbers that are none (`NaN`), which JSON does not know.
pub(super) fn object(text: &str) -> Option<Object> {
    let text = text.trim().trim_end_matches('\0');
    if !text.starts_with('{') {
        return None;
    }
    let parsed = serde_json::from_str(text).or_else(|_| serde_json::from_str(&finite(text)));
    match parsed.ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// JSON without `NaN` and infinities: outside of strings they become `null`.
fn finite(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let (mut quoted, mut escaped) = (false, false);
    while let Some(c) = rest.chars().next() {
        let none = ["NaN", "-Infinity", "Infinity"];
        if !quoted && let Some(tail) = none.iter().find_map(|n| rest.strip_prefix(n)) {
            out.push_str("null");
            rest = tail;
            continue;
        }
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// What every tool has under some name.
struct Keys<'a> {
    model: &'a [&'a str],
    prompt: &'a [&'a str],
    negative: &'a [&'a str],
    steps: &'a [&'a str],
    sampler: &'a [&'a str],
    version: &'a [&'a str],
}

fn fill(tool: &str, place: &str, object: &Object, keys: &Keys<'_>) -> GeneratorMark {
    GeneratorMark {
        model: first(object, keys.model).and_then(name),
        prompt: first(object, keys.prompt).and_then(text),
        negative_prompt: first(object, keys.negative).and_then(text),
        seed: first(object, &["seed", "Seed"]).and_then(number),
        steps: first(object, keys.steps)
            .and_then(number)
            .and_then(|v| u32::try_from(v).ok()),
        sampler: first(object, keys.sampler).and_then(text),
        version: first(object, keys.version).and_then(text),
        ..mark(tool, place)
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(s) if !s.is_empty() => Some(cut(s)),
        // Some keep several prompts with their weights.
        Value::Array(list) => list
            .iter()
            .find_map(|v| text(v.get("prompt").unwrap_or(&Value::Null))),
        _ => None,
    }
}

/// A model's name: a text, or an object that has one.
fn name(value: &Value) -> Option<String> {
    match value {
        Value::Object(o) => first(o, &["name", "model_name", "key"]).and_then(text),
        other => text(other),
    }
}

/// A whole number, also where it is written as a text or with a point.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::String(s) => s.trim().parse().ok(),
        Value::Number(n) => n.as_u64().or_else(|| {
            let v = n.as_f64()?;
            ((0.0..9.0e15).contains(&v) && v.fract() == 0.0).then_some(v as u64)
        }),
        _ => None,
    }
}

/// Reads a text whose place tells nothing of its writer.
pub(super) fn any(value: &str, place: &str) -> Option<GeneratorMark> {
    // ComfyUI's writers put a name ahead: `prompt:{...}`, `Workflow: {...}`.
    if let Some((key, json)) = value.split_once(':')
        && !key.contains('{')
    {
        return match key.trim().to_ascii_lowercase().as_str() {
            "prompt" => comfy_prompt(json, place),
            "workflow" => comfy_workflow(json, place),
            _ => None,
        };
    }
    let o = object(value)?;
    swarm(&o, place)
        .or_else(|| comfy_nodes(&o, place))
        .or_else(|| comfy_wrapped(&o, place))
        .or_else(|| comfy_graph(&o, place))
        .or_else(|| draw_things(&o, place))
        .or_else(|| easy_diffusion(&o, place))
        .or_else(|| invoke_object(&o, place, false))
        .or_else(|| novelai_object(&o, place))
        .or_else(|| fooocus_object(&o, place))
}

fn swarm(o: &Object, place: &str) -> Option<GeneratorMark> {
    let keys = Keys {
        model: &["model"],
        prompt: &["prompt"],
        negative: &["negativeprompt"],
        steps: &["steps"],
        sampler: &["sampler", "comfyuisampler"],
        version: &["swarm_version"],
    };
    let parameters = o.get("sui_image_params")?.as_object()?;
    Some(fill("SwarmUI", place, parameters, &keys))
}

pub(super) fn fooocus(value: &str, place: &str) -> Option<GeneratorMark> {
    fooocus_object(&object(value)?, place)
}

fn fooocus_object(o: &Object, place: &str) -> Option<GeneratorMark> {
    let known = [
        "base_model",
        "sampler",
        "guidance_scale",
        "prompt",
        "refiner_model",
    ];
    let keys = Keys {
        model: &["base_model"],
        prompt: &["prompt"],
        negative: &["negative_prompt"],
        steps: &["steps"],
        sampler: &["sampler"],
        version: &["version"],
    };
    (known.iter().filter(|k| o.contains_key(**k)).count() >= 3)
        .then(|| fill("Fooocus", place, o, &keys))
}

/// Draw Things: `c` is the prompt, `uc` what is not to be shown.
fn draw_things(o: &Object, place: &str) -> Option<GeneratorMark> {
    let keys = Keys {
        model: &["model"],
        prompt: &["c"],
        negative: &["uc"],
        steps: &["steps"],
        sampler: &["sampler"],
        version: &["version"],
    };
    let own = o.contains_key("c") && o.contains_key("uc") && o.contains_key("model");
    own.then(|| fill("Draw Things", place, o, &keys))
}

fn easy_diffusion(o: &Object, place: &str) -> Option<GeneratorMark> {
    let keys = Keys {
        model: &["use_stable_diffusion_model", "Stable Diffusion model"],
        prompt: &["prompt", "Prompt"],
        negative: &["negative_prompt", "Negative Prompt"],
        steps: &["num_inference_steps", "Steps"],
        sampler: &["sampler_name", "Sampler"],
        version: &["app_version"],
    };
    first(o, keys.model)?;
    Some(fill("Easy Diffusion", place, o, &keys))
}

/// NovelAI's comment.
pub(super) fn novelai(value: &str, place: &str) -> Option<GeneratorMark> {
    let o = object(value)?;
    // The stealth channel keeps all chunks as one object, with the comment as a text in it.
    let inner = o.get("Comment").and_then(Value::as_str).and_then(object);
    Some(novelai_filled(inner.as_ref().unwrap_or(&o), &o, place))
}

fn novelai_filled(o: &Object, outer: &Object, place: &str) -> GeneratorMark {
    let keys = Keys {
        model: &["model"],
        prompt: &["prompt"],
        negative: &["uc"],
        steps: &["steps"],
        sampler: &["sampler"],
        version: &["version"],
    };
    let mut m = fill("NovelAI", place, o, &keys);
    m.model = m.model.or_else(|| outer.get("Source").and_then(text));
    m.prompt = m.prompt.or_else(|| outer.get("Description").and_then(text));
    m
}

fn novelai_object(o: &Object, place: &str) -> Option<GeneratorMark> {
    let software = o.get("Software").and_then(Value::as_str);
    if software.is_some_and(|s| s.starts_with("NovelAI")) {
        let inner = o.get("Comment").and_then(Value::as_str).and_then(object);
        return Some(novelai_filled(inner.as_ref().unwrap_or(o), o, place));
    }
    // What its newer pictures sign.
    let own = o.contains_key("uc") && o.contains_key("sampler") && o.contains_key("signed_hash");
    own.then(|| novelai_filled(o, o, place))
}

/// InvokeAI, all generations of its keys; `named` where the keyword of the text is InvokeAI's own.
pub(super) fn invoke(value: &str, place: &str, named: bool) -> Option<GeneratorMark> {
    invoke_object(&object(value)?, place, named)
}

fn invoke_object(o: &Object, place: &str, named: bool) -> Option<GeneratorMark> {
    let app = first(o, &["app_id", "app_version"])
        .and_then(Value::as_str)
        .unwrap_or_default();
    let own = app.to_ascii_lowercase().contains("invoke")
        || (o.contains_key("generation_mode") && o.contains_key("positive_prompt"));
    if !named && !own {
        return None;
    }
    let keys = Keys {
        model: &["model", "model_weights"],
        prompt: &["positive_prompt", "prompt"],
        negative: &["negative_prompt"],
        steps: &["steps"],
        sampler: &["scheduler", "sampler"],
        version: &["app_version"],
    };
    // The oldest keep the picture's parameters one level down; the model beside them is the weights' name.
    if let Some(image) = o.get("image").and_then(Value::as_object) {
        let mut m = fill("InvokeAI", place, image, &keys);
        m.model = first(o, &["model_weights", "model"]).and_then(name);
        m.version = first(o, keys.version).and_then(text);
        return Some(m);
    }
    Some(fill("InvokeAI", place, o, &keys))
}

/// InvokeAI's first way: `"prompt" -s 50 -S 123 -A k_lms`.
pub(super) fn dream(value: &str, place: &str) -> Option<GeneratorMark> {
    let (prompt, options) = value.strip_prefix('"')?.rsplit_once('"')?;
    let words: Vec<&str> = options.split_whitespace().collect();
    let option = |short: &str| {
        let at = words.iter().position(|w| w.starts_with(short))?;
        let rest = words[at].strip_prefix(short).filter(|r| !r.is_empty());
        rest.or_else(|| words.get(at + 1).copied())
    };
    let steps = option("-s")?.parse().ok()?;
    Some(GeneratorMark {
        prompt: Some(cut(prompt)),
        steps: Some(steps),
        seed: option("-S").and_then(|v| v.parse().ok()),
        sampler: option("-A").map(cut),
        ..mark("InvokeAI", place)
    })
}

/// ComfyUI's prompt: an object of nodes, each with `class_type` and `inputs`.
pub(super) fn comfy_prompt(value: &str, place: &str) -> Option<GeneratorMark> {
    let o = object(value)?;
    comfy_nodes(&o, place).or_else(|| comfy_wrapped(&o, place))
}

/// ComfyUI's workflow: `nodes` with a `type` each, and `links`.
pub(super) fn comfy_workflow(value: &str, place: &str) -> Option<GeneratorMark> {
    let o = object(value)?;
    comfy_graph(&o, place).or_else(|| comfy_wrapped(&o, place))
}

fn comfy_graph(o: &Object, place: &str) -> Option<GeneratorMark> {
    let nodes = o.get("nodes")?.as_array()?;
    (o.contains_key("links") && nodes.iter().any(|n| n.get("type").is_some()))
        .then(|| mark("ComfyUI", place))
}

/// Prompt and workflow in one object, each an object or a text.
fn comfy_wrapped(o: &Object, place: &str) -> Option<GeneratorMark> {
    let inner = |key: &str| match o.get(key)? {
        Value::Object(inner) => Some(inner.clone()),
        Value::String(json) => object(json),
        _ => None,
    };
    inner("prompt")
        .and_then(|p| comfy_nodes(&p, place))
        .or_else(|| inner("workflow").and_then(|w| comfy_graph(&w, place)))
}

fn comfy_nodes(o: &Object, place: &str) -> Option<GeneratorMark> {
    let is_node =
        |v: &Value| v.get("class_type").is_some_and(Value::is_string) && v.get("inputs").is_some();
    // Some writers put a version or a note beside the nodes.
    let nodes = o.values().filter(|v| is_node(v)).count();
    if nodes == 0 || nodes + 2 < o.len() {
        return None;
    }
    let inputs = || o.values().filter_map(|n| n.get("inputs")?.as_object());
    let find = |keys: &[&str]| inputs().find_map(|i| first(i, keys));
    let sampler = inputs().find(|i| i.contains_key("positive") && i.contains_key("sampler_name"));
    let sampler = sampler.or_else(|| inputs().find(|i| i.contains_key("positive")));
    let seeds = ["seed", "noise_seed"];
    let seed = sampler
        .and_then(|i| first(i, &seeds))
        .or_else(|| find(&seeds));
    let steps = sampler
        .and_then(|i| first(i, &["steps"]))
        .or_else(|| find(&["steps"]));
    let mut m = GeneratorMark {
        model: [
            "ckpt_name",
            "unet_name",
            "gguf_name",
            "base_ckpt_name",
            "model_name",
        ]
        .iter()
        .find_map(|k| inputs().find_map(|i| text(i.get(*k)?))),
        seed: seed.and_then(|v| followed(o, v).and_then(number)),
        steps: steps
            .and_then(|v| followed(o, v).and_then(number))
            .and_then(|v| u32::try_from(v).ok()),
        sampler: find(&["sampler_name"]).and_then(text),
        ..mark("ComfyUI", place)
    };
    if let Some(sampler) = sampler {
        let said = |key: &str| sampler.get(key).and_then(|v| words(o, v)).and_then(text);
        m.prompt = said("positive");
        m.negative_prompt = said("negative");
    }
    m.prompt = m.prompt.or_else(|| {
        o.values().find_map(|n| {
            let encodes = n.get("class_type")?.as_str()?.contains("TextEncode");
            encodes.then(|| words(o, n.get("inputs")?.get("text")?).and_then(text))?
        })
    });
    Some(m)
}

/// Most links that are followed for one value.
const MAX_LINKS: usize = 64;

/// The node that a link (`[id, output]`) leads to.
fn linked<'a>(o: &'a Object, value: &Value) -> Option<&'a Object> {
    let id = value.as_array()?.first()?;
    let node = match id {
        Value::String(id) => o.get(id)?,
        id => o.get(&id.to_string())?,
    };
    node.get("inputs")?.as_object()
}

/// A number, or the one that a link leads to.
fn followed<'a>(o: &'a Object, mut value: &'a Value) -> Option<&'a Value> {
    for _ in 0..MAX_LINKS {
        if !value.is_array() {
            return Some(value);
        }
        let inputs = linked(o, value)?;
        value = first(
            inputs,
            &["seed", "noise_seed", "value", "int", "number", "steps"],
        )?;
    }
    None
}

/// A text, or the first one that links lead to.
fn words<'a>(o: &'a Object, value: &'a Value) -> Option<&'a Value> {
    let mut open = vec![value];
    for _ in 0..MAX_LINKS {
        let value = open.pop()?;
        if value.is_string() {
            return Some(value);
        }
        let Some(inputs) = linked(o, value) else {
            continue;
        };
        // The last one is looked at first.
        let keys = [
            "conditioning_to",
            "conditioning_1",
            "conditioning",
            "positive",
            "value",
            "string",
            "clip_l",
            "t5xxl",
            "prompt",
            "text_g",
            "text",
        ];
        open.extend(keys.iter().filter_map(|k| inputs.get(*k)));
    }
    None
}

/// What Samsung's editor notes behind a picture; a kind other than 0 says that its AI drew.
pub(super) fn galaxy(value: &str, place: &str) -> Option<GeneratorMark> {
    let kind = object(value)?.get("genAIType").and_then(number)?;
    (kind != 0).then(|| GeneratorMark {
        claim: MarkClaim::EditedWithAi,
        ..mark("Samsung Galaxy AI", place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tool, model, prompt, seed and steps.
    fn said(m: Option<GeneratorMark>) -> (String, String, String, u64, u32) {
        let m = m.expect("a mark");
        (
            m.tool,
            m.model.unwrap_or_default(),
            m.prompt.unwrap_or_default(),
            m.seed.unwrap_or_default(),
            m.steps.unwrap_or_default(),
        )
    }

    fn expected(tool: &str, model: &str) -> (String, String, String, u64, u32) {
        (tool.into(), model.into(), "a fox".into(), 7, 20)
    }

    #[test]
    fn comfy_is_followed_along_its_links() {
        let prompt = r#"{
            "3": {"class_type": "KSampler", "is_changed": [NaN], "inputs": {
                "seed": ["9", 0], "steps": 20, "sampler_name": "euler", "positive": ["6", 0], "negative": ["7", 0]}},
            "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sdxl.safetensors"}},
            "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["8", 0], "clip": ["4", 1]}},
            "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
            "8": {"class_type": "PrimitiveString", "inputs": {"value": "a fox"}},
            "9": {"class_type": "PrimitiveInt", "inputs": {"value": 7}}
        }"#;
        let m = comfy_prompt(prompt, "here");
        assert_eq!(
            m.as_ref().unwrap().negative_prompt.as_deref(),
            Some("blurry")
        );
        assert_eq!(said(m), expected("ComfyUI", "sdxl.safetensors"));
        // Wrapped, with a name ahead, or as a text in an object.
        let wrapped = format!(r#"{{"prompt": {prompt}, "workflow": {{}}}}"#);
        let quoted = serde_json::json!({ "prompt": prompt }).to_string();
        for value in [wrapped, quoted, format!("Prompt:{prompt}")] {
            assert_eq!(
                said(any(&value, "here")),
                expected("ComfyUI", "sdxl.safetensors")
            );
        }
        let circle = r#"{"1": {"class_type": "KSampler", "inputs": {"positive": ["1", 0], "seed": ["1", 0]}}}"#;
        assert_eq!(said(comfy_prompt(circle, "here")).3, 0);
    }

    #[test]
    fn each_tool_is_told_by_its_keys() {
        for (json, tool, model) in [
            (
                r#"{"sui_image_params": {"prompt": "a fox", "seed": 7, "steps": 20, "model": "m", "swarm_version": "0.9"}}"#,
                "SwarmUI",
                "m",
            ),
            (
                r#"{"c": "a fox", "uc": "", "model": "m.ckpt", "seed": 7, "steps": 20, "sampler": "DPM++"}"#,
                "Draw Things",
                "m.ckpt",
            ),
            (
                r#"{"prompt": "a fox", "seed": 7, "num_inference_steps": 20, "use_stable_diffusion_model": "m"}"#,
                "Easy Diffusion",
                "m",
            ),
            (
                r#"{"base_model": "m", "prompt": "a fox", "sampler": "x", "guidance_scale": 4, "seed": "7", "steps": 20}"#,
                "Fooocus",
                "m",
            ),
            (
                r#"{"Software": "NovelAI", "Source": "m", "Description": "a fox", "Comment": "{\"seed\": 7, \"steps\": 20}"}"#,
                "NovelAI",
                "m",
            ),
            (
                r#"{"generation_mode": "txt2img", "positive_prompt": "a fox", "seed": 7, "steps": 20, "model": {"name": "m", "hash": "h"}}"#,
                "InvokeAI",
                "m",
            ),
            (
                r#"{"app_id": "invoke-ai/InvokeAI", "model": "stable diffusion", "model_weights": "m", "image": {"prompt": [{"prompt": "a fox", "weight": 1}], "seed": 7, "steps": 20}}"#,
                "InvokeAI",
                "m",
            ),
        ] {
            assert_eq!(said(any(json, "here")), expected(tool, model), "{json}");
        }
        let dream_line = r#""a fox" -s 20 -S 7 -W 512 -A k_lms"#;
        assert_eq!(said(dream(dream_line, "here")), expected("InvokeAI", ""));
        let comment = r#"{"prompt": "a fox", "seed": 7, "steps": 20, "uc": "x"}"#;
        assert_eq!(said(novelai(comment, "here")), expected("NovelAI", ""));
    }

    #[test]
    fn an_edit_by_samsungs_ai_is_told_by_its_kind() {
        let m = galaxy(r#"{"originalPath": "x", "genAIType": 3}"#, "here").unwrap();
        assert_eq!(m.claim, MarkClaim::EditedWithAi);
        for json in [r#"{"genAIType": 0}"#, "{}", "genAIType"] {
            assert!(galaxy(json, "here").is_none());
        }
    }

    #[test]
    fn other_objects_are_no_mark() {
        for json in [
            "{}",
            r#"{"prompt": "a question", "model": "text"}"#,
            r#"{"nodes": [], "links": []}"#,
            r#"{"a": {"class_type": 1, "inputs": {}}}"#,
            "[1]",
        ] {
            assert!(any(json, "here").is_none(), "{json}");
        }
    }

    #[test]
    fn not_a_number_is_null_outside_of_strings_alone() {
        assert_eq!(
            finite(r#"{"a": NaN, "b": "NaN \" NaN", "c": [-Infinity]}"#),
            r#"{"a": null, "b": "NaN \" NaN", "c": [null]}"#
        );
    }
}

//! Traces that picture generators leave in metadata, recognised by the structure they write.
//!
//! Open first: `find`; `parameters` reads the lines of Stable Diffusion WebUI and its forks, `json` what others write
//! as JSON, `names` what programs and credits call themselves, `label` China's mandatory label.

mod json;
mod label;
mod names;
mod parameters;

use serde_json::Value;

use super::declared::Metadata;
use super::mark::{AigcLabel, GeneratorMark};
use super::text::cut;

pub use names::names_generator;

/// Whether a text is a vendor's credit, such as `Made with Google AI`.
pub(super) fn is_credit(text: &str) -> bool {
    names::credit(text, "").is_some()
}

/// A text of a file that may hold a generator's parameters, whole.
pub(super) struct Trace<'a> {
    /// Where it stands, for people.
    pub place: String,
    /// Its keyword, where it has one.
    pub key: &'a str,
    /// The text.
    pub value: &'a str,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub marks: Vec<GeneratorMark>,
    pub labels: Vec<AigcLabel>,
}

impl Found {
    fn add(&mut self, found: Option<GeneratorMark>) {
        let Some(found) = found else { return };
        let room = self.marks.len() < 32;
        match self.marks.iter_mut().find(|m| m.tool == found.tool) {
            // A second trace of the same tool completes the first.
            Some(known) => {
                let GeneratorMark {
                    version,
                    model,
                    prompt,
                    negative_prompt,
                    sampler,
                    job_id,
                    seed,
                    steps,
                    ..
                } = found;
                for (slot, value) in [
                    (&mut known.version, version),
                    (&mut known.model, model),
                    (&mut known.prompt, prompt),
                    (&mut known.negative_prompt, negative_prompt),
                    (&mut known.sampler, sampler),
                    (&mut known.job_id, job_id),
                ] {
                    if slot.is_none() {
                        *slot = value;
                    }
                }
                known.seed = known.seed.or(seed);
                known.steps = known.steps.or(steps);
            }
            None if room => self.marks.push(found),
            None => {}
        }
    }

    fn label(&mut self, found: Option<AigcLabel>) {
        if let Some(found) = found
            && self.labels.len() < 8
            && !self.labels.contains(&found)
        {
            self.labels.push(found);
        }
    }
}

pub(super) fn mark(tool: &str, place: &str) -> GeneratorMark {
    GeneratorMark {
        tool: tool.into(),
        place: place.into(),
        ..GeneratorMark::default()
    }
}

/// Finds traces in texts, and in the fields that other parsers have read.
pub(super) fn find(traces: &[Trace<'_>], metadata: &Metadata) -> Found {
    let mut found = Found::default();
    let software = traces.iter().find(|t| t.key == "Software").map(|t| t.value);
    let keyed = |key: &str| traces.iter().find(|t| t.key == key).map(|t| t.value);
    let fooocus = keyed("fooocus_scheme").is_some();
    for trace in traces {
        let (place, value) = (trace.place.as_str(), trace.value);
        // `moov.udta.AIGC`, `TC260:AIGC`.
        let key = trace.key.rsplit(['.', ':']).next().unwrap_or(trace.key);
        found.label(label::read(key, value, place));
        let own = match key {
            "parameters" if fooocus => json::fooocus(value, place)
                .or_else(|| parameters::read(value, place).map(|m| renamed(m, "Fooocus"))),
            "prompt" => json::comfy_prompt(value, place),
            "workflow" => json::comfy_workflow(value, place),
            "Dream" => json::dream(value, place),
            "invokeai_metadata" | "invokeai" | "invokeai_graph" | "invokeai_workflow"
            | "sd-metadata" => json::invoke(value, place, true),
            "Comment" | "comment" if software.is_some_and(|s| s.starts_with("NovelAI")) => {
                json::novelai(value, place)
            }
            "Software" | "\u{a9}swr" | "\u{a9}too" | "encoder" | "software" | "make"
            | "manufacturer" | "model" | "\u{a9}mak" | "\u{a9}mod" => names::program(value, place),
            "PhotoEditor_Re_Edit_Data" => json::galaxy(value, place),
            "use_stable_diffusion_model" | "Stable Diffusion model" => {
                Some(easy_diffusion(value, place, &keyed))
            }
            _ => None,
        };
        found.add(own.or_else(|| any(value, place)));
    }
    if let Some(exif) = &metadata.exif {
        for (value, place) in [(&exif.software, "EXIF Software"), (&exif.make, "EXIF Make")] {
            found.add(value.as_deref().and_then(|v| names::program(v, place)));
        }
        found.add(names::model(exif));
        found.add(names::flux(exif));
        found.add(names::grok(exif));
    }
    if let Some(xmp) = &metadata.xmp {
        if let Some(tool) = &xmp.creator_tool {
            found.add(names::program(tool, "XMP CreatorTool"));
        }
        for agent in &xmp.software_agents {
            found.add(names::program(agent, "XMP history"));
        }
        if let Some(system) = &xmp.ai_system_used {
            let place = "XMP AISystemUsed";
            let mut m = names::program(system, place).unwrap_or_else(|| mark(&cut(system), place));
            m.version.clone_from(&xmp.ai_system_version_used);
            m.prompt = xmp.ai_prompt_information.as_deref().map(cut);
            found.add(Some(m));
        }
        if let Some(credit) = &xmp.credit {
            found.add(names::credit(credit, "XMP Credit"));
        }
        for text in &xmp.others {
            found.add(names::credit(text, "XMP"));
        }
    }
    if let Some(iptc) = &metadata.iptc {
        for (value, place) in [(&iptc.credit, "IPTC Credit"), (&iptc.source, "IPTC Source")] {
            found.add(value.as_deref().and_then(|v| names::credit(v, place)));
        }
        let program = iptc.program.as_deref();
        found.add(program.and_then(|v| names::program(v, "IPTC Originating program")));
    }
    if let Some(c2pa) = &metadata.c2pa {
        for agent in c2pa.software_agents.iter().chain(&c2pa.claim_generator) {
            found.add(names::program(agent, "C2PA manifest"));
        }
        let manifests = c2pa.manifest.iter().chain(&c2pa.unlinked);
        for (_, m) in manifests.flat_map(super::c2pa::Manifest::all) {
            let vendor = m.actions.iter().flat_map(|a| a.vendor.values());
            for name in vendor.chain(&m.claim_generator) {
                found.add(names::program(name, "C2PA manifest"));
            }
        }
    }
    found
}

/// Reads a text whose place tells nothing of its writer.
fn any(value: &str, place: &str) -> Option<GeneratorMark> {
    json::any(value, place)
        .or_else(|| parameters::read(value, place))
        .or_else(|| midjourney(value, place))
        .or_else(|| names::credit(value, place))
}

fn renamed(mut m: GeneratorMark, tool: &str) -> GeneratorMark {
    m.tool = tool.into();
    m
}

/// Easy Diffusion writes each parameter into a chunk of its own.
fn easy_diffusion<'a>(
    model: &str,
    place: &str,
    keyed: &impl Fn(&str) -> Option<&'a str>,
) -> GeneratorMark {
    let of = |keys: [&str; 2]| keys.iter().find_map(|k| keyed(k));
    GeneratorMark {
        model: Some(cut(model)),
        prompt: of(["prompt", "Prompt"]).map(cut),
        negative_prompt: of(["negative_prompt", "Negative Prompt"]).map(cut),
        seed: of(["seed", "Seed"]).and_then(|v| v.trim().parse().ok()),
        steps: of(["num_inference_steps", "Steps"]).and_then(|v| v.trim().parse().ok()),
        sampler: of(["sampler_name", "Sampler"]).map(cut),
        ..mark("Easy Diffusion", place)
    }
}

/// Midjourney's description ends with `Job ID: <uuid>`.
fn midjourney(text: &str, place: &str) -> Option<GeneratorMark> {
    let (prompt, id) = text.rsplit_once("Job ID: ")?;
    let id = id.trim();
    let option = |name: &str| {
        let rest = prompt.rsplit_once(name)?.1;
        rest.split_whitespace().next()
    };
    names::is_uuid(id).then(|| GeneratorMark {
        prompt: Some(cut(prompt.trim())),
        job_id: Some(id.to_owned()),
        version: option(" --v ").or_else(|| option(" --version ")).map(cut),
        seed: option(" --seed ").and_then(|v| v.parse().ok()),
        ..mark("Midjourney", place)
    })
}

/// The first of several keys that an object has.
fn first<'a>(object: &'a serde_json::Map<String, Value>, keys: &[&str]) -> Option<&'a Value> {
    keys.iter()
        .find_map(|k| object.get(*k))
        .filter(|v| !v.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(key: &str, value: &str) -> Vec<GeneratorMark> {
        let trace = Trace {
            place: "a place".into(),
            key,
            value,
        };
        find(&[trace], &Metadata::default()).marks
    }

    #[test]
    fn a_caption_about_generators_is_no_mark() {
        let caption = "How Midjourney and Steps: 20 changed ComfyUI, AIGC and {\"prompt\": 1}";
        for key in [
            "parameters",
            "prompt",
            "workflow",
            "Description",
            "Comment",
            "AIGC",
            "Dream",
            "sd-metadata",
            "invokeai_metadata",
            "Software",
        ] {
            assert!(marks(key, caption).is_empty(), "{key}");
        }
    }

    #[test]
    fn a_job_id_must_be_a_uuid() {
        let good = "a cat --seed 7 --v 6.1 Job ID: 01234567-89ab-cdef-0123-456789abcdef";
        let found = marks("Description", good);
        assert_eq!(found[0].tool, "Midjourney");
        assert_eq!(
            (found[0].version.as_deref(), found[0].seed),
            (Some("6.1"), Some(7))
        );
        assert!(marks("Description", "Job ID: 7").is_empty());
    }

    #[test]
    fn easy_diffusion_is_told_by_its_chunks() {
        let chunks = [
            ("prompt", "a fox"),
            ("seed", "12"),
            ("num_inference_steps", "25"),
            ("use_stable_diffusion_model", "sd-v1-5"),
        ];
        let traces = chunks.map(|(key, value)| Trace {
            place: format!("PNG text chunk `{key}`"),
            key,
            value,
        });
        let found = find(&traces, &Metadata::default()).marks;
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].tool.as_str(), found[0].seed, found[0].steps),
            ("Easy Diffusion", Some(12), Some(25))
        );
        assert_eq!(found[0].prompt.as_deref(), Some("a fox"));
    }

    #[test]
    fn two_traces_of_a_tool_are_one_mark() {
        let prompt = r#"{"3":{"class_type":"KSampler","inputs":{"seed":5,"steps":20}}}"#;
        let workflow = r#"{"nodes":[{"type":"KSampler"}],"links":[]}"#;
        let traces = [("workflow", workflow), ("prompt", prompt)].map(|(key, value)| Trace {
            place: key.into(),
            key,
            value,
        });
        let found = find(&traces, &Metadata::default()).marks;
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].tool.as_str(), found[0].seed),
            ("ComfyUI", Some(5))
        );
    }
}

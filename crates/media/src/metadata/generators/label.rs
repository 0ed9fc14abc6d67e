//! China's mandatory label of generated content (GB 45438-2025, annex E): JSON under the name `AIGC`.

use serde_json::Value;

use super::json::object;
use crate::metadata::mark::AigcLabel;
use crate::metadata::text::cut;

/// The label that a text holds under `key`, or inside of an object under the name `AIGC`.
pub(super) fn read(key: &str, text: &str, place: &str) -> Option<AigcLabel> {
    if !key.eq_ignore_ascii_case("aigc") && !text.contains("AIGC") {
        return None;
    }
    // Some writers quote as Python does.
    let outer = object(text).or_else(|| object(&text.replace('\'', "\"")))?;
    let inner = match outer.get("AIGC") {
        Some(Value::Object(inner)) => inner.clone(),
        // Some writers keep the label as a text in JSON.
        Some(Value::String(inner)) => object(inner)?,
        _ if key.eq_ignore_ascii_case("aigc") => outer,
        _ => return None,
    };
    let get = |name: &str| {
        let found = inner
            .iter()
            .find(|(k, _)| k.trim().eq_ignore_ascii_case(name));
        match found?.1 {
            Value::String(text) if !text.trim().is_empty() => Some(cut(text.trim())),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    };
    let label = get("Label").filter(|l| matches!(l.as_str(), "1" | "2" | "3"))?;
    Some(AigcLabel {
        label,
        producer: get("ContentProducer"),
        produce_id: get("ProduceID"),
        propagator: get("ContentPropagator"),
        place: place.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_bare_and_wrapped() {
        let bare =
            r#"{"Label":"1","ContentProducer":"001","ProduceID":"x","ContentPropagator":"002"}"#;
        let label = read("AIGC", bare, "here").unwrap();
        assert_eq!(
            (label.label.as_str(), label.producer.as_deref()),
            ("1", Some("001"))
        );
        let wrapped = format!(r#"{{"AIGC":{bare}}}"#);
        assert_eq!(read("UserComment", &wrapped, "here"), Some(label.clone()));
        let quoted = serde_json::json!({ "AIGC": bare }).to_string();
        assert_eq!(read("comment", &quoted, "here"), Some(label));
        for odd in [
            "{'Label': '1', 'ContentProducer': '001'}",
            r#"{"label ":" 1 "}"#,
            r#"{"LABEL":1}"#,
        ] {
            assert_eq!(read("AIGC", odd, "here").unwrap().label, "1", "{odd}");
        }
        for (key, text) in [
            ("AIGC", r#"{"Label":"7"}"#),
            ("AIGC", "AIGC"),
            ("Comment", bare),
        ] {
            assert_eq!(read(key, text, "here"), None);
        }
    }
}

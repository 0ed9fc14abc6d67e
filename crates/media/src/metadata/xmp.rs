//! XMP properties that speak of origin (ISO 16684-1; IPTC Extension 2025.1 for the AI fields).

use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;
use serde::{Deserialize, Serialize};

use super::text::cut;

const IPTC_EXT: &[u8] = b"http://iptc.org/std/Iptc4xmpExt/2008-02-29/";
const PHOTOSHOP: &[u8] = b"http://ns.adobe.com/photoshop/1.0/";
const XMP_BASIC: &[u8] = b"http://ns.adobe.com/xap/1.0/";
const DUBLIN_CORE: &[u8] = b"http://purl.org/dc/elements/1.1/";

/// Properties that speak of origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct XmpFacts {
    /// `Iptc4xmpExt:DigitalSourceType`, the last part of its URI.
    pub digital_source_type: Option<String>,
    /// `Iptc4xmpExt:AISystemUsed` (2025.1).
    pub ai_system_used: Option<String>,
    /// `Iptc4xmpExt:AISystemVersionUsed` (2025.1).
    pub ai_system_version_used: Option<String>,
    /// `Iptc4xmpExt:AIPromptInformation` (2025.1).
    pub ai_prompt_information: Option<String>,
    /// `Iptc4xmpExt:AIPromptWriterName` (2025.1).
    pub ai_prompt_writer_name: Option<String>,
    /// `photoshop:Credit`.
    pub credit: Option<String>,
    /// `xmp:CreatorTool`.
    pub creator_tool: Option<String>,
    /// `dc:description`.
    pub description: Option<String>,
}

impl XmpFacts {
    fn slot(&mut self, namespace: &[u8], name: &[u8]) -> Option<&mut Option<String>> {
        Some(match (namespace, name) {
            (IPTC_EXT, b"DigitalSourceType" | b"DigitalSourcefileType") => {
                &mut self.digital_source_type
            }
            (IPTC_EXT, b"AISystemUsed") => &mut self.ai_system_used,
            (IPTC_EXT, b"AISystemVersionUsed") => &mut self.ai_system_version_used,
            (IPTC_EXT, b"AIPromptInformation") => &mut self.ai_prompt_information,
            (IPTC_EXT, b"AIPromptWriterName") => &mut self.ai_prompt_writer_name,
            (PHOTOSHOP, b"Credit") => &mut self.credit,
            (XMP_BASIC, b"CreatorTool") => &mut self.creator_tool,
            (DUBLIN_CORE, b"description") => &mut self.description,
            _ => return None,
        })
    }

    fn set(&mut self, namespace: &[u8], name: &[u8], value: &str) {
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        let uri = name.starts_with(b"DigitalSource");
        if let Some(slot) = self.slot(namespace, name) {
            let value = if uri {
                value.rsplit(['/', ':']).next().unwrap_or(value)
            } else {
                value
            };
            slot.get_or_insert_with(|| cut(value));
        }
    }
}

/// Parses a packet; what is well formed before a fault counts. `None` when nothing was found.
pub(crate) fn parse(packet: &[u8]) -> Option<XmpFacts> {
    let mut reader = NsReader::from_reader(packet);
    let mut facts = XmpFacts::default();
    // Open properties, outermost first; text belongs to the nearest one.
    let mut open: Vec<Option<(Vec<u8>, Vec<u8>)>> = Vec::new();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let event = match reader.read_event_into(&mut buffer) {
            Ok(event) => event.into_owned(),
            Err(_) => break,
        };
        match event {
            Event::Start(start) => {
                attributes(&reader, &start, &mut facts);
                let (namespace, local) = reader.resolver().resolve_element(start.name());
                let name = match namespace {
                    ResolveResult::Bound(Namespace(ns)) => {
                        Some((ns.to_vec(), local.as_ref().to_vec()))
                    }
                    _ => None,
                };
                if open.len() >= 64 {
                    break;
                }
                open.push(name);
            }
            Event::Empty(start) => {
                attributes(&reader, &start, &mut facts);
            }
            Event::End(_) => {
                open.pop();
            }
            Event::Text(text) => {
                if let Ok(text) = text.xml10_content()
                    && let Some((ns, name)) = open
                        .iter()
                        .rev()
                        .flatten()
                        .find(|(ns, name)| facts.clone().slot(ns, name).is_some())
                {
                    facts.set(ns, name, &text);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    (facts != XmpFacts::default()).then_some(facts)
}

fn attributes(reader: &NsReader<&[u8]>, start: &BytesStart<'_>, facts: &mut XmpFacts) {
    for attribute in start.attributes().flatten() {
        let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
        if let ResolveResult::Bound(Namespace(ns)) = namespace
            && let Ok(value) = attribute.unescape_value()
        {
            facts.set(ns, local.as_ref(), &value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: &str = r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
        xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
        xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
        xmlns:dc="http://purl.org/dc/elements/1.1/">
        <rdf:Description e:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia">
        <e:AISystemUsed>Painter 3</e:AISystemUsed>
        <dc:description><rdf:Alt><rdf:li xml:lang="x-default">A cat</rdf:li></rdf:Alt></dc:description>
        </rdf:Description></rdf:RDF></x:xmpmeta>"#;

    #[test]
    fn attributes_elements_and_alternatives_are_read_under_any_prefix() {
        let facts = parse(PACKET.as_bytes()).unwrap();
        assert_eq!(
            facts.digital_source_type.as_deref(),
            Some("trainedAlgorithmicMedia")
        );
        assert_eq!(facts.ai_system_used.as_deref(), Some("Painter 3"));
        assert_eq!(facts.description.as_deref(), Some("A cat"));
    }

    #[test]
    fn every_prefix_of_a_packet_is_survived() {
        for end in 0..PACKET.len() {
            let _ = parse(&PACKET.as_bytes()[..end]);
        }
    }

    #[test]
    fn the_words_alone_are_no_declaration() {
        assert_eq!(
            parse(b"<a>trainedAlgorithmicMedia DigitalSourceType</a>"),
            None
        );
    }
}

//! XMP properties that speak of origin (ISO 16684-1; IPTC Extension 2025.1 for the AI fields).

use std::borrow::Cow;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;
use serde::{Deserialize, Serialize};

use super::c2pa::{stronger, term};
use super::generators::is_credit;
use super::text::{cut, utf16};

/// Longest text of a property, in bytes.
const MAX_PROPERTY: usize = 1 << 20;
/// Most levels of nesting that are followed.
const MAX_DEPTH: usize = 64;

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
    /// `photoshop:Instructions`.
    pub instructions: Option<String>,
    /// `xmp:CreatorTool`.
    pub creator_tool: Option<String>,
    /// `xmp:CreateDate`.
    pub create_date: Option<String>,
    /// `xmp:ModifyDate`.
    pub modify_date: Option<String>,
    /// `dc:description`.
    pub description: Option<String>,
    /// `tiff:Make`.
    pub make: Option<String>,
    /// `tiff:Model`.
    pub model: Option<String>,
    /// `exif:UserComment`, where generators keep their parameters.
    pub user_comment: Option<String>,
    /// `TC260:AIGC`: the label of GB 45438-2025, JSON.
    pub aigc: Option<String>,
    /// `dcterms:provenance`: where content credentials are kept.
    pub provenance: Option<String>,
    /// `xmpNote:HasExtendedXMP`: the name of the packet's second half.
    pub has_extended: Option<String>,
    /// `GCamera:MotionPhoto` or `MicroVideo`.
    pub motion_photo: Option<String>,
    /// `hdrgm:Version`: the file has a gain map.
    pub gain_map: Option<String>,
    /// `stEvt:softwareAgent` of the history, each once, in order.
    pub software_agents: Vec<String>,
    /// Parameters of a generator under a name of its own, such as `sd:parameters`.
    pub parameters: Option<String>,
    /// Credits in other properties; no part of a record.
    #[serde(skip)]
    pub(crate) others: Vec<String>,
}

impl XmpFacts {
    fn slot(&mut self, namespace: &[u8], name: &[u8]) -> Option<&mut Option<String>> {
        // The name is the standard's alone; writers file it under several namespaces.
        if matches!(name, b"DigitalSourceType" | b"DigitalSourcefileType") {
            return Some(&mut self.digital_source_type);
        }
        // IPTC's namespace is written with two dates.
        if namespace.starts_with(b"http://iptc.org/std/Iptc4xmpExt/") {
            return Some(match name {
                b"AISystemUsed" => &mut self.ai_system_used,
                b"AISystemVersionUsed" => &mut self.ai_system_version_used,
                b"AIPromptInformation" => &mut self.ai_prompt_information,
                b"AIPromptWriterName" => &mut self.ai_prompt_writer_name,
                _ => return None,
            });
        }
        Some(match (namespace, name) {
            (b"http://ns.adobe.com/photoshop/1.0/", b"Credit") => &mut self.credit,
            (b"http://ns.adobe.com/photoshop/1.0/", b"Instructions") => &mut self.instructions,
            (b"http://ns.adobe.com/xap/1.0/", b"CreatorTool")
            | (b"http://ns.adobe.com/tiff/1.0/", b"Software") => &mut self.creator_tool,
            (b"http://ns.adobe.com/xap/1.0/", b"CreateDate") => &mut self.create_date,
            (b"http://ns.adobe.com/xap/1.0/", b"ModifyDate") => &mut self.modify_date,
            (b"http://purl.org/dc/elements/1.1/", b"description") => &mut self.description,
            (b"http://ns.adobe.com/tiff/1.0/", b"Make") => &mut self.make,
            (b"http://ns.adobe.com/tiff/1.0/", b"Model") => &mut self.model,
            (b"http://ns.adobe.com/exif/1.0/", b"UserComment") => &mut self.user_comment,
            (b"http://purl.org/dc/terms/", b"provenance") => &mut self.provenance,
            (b"http://ns.adobe.com/xmp/note/", b"HasExtendedXMP") => &mut self.has_extended,
            (b"http://ns.google.com/photos/1.0/camera/", b"MotionPhoto" | b"MicroVideo") => {
                &mut self.motion_photo
            }
            (b"http://ns.adobe.com/hdr-gain-map/1.0/", b"Version") => &mut self.gain_map,
            (ns, b"AIGC") if is_aigc(ns) => &mut self.aigc,
            (_, b"parameters") => &mut self.parameters,
            _ => return None,
        })
    }

    /// Whether a property is kept.
    fn knows(&mut self, namespace: &[u8], name: &[u8]) -> bool {
        is_agent(namespace, name) || is_aigc(namespace) || self.slot(namespace, name).is_some()
    }

    fn set(&mut self, namespace: &[u8], name: &[u8], value: &str) {
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        if is_agent(namespace, name) {
            let agent = cut(value);
            if self.software_agents.len() < 32 && !self.software_agents.contains(&agent) {
                self.software_agents.push(agent);
            }
            return;
        }
        // China's label as properties instead of one text in JSON.
        if is_aigc(namespace) && name != b"AIGC" {
            if name.eq_ignore_ascii_case(b"label") {
                let label = || serde_json::json!({ "Label": value }).to_string();
                self.aigc.get_or_insert_with(label);
            }
            return;
        }
        let uri = name.starts_with(b"DigitalSource");
        if let Some(slot) = self.slot(namespace, name) {
            let keep = || {
                if uri {
                    term(value)
                } else {
                    value[..floor(value, MAX_PROPERTY)].to_owned()
                }
            };
            *slot = Some(match slot.take() {
                // Of several source types the strongest counts, whatever their order.
                Some(first) if uri => stronger(first, keep()),
                Some(first) => first,
                None => keep(),
            });
        } else {
            self.other(value);
        }
    }

    /// Keeps a text of another property that is a credit.
    fn other(&mut self, value: &str) {
        const MOST: usize = 8;
        let value = value.trim();
        if self.others.len() < MOST && is_credit(value) {
            self.others.push(value.to_owned());
        }
    }

    /// Takes what another packet has and this one lacks.
    pub(crate) fn fill(&mut self, other: Self) {
        let Self {
            digital_source_type,
            ai_system_used,
            ai_system_version_used,
            ai_prompt_information,
            ai_prompt_writer_name,
            credit,
            instructions,
            creator_tool,
            create_date,
            modify_date,
            description,
            make,
            model,
            user_comment,
            aigc,
            provenance,
            has_extended,
            motion_photo,
            gain_map,
            software_agents,
            parameters,
            others,
        } = other;
        self.digital_source_type = match (self.digital_source_type.take(), digital_source_type) {
            (Some(first), Some(second)) => Some(stronger(first, second)),
            (first, second) => first.or(second),
        };
        // A second program and a second credit count beside the first.
        let program = creator_tool
            .as_ref()
            .filter(|_| self.creator_tool.is_some());
        let programs = software_agents.into_iter().chain(program.cloned());
        for agent in programs.collect::<Vec<String>>() {
            if !self.software_agents.contains(&agent) {
                self.software_agents.push(agent);
            }
        }
        if self.credit.is_some()
            && let Some(text) = &credit
        {
            self.other(text);
        }
        for (slot, value) in [
            (&mut self.ai_system_used, ai_system_used),
            (&mut self.ai_system_version_used, ai_system_version_used),
            (&mut self.ai_prompt_information, ai_prompt_information),
            (&mut self.ai_prompt_writer_name, ai_prompt_writer_name),
            (&mut self.credit, credit),
            (&mut self.instructions, instructions),
            (&mut self.creator_tool, creator_tool),
            (&mut self.create_date, create_date),
            (&mut self.modify_date, modify_date),
            (&mut self.description, description),
            (&mut self.make, make),
            (&mut self.model, model),
            (&mut self.user_comment, user_comment),
            (&mut self.aigc, aigc),
            (&mut self.provenance, provenance),
            (&mut self.has_extended, has_extended),
            (&mut self.motion_photo, motion_photo),
            (&mut self.gain_map, gain_map),
            (&mut self.parameters, parameters),
        ] {
            if slot.is_none() {
                *slot = value;
            }
        }
        for text in &others {
            self.other(text);
        }
    }

    /// The same with texts as long as a record keeps them.
    pub(crate) fn shortened(mut self) -> Self {
        let slots = [
            &mut self.ai_prompt_information,
            &mut self.credit,
            &mut self.instructions,
            &mut self.creator_tool,
            &mut self.description,
            &mut self.user_comment,
            &mut self.aigc,
            &mut self.provenance,
            &mut self.parameters,
            &mut self.digital_source_type,
            &mut self.ai_system_used,
            &mut self.ai_system_version_used,
            &mut self.ai_prompt_writer_name,
            &mut self.create_date,
            &mut self.modify_date,
            &mut self.make,
            &mut self.model,
            &mut self.has_extended,
            &mut self.motion_photo,
            &mut self.gain_map,
        ];
        for text in slots.into_iter().flatten() {
            *text = cut(text);
        }
        self
    }
}

fn is_aigc(namespace: &[u8]) -> bool {
    namespace
        .windows(5)
        .any(|w| w.eq_ignore_ascii_case(b"tc260"))
}

fn is_agent(namespace: &[u8], name: &[u8]) -> bool {
    namespace == b"http://ns.adobe.com/xap/1.0/sType/ResourceEvent#" && name == b"softwareAgent"
}

/// The longest beginning of at most `len` bytes that ends between characters.
fn floor(text: &str, len: usize) -> usize {
    let mut len = len.min(text.len());
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    len
}

/// What a packet gave.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// `None` when nothing was found.
    pub facts: Option<XmpFacts>,
    /// Whether the packet ends early or is not well formed.
    pub damaged: bool,
}

/// A packet in UTF-8, whichever of its encodings it has.
fn utf8(packet: &[u8]) -> Cow<'_, [u8]> {
    let wide = |order: fn([u8; 4]) -> u32| {
        let units = packet.chunks_exact(4);
        let text: String = units
            .map(|u| order([u[0], u[1], u[2], u[3]]))
            .filter_map(char::from_u32)
            .collect();
        Cow::Owned(text.into_bytes())
    };
    match packet {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, b'<', ..] => wide(u32::from_be_bytes),
        [0xff, 0xfe, 0, 0, ..] | [b'<', 0, 0, 0, ..] => wide(u32::from_le_bytes),
        [0xfe, 0xff, ..] | [0, b'<', ..] | [0xff, 0xfe, ..] | [b'<', 0, ..] => {
            Cow::Owned(utf16(packet, packet[0] != 0).into_bytes())
        }
        _ => match String::from_utf8_lossy(packet) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        },
    }
}

/// Parses a packet; what is well formed before a fault counts, and of a tag that the packet's end cuts its whole
/// attributes.
pub(crate) fn parse(packet: &[u8]) -> Parsed {
    let packet = utf8(packet);
    match closed(&packet) {
        Some(whole) => Parsed {
            damaged: true,
            ..parse_utf8(&whole)
        },
        None => parse_utf8(&packet),
    }
}

/// A packet that ends inside of a tag, with that tag closed behind its last whole attribute.
fn closed(packet: &[u8]) -> Option<Vec<u8>> {
    let start = packet.iter().rposition(|b| *b == b'<')?;
    let (mut quote, mut end) = (None, None);
    for (at, byte) in packet.iter().enumerate().skip(start) {
        match (quote, byte) {
            (None, b'>') => return None,
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => {
                quote = None;
                end = Some(at + 1);
            }
            _ => {}
        }
    }
    Some([&packet[..end?], b"/>"].concat())
}

/// Most faults behind which a packet is read on.
const MAX_FAULTS: usize = 32;

fn parse_utf8(packet: &[u8]) -> Parsed {
    // Writers pad packets with spaces and zeros.
    let end = packet.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    let packet = &packet[..end];
    let bindings = bindings(packet);
    let mut facts = XmpFacts::default();
    let mut fault = read(packet, &bindings, &mut facts);
    let damaged = fault.is_some();
    // A fault costs the property in which it stands.
    let mut rest = packet;
    for _ in 0..MAX_FAULTS {
        let Some(Some(at)) = fault else { break };
        let behind = rest.get(at.max(1)..).unwrap_or_default();
        let Some(next) = behind.iter().position(|b| *b == b'<') else {
            break;
        };
        rest = &behind[next..];
        fault = read(rest, &bindings, &mut facts);
    }
    Parsed {
        facts: (facts != XmpFacts::default()).then_some(facts),
        damaged,
    }
}

/// Prefixes that a packet binds anywhere, with their namespaces.
type Bindings<'a> = Vec<(&'a [u8], &'a [u8])>;

fn bindings(packet: &[u8]) -> Bindings<'_> {
    const XMLNS: &[u8] = b"xmlns:";
    const MOST: usize = 64;
    let mut out = Bindings::new();
    let starts = packet.windows(XMLNS.len()).enumerate();
    for (at, _) in starts.filter(|(_, w)| *w == XMLNS) {
        let rest = &packet[at + XMLNS.len()..];
        let named = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let (prefix, rest) = rest.split_at(rest.iter().take_while(named).count());
        let value = rest.trim_ascii_start().strip_prefix(b"=");
        let value = value.unwrap_or_default().trim_ascii_start();
        if let Some((quote @ (b'"' | b'\''), value)) = value.split_first()
            && let Some(len) = value.iter().position(|b| b == quote)
            && out.len() < MOST
        {
            out.push((prefix, &value[..len]));
        }
    }
    out
}

/// Reads up to the end or the first fault into `facts`: `None` for a whole packet, else where the reader stopped, if more
/// may follow there.
fn read(packet: &[u8], bindings: &Bindings<'_>, facts: &mut XmpFacts) -> Option<Option<usize>> {
    let mut reader = NsReader::from_reader(packet);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    // Open properties, outermost first, each with its text; text belongs to the nearest one that is kept.
    let mut open: Vec<(Option<Name>, String)> = Vec::new();
    let mut fault = None;
    let mut damaged = false;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let before = reader.buffer_position() as usize;
        let event = match reader.read_event_into(&mut buffer) {
            Ok(event) => event.into_owned(),
            Err(_) => {
                fault = Some(before.max(reader.error_position() as usize));
                break;
            }
        };
        let mut add = |piece: &str| {
            if let Some((_, text)) = open.last_mut()
                && text.len() + piece.len() <= MAX_PROPERTY
            {
                text.push_str(piece);
            }
        };
        match event {
            Event::Start(start) => {
                damaged |= !attributes(&reader, &start, bindings, facts);
                if open.len() >= MAX_DEPTH {
                    damaged = true;
                    break;
                }
                open.push((element(&reader, &start, bindings), String::new()));
            }
            Event::Empty(start) => damaged |= !attributes(&reader, &start, bindings, facts),
            Event::End(_) => close(&mut open, facts),
            Event::Text(text) => match text.xml10_content() {
                Ok(text) => add(&text),
                Err(_) => damaged = true,
            },
            Event::CData(text) => add(&String::from_utf8_lossy(&text)),
            Event::GeneralRef(name) => {
                let character = name.resolve_char_ref().ok().flatten();
                match (character, name.decode()) {
                    (Some(c), _) => add(c.encode_utf8(&mut [0; 4])),
                    (None, Ok(name)) => add(resolve_predefined_entity(&name).unwrap_or_default()),
                    (None, Err(_)) => {}
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    damaged |= !open.is_empty();
    while !open.is_empty() {
        close(&mut open, facts);
    }
    match fault {
        Some(at) => Some(Some(at)),
        None => damaged.then_some(None),
    }
}

/// Namespace and local name.
type Name = (Vec<u8>, Vec<u8>);

fn element(
    reader: &NsReader<&[u8]>,
    start: &BytesStart<'_>,
    bindings: &Bindings<'_>,
) -> Option<Name> {
    let (namespace, local) = reader.resolver().resolve_element(start.name());
    Some((bound(namespace, bindings)?, local.as_ref().to_vec()))
}

/// The namespace. Of a prefix that is not bound here it is what the packet binds it to elsewhere, else the prefix itself.
fn bound(namespace: ResolveResult<'_>, bindings: &Bindings<'_>) -> Option<Vec<u8>> {
    match namespace {
        ResolveResult::Bound(Namespace(ns)) => Some(ns.to_vec()),
        ResolveResult::Unknown(prefix) => {
            let elsewhere = bindings.iter().find(|(p, _)| *p == prefix.as_slice());
            Some(elsewhere.map_or(prefix, |(_, ns)| ns.to_vec()))
        }
        ResolveResult::Unbound => None,
    }
}

/// Ends the innermost property: its text goes to the nearest one that is kept.
fn close(open: &mut Vec<(Option<Name>, String)>, facts: &mut XmpFacts) {
    let Some((name, text)) = open.pop() else {
        return;
    };
    if text.trim().is_empty() {
        return;
    }
    let outer = open.iter().rev().map(|(name, _)| name);
    let mut names = std::iter::once(&name).chain(outer).flatten();
    match names.find(|(ns, local)| facts.knows(ns, local)) {
        Some((ns, local)) => facts.set(ns, local, &text),
        None => facts.other(&text),
    }
}

/// Reads the attributes of a tag; false where one is damaged.
fn attributes(
    reader: &NsReader<&[u8]>,
    start: &BytesStart<'_>,
    bindings: &Bindings<'_>,
    facts: &mut XmpFacts,
) -> bool {
    const RDF: &[u8] = b"http://www.w3.org/1999/02/22-rdf-syntax-ns#";
    let own = element(reader, start, bindings);
    let mut whole = true;
    for attribute in start.attributes().with_checks(false) {
        let Ok(attribute) = attribute else {
            whole = false;
            continue;
        };
        let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
        let Some(ns) = bound(namespace, bindings) else {
            continue;
        };
        let value = attribute.unescape_value().unwrap_or_else(|_| {
            whole = false;
            String::from_utf8_lossy(&attribute.value)
                .into_owned()
                .into()
        });
        match &own {
            // A property whose value is an address.
            Some((ns_own, name)) if ns == RDF && local.as_ref() == b"resource" => {
                facts.set(ns_own, name, &value);
            }
            _ => facts.set(&ns, local.as_ref(), &value),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: &str = r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
        xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
        xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
        xmlns:t='http://www.tc260.org.cn/ns/AIGC/1.0/'
        xmlns:dc="http://purl.org/dc/elements/1.1/">
        <rdf:Description e:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia">
        <e:AISystemUsed>Painter 3</e:AISystemUsed>
        <t:AIGC>{&quot;Label&quot;:&quot;1&quot;}</t:AIGC>
        <dc:description><rdf:Alt><rdf:li xml:lang="x-default">A cat &amp; <![CDATA[<dog>]]> &#33;</rdf:li></rdf:Alt></dc:description>
        </rdf:Description></rdf:RDF></x:xmpmeta>"#;

    fn facts(packet: &[u8]) -> XmpFacts {
        parse(packet).facts.unwrap()
    }

    #[test]
    fn attributes_elements_and_alternatives_are_read_under_any_prefix() {
        let facts = facts(PACKET.as_bytes());
        assert_eq!(
            facts.digital_source_type.as_deref(),
            Some("trainedAlgorithmicMedia")
        );
        assert_eq!(facts.ai_system_used.as_deref(), Some("Painter 3"));
        assert_eq!(facts.description.as_deref(), Some("A cat & <dog> !"));
        assert_eq!(facts.aigc.as_deref(), Some(r#"{"Label":"1"}"#));
    }

    #[test]
    fn every_encoding_is_read() {
        let units: Vec<u16> = PACKET.encode_utf16().collect();
        let chars: Vec<u32> = PACKET.chars().map(u32::from).collect();
        let expected = facts(PACKET.as_bytes());
        for packet in [
            [b"\xef\xbb\xbf", PACKET.as_bytes()].concat(),
            units.iter().copied().flat_map(u16::to_be_bytes).collect(),
            units.iter().copied().flat_map(u16::to_le_bytes).collect(),
            [
                &b"\xff\xfe"[..],
                &units
                    .iter()
                    .copied()
                    .flat_map(u16::to_le_bytes)
                    .collect::<Vec<_>>(),
            ]
            .concat(),
            chars.iter().copied().flat_map(u32::to_be_bytes).collect(),
            chars.iter().copied().flat_map(u32::to_le_bytes).collect(),
            [PACKET.as_bytes(), &[0; 40]].concat(),
        ] {
            let parsed = parse(&packet);
            assert_eq!(parsed.facts.as_ref(), Some(&expected));
            assert!(!parsed.damaged);
        }
    }

    #[test]
    fn a_value_may_be_an_address() {
        let packet = r#"<e:DigitalSourceType xmlns:e='http://iptc.org/std/Iptc4xmpExt/2008-02-19/'
            xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'
            r:resource='http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture/'/>"#;
        assert_eq!(
            facts(packet.as_bytes()).digital_source_type.as_deref(),
            Some("digitalCapture")
        );
    }

    #[test]
    fn every_prefix_of_a_packet_is_survived_and_said_to_be_damaged() {
        for end in 0..PACKET.len() {
            let parsed = parse(&PACKET.as_bytes()[..end]);
            assert!(parsed.damaged || end == 0, "{end}");
        }
        // What stands before the end counts, also in a tag that is not closed.
        let end = PACKET.find("\n        <e:AISystemUsed").unwrap() - 1;
        assert!(parse(&PACKET.as_bytes()[..end]).facts.is_some());
        assert!(parse(&PACKET.as_bytes()[..end - 1]).facts.is_none());
        let end = PACKET.find("<dc:description").unwrap();
        let parsed = parse(&PACKET.as_bytes()[..end]);
        assert_eq!(
            parsed.facts.unwrap().ai_system_used.as_deref(),
            Some("Painter 3")
        );
    }

    #[test]
    fn of_several_source_types_the_strongest_counts() {
        let packet = |types: &[&str]| {
            let all: String = types
                .iter()
                .map(|t| {
                    format!("<e:DigitalSourceType>http://cv.iptc.org/x/{t}</e:DigitalSourceType>")
                })
                .collect();
            format!("<a xmlns:e='http://iptc.org/std/Iptc4xmpExt/2008-02-29/'>{all}</a>")
        };
        let (camera, model) = ("digitalCapture", "trainedAlgorithmicMedia");
        for types in [
            [camera, model],
            [model, camera],
            [camera, "TRAINEDALGORITHMICMEDIA"],
        ] {
            let mut found = facts(packet(&types).as_bytes());
            assert_eq!(
                found.digital_source_type.as_deref(),
                Some(model),
                "{types:?}"
            );
            // The same in two packets.
            found = facts(packet(&types[..1]).as_bytes());
            found.fill(facts(packet(&types[1..]).as_bytes()));
            assert_eq!(
                found.digital_source_type.as_deref(),
                Some(model),
                "{types:?}"
            );
        }
        let found = facts(packet(&[camera, "humanEdits"]).as_bytes());
        assert_eq!(found.digital_source_type.as_deref(), Some(camera));
    }

    #[test]
    fn a_fault_costs_its_property_alone() {
        let packet = |fault: &str| {
            format!(
                "<x:xmpmeta xmlns:x='adobe:ns:meta/' xmlns:e='http://iptc.org/std/Iptc4xmpExt/2008-02-29/' \
                 xmlns:p='http://ns.adobe.com/photoshop/1.0/'><e:AISystemUsed>Painter 3</e:AISystemUsed>{fault}\
                 <e:DigitalSourceType>http://cv.iptc.org/x/trainedAlgorithmicMedia</e:DigitalSourceType>\
                 <p:Credit>A person</p:Credit></x:xmpmeta>"
            )
        };
        for fault in [
            "<p:a>&unclosed</p:a>",
            "<p:b>1 < 2</p:b>",
            "<!-- no end --",
            "<p:c q:z=1 />",
            "<p:d x='a & b'/>",
            "<![CDATA[ never closed",
            "<?target without end",
            "</p:never:opened>",
            "<q:unbound>x</q:unbound>",
        ] {
            let parsed = parse(packet(fault).as_bytes());
            let found = parsed.facts.unwrap();
            assert_eq!(
                found.ai_system_used.as_deref(),
                Some("Painter 3"),
                "{fault}"
            );
            assert_eq!(
                found.digital_source_type.as_deref(),
                Some("trainedAlgorithmicMedia"),
                "{fault}"
            );
            assert_eq!(found.credit.as_deref(), Some("A person"), "{fault}");
        }
        assert!(parse(packet("<!-- no end --").as_bytes()).damaged);
        assert!(!parse(packet("").as_bytes()).damaged);
    }

    #[test]
    fn a_source_type_counts_under_any_namespace() {
        for packet in [
            "<a xmlns:c='http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/' c:DigitalSourceType='x/trainedAlgorithmicMedia'/>",
            "<a><unbound:DigitalSourceType>x/trainedAlgorithmicMedia</unbound:DigitalSourceType></a>",
        ] {
            let found = facts(packet.as_bytes()).digital_source_type;
            assert_eq!(
                found.as_deref(),
                Some("trainedAlgorithmicMedia"),
                "{packet}"
            );
        }
    }

    #[test]
    fn a_label_may_be_written_as_properties() {
        let packet = "<a xmlns:t='http://www.tc260.org.cn/ns/AIGC/1.0/'><t:AIGC r:parseType='Resource'>\
             <t:Label>1</t:Label><t:ContentProducer>x</t:ContentProducer></t:AIGC></a>";
        assert_eq!(
            facts(packet.as_bytes()).aigc.as_deref(),
            Some(r#"{"Label":"1"}"#)
        );
    }

    #[test]
    fn the_words_alone_are_no_declaration() {
        assert!(
            parse(b"<a>trainedAlgorithmicMedia DigitalSourceType</a>")
                .facts
                .is_none()
        );
    }
}

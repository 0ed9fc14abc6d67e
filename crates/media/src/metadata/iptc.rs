//! IPTC-IIM datasets in a Photoshop image resource (IIM version 4, record 2).

use serde::{Deserialize, Serialize};

use super::text::cut;

/// Datasets that speak of origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IptcFacts {
    /// 2:80 By-line.
    pub byline: Option<String>,
    /// 2:110 Credit.
    pub credit: Option<String>,
    /// 2:115 Source.
    pub source: Option<String>,
    /// 2:120 Caption.
    pub caption: Option<String>,
    /// 2:65 Originating program.
    pub program: Option<String>,
}

/// Parses the image resources of an APP13 segment.
pub(crate) fn parse(mut data: &[u8]) -> Option<IptcFacts> {
    while let Some(rest) = data.strip_prefix(b"8BIM") {
        let id = u16::from_be_bytes([*rest.first()?, *rest.get(1)?]);
        let name = usize::from(*rest.get(2)?) + 1;
        let at = 2 + name + name % 2;
        let len = rest.get(at..at + 4)?;
        let len = u32::from_be_bytes([len[0], len[1], len[2], len[3]]) as usize;
        let block = rest.get(at + 4..(at + 4).checked_add(len)?)?;
        if id == 0x0404 {
            return datasets(block);
        }
        data = rest.get(at + 4 + len + len % 2..)?;
    }
    None
}

fn datasets(mut data: &[u8]) -> Option<IptcFacts> {
    let mut facts = IptcFacts::default();
    while let [0x1c, record, dataset, high, low, rest @ ..] = data {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(value) = rest.get(..len) else { break };
        let slot = match (record, dataset) {
            (2, 65) => Some(&mut facts.program),
            (2, 80) => Some(&mut facts.byline),
            (2, 110) => Some(&mut facts.credit),
            (2, 115) => Some(&mut facts.source),
            (2, 120) => Some(&mut facts.caption),
            _ => None,
        };
        if let Some(slot) = slot {
            slot.get_or_insert_with(|| cut(&String::from_utf8_lossy(value)));
        }
        data = &rest[len..];
    }
    (facts != IptcFacts::default()).then_some(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credit_is_read_and_prefixes_are_survived() {
        let mut block = b"8BIM\x04\x04\0\0\0\0\0\x18".to_vec();
        block.extend_from_slice(b"\x1c\x02\x6e\0\x13Made with Google AI");
        let facts = parse(&block).unwrap();
        assert_eq!(facts.credit.as_deref(), Some("Made with Google AI"));
        for end in 0..block.len() {
            let _ = parse(&block[..end]);
        }
    }
}

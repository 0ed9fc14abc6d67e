//! IPTC-IIM datasets in a Photoshop image resource (IIM version 4, record 2).

use serde::{Deserialize, Serialize};

use super::text::{cut, decoded};

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
    /// 2:40 Special instructions.
    pub instructions: Option<String>,
}

/// Parses image resources, or datasets without resources around them. What stands before and after a damaged part
/// counts; the flag says whether there is one.
pub(crate) fn parse(data: &[u8]) -> (Option<IptcFacts>, bool) {
    let mut facts = IptcFacts::default();
    let damaged = if data.first() == Some(&0x1c) {
        datasets(data, &mut facts)
    } else {
        resources(data, &mut facts)
    };
    (Some(facts).filter(|f| *f != IptcFacts::default()), damaged)
}

fn resources(mut data: &[u8], facts: &mut IptcFacts) -> bool {
    const IPTC: u16 = 0x0404;
    const SIGNATURES: [&[u8]; 5] = [b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"];
    let mut damaged = false;
    while !data.iter().all(|b| *b == 0) {
        let head = SIGNATURES.iter().find_map(|s| data.strip_prefix(*s));
        match head.and_then(resource) {
            Some((id, block, rest)) => {
                if id == IPTC {
                    damaged |= datasets(block, facts);
                }
                data = rest;
            }
            None => {
                // The next resource, wherever it begins.
                damaged = true;
                let next = data.windows(4).skip(1).position(|w| w == b"8BIM");
                match next {
                    Some(at) => data = &data[at + 1..],
                    None => break,
                }
            }
        }
    }
    damaged
}

/// A resource behind its signature: number, data, and what follows.
fn resource(rest: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let id = u16::from_be_bytes([*rest.first()?, *rest.get(1)?]);
    let name = usize::from(*rest.get(2)?) + 1;
    let at = 2 + name + name % 2;
    let len = rest.get(at..at + 4)?;
    let len = u32::from_be_bytes([len[0], len[1], len[2], len[3]]) as usize;
    let start = at + 4;
    let block = rest.get(start..start.checked_add(len)?)?;
    // The last one may lack its padding.
    let next = rest.get(start + len + len % 2..).unwrap_or_default();
    Some((id, block, next))
}

fn datasets(mut data: &[u8], facts: &mut IptcFacts) -> bool {
    let mut damaged = false;
    while let [first, ..] = data {
        let found = (*first == 0x1c).then(|| dataset(data)).flatten();
        let Some((record, number, value, rest)) = found else {
            damaged |= data.iter().any(|b| *b != 0);
            // The next dataset, wherever it begins.
            match data.iter().skip(1).position(|b| *b == 0x1c) {
                Some(at) => data = &data[at + 1..],
                None => break,
            }
            continue;
        };
        let slot = match (record, number) {
            (2, 40) => Some(&mut facts.instructions),
            (2, 65) => Some(&mut facts.program),
            (2, 80) => Some(&mut facts.byline),
            (2, 110) => Some(&mut facts.credit),
            (2, 115) => Some(&mut facts.source),
            (2, 120) => Some(&mut facts.caption),
            _ => None,
        };
        if let Some(slot) = slot {
            slot.get_or_insert_with(|| cut(&decoded(value)));
        }
        data = rest;
    }
    damaged
}

/// A dataset: record, number, value, and what follows.
fn dataset(data: &[u8]) -> Option<(u8, u8, &[u8], &[u8])> {
    let [_, record, number, high, low, rest @ ..] = data else {
        return None;
    };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    // A length of more than 15 bits says how many bytes its own number takes.
    let (len, rest) = if len & 0x8000 == 0 {
        (len, rest)
    } else {
        let (digits, rest) = rest
            .split_at_checked(len & 0x7fff)
            .filter(|(d, _)| d.len() <= 4)?;
        (
            digits.iter().fold(0, |n, d| (n << 8) | usize::from(*d)),
            rest,
        )
    };
    let (value, rest) = rest.split_at_checked(len)?;
    Some((*record, *number, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDIT: &[u8] = b"\x1c\x02\x6e\0\x13Made with Google AI";

    fn credit(data: &[u8]) -> (Option<String>, bool) {
        let (facts, damaged) = parse(data);
        (facts.and_then(|f| f.credit), damaged)
    }

    #[test]
    fn a_credit_is_read_and_prefixes_are_survived() {
        let block = [b"8BIM\x04\x04\0\0\0\0\0\x18", CREDIT].concat();
        let google = Some("Made with Google AI".to_owned());
        assert_eq!(credit(&block), (google.clone(), false));
        assert_eq!(credit(CREDIT), (google, false), "without resources");
        for end in 0..block.len() {
            let _ = parse(&block[..end]);
        }
    }

    #[test]
    fn a_bad_part_costs_itself_alone() {
        let google = Some("Made with Google AI".to_owned());
        let bad = b"\x1c\x02\x50\x7f\xffabc";
        assert_eq!(credit(&[bad, CREDIT].concat()), (google.clone(), true));
        let resource = [b"8BIM\x04\x04\0\0\0\0\0\x18", CREDIT].concat();
        let before = b"8BIM\x03\xed\0\0\xff\xff\xff\xffxx";
        assert_eq!(credit(&[&before[..], &resource].concat()), (google, true));
    }
}

//! Elements of Matroska and WebM (RFC 8794, RFC 9559): texts of tags and of the segment's information.

/// Most elements that are looked at beside each other.
const MAX_ELEMENTS: usize = 100_000;
/// Most texts of one file, and the longest.
const MAX_TEXTS: usize = 256;
const MAX_TEXT: usize = 4 << 20;

/// The head of a file.
pub(crate) const HEADER: u32 = 0x1a45_dfa3;
/// Everything else.
pub(crate) const SEGMENT: u32 = 0x1853_8067;
/// Pictures and sound.
const CLUSTER: u32 = 0x1f43_b675;
/// Programs that wrote the file, and its title.
pub(crate) const INFO: u32 = 0x1549_a966;
const TITLE: u32 = 0x7ba9;
const MUXER: u32 = 0x4d80;
const WRITER: u32 = 0x5741;
pub(crate) const TAGS: u32 = 0x1254_c367;
const TAG: u32 = 0x7373;
/// Deepest nesting of tags.
const DEEPEST: u8 = 4;
const SIMPLE_TAG: u32 = 0x67c8;
const TAG_NAME: u32 = 0x45a3;
const TAG_TEXT: u32 = 0x4487;

/// The head of an element at the start of `bytes`: its identity, where its content begins and how long it is; `None` for
/// a length that is not known.
pub(crate) fn head(bytes: &[u8]) -> Option<(u32, usize, Option<u64>)> {
    let first = *bytes.first()?;
    let id_len = first.leading_zeros() as usize + 1;
    if id_len > 4 {
        return None;
    }
    let id = bytes.get(..id_len)?;
    let id = id.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b));
    let rest = bytes.get(id_len..)?;
    let len = rest.first()?.leading_zeros() as usize + 1;
    let digits = rest.get(..len).filter(|_| len <= 8)?;
    let all = (1_u64 << (7 * len)) - 1;
    let value = digits.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b)) & all;
    Some((id, id_len + len, (value != all).then_some(value)))
}

/// Elements one after the other as identity and content; ends at the first damaged one.
fn elements(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (id, start, length) = head(rest)?;
        let end = match length {
            // Of a stream: its content is what follows, to the end or to the next element of its own level.
            None if id == CLUSTER => start,
            None => rest.len(),
            Some(length) => start.checked_add(usize::try_from(length).ok()?)?,
        };
        // What was cut off is read as far as it goes.
        let content = &rest[start..end.min(rest.len())];
        rest = rest.get(end..).unwrap_or_default();
        Some((id, content))
    })
    .take(MAX_ELEMENTS)
}

/// Texts of a file by key.
pub(crate) fn texts(bytes: &[u8]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut push = |key: String, text: &[u8]| {
        if out.len() < MAX_TEXTS && text.len() <= MAX_TEXT {
            let text = String::from_utf8_lossy(text);
            out.push((key, text.trim_end_matches('\0').to_owned()));
        }
    };
    let segments = elements(bytes).filter(|(id, _)| *id == SEGMENT);
    for (id, content) in segments.flat_map(|(_, content)| elements(content)) {
        match id {
            INFO => {
                for (id, text) in elements(content) {
                    let key = match id {
                        TITLE => "title",
                        MUXER => "muxer",
                        WRITER => "encoder",
                        _ => continue,
                    };
                    push(key.into(), text);
                }
            }
            TAGS => {
                let tags = elements(content).filter(|(id, _)| *id == TAG);
                let all = tags.flat_map(|(_, tag)| elements(tag));
                for (_, tag) in all.filter(|(id, _)| *id == SIMPLE_TAG) {
                    simple(tag, 0, &mut push);
                }
            }
            _ => {}
        }
    }
    out
}

/// A name and its text, of the content of a simple tag and of those within it.
fn simple(tag: &[u8], depth: u8, push: &mut dyn FnMut(String, &[u8])) {
    let part = |wanted: u32| elements(tag).find(|(id, _)| *id == wanted).map(|e| e.1);
    if depth < DEEPEST {
        for (_, inner) in elements(tag).filter(|(id, _)| *id == SIMPLE_TAG) {
            simple(inner, depth + 1, push);
        }
    }
    if let Some((name, text)) = part(TAG_NAME).zip(part(TAG_TEXT)) {
        let name = String::from_utf8_lossy(name);
        // Matroska writes in capitals what other containers do not; the label's name is its own.
        push(
            if name == "AIGC" {
                name.into_owned()
            } else {
                name.to_lowercase()
            },
            text,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element whose length takes two bytes.
    fn made(id: u32, content: &[u8]) -> Vec<u8> {
        let id = id.to_be_bytes();
        let id = &id[id.iter().take_while(|b| **b == 0).count()..];
        let length = (0x4000 | content.len() as u16).to_be_bytes();
        [id, &length, content].concat()
    }

    #[test]
    fn tags_are_read_wherever_they_stand() {
        let tag = [
            made(TAG_NAME, b"COMMENT"),
            made(TAG_TEXT, b"{\"prompt\": 1}"),
        ]
        .concat();
        let tags = made(TAGS, &made(TAG, &made(SIMPLE_TAG, &tag)));
        let info = made(
            INFO,
            &[made(WRITER, b"Lavf61"), made(0x002a_d7b1, &[1])].concat(),
        );
        let cluster = made(CLUSTER, &[0xa3, 0x81, 0]);
        let file = |inner: &[u8]| [made(0x1a45_dfa3, &[]), made(SEGMENT, inner)].concat();
        for inner in [
            [info.clone(), cluster.clone(), tags.clone()].concat(),
            [tags.clone(), info.clone(), cluster.clone()].concat(),
        ] {
            let whole = file(&inner);
            let found = texts(&whole);
            assert!(found.contains(&("comment".into(), "{\"prompt\": 1}".into())));
            assert!(found.contains(&("encoder".into(), "Lavf61".into())));
            assert_eq!(found.len(), 2);
            for end in 0..whole.len() {
                let _ = texts(&whole[..end]);
            }
        }
        // Within another tag.
        let inner = made(
            SIMPLE_TAG,
            &[made(TAG_NAME, b"AIGC"), made(TAG_TEXT, b"{}")].concat(),
        );
        let outer = [made(TAG_NAME, b"X"), made(TAG_TEXT, b"y"), inner].concat();
        let nested = file(&made(TAGS, &made(TAG, &made(SIMPLE_TAG, &outer))));
        assert_eq!(
            texts(&nested),
            [("AIGC", "{}"), ("x", "y")].map(|(k, v)| (k.to_owned(), v.to_owned()))
        );
        // A stream does not know its lengths.
        let open = |id: u32, content: &[u8]| [&id.to_be_bytes()[..], &[0xff], content].concat();
        let stream = [
            made(0x1a45_dfa3, &[]),
            open(SEGMENT, &[info, open(CLUSTER, &[]), tags].concat()),
        ];
        assert_eq!(texts(&stream.concat()).len(), 2);
    }
}

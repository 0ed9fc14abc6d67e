//! Pictures that an SVG drawing carries in itself as `data:` URLs.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::{Names, Part};
use crate::error::MediaError;

pub(super) fn names(bytes: &[u8]) -> Result<Names, MediaError> {
    let mut names = Names::default();
    let mut count = 0_u32;
    each(bytes, &mut |_| {
        count += 1;
        names.push(format!("image={count}"));
        false
    });
    Ok(names)
}

pub(super) fn part(bytes: &[u8], name: &str) -> Option<Part> {
    let wanted: u32 = name.strip_prefix("image=")?.parse().ok()?;
    let mut count = 0;
    let mut found = None;
    each(bytes, &mut |data| {
        count += 1;
        if count == wanted {
            found = decoded(data);
        }
        count == wanted
    });
    found.map(Part::File)
}

/// Gives the address of each `image` that carries its data to `take`, until that says so.
fn each(bytes: &[u8], take: &mut dyn FnMut(&str) -> bool) {
    let mut reader = Reader::from_reader(bytes);
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let (Ok(Event::Start(tag)) | Ok(Event::Empty(tag))) =
            (match reader.read_event_into(&mut buffer) {
                Ok(Event::Eof) | Err(_) => return,
                other => other,
            })
        else {
            continue;
        };
        if tag.local_name().as_ref() != b"image" {
            continue;
        }
        let address = tag
            .attributes()
            .flatten()
            .filter(|a| a.key.local_name().as_ref() == b"href")
            .find_map(|a| {
                a.unescape_value()
                    .ok()
                    .filter(|v| v.starts_with("data:image/"))
            });
        if address.is_some_and(|a| !a.starts_with("data:image/svg") && take(&a)) {
            return;
        }
    }
}

/// The bytes of a `data:` URL (RFC 2397) in base 64 (RFC 4648).
fn decoded(url: &str) -> Option<Vec<u8>> {
    let (head, text) = url.split_once(',')?;
    if !head.ends_with(";base64") {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut bits) = (0_u32, 0_u32);
    for c in text.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ if c.is_ascii_whitespace() => continue,
            _ => return None,
        };
        word = (word << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_counted_and_given() {
        let svg = br#"<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">
            <image href="other.png"/><image xlink:href="data:image/png;base64,SGVs
            bG8="/><g><image href="data:image/jpeg;base64,V29ybGQ="></image></g></svg>"#;
        assert_eq!(names(svg).expect("names").names, ["image=1", "image=2"]);
        for (name, data) in [("image=1", &b"Hello"[..]), ("image=2", b"World")] {
            let Some(Part::File(found)) = part(svg, name) else {
                panic!("{name} is missing")
            };
            assert_eq!(found, data);
        }
        assert!(part(svg, "image=3").is_none());
        for end in 0..svg.len() {
            let _ = names(&svg[..end]);
        }
    }
}

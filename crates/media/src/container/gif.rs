//! Blocks of a GIF (GIF89a).

/// What a GIF carries beside its frames.
#[derive(Default)]
pub(crate) struct Extensions {
    /// Comments.
    pub comments: Vec<Vec<u8>>,
    /// Adobe's XMP block.
    pub xmp: Option<Vec<u8>>,
    /// Offset just behind the trailer, where there is one.
    pub end: Option<usize>,
}

/// Comments, XMP and the end of a GIF.
pub(crate) fn extensions(bytes: &[u8]) -> Extensions {
    let mut out = Extensions::default();
    let table = |flags: u8| {
        if flags & 0x80 == 0 {
            0
        } else {
            3 << ((flags & 7) + 1)
        }
    };
    let Some(flags) = bytes.get(10) else {
        return out;
    };
    let mut at = 13 + table(*flags);
    // Joins sub-blocks; the offset behind them.
    let blocks = |mut at: usize| {
        let mut data = Vec::new();
        while let Some(len) = bytes.get(at) {
            let len = usize::from(*len);
            at += 1;
            if len == 0 {
                break;
            }
            data.extend_from_slice(bytes.get(at..at + len).unwrap_or_default());
            at += len;
        }
        (data, at)
    };
    loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(0x21), Some(0xfe)) => {
                let (data, end) = blocks(at + 2);
                if out.comments.len() < 64 {
                    out.comments.push(data);
                }
                at = end;
            }
            (Some(0x21), Some(_)) => {
                let (data, end) = blocks(at + 2);
                // The packet stands there bare: its bytes are read as lengths only to find the end.
                if data.starts_with(b"XMP DataXMP") {
                    let packet = bytes.get(at + 14..end).unwrap_or_default();
                    let packet = &packet[..packet.len().saturating_sub(258)];
                    out.xmp.get_or_insert_with(|| packet.to_vec());
                }
                at = end;
            }
            (Some(0x2c), _) => {
                let Some(flags) = bytes.get(at + 9) else {
                    return out;
                };
                at = blocks(at + 10 + table(*flags) + 1).1;
            }
            (Some(0x3b), _) => {
                out.end = Some(at + 1);
                return out;
            }
            _ => return out,
        }
    }
}

/// Image blocks of a GIF, told by their headers alone: decoding a frame to count it would claim whatever
/// memory its header asks for.
pub(crate) fn frames(bytes: &[u8]) -> usize {
    let table = |flags: u8| {
        if flags & 0x80 == 0 {
            0
        } else {
            3 << ((flags & 7) + 1)
        }
    };
    let Some(flags) = bytes.get(10) else { return 0 };
    let mut at = 13 + table(*flags);
    let mut frames = 0;
    let skip_blocks = |mut at: usize| {
        while let Some(len) = bytes.get(at) {
            at += 1 + usize::from(*len);
            if *len == 0 {
                break;
            }
        }
        at
    };
    loop {
        match bytes.get(at) {
            Some(0x21) => at = skip_blocks(at + 2),
            Some(0x2c) => {
                let Some(flags) = bytes.get(at + 9) else {
                    return frames;
                };
                frames += 1;
                // A byte behind the local table gives the size of codes.
                at = skip_blocks(at + 10 + table(*flags) + 1);
            }
            _ => return frames,
        }
    }
}

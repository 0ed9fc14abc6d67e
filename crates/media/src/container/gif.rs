//! Blocks of a GIF (GIF89a).

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

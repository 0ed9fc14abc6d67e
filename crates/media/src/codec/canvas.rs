//! Pictures put together from others.

use super::raw::Samples;

type Size = (u32, u32);

/// Samples of one of the four kinds with its channels.
macro_rules! with {
    ($samples:expr, $v:ident, $n:ident => $work:expr) => {
        match $samples {
            Samples::Rgb8($v) => {
                let $n = 3_usize;
                Samples::Rgb8($work)
            }
            Samples::Rgba8($v) => {
                let $n = 4_usize;
                Samples::Rgba8($work)
            }
            Samples::Rgb16($v) => {
                let $n = 3_usize;
                Samples::Rgb16($work)
            }
            Samples::Rgba16($v) => {
                let $n = 4_usize;
                Samples::Rgba16($work)
            }
            other => other,
        }
    };
}

/// The part of a picture of size `whole` at `at`, which must lie within it.
pub(super) fn crop(samples: Samples, whole: Size, at: Size, size: Size) -> Samples {
    if whole == size {
        return samples;
    }
    fn cut<T: Copy>(v: &[T], n: usize, whole: Size, at: Size, size: Size) -> Vec<T> {
        let rows = v.chunks_exact(whole.0 as usize * n);
        rows.skip(at.1 as usize)
            .take(size.1 as usize)
            .flat_map(|row| &row[at.0 as usize * n..(at.0 + size.0) as usize * n])
            .copied()
            .collect()
    }
    with!(samples, v, n => cut(&v, n, whole, at, size))
}

/// A picture turned by an EXIF orientation, and its size then.
pub(super) fn turn(samples: Samples, size: Size, orientation: u8) -> (Samples, Size) {
    if orientation == 1 {
        return (samples, size);
    }
    let (w, h) = (size.0 as usize, size.1 as usize);
    let swapped = orientation >= 5;
    let (width, height) = if swapped { (h, w) } else { (w, h) };
    let from = |x: usize, y: usize| match orientation {
        2 => (w - 1 - x, y),
        3 => (w - 1 - x, h - 1 - y),
        4 => (x, h - 1 - y),
        5 => (y, x),
        6 => (y, h - 1 - x),
        7 => (w - 1 - y, h - 1 - x),
        8 => (w - 1 - y, x),
        _ => (x, y),
    };
    fn take<T: Copy>(
        v: &[T],
        n: usize,
        w: usize,
        size: (usize, usize),
        from: impl Fn(usize, usize) -> (usize, usize),
    ) -> Vec<T> {
        let mut out = Vec::with_capacity(v.len());
        for y in 0..size.1 {
            for x in 0..size.0 {
                let (fx, fy) = from(x, y);
                let at = (fy * w + fx) * n;
                out.extend_from_slice(&v[at..at + n]);
            }
        }
        out
    }
    let turned = with!(samples, v, n => take(&v, n, w, (width, height), from));
    (turned, (width as u32, height as u32))
}

/// The first channel at 16 bits.
pub(super) fn first_channel(samples: &Samples) -> Vec<u16> {
    let wide = |v: &u8| u16::from(*v) * 257;
    match samples {
        Samples::Rgb8(v) => v.iter().step_by(3).map(wide).collect(),
        Samples::Rgba8(v) => v.iter().step_by(4).map(wide).collect(),
        Samples::Rgb16(v) => v.iter().step_by(3).copied().collect(),
        Samples::Rgba16(v) => v.iter().step_by(4).copied().collect(),
        _ => Vec::new(),
    }
}

/// A picture with the transparency of a plane, which is resized by repetition where it has another size.
pub(super) fn with_alpha(samples: Samples, size: Size, alpha: &[u16], of: Size) -> Samples {
    let at = |x: usize, y: usize| {
        let fx = x * of.0 as usize / size.0.max(1) as usize;
        let fy = y * of.1 as usize / size.1.max(1) as usize;
        alpha
            .get(fy * of.0 as usize + fx)
            .copied()
            .unwrap_or(u16::MAX)
    };
    // A padded plane is larger by less than a block; it is cut, not resized.
    let padded = of.0 >= size.0 && of.1 >= size.1 && of.0 - size.0 < 64 && of.1 - size.1 < 64;
    let at = |x: usize, y: usize| {
        if padded {
            alpha[y * of.0 as usize + x]
        } else {
            at(x, y)
        }
    };
    fn join<T: Copy>(v: &[T], n: usize, width: usize, alpha: impl Fn(usize, usize) -> T) -> Vec<T> {
        let mut out = Vec::with_capacity(v.len() / n * 4);
        for (i, pixel) in v.chunks_exact(n).enumerate() {
            out.extend_from_slice(&pixel[..3]);
            out.push(alpha(i % width, i / width));
        }
        out
    }
    let narrow = |v: u16| ((u32::from(v) + 128) / 257) as u8;
    let width = size.0 as usize;
    match samples {
        Samples::Rgb8(v) => Samples::Rgba8(join(&v, 3, width, |x, y| narrow(at(x, y)))),
        Samples::Rgba8(v) => Samples::Rgba8(join(&v, 4, width, |x, y| narrow(at(x, y)))),
        Samples::Rgb16(v) => Samples::Rgba16(join(&v, 3, width, at)),
        Samples::Rgba16(v) => Samples::Rgba16(join(&v, 4, width, at)),
        other => other,
    }
}

/// Colours that were multiplied by their transparency, as they were before.
pub(super) fn unmultiplied(samples: Samples) -> Samples {
    match samples {
        Samples::Rgba8(mut v) => {
            for p in v.chunks_exact_mut(4) {
                let alpha = u32::from(p[3]);
                for c in &mut p[..3] {
                    let whole = (u32::from(*c) * 255 + alpha / 2).checked_div(alpha);
                    *c = whole.unwrap_or(0).min(255) as u8;
                }
            }
            Samples::Rgba8(v)
        }
        Samples::Rgba16(mut v) => {
            for p in v.chunks_exact_mut(4) {
                let alpha = u64::from(p[3]);
                for c in &mut p[..3] {
                    let whole = (u64::from(*c) * 65535 + alpha / 2).checked_div(alpha);
                    *c = whole.unwrap_or(0).min(65535) as u16;
                }
            }
            Samples::Rgba16(v)
        }
        other => other,
    }
}

/// A picture that others are put on.
pub(super) struct Canvas {
    samples: Samples,
    size: Size,
}

impl Canvas {
    /// A black one with samples of the same kind as `samples`.
    pub(super) fn like(samples: &Samples, size: Size) -> Self {
        let pixels = size.0 as usize * size.1 as usize;
        let samples = match samples {
            Samples::Rgba8(_) => Samples::Rgba8(vec![0; pixels * 4]),
            Samples::Rgb16(_) => Samples::Rgb16(vec![0; pixels * 3]),
            Samples::Rgba16(_) => Samples::Rgba16(vec![0; pixels * 4]),
            _ => Samples::Rgb8(vec![0; pixels * 3]),
        };
        Self { samples, size }
    }

    /// One of a colour with transparency.
    pub(super) fn filled(colour: [u16; 4], size: Size) -> Self {
        let pixels = size.0 as usize * size.1 as usize;
        Self {
            samples: Samples::Rgba16(colour.repeat(pixels)),
            size,
        }
    }

    pub(super) fn samples(self) -> Samples {
        self.samples
    }

    /// Puts a picture of the same kind at a place; one of another kind is converted.
    pub(super) fn put(&mut self, samples: &Samples, of: Size, at: (i64, i64)) {
        self.each(samples, of, at, |_, new| new);
    }

    /// Draws a picture over what is there, by its transparency.
    pub(super) fn draw(&mut self, samples: &Samples, of: Size, at: (i64, i64)) {
        self.each(samples, of, at, |old, new| {
            let max = u64::from(u16::MAX);
            let (over, under) = (u64::from(new[3]), u64::from(old[3]));
            let left = under * (max - over) / max;
            let alpha = over + left;
            let mix = |new: u16, old: u16| {
                let sum = u64::from(new) * over + u64::from(old) * left;
                sum.checked_div(alpha).unwrap_or(0) as u16
            };
            [
                mix(new[0], old[0]),
                mix(new[1], old[1]),
                mix(new[2], old[2]),
                alpha as u16,
            ]
        });
    }

    fn each(
        &mut self,
        samples: &Samples,
        of: Size,
        at: (i64, i64),
        mix: impl Fn([u16; 4], [u16; 4]) -> [u16; 4],
    ) {
        let (width, height) = (i64::from(self.size.0), i64::from(self.size.1));
        for y in 0..i64::from(of.1) {
            let to_y = at.1 + y;
            if !(0..height).contains(&to_y) {
                continue;
            }
            for x in 0..i64::from(of.0) {
                let to_x = at.0 + x;
                if !(0..width).contains(&to_x) {
                    continue;
                }
                let from = (y * i64::from(of.0) + x) as usize;
                let to = (to_y * width + to_x) as usize;
                let pixel = mix(pixel(&self.samples, to), pixel(samples, from));
                set(&mut self.samples, to, pixel);
            }
        }
    }
}

fn pixel(samples: &Samples, i: usize) -> [u16; 4] {
    let wide = |v: u8| u16::from(v) * 257;
    match samples {
        Samples::Rgb8(v) => [
            wide(v[3 * i]),
            wide(v[3 * i + 1]),
            wide(v[3 * i + 2]),
            u16::MAX,
        ],
        Samples::Rgba8(v) => std::array::from_fn(|c| wide(v[4 * i + c])),
        Samples::Rgb16(v) => [v[3 * i], v[3 * i + 1], v[3 * i + 2], u16::MAX],
        Samples::Rgba16(v) => std::array::from_fn(|c| v[4 * i + c]),
        _ => [0; 4],
    }
}

fn set(samples: &mut Samples, i: usize, p: [u16; 4]) {
    let narrow = |v: u16| ((u32::from(v) + 128) / 257) as u8;
    match samples {
        Samples::Rgb8(v) => {
            v[3 * i..3 * i + 3].copy_from_slice(&[narrow(p[0]), narrow(p[1]), narrow(p[2])]);
        }
        Samples::Rgba8(v) => v[4 * i..4 * i + 4].copy_from_slice(&p.map(narrow)),
        Samples::Rgb16(v) => v[3 * i..3 * i + 3].copy_from_slice(&p[..3]),
        Samples::Rgba16(v) => v[4 * i..4 * i + 4].copy_from_slice(&p),
        _ => {}
    }
}

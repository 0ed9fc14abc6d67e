//! One picture in the containers, depths, orientations and colours that can be written here, without the decoders under
//! test. `base.png`, `base.jp2` and `base.jxl` hold the same pixels, lossless.
#![allow(dead_code, reason = "each test uses a part")]

pub mod colour;
pub mod heif;
pub mod tiff;

use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};

/// How near the decoded pixels come to the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Near {
    Exactly,
    /// At most this far in the mean over all samples.
    Mean(f64),
}

/// A file that holds the picture.
pub struct Made {
    pub name: String,
    pub bytes: Vec<u8>,
    pub near: Near,
}

/// A file of the folder of this module.
pub fn stored(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../media/tests/made");
    std::fs::read(folder.join(name)).expect("a stored file")
}

/// The picture.
pub fn base() -> RgbImage {
    image::load_from_memory(&stored("base.png"))
        .expect("a PNG")
        .into_rgb8()
}

/// The picture as it is stored before a viewer undoes `orientation`.
pub fn stored_for(picture: &RgbImage, orientation: u8) -> RgbImage {
    use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
    match orientation {
        2 => flip_horizontal(picture),
        3 => rotate180(picture),
        4 => flip_vertical(picture),
        5 => rotate270(&flip_horizontal(picture)),
        6 => rotate270(picture),
        7 => rotate90(&flip_horizontal(picture)),
        8 => rotate90(picture),
        _ => picture.clone(),
    }
}

/// An EXIF block with an orientation, and as Adobe RGB where that is asked for.
pub fn exif(orientation: u8, adobe_rgb: bool) -> Vec<u8> {
    let short = |tag: u16, v: u16| [tag, 3, 1, 0, v, 0];
    let mut words = vec![0x4949_u16, 42, 8, 0];
    if adobe_rgb {
        // Orientation and the place of the EXIF directory; there ColorSpace and the place of the interoperability
        // directory.
        words.push(2);
        words.extend(short(0x112, u16::from(orientation)));
        words.extend([0x8769, 4, 1, 0, 38, 0]);
        words.extend([0, 0]);
        words.push(2);
        words.extend(short(0xa001, 0xffff));
        words.extend([0xa005, 4, 1, 0, 68, 0]);
        words.extend([0, 0]);
        words.push(1);
        words.extend([
            1,
            2,
            4,
            0,
            u16::from_le_bytes(*b"R0"),
            u16::from_le_bytes(*b"3\0"),
        ]);
    } else {
        words.push(1);
        words.extend(short(0x112, u16::from(orientation)));
    }
    words.extend([0, 0]);
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// A PNG of 8 bits, with chunks ahead of its data.
pub fn png(picture: &RgbImage, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    PngEncoder::new(&mut out)
        .write_image(
            picture.as_raw(),
            picture.width(),
            picture.height(),
            ExtendedColorType::Rgb8,
        )
        .expect("encodes");
    with_chunks(out, chunks)
}

/// A PNG of 16 bits.
pub fn png16(
    samples: &[u16],
    (width, height): (u32, u32),
    chunks: &[(&[u8; 4], Vec<u8>)],
) -> Vec<u8> {
    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_ne_bytes()).collect();
    let mut out = Vec::new();
    PngEncoder::new(&mut out)
        .write_image(&bytes, width, height, ExtendedColorType::Rgb16)
        .expect("encodes");
    with_chunks(out, chunks)
}

fn with_chunks(png: Vec<u8>, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    // Behind the signature and the header.
    const AT: usize = 8 + 12 + 13;
    let mut out = png[..AT].to_vec();
    for (kind, data) in chunks {
        let body = [&kind[..], data].concat();
        out.extend((data.len() as u32).to_be_bytes());
        out.extend(&body);
        out.extend(crc(&body).to_be_bytes());
    }
    out.extend(&png[AT..]);
    out
}

/// The checksum of a chunk.
fn crc(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// A JPEG of best quality without subsampling.
pub fn jpeg(picture: &RgbImage, segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut out, 98);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_4_4);
    for (marker, data) in segments {
        encoder
            .add_app_segment(*marker, data.clone())
            .expect("a segment");
    }
    let (width, height) = (picture.width() as u16, picture.height() as u16);
    encoder
        .encode(
            picture.as_raw(),
            width,
            height,
            jpeg_encoder::ColorType::Rgb,
        )
        .expect("encodes");
    out
}

/// A lossless WebP with an EXIF chunk.
fn webp(picture: &RgbImage, exif: Option<&[u8]>) -> Vec<u8> {
    let mut simple = Vec::new();
    image::codecs::webp::WebPEncoder::new_lossless(&mut simple)
        .write_image(
            picture.as_raw(),
            picture.width(),
            picture.height(),
            ExtendedColorType::Rgb8,
        )
        .expect("encodes");
    let Some(exif) = exif else { return simple };
    let mut body = b"WEBPVP8X\x0a\0\0\0\x08\0\0\0".to_vec();
    for side in [picture.width(), picture.height()] {
        body.extend(&(side - 1).to_le_bytes()[..3]);
    }
    body.extend(&simple[12..]);
    body.extend(b"EXIF");
    body.extend((exif.len() as u32).to_le_bytes());
    body.extend(exif);
    if exif.len() % 2 == 1 {
        body.push(0);
    }
    [&b"RIFF"[..], &(body.len() as u32).to_le_bytes(), &body].concat()
}

fn with_image(picture: &RgbImage, format: image::ImageFormat) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut out, format).expect("encodes");
    out.into_inner()
}

/// An icon with a smaller picture ahead, both as PNG.
fn icon(picture: &RgbImage) -> Vec<u8> {
    let small = png(&RgbImage::new(16, 16), &[]);
    let large = png(picture, &[]);
    let mut out = vec![0, 0, 1, 0, 2, 0];
    let first = 6 + 2 * 16;
    for (side, data, at) in [
        ((16, 16), &small, first),
        (
            (
                (picture.width() & 255) as u8,
                (picture.height() & 255) as u8,
            ),
            &large,
            first + small.len(),
        ),
    ] {
        out.extend([side.0, side.1, 0, 0, 1, 0, 24, 0]);
        out.extend((data.len() as u32).to_le_bytes());
        out.extend((at as u32).to_le_bytes());
    }
    [out, small, large].concat()
}

/// A Photoshop document without layers.
pub fn psd(picture: &RgbImage, deep: bool, packed: bool, merged: bool) -> Vec<u8> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut out = b"8BPS\0\x01\0\0\0\0\0\0\0\x03".to_vec();
    out.extend((height as u32).to_be_bytes());
    out.extend((width as u32).to_be_bytes());
    out.extend([0, if deep { 16 } else { 8 }, 0, 3]);
    out.extend([0; 4]);
    let version = [
        0,
        0,
        0,
        1,
        u8::from(merged),
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
    ];
    out.extend((12 + version.len() as u32).to_be_bytes());
    out.extend(b"8BIM\x04\x21\0\0");
    out.extend((version.len() as u32).to_be_bytes());
    out.extend(version);
    out.extend([0; 4]);
    out.extend([0, u8::from(packed)]);
    let raw = picture.as_raw();
    let rows: Vec<Vec<u8>> = (0..3 * height)
        .map(|i| {
            let (channel, y) = (i / height, i % height);
            (0..width)
                .map(|x| raw[3 * (y * width + x) + channel])
                .flat_map(|v| if deep { vec![v, v] } else { vec![v] })
                .collect()
        })
        .collect();
    if packed {
        // Literal runs alone: a byte of length minus one ahead of each.
        let rows: Vec<Vec<u8>> = rows
            .iter()
            .map(|row| {
                row.chunks(100)
                    .flat_map(|run| [&[(run.len() - 1) as u8][..], run].concat())
                    .collect()
            })
            .collect();
        for row in &rows {
            out.extend((row.len() as u16).to_be_bytes());
        }
        out.extend(rows.concat());
    } else {
        out.extend(rows.concat());
    }
    out
}

/// A PDF document of two pages: the picture's samples on the first, a JPEG of it on the second.
pub fn pdf(picture: &RgbImage) -> Vec<u8> {
    let image = |filter: &str, data: &[u8]| {
        let head = format!(
            "<</Type/XObject/Subtype/Image/Width {}/Height {}/ColorSpace/DeviceRGB/BitsPerComponent 8{filter}/Length {}>>stream\n",
            picture.width(),
            picture.height(),
            data.len()
        );
        [head.as_bytes(), data, b"\nendstream"].concat()
    };
    let page = |image: u8| {
        format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Resources<</XObject<</Im0 {image} 0 R>>>>>>"
        )
        .into_bytes()
    };
    let objects = [
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>".to_vec(),
        page(5),
        page(6),
        image("", picture.as_raw()),
        image("/Filter/DCTDecode", &jpeg(picture, &[])),
    ];
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (i, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.extend(format!("{} 0 obj\n", i + 1).bytes());
        out.extend(object);
        out.extend(b"\nendobj\n");
    }
    let table = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for place in places {
        out.extend(format!("{place:010} 00000 n \n").bytes());
    }
    out.extend(
        format!(
            "trailer<</Size {}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n",
            objects.len() + 1
        )
        .bytes(),
    );
    out
}

/// An SVG drawing that holds the picture as a PNG.
pub fn svg(picture: &RgbImage) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in png(picture, &[]).chunks(3) {
        let word =
            part.iter().fold(0_u32, |n, b| (n << 8) | u32::from(*b)) << (8 * (3 - part.len()));
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= part.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    format!(
        "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"data:image/png;base64,{text}\"/></svg>"
    )
    .into_bytes()
}

/// A raw photograph as some cameras write it, of which only the preview is one here.
pub fn raw_with_preview(preview: &[u8]) -> Vec<u8> {
    [
        &b"II*\0\x10\0\0\0CR\x02\0\0\0\0\0"[..],
        &[0x55; 300],
        preview,
        &[0x55; 500],
    ]
    .concat()
}

/// The picture in every way.
pub fn all() -> Vec<Made> {
    let base = base();
    let size = base.dimensions();
    let mut all = Vec::new();
    let mut add = |name: &str, near: Near, bytes: Vec<u8>| {
        all.push(Made {
            name: name.into(),
            bytes,
            near,
        });
    };
    let wide: Vec<u16> = base.as_raw().iter().map(|v| u16::from(*v) * 257).collect();
    add("8.png", Near::Exactly, png(&base, &[]));
    add("16.png", Near::Exactly, png16(&wide, size, &[]));
    add("stored.jp2", Near::Exactly, stored("base.jp2"));
    add("stored.jxl", Near::Exactly, stored("base.jxl"));
    add(
        "plain.bmp",
        Near::Exactly,
        with_image(&base, image::ImageFormat::Bmp),
    );
    add("plain.webp", Near::Exactly, webp(&base, None));
    add("large.ico", Near::Exactly, icon(&base));
    add("8.psd", Near::Exactly, psd(&base, false, false, true));
    add("16.psd", Near::Exactly, psd(&base, true, false, true));
    add("packed.psd", Near::Exactly, psd(&base, false, true, true));
    add("444.jpg", Near::Mean(1.0), jpeg(&base, &[]));
    for o in 1..=8 {
        let turned = stored_for(&base, o);
        let block = exif(o, false);
        let app1 = [&b"Exif\0\0"[..], &block].concat();
        add(
            &format!("o{o}.png"),
            Near::Exactly,
            png(&turned, &[(b"eXIf", block.clone())]),
        );
        add(
            &format!("o{o}.webp"),
            Near::Exactly,
            webp(&turned, Some(&block)),
        );
        add(
            &format!("o{o}.jpg"),
            Near::Mean(1.0),
            jpeg(&turned, &[(1, app1)]),
        );
        add(
            &format!("o{o}.tif"),
            Near::Exactly,
            tiff::Tiff::of(&turned).orientation(o).bytes(),
        );
    }
    all.extend(tiff::all(&base));
    all.extend(heif::all(&base));
    all.extend(colour::all(&base));
    all
}

//! Pictures of a report: what was scanned, its map, and what forensic signals show.

use image::{ImageFormat, RgbImage, Rgba, RgbaImage};
use realscope::map::HeatMap;
use realscope::report;
use realscope::scanner::Scanned;
use realscope_delivery::{self as delivery, Filter, Subsampling};
use realscope_media::jpeg::standard_luma;
use realscope_signal::{Plane, ela, fft, ghost, noise, npr};

/// Longest edge of the picture, in pixels.
const PICTURE: u32 = 4096;
/// Longest edge of what is laid over it.
const LAYER: u32 = 1024;
/// Side of the spectrum.
const SPECTRUM: u32 = 512;
/// JPEG quality of error level analysis.
const ELA: u8 = 90;
/// JPEG qualities at which ghosts are looked for.
const GHOSTS: std::ops::RangeInclusive<u8> = 40..=95;
/// From one of them to the next.
const STEP: usize = 5;

/// A file of a report.
pub(crate) struct Picture {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// Names of all files that a report may have.
pub(crate) const NAMES: [&str; 8] = [
    "picture.jpg",
    "map.png",
    "spectrum.png",
    "ela.png",
    "noise.png",
    "npr.png",
    "ghost.png",
    "report.html",
];

/// Media type of a file of a report.
pub(crate) fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("jpg") => "image/jpeg",
        Some("png") => "image/png",
        _ => "text/html; charset=utf-8",
    }
}

/// The files of a drawn scan. What cannot be drawn is left out.
pub(crate) fn of(scanned: &Scanned) -> Vec<Picture> {
    let mut all = Vec::new();
    let mut add = |name: &'static str, bytes: Option<Vec<u8>>| {
        all.extend(bytes.map(|bytes| Picture { name, bytes }));
    };
    let (record, pixels, map) = (
        &scanned.record,
        scanned.pixels.as_ref(),
        scanned.heatmap.as_ref(),
    );
    let page = format!(
        "{}{}{}",
        report::html_head("Realscope report"),
        report::html_film(record, pixels, map, &scanned.key_frames),
        report::html_tail()
    );
    add("report.html", Some(page.into_bytes()));
    let Some(pixels) = pixels else { return all };
    let picture = delivery::limit_edge(pixels, PICTURE, Filter::Lanczos3).ok();
    add(
        "picture.jpg",
        picture.and_then(|p| delivery::encode_jpeg(&p, 92, Subsampling::S444).ok()),
    );
    add(
        "map.png",
        map.and_then(|m| overlay(m, pixels.width(), pixels.height())),
    );
    add("spectrum.png", spectrum(pixels));
    // Signals are taken at native resolution, and made smaller to be shown.
    let luma = Plane::luma(pixels);
    add(
        "ela.png",
        ela::error_level(pixels, ELA)
            .ok()
            .and_then(|p| shown(&p, 16.0)),
    );
    add("noise.png", shown(&noise::residual(&luma), 8.0));
    add("npr.png", shown(&npr::relationships(&luma), 8.0));
    let tables: Vec<_> = GHOSTS.step_by(STEP).map(standard_luma).collect();
    add("ghost.png", shown(&ghost::dips(&luma, &tables), 512.0));
    all
}

/// The map's colours, opaque, to be laid over the picture.
fn overlay(map: &HeatMap, width: u32, height: u32) -> Option<Vec<u8>> {
    let scale = (f64::from(LAYER) / f64::from(width.max(height).max(1))).min(1.0);
    let size = |v: u32| ((f64::from(v) * scale).round() as u32).max(1);
    let (columns, rows) = (size(width), size(height));
    let middle = |i: u32, count: u32| (f64::from(i) + 0.5) / f64::from(count);
    let layer = RgbaImage::from_fn(columns, rows, |x, y| {
        let p = map.at(middle(x, columns), middle(y, rows)).clamp(0.0, 1.0);
        let level = |v: f32| v.clamp(0.0, 255.0) as u8;
        Rgba([
            level(255.0 * p),
            level(80.0 * (1.0 - (2.0 * p - 1.0).abs())),
            level(255.0 * (1.0 - p)),
            255,
        ])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    layer.write_to(&mut bytes, ImageFormat::Png).ok()?;
    Some(bytes.into_inner())
}

fn spectrum(pixels: &RgbImage) -> Option<Vec<u8>> {
    let side = pixels.width().min(pixels.height()).min(SPECTRUM);
    let (x, y) = ((pixels.width() - side) / 2, (pixels.height() - side) / 2);
    let s = fft::log_spectrum(&Plane::luma(&delivery::crop(pixels, x, y, side, side)));
    let top = s.values.iter().copied().fold(1e-6_f32, f32::max);
    let grey = RgbImage::from_fn(side, side, |x, y| {
        image::Rgb([(255.0 * s.at(x as usize, y as usize) / top) as u8; 3])
    });
    png(&grey)
}

/// Values around 0 as distances from black, `gain` times as bright.
fn shown(plane: &Plane, gain: f32) -> Option<Vec<u8>> {
    let (width, height) = (
        u32::try_from(plane.width).ok()?,
        u32::try_from(plane.height).ok()?,
    );
    let grey = RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([(plane.at(x as usize, y as usize).abs() * gain).clamp(0.0, 255.0) as u8; 3])
    });
    png(&delivery::limit_edge(&grey, LAYER, Filter::Lanczos3).ok()?)
}

fn png(picture: &RgbImage) -> Option<Vec<u8>> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).ok()?;
    Some(bytes.into_inner())
}

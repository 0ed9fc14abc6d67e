//! The same picture in every container, depth, orientation and colour space decodes to the same pixels.

mod made;

use image::RgbImage;
use made::colour::{self, converted};
use made::heif::{self, File};
use made::{Near, base};
use realscope_media::{Decoded, Limits, MediaError, Options, decode};

fn decoded(bytes: &[u8]) -> Result<Decoded, MediaError> {
    decode(bytes, &Limits::default(), &Options::default())
}

fn part(bytes: &[u8], name: &str) -> Result<Decoded, MediaError> {
    let options = Options {
        part: Some(name.into()),
        ..Options::default()
    };
    decode(bytes, &Limits::default(), &options)
}

/// The mean and the largest difference of samples.
fn distance(a: &RgbImage, b: &RgbImage) -> (f64, u8) {
    let each = a
        .as_raw()
        .iter()
        .zip(b.as_raw())
        .map(|(a, b)| a.abs_diff(*b));
    let most = each.clone().max().unwrap_or(0);
    let sum: u64 = each.map(u64::from).sum();
    (sum as f64 / a.as_raw().len() as f64, most)
}

fn codes(decoded: &Decoded) -> Vec<&str> {
    decoded
        .facts
        .notes
        .iter()
        .map(|n| n.code.as_str())
        .collect()
}

#[test]
fn one_picture_is_the_same_in_every_file() {
    let base = base();
    let all = made::all();
    let mut wrong = Vec::new();
    for made in &all {
        let name = &made.name;
        let found = match decoded(&made.bytes) {
            Ok(found) => found,
            Err(e) => {
                wrong.push(format!("{name}: {e}"));
                continue;
            }
        };
        if found.pixels.dimensions() != base.dimensions() {
            wrong.push(format!("{name}: {:?}", found.pixels.dimensions()));
            continue;
        }
        let (mean, most) = distance(&found.pixels, &base);
        println!("{name}: mean {mean:.3}, most {most}, {:?}", codes(&found));
        let near = match made.near {
            Near::Exactly => most == 0,
            Near::Mean(bound) => mean <= bound,
        };
        if !near {
            wrong.push(format!(
                "{name}: mean {mean:.3}, most {most}, not {:?}",
                made.near
            ));
        }
    }
    assert!(wrong.is_empty(), "of {}:\n{}", all.len(), wrong.join("\n"));
}

#[test]
fn pictures_within_files_are_named_and_read() {
    let base = base();
    let raw = made::raw_with_preview(&made::jpeg(&enlarged(&base), &[]));
    for (bytes, names) in [
        (made::pdf(&base), &["page=1,image=1", "page=2,image=1"][..]),
        (made::svg(&base), &["image=1"]),
        (raw, &["preview"]),
    ] {
        let Err(MediaError::Parts { parts, more, .. }) = decoded(&bytes) else {
            panic!("{names:?} are not named")
        };
        assert_eq!(
            (&parts[..], more),
            (
                &names.iter().map(|n| (*n).into()).collect::<Vec<String>>()[..],
                0
            )
        );
        for name in names {
            let found = part(&bytes, name).expect(name);
            let right = if *name == "preview" {
                enlarged(&base)
            } else {
                base.clone()
            };
            let (mean, _) = distance(&found.pixels, &right);
            assert!(mean <= 1.0, "{name}: {mean}");
            assert_eq!(codes(&found).contains(&"preview"), *name == "preview");
        }
        assert!(part(&bytes, "page=9,image=9").is_err());
        for end in (0..bytes.len()).step_by(bytes.len() / 40) {
            let _ = decoded(&bytes[..end]);
            let _ = part(&bytes[..end], names[0]);
        }
    }
    let empty = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n\
        trailer<</Root 1 0 R>>";
    let error = decoded(empty).expect_err("nothing to read");
    assert!(
        matches!(error.code(), "not_a_picture" | "corrupt"),
        "{error}"
    );
}

/// Large enough for a preview.
fn enlarged(picture: &RgbImage) -> RgbImage {
    image::imageops::resize(picture, 768, 576, image::imageops::FilterType::Triangle)
}

#[test]
fn brighter_than_white_is_rolled_off_and_told() {
    let base = base();
    let light = |scale: f64| {
        let bright = converted(&base, &TO_SAME, |rgb| {
            rgb.map(|v| colour::pq(v * scale * 203.0))
        });
        let file = made::png16(&bright, base.dimensions(), &[(b"cICP", vec![1, 16, 0, 1])]);
        decoded(&file).expect("decodes")
    };
    let bright = light(4.0);
    assert!(codes(&bright).contains(&"tone_mapped"));
    let sentence = &bright.facts.notes[0].sentence;
    assert!(
        sentence.contains("203 cd/m²") && sentence.contains("rolled off"),
        "{sentence}"
    );
    // The order of brightness stays, and no large part is cut to white.
    let white = bright.pixels.pixels().filter(|p| p.0 == [255; 3]).count();
    assert!(white * 50 < bright.pixels.pixels().len(), "{white}");
    let luma = |p: &image::Rgb<u8>| u32::from(p[0]) + u32::from(p[1]) + u32::from(p[2]);
    let mean =
        |p: &RgbImage| p.pixels().map(luma).map(u64::from).sum::<u64>() / p.pixels().len() as u64;
    assert!(mean(&bright.pixels) > mean(&light(1.0).pixels));
}

const TO_SAME: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

#[test]
fn gray_and_foreign_profiles_are_judged_by_content() {
    let base = base();
    // Gray with an exponent of 1: stored values are light.
    let mut gray = moxcms::ColorProfile::new_gray_with_gamma(1.0);
    gray.description = None;
    let gray = gray.encode().expect("a profile");
    let values: Vec<u16> = base
        .as_raw()
        .iter()
        .map(|v| (colour::linear(*v) * 65535.0).round() as u16)
        .collect();
    let one: Vec<u16> = values.chunks(3).flat_map(|p| [p[0]; 3]).collect();
    let file = made::png16(&one, base.dimensions(), &[(b"iCCP", colour::iccp(&gray))]);
    let found = decoded(&file).expect("decodes");
    let right = RgbImage::from_fn(base.width(), base.height(), |x, y| {
        image::Rgb([base.get_pixel(x, y)[0]; 3])
    });
    let (mean, most) = distance(&found.pixels, &right);
    assert!(mean < 0.6 && most <= 2, "{mean} {most}");
    // A profile for inks does not fit these pixels: they stay, and it is told.
    let mut inks = gray;
    inks[16..20].copy_from_slice(b"CMYK");
    let file = made::png(&base, &[(b"iCCP", colour::iccp(&inks))]);
    let found = decoded(&file).expect("decodes");
    assert_eq!(codes(&found), ["icc_ignored"]);
    assert_eq!(found.pixels, base);
}

#[test]
fn inks_are_what_their_profile_says() {
    // Patches of 32 x 32: no ink, cyan, black.
    // The profile holds whole steps of Lab, which move a dark channel by more than the bound below.
    let colours = [[255, 255, 255], [90, 150, 210], [0, 0, 0]];
    let profile = colour::inks(|inks| match inks {
        [false, false, false, false] => colours[0],
        [true, false, false, false] => colours[1],
        [.., true] => colours[2],
        _ => [128; 3],
    });
    let inks = [[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255]];
    let samples: Vec<Vec<u8>> = (0..96 * 32)
        .flat_map(|i| inks[i % 96 / 32])
        .map(|v| vec![v])
        .collect();
    let file = made::tiff::Tiff::of(&RgbImage::new(96, 32)).samples(samples, 4, 5);
    let plain = decoded(&file.bytes()).expect("decodes");
    assert_eq!(codes(&plain), ["cmyk"]);
    assert_eq!(plain.pixels.get_pixel(40, 9).0, [0, 255, 255]);
    let found = decoded(&file.icc(profile).bytes()).expect("decodes");
    assert!(codes(&found).is_empty(), "{:?}", codes(&found));
    for (i, right) in colours.iter().enumerate() {
        let pixel = found.pixels.get_pixel(32 * i as u32 + 8, 9);
        let near = pixel.0.iter().zip(right).all(|(a, b)| a.abs_diff(*b) <= 4);
        assert!(near, "{pixel:?} is not {right:?}");
    }
}

#[test]
fn items_beside_the_picture_are_told_and_not_read() {
    let base = base();
    let picture = heif::hevc(&base, false);
    let small = heif::hevc(&image::imageops::thumbnail(&base, 64, 48), false);
    let auxiliary = |words: &[u8]| {
        let property = heif::atom(b"auxC", &[&[0; 4], words, &[0]]);
        let mut file = File::of(&picture, Vec::new());
        let own = vec![heif::size(small.size), small.config.clone(), property];
        file.items.push((small.kind, small.data.clone(), true, own));
        file.references.push((*b"auxl", 2, vec![1]));
        decoded(&file.bytes()).expect("decodes")
    };
    let gain = auxiliary(b"urn:com:apple:photo:2020:aux:hdrgainmap");
    assert_eq!(codes(&gain), ["gain_map"]);
    let depth = auxiliary(b"urn:mpeg:hevc:2015:auxid:2");
    assert_eq!(codes(&depth), ["depth_map"]);
    // A thumbnail is no further picture; another whole one is.
    let mut file = File::of(&picture, Vec::new());
    let own = vec![heif::size(small.size), small.config.clone()];
    file.items
        .push((small.kind, small.data.clone(), false, own.clone()));
    file.references.push((*b"thmb", 2, vec![1]));
    assert!(codes(&decoded(&file.bytes()).expect("decodes")).is_empty());
    file.references.clear();
    assert_eq!(
        codes(&decoded(&file.bytes()).expect("decodes")),
        ["further_pictures"]
    );
    // Transparency: a black plane over everything leaves white.
    let nothing = RgbImage::new(base.width(), base.height());
    for (coder, word) in [
        (
            heif::hevc as fn(&RgbImage, bool) -> heif::Coded,
            &b"urn:mpeg:hevc:2015:auxid:1"[..],
        ),
        (heif::av1, b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"),
    ] {
        let (colour, alpha) = (coder(&base, false), coder(&nothing, false));
        let property = heif::atom(b"auxC", &[&[0; 4], word, &[0]]);
        let mut file = File::of(&colour, Vec::new());
        let own = vec![heif::size(alpha.size), alpha.config.clone(), property];
        file.items.push((alpha.kind, alpha.data.clone(), true, own));
        file.references.push((*b"auxl", 2, vec![1]));
        let found = decoded(&file.bytes()).expect("decodes");
        assert!(codes(&found).contains(&"alpha_composited"));
        let darkest = found.pixels.as_raw().iter().min();
        assert!(darkest >= Some(&250), "{darkest:?}");
    }
}

#[test]
fn what_is_not_decoded_has_a_name() {
    let base = base();
    let jpeg = made::jpeg(&base, &[]);
    let frame = jpeg
        .windows(2)
        .position(|w| w == [0xff, 0xc0])
        .expect("a frame");
    let jpeg_with = |marker: u8, precision: u8| {
        let mut file = jpeg.clone();
        (file[frame + 1], file[frame + 4]) = (marker, precision);
        file
    };
    let mut other = File::of(&heif::hevc(&base, false), Vec::new());
    other.items[0].0 = *b"vvc1";
    for (bytes, words) in [
        (jpeg_with(0xc3, 8), "lossless JPEG"),
        (jpeg_with(0xc9, 8), "arithmetic"),
        (jpeg_with(0xc5, 8), "hierarchical"),
        (jpeg_with(0xc1, 12), "12-bit"),
        (jpeg_with(0xf7, 8), "JPEG-LS"),
        (other.bytes(), "VVC"),
        (
            made::psd(&base, false, false, false),
            "without a merged picture",
        ),
        (b"\x76\x2f\x31\x01\x02\0\0\0".to_vec(), "OpenEXR"),
    ] {
        let error = decoded(&bytes).expect_err(words);
        assert_eq!(error.code(), "unsupported", "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn bytes_between_the_segments_of_a_jpeg_are_passed_over() {
    let base = base();
    let jpeg = made::jpeg(&base, &[]);
    let whole = decoded(&jpeg).expect("decodes").pixels;
    let tables = jpeg
        .windows(2)
        .position(|w| w == [0xff, 0xc4])
        .expect("a table");
    let stray = [&jpeg[..tables], &[0x33; 17], &jpeg[tables..]].concat();
    let found = decoded(&stray).expect("decodes");
    assert_eq!(found.pixels, whole);
    assert!(codes(&found).contains(&"stray_bytes"));
    for junk in [&[0; 40][..], &[0x5a; 40]] {
        let end = jpeg.len() - 2;
        let file = [&jpeg[..end], junk, &jpeg[end..]].concat();
        assert_eq!(decoded(&file).expect("decodes").pixels, whole);
    }
    // A second picture behind the first is not the picture.
    let two = [&jpeg[..], &made::jpeg(&RgbImage::new(64, 64), &[])].concat();
    assert_eq!(decoded(&two).expect("decodes").pixels, whole);
}

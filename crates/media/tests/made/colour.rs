//! The picture in other colour spaces: what it is converted to here, by the numbers of the standards, decoding must undo.

use image::RgbImage;
use moxcms::ColorProfile;

use super::heif::{File, av1, hevc, icc, nclx};
use super::{Made, Near, exif, jpeg, png, png16};

type Matrix = [[f64; 3]; 3];

/// Linear sRGB to linear light of other primaries under the same white.
const TO_P3: Matrix = [
    [0.822_462, 0.177_538, 0.0],
    [0.033_194, 0.966_806, 0.0],
    [0.017_083, 0.072_397, 0.910_520],
];
const TO_BT2020: Matrix = [
    [0.627_404, 0.329_283, 0.043_313],
    [0.069_097, 0.919_540, 0.011_362],
    [0.016_391, 0.088_013, 0.895_595],
];
const TO_ADOBE: Matrix = [
    [0.715_126, 0.284_874, 0.0],
    [0.0, 1.0, 0.0],
    [0.0, 0.041_162, 0.958_838],
];

pub fn linear(v: u8) -> f64 {
    let v = f64::from(v) / 255.0;
    if v <= 0.04045 {
        v / 12.92
    } else {
        ((v + 0.055) / 1.055).powf(2.4)
    }
}

fn srgb_curve(l: f64) -> f64 {
    if l <= 0.003_130_8 {
        12.92 * l
    } else {
        1.055 * l.powf(1.0 / 2.4) - 0.055
    }
}

/// PQ of light in cd/m² (SMPTE ST 2084).
pub fn pq(light: f64) -> f64 {
    let (m1, m2) = (2610.0 / 16384.0, 2523.0 / 32.0);
    let (c1, c2, c3) = (3424.0 / 4096.0, 2413.0 / 128.0, 2392.0 / 128.0);
    let y = (light / 10_000.0).powf(m1);
    ((c1 + c2 * y) / (1.0 + c3 * y)).powf(m2)
}

/// HLG of a display's light as a share of 1,000 cd/m²: the inverse of the system gamma, then the curve (BT.2100).
fn hlg(rgb: [f64; 3]) -> [f64; 3] {
    let luminance = 0.2627 * rgb[0] + 0.6780 * rgb[1] + 0.0593 * rgb[2];
    let scale = luminance.max(1e-9).powf(-0.2 / 1.2);
    rgb.map(|v| {
        let e = v * scale;
        if e <= 1.0 / 12.0 {
            (3.0 * e).sqrt()
        } else {
            0.178_832_77 * (12.0 * e - 0.284_668_92).ln() + 0.559_910_73
        }
    })
}

/// Each pixel converted by its linear light.
pub fn converted(
    picture: &RgbImage,
    matrix: &Matrix,
    curve: impl Fn([f64; 3]) -> [f64; 3],
) -> Vec<u16> {
    picture
        .pixels()
        .flat_map(|p| {
            let l = p.0.map(linear);
            let there = matrix.map(|row| row.iter().zip(l).map(|(m, v)| m * v).sum::<f64>());
            curve(there).map(|v| (v.clamp(0.0, 1.0) * 65535.0).round() as u16)
        })
        .collect()
}

/// CIE L*a*b* under D50 (Bradford).
pub fn lab(rgb: [u8; 3]) -> [f64; 3] {
    const TO_XYZ: Matrix = [
        [0.436_065_7, 0.385_151_5, 0.143_078_4],
        [0.222_493_2, 0.716_887_0, 0.060_616_9],
        [0.013_923_9, 0.097_081_3, 0.714_099_4],
    ];
    let l = rgb.map(linear);
    let xyz = TO_XYZ.map(|row| row.iter().zip(l).map(|(m, v)| m * v).sum::<f64>());
    let f = |v: f64| {
        if v > 216.0 / 24389.0 {
            v.cbrt()
        } else {
            (24389.0 / 27.0 * v + 16.0) / 116.0
        }
    };
    let [x, y, z] = [f(xyz[0] / 0.96422), f(xyz[1]), f(xyz[2] / 0.82521)];
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

pub fn eight(samples: &[u16], size: (u32, u32)) -> RgbImage {
    let narrow = |s: &u16| ((u32::from(*s) + 128) / 257) as u8;
    RgbImage::from_raw(size.0, size.1, samples.iter().map(narrow).collect()).expect("fits")
}

/// A profile as an `iCCP` chunk carries it: a name, then the data, stored without compression.
pub fn iccp(profile: &[u8]) -> Vec<u8> {
    let mut out = b"unnamed\0\0\x78\x01".to_vec();
    let mut blocks = profile.chunks(60_000).peekable();
    while let Some(block) = blocks.next() {
        out.push(u8::from(blocks.peek().is_none()));
        out.extend((block.len() as u16).to_le_bytes());
        out.extend((!(block.len() as u16)).to_le_bytes());
        out.extend(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in profile {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}

/// A printer's profile whose inks are full or none at each corner of its table: `corner` gives the colour of one.
pub fn inks(corner: impl Fn([bool; 4]) -> [u8; 3]) -> Vec<u8> {
    let mut table = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
    for i in 0..9 {
        table.extend(if i % 4 == 0 { [0, 1, 0, 0] } else { [0; 4] });
    }
    let ramp: Vec<u8> = (0..=255).collect();
    table.extend(ramp.repeat(4));
    for i in 0..16 {
        let [l, a, b] = lab(corner([i & 8 != 0, i & 4 != 0, i & 2 != 0, i & 1 != 0]));
        let around = |v: f64| (v + 128.0).round().clamp(0.0, 255.0) as u8;
        table.extend([(l * 2.55).round() as u8, around(a), around(b)]);
    }
    table.extend(ramp.repeat(3));
    let mut out = vec![0; 128];
    out[8] = 2;
    out[12..24].copy_from_slice(b"prtrCMYKLab ");
    out[36..40].copy_from_slice(b"acsp");
    // The white of D50.
    out[68..80].copy_from_slice(&[0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d]);
    out.extend([0, 0, 0, 1]);
    out.extend(b"A2B0");
    out.extend(144_u32.to_be_bytes());
    out.extend((table.len() as u32).to_be_bytes());
    out.extend(table);
    let len = (out.len() as u32).to_be_bytes();
    out[..4].copy_from_slice(&len);
    out
}

/// A profile of Display P3 whose description claims to be sRGB.
pub fn p3_called_srgb() -> Vec<u8> {
    let mut profile = ColorProfile::new_display_p3();
    let name = moxcms::LocalizableString::new("en".into(), "US".into(), "sRGB IEC61966-2.1".into());
    profile.description = Some(moxcms::ProfileText::Localizable(vec![name]));
    profile.encode().expect("a profile")
}

pub fn all(base: &RgbImage) -> Vec<Made> {
    let size = base.dimensions();
    let srgb = |rgb: [f64; 3]| rgb.map(srgb_curve);
    let p3 = converted(base, &TO_P3, srgb);
    let adobe = converted(base, &TO_ADOBE, |rgb| {
        rgb.map(|v| v.max(0.0).powf(256.0 / 563.0))
    });
    let light = converted(
        base,
        &[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        |l| l,
    );
    let with_pq = converted(base, &TO_BT2020, |rgb| rgb.map(|v| pq(v.max(0.0) * 203.0)));
    let with_hlg = converted(base, &TO_BT2020, |rgb| hlg(rgb.map(|v| v.max(0.0) * 0.203)));
    let p3_icc = p3_called_srgb();
    let adobe_icc = ColorProfile::new_adobe_rgb().encode().expect("a profile");
    let srgb_icc = ColorProfile::new_srgb().encode().expect("a profile");
    let gamma = |g: u32| (b"gAMA", g.to_be_bytes().to_vec());
    let app1 = [&b"Exif\0\0"[..], &exif(1, true)].concat();
    let p3_points = nclx([12, 13, 6]);
    let deep_light = Near::Mean(0.5);
    [
        (
            "p3-icc.png",
            deep_light,
            png16(&p3, size, &[(b"iCCP", iccp(&p3_icc))]),
        ),
        (
            "p3-icc-8.png",
            Near::Mean(0.7),
            png(&eight(&p3, size), &[(b"iCCP", iccp(&p3_icc))]),
        ),
        (
            "adobe-icc.png",
            deep_light,
            png16(&adobe, size, &[(b"iCCP", iccp(&adobe_icc))]),
        ),
        (
            "srgb-icc.png",
            Near::Exactly,
            png(base, &[(b"iCCP", iccp(&srgb_icc))]),
        ),
        (
            "p3-cicp.png",
            deep_light,
            png16(&p3, size, &[(b"cICP", vec![12, 13, 0, 1])]),
        ),
        // cICP goes ahead of a profile, a profile ahead of sRGB and gAMA, sRGB ahead of gAMA.
        (
            "cicp-before-icc.png",
            Near::Exactly,
            png(
                base,
                &[
                    (b"cICP", vec![1, 13, 0, 1]),
                    (b"iCCP", iccp(&p3_icc)),
                    gamma(100_000),
                ],
            ),
        ),
        (
            "srgb-before-gamma.png",
            Near::Exactly,
            png(base, &[(b"sRGB", vec![0]), gamma(100_000)]),
        ),
        (
            "light.png",
            deep_light,
            png16(&light, size, &[gamma(100_000)]),
        ),
        (
            "usual-gamma.png",
            Near::Exactly,
            png(base, &[gamma(45_455)]),
        ),
        (
            "pq.png",
            deep_light,
            png16(&with_pq, size, &[(b"cICP", vec![9, 16, 0, 1])]),
        ),
        (
            "hlg.png",
            deep_light,
            png16(&with_hlg, size, &[(b"cICP", vec![9, 18, 0, 1])]),
        ),
        (
            "adobe-by-exif.jpg",
            Near::Mean(1.2),
            jpeg(&eight(&adobe, size), &[(1, app1)]),
        ),
        (
            "p3.tif",
            Near::Mean(0.7),
            super::tiff::Tiff::of(&eight(&p3, size))
                .icc(p3_icc.clone())
                .bytes(),
        ),
        (
            "p3-points.avif",
            Near::Mean(2.0),
            File::of(&av1(&eight(&p3, size), true), vec![p3_points]).bytes(),
        ),
        (
            "p3-icc.avif",
            Near::Mean(2.0),
            File::of(&av1(&eight(&p3, size), false), vec![icc(&p3_icc)]).bytes(),
        ),
        (
            "p3-icc.heic",
            Near::Mean(4.0),
            File::of(&hevc(&eight(&p3, size), false), vec![icc(&p3_icc)]).bytes(),
        ),
    ]
    .into_iter()
    .map(|(name, near, bytes)| Made {
        name: name.into(),
        bytes,
        near,
    })
    .collect()
}

//! The largest still pictures that common phones and cameras make, each the largest of all lenses and aspect ratios
//! of the model. The sizes were written from memory of the makers' published specifications; they have not been
//! checked against them entry by entry.
//!
//! Smaller pictures say nothing: cameras have settings for size and shape, and people crop. Models that put several
//! exposures together into a larger picture are left out. Panoramas
//! are larger than any entry; long shapes are passed over for that.

/// Longer and shorter side.
type Size = [u32; 2];

/// Models as EXIF names them, by their largest picture.
const LARGEST: &[(Size, &[&str])] = &[
    ([2048, 1536], &["iPhone 3GS"]),
    ([2592, 1936], &["iPhone 4"]),
    (
        [3264, 2448],
        &[
            "iPhone 4S",
            "iPhone 5",
            "iPhone 5c",
            "iPhone 5s",
            "iPhone 6",
            "iPhone 6 Plus",
        ],
    ),
    (
        [4032, 3024],
        &[
            "iPhone SE",
            "iPhone 6s",
            "iPhone 6s Plus",
            "iPhone 7",
            "iPhone 7 Plus",
            "iPhone 8",
            "iPhone 8 Plus",
            "iPhone X",
            "iPhone XR",
            "iPhone XS",
            "iPhone XS Max",
            "iPhone 11",
            "iPhone 11 Pro",
            "iPhone 11 Pro Max",
            "iPhone SE (2nd generation)",
            "iPhone 12 mini",
            "iPhone 12",
            "iPhone 12 Pro",
            "iPhone 12 Pro Max",
            "iPhone 13 mini",
            "iPhone 13",
            "iPhone 13 Pro",
            "iPhone 13 Pro Max",
            "iPhone SE (3rd generation)",
            "iPhone 14",
            "iPhone 14 Plus",
            "Pixel 2",
            "Pixel 2 XL",
            "Pixel 3",
            "Pixel 3 XL",
            "SM-G930F",
            "SM-G935F",
            "SM-G950F",
            "SM-G955F",
            "SM-G960F",
            "SM-G965F",
        ],
    ),
    (
        [8064, 6048],
        &[
            "iPhone 14 Pro",
            "iPhone 14 Pro Max",
            "iPhone 15",
            "iPhone 15 Plus",
            "iPhone 15 Pro",
            "iPhone 15 Pro Max",
        ],
    ),
    ([3072, 2048], &["Canon EOS 10D", "Canon EOS 300D DIGITAL"]),
    ([3456, 2304], &["Canon EOS 350D DIGITAL"]),
    ([3504, 2336], &["Canon EOS 20D", "Canon EOS 30D"]),
    (
        [3888, 2592],
        &["Canon EOS 400D DIGITAL", "Canon EOS 40D", "Canon EOS 1000D"],
    ),
    ([4272, 2848], &["Canon EOS 450D"]),
    ([4368, 2912], &["Canon EOS 5D"]),
    ([4752, 3168], &["Canon EOS 50D", "Canon EOS 500D"]),
    (
        [5184, 3456],
        &[
            "Canon EOS 7D",
            "Canon EOS 60D",
            "Canon EOS 550D",
            "Canon EOS 600D",
            "Canon EOS 650D",
            "Canon EOS 700D",
            "Canon EOS-1D X",
        ],
    ),
    (
        [5472, 3648],
        &["Canon EOS 6D", "Canon EOS 70D", "Canon EOS 7D Mark II"],
    ),
    ([5616, 3744], &["Canon EOS 5D Mark II"]),
    ([5760, 3840], &["Canon EOS 5D Mark III"]),
    ([6000, 4000], &["Canon EOS 80D"]),
    ([6240, 4160], &["Canon EOS 6D Mark II", "Canon EOS RP"]),
    ([6720, 4480], &["Canon EOS 5D Mark IV", "Canon EOS R"]),
    ([8688, 5792], &["Canon EOS 5DS", "Canon EOS 5DS R"]),
    (
        [3008, 2000],
        &["NIKON D40", "NIKON D50", "NIKON D70", "NIKON D70s"],
    ),
    ([3872, 2592], &["NIKON D80", "NIKON D200", "NIKON D3000"]),
    ([4256, 2832], &["NIKON D3", "NIKON D700"]),
    (
        [4288, 2848],
        &["NIKON D90", "NIKON D300", "NIKON D300S", "NIKON D5000"],
    ),
    ([4608, 3072], &["NIKON D3100"]),
    ([4928, 3264], &["NIKON D5100", "NIKON D7000"]),
    ([5568, 3712], &["NIKON D500", "NIKON D7500"]),
    (
        [6000, 4000],
        &[
            "NIKON D3300",
            "NIKON D5200",
            "NIKON D5300",
            "NIKON D7100",
            "NIKON D7200",
        ],
    ),
    ([6016, 4016], &["NIKON D600", "NIKON D610", "NIKON D750"]),
    ([7360, 4912], &["NIKON D800", "NIKON D800E", "NIKON D810"]),
    ([8256, 5504], &["NIKON D850"]),
    ([4240, 2832], &["ILCE-7S"]),
    (
        [6000, 4000],
        &[
            "ILCE-7",
            "ILCE-7M2",
            "ILCE-7M3",
            "ILCE-6000",
            "ILCE-6300",
            "ILCE-6400",
            "ILCE-6500",
        ],
    ),
    ([7360, 4912], &["ILCE-7R"]),
    ([7952, 5304], &["ILCE-7RM2"]),
    ([4288, 2848], &["FinePix X100"]),
    ([4896, 3264], &["X-Pro1", "X100S", "X100T", "X-T1"]),
    ([6000, 4000], &["X-T2", "X100F"]),
];

/// The largest picture of a model.
#[must_use]
pub fn largest(model: &str) -> Option<Size> {
    let has = |entry: &&(Size, &[&str])| entry.1.contains(&model.trim());
    LARGEST.iter().find(has).map(|(size, _)| *size)
}

/// The largest picture of a model, where a picture of `width` x `height` is larger than it and no panorama.
#[must_use]
pub fn exceeded(model: &str, width: u32, height: u32) -> Option<Size> {
    let (long, short) = (width.max(height), width.min(height));
    let panorama = long >= 2 * short;
    largest(model)
        .filter(|[most_long, most_short]| !panorama && (long > *most_long || short > *most_short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_larger_pictures_are_impossible() {
        assert_eq!(exceeded("iPhone 13", 4032, 3024), None);
        assert_eq!(exceeded("iPhone 13", 3024, 4032), None);
        assert_eq!(exceeded("iPhone 13", 1024, 1024), None);
        assert_eq!(exceeded("iPhone 13", 3100, 3100), Some([4032, 3024]));
        assert_eq!(exceeded("iPhone 5s", 4096, 4096), Some([3264, 2448]));
        // A panorama, and a model that is not in the table.
        assert_eq!(exceeded("iPhone 13", 15_000, 3_900), None);
        assert_eq!(exceeded("iPhone 99", 9000, 9000), None);
    }

    #[test]
    fn no_model_stands_twice() {
        let mut models: Vec<&str> = LARGEST.iter().flat_map(|e| e.1).copied().collect();
        let count = models.len();
        models.sort_unstable();
        models.dedup();
        assert_eq!(models.len(), count);
        assert!(LARGEST.iter().all(|([long, short], _)| long > short));
    }
}

//! The largest still pictures that common phones and cameras make, each the largest of all lenses and aspect ratios
//! of the model.
//!
//! Sources: of iPhones the tables of knowyourmobile.com (*iPhone Camera Quality and Resolution*, 2023) and lifeinlofi.com
//! (*iPhone photo sizes*, 2023), and for the iPhone 15 that all of its models reach 48 megapixels (dpreview.com, 2023); of
//! the Pixel 2 the specification of its sensor; of cameras the area of the sensor that `rawspeed` reads
//! (`data/cameras.xml`), which is one to two per cent larger on each side. A model that is in none of these is left out.
//!
//! Smaller pictures say nothing: cameras have settings for size and shape, and people crop. Models that put several
//! exposures together into a larger picture are left out. Panoramas are larger than any entry; long shapes are passed
//! over for that.

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
            "iPhone 12 mini",
            "iPhone 12",
            "iPhone 12 Pro",
            "iPhone 12 Pro Max",
            "iPhone 13 mini",
            "iPhone 13",
            "iPhone 13 Pro",
            "iPhone 13 Pro Max",
            "iPhone 14",
            "iPhone 14 Plus",
            "Pixel 2",
            "Pixel 2 XL",
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
    ([3456, 2304], &["Canon EOS 350D DIGITAL"]),
    ([3504, 2336], &["Canon EOS 20D", "Canon EOS 30D"]),
    (
        [3888, 2592],
        &["Canon EOS 400D DIGITAL", "Canon EOS 40D", "Canon EOS 1000D"],
    ),
    ([4272, 2848], &["Canon EOS 450D"]),
    ([4368, 2912], &["Canon EOS 5D"]),
    ([5184, 3456], &["Canon EOS 7D"]),
    ([5616, 3744], &["Canon EOS 5D Mark II"]),
    ([3008, 2000], &["NIKON D40", "NIKON D70", "NIKON D70s"]),
    ([3872, 2592], &["NIKON D80", "NIKON D200", "NIKON D3000"]),
    ([4256, 2832], &["NIKON D3", "NIKON D700"]),
    (
        [4288, 2848],
        &["NIKON D90", "NIKON D300", "NIKON D300S", "NIKON D5000"],
    ),
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

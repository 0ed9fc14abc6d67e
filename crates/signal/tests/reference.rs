//! Signals agree with NumPy and SciPy; the script beside the fixture made it.

use proptest::prelude::*;
use realscope_signal::{Plane, dct, dwt, fft, noise, npr, rich, srm};
use serde_json::Value;

fn plane() -> Plane {
    let values = (0..16)
        .flat_map(|y: u32| (0..24).map(move |x| ((37 * x + 101 * y + 13 * x * y) % 251) as f32))
        .collect();
    Plane::from_values(24, 16, values).expect("sizes fit")
}

fn expected(key: &str) -> Vec<f64> {
    let file: Value =
        serde_json::from_str(include_str!("../fixtures/reference.json")).expect("json");
    let mut out = Vec::new();
    let mut stack = vec![file[key].clone()];
    while let Some(v) = stack.pop() {
        match v {
            Value::Array(list) => stack.extend(list.into_iter().rev()),
            v => out.push(v.as_f64().expect("a number")),
        }
    }
    out
}

fn close(key: &str, found: impl Iterator<Item = f64>, tolerance: f64) {
    let (expected, found) = (expected(key), found.collect::<Vec<_>>());
    assert_eq!(expected.len(), found.len(), "{key}");
    for (i, (e, f)) in expected.iter().zip(&found).enumerate() {
        assert!((e - f).abs() <= tolerance, "{key}[{i}]: {f} instead of {e}");
    }
}

fn wide(values: &[f32]) -> impl Iterator<Item = f64> + '_ {
    values.iter().map(|v| f64::from(*v))
}

#[test]
fn transforms_and_filters() {
    let p = plane();
    close("log_spectrum", wide(&fft::log_spectrum(&p).values), 1e-5);
    close("dct_blocks", wide(&dct::blocks(&p).concat()), 1e-3);
    close("dct_global", dct::global(&p).into_iter(), 1e-6);
    close("median_residual", wide(&noise::residual(&p).values), 1e-6);
    close("noise_level", noise::level(&p).into_iter(), 1e-4);
    close("srm_28", wide(&srm::filter(&p, 28).values), 1e-4);
    close("npr", wide(&npr::relationships(&p).values), 1e-6);
}

fn planes() -> impl Strategy<Value = Plane> {
    (2_usize..20, 2_usize..20).prop_flat_map(|(w, h)| {
        proptest::collection::vec(0.0_f32..255.0, 4 * w * h).prop_map(move |values| Plane {
            width: 2 * w,
            height: 2 * h,
            values,
        })
    })
}

fn energy(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn orthonormal_transforms_keep_the_energy(p in planes()) {
        let before = energy(wide(&p.values));
        let dct = energy(dct::global(&p).into_iter());
        prop_assert!((before - dct).abs() <= 1e-6 * before.max(1.0));
        let b = dwt::forward(&p, dwt::Wavelet::Haar);
        let haar = [&b.approximation, &b.rows, &b.columns, &b.diagonal].iter().map(|x| energy(wide(&x.values))).sum::<f64>();
        prop_assert!((before - haar).abs() <= 1e-4 * before.max(1.0));
    }

    #[test]
    fn high_pass_filters_ignore_a_constant(p in planes(), c in 1.0_f32..100.0) {
        let mut shifted = p.clone();
        for v in &mut shifted.values { *v += c; }
        let (a, b) = (srm::filter(&p, 28), srm::filter(&shifted, 28));
        for y in 1..p.height - 1 {
            for x in 1..p.width - 1 {
                prop_assert!((a.at(x, y) - b.at(x, y)).abs() < 1e-2);
            }
        }
        let (a, b) = (npr::relationships(&p), npr::relationships(&shifted));
        for (x, y) in a.values.iter().zip(&b.values) {
            prop_assert!((x - y).abs() < 1e-3);
        }
    }

    #[test]
    fn any_window_has_a_finite_description(seed in 0_u32..1000, w in 48_u32..90, h in 48_u32..90) {
        let picture = image::RgbImage::from_fn(w, h, |x, y| {
            let v = (x * (seed % 7) + y * (seed % 11) + (x * y * seed) % 97) % 256;
            image::Rgb([v as u8, (v * 3) as u8, (255 - v) as u8])
        });
        let v = rich::describe(&picture).expect("large enough");
        prop_assert_eq!(v.len(), rich::LENGTH);
        prop_assert!(v.iter().all(|x| x.is_finite()));
    }
}

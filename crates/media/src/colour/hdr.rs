//! High dynamic range to ordinary range.
//!
//! White of an ordinary picture is the reference white of BT.2408, 203 cd/m². What is darker than 80 % of it stays as it
//! is; brighter light is rolled off so that the picture's brightest value becomes white. A picture that has nothing
//! brighter than reference white stays as it is.

/// Reference white in cd/m² (BT.2408, section 2.1).
pub(super) const WHITE: f64 = 203.0;
/// Light, as a share of white, from which it is rolled off.
const KNEE: f32 = 0.8;

/// Light in cd/m² of a PQ sample (BT.2100, table 4).
pub(super) fn pq(v: f64) -> f64 {
    const M1: f64 = 2610.0 / 16384.0;
    const M2: f64 = 2523.0 / 4096.0 * 128.0;
    const C1: f64 = 3424.0 / 4096.0;
    const C2: f64 = 2413.0 / 4096.0 * 32.0;
    const C3: f64 = 2392.0 / 4096.0 * 32.0;
    let p = v.powf(1.0 / M2);
    10_000.0 * ((p - C1).max(0.0) / (C2 - C3 * p)).powf(1.0 / M1)
}

/// Light of the scene of an HLG sample, 0 to 1 (BT.2100, table 5).
pub(super) fn hlg_scene(v: f64) -> f64 {
    const A: f64 = 0.178_832_77;
    const B: f64 = 0.284_668_92;
    const C: f64 = 0.559_910_73;
    if v <= 0.5 {
        v * v / 3.0
    } else {
        (((v - C) / A).exp() + B) / 12.0
    }
}

/// Light of a display of 1,000 cd/m² as a share of white (BT.2100, table 5, system gamma 1.2).
pub(super) fn hlg_display(scene: [f32; 3]) -> [f32; 3] {
    let luminance = 0.2627 * scene[0] + 0.6780 * scene[1] + 0.0593 * scene[2];
    let scale = 1000.0 / WHITE as f32 * luminance.max(0.0).powf(0.2);
    scene.map(|v| v * scale)
}

/// A roll-off of bright light.
pub(super) struct Tone {
    brightest: f32,
}

impl Tone {
    /// For a picture whose brightest channel has this light.
    pub(super) fn to(brightest: f32) -> Self {
        Self { brightest }
    }

    /// The same colour with its brightest channel rolled off.
    pub(super) fn map(&self, rgb: [f32; 3]) -> [f32; 3] {
        let max = rgb.into_iter().fold(0.0, f32::max);
        // Rounding alone does not make a picture brighter than white.
        if max <= KNEE || self.brightest <= 1.01 {
            return rgb;
        }
        let (over, most, room) = (max - KNEE, self.brightest - KNEE, 1.0 - KNEE);
        // Its slope is 1 at the knee, and the brightest value reaches 1.
        let rolled = KNEE + over / (1.0 + over * (1.0 / room - 1.0 / most));
        rgb.map(|v| v * rolled / max)
    }

    pub(super) fn sentence(&self) -> String {
        format!(
            "The picture has high dynamic range: it was mapped to sRGB with reference white at {WHITE:.0} cd/m² \
             (BT.2408); light above {:.0} % of white was rolled off, the brightest is {:.0} cd/m².",
            KNEE * 100.0,
            f64::from(self.brightest) * WHITE
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_samples_have_their_light() {
        // BT.2408, table 1: reference white is 58 % PQ and 75 % HLG.
        assert!((pq(0.58) - 203.0).abs() < 3.0, "{}", pq(0.58));
        assert!((pq(1.0) - 10_000.0).abs() < 1e-6 && pq(0.0) == 0.0);
        let white = hlg_display([hlg_scene(0.75) as f32; 3]);
        assert!((white[0] - 1.0).abs() < 0.01, "{white:?}");
    }

    #[test]
    fn bright_light_is_rolled_off_in_order_and_dark_light_stays() {
        let tone = Tone::to(5.0);
        assert_eq!(tone.map([0.5, 0.2, 0.0]), [0.5, 0.2, 0.0]);
        let mut last = 0.0;
        for i in 0..=500 {
            let [v, ..] = tone.map([i as f32 / 100.0, 0.0, 0.0]);
            assert!(v >= last && v <= 1.0001, "{v}");
            last = v;
        }
        assert!((last - 1.0).abs() < 1e-4, "{last}");
        assert_eq!(Tone::to(1.0).map([1.0, 0.9, 0.1]), [1.0, 0.9, 0.1]);
    }
}

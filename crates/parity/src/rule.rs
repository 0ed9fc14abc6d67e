//! The rule that makes the numbers: FNV-1a over a text, then SplitMix64 per element.

/// FNV-1a, 64 bits.
#[must_use]
pub fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Uniform numbers in `[0, 1)` of a text, endless.
pub fn uniform(text: &str) -> impl Iterator<Item = f64> + use<> {
    let h = fnv1a(text);
    (1_u64..).map(move |i| {
        let mut z = h.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 * 2.0_f64.powi(-53)
    })
}

/// Values of an input by its kind; `None` for a kind without a rule.
#[must_use]
pub fn input(name: &str, kind: &str, count: usize) -> Option<Vec<f32>> {
    let map: fn(f64) -> f64 = match kind {
        "unit" => |u| u,
        "byte" => |u| (256.0 * u).floor(),
        "normalized" => |u| 4.0 * u - 2.0,
        _ => return None,
    };
    Some(
        uniform(&format!("input:{name}"))
            .take(count)
            .map(|u| map(u) as f32)
            .collect(),
    )
}

/// Values of a weight by its rule; `None` for a rule that makes none.
#[must_use]
pub fn weight(key: &str, rule: &str, shape: &[usize]) -> Option<Vec<f32>> {
    let fan: usize = shape.iter().skip(1).product();
    let fan = (3.0 / fan as f64).sqrt();
    let map: Box<dyn Fn(f64) -> f64> = match rule {
        "var" => Box::new(|u| 0.5 + u),
        "small" => Box::new(|u| 0.1 * (2.0 * u - 1.0)),
        "scale" => Box::new(|u| 1.0 + 0.1 * (2.0 * u - 1.0)),
        "fan" => Box::new(move |u| (2.0 * u - 1.0) * fan),
        "token" => Box::new(|u| 0.05 * (2.0 * u - 1.0)),
        _ => return None,
    };
    Some(
        uniform(key)
            .take(shape.iter().product())
            .map(|u| map(u) as f32)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_gives_the_published_check_values() {
        assert_eq!(fnv1a("conv1.weight"), 7_611_815_837_976_482_388);
        let u: Vec<f64> = uniform("conv1.weight").take(3).collect();
        assert_eq!(
            u,
            [0.5450749789171447, 0.745161751328336, 0.022921737033572143]
        );
        let u: Vec<f64> = uniform("").take(1).collect();
        assert_eq!(u, [0.7636945250957473]);
    }
}

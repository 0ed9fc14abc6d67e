//! Canonical JSON (RFC 8785, JSON Canonicalization Scheme): one spelling for one value, so that it can be signed.

use serde_json::{Number, Value};

/// Integers that every reader of JSON keeps exactly, I-JSON (RFC 7493).
const EXACT: u64 = (1 << 53) - 1;

/// A value that has no canonical spelling.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the number {0} is not kept exactly by every reader of JSON")]
pub struct NotCanonical(String);

/// The canonical spelling of a value.
///
/// # Errors
/// [`NotCanonical`]: an integer beyond 2^53 - 1, which RFC 8785 has as text.
pub fn canonical(value: &Value) -> Result<String, NotCanonical> {
    let mut out = String::new();
    write(value, &mut out)?;
    Ok(out)
}

/// The value with all integers that are not kept exactly as texts.
#[must_use]
pub(super) fn exact(value: Value) -> Value {
    match value {
        Value::Number(n) if !is_exact(&n) => Value::String(n.to_string()),
        Value::Array(items) => items.into_iter().map(exact).collect(),
        Value::Object(map) => map.into_iter().map(|(k, v)| (k, exact(v))).collect(),
        other => other,
    }
}

fn is_exact(n: &Number) -> bool {
    match (n.as_u64(), n.as_i64()) {
        (Some(u), _) => u <= EXACT,
        (None, Some(i)) => i.unsigned_abs() <= EXACT,
        (None, None) => true,
    }
}

fn write(value: &Value, out: &mut String) -> Result<(), NotCanonical> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => {
            let number = n.as_f64().filter(|v| v.is_finite() && is_exact(n));
            out.push_str(&spelled(number.ok_or_else(|| NotCanonical(n.to_string()))?));
        }
        Value::String(text) => string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            out.push('{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                string(key, out);
                out.push(':');
                write(value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A number as ECMAScript spells it (ECMA-262, `Number::toString`). Ryu finds the same shortest digits: of two that are
/// as near, the even ones. The standard library takes others there.
fn spelled(v: f64) -> String {
    if v == 0.0 {
        return "0".into();
    }
    let mut buffer = ryu::Buffer::new();
    let found = buffer.format_finite(v.abs());
    let (mantissa, exponent) = found.split_once('e').unwrap_or((found, "0"));
    let (whole, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{rest}");
    let digits = all.trim_start_matches('0');
    let zeros = all.len() - digits.len();
    let digits = digits.trim_end_matches('0');
    // The decimal point stands behind this many digits.
    let length = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let point = length(whole.len()) - length(zeros) + exponent.parse::<i32>().unwrap_or(0);
    let exponent = point - 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    let size = if (count..=21).contains(&point) {
        format!("{digits}{}", zeros(point - count))
    } else if (1..=21).contains(&point) {
        let (whole, rest) = digits.split_at(usize::try_from(point).unwrap_or(0));
        format!("{whole}.{rest}")
    } else if (-5..=0).contains(&point) {
        format!("0.{}{digits}", zeros(-point))
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{first}{dot}{rest}e{sign}{}", exponent.abs())
    };
    if v < 0.0 { format!("-{size}") } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        canonical(&serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn numbers_as_appendix_b_of_the_rfc_has_them() {
        for (bits, text) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(spelled(f64::from_bits(bits)), text, "{bits:x}");
        }
    }

    #[test]
    fn the_examples_of_the_rfc() {
        // Section 3.2.2.
        let given = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
                        \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(of(given), expected);
        // Section 3.2.3: keys in the order of their UTF-16 units.
        let given = r#"{
            "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
            "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"
        }"#;
        let text = of(given);
        let order = [
            "Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew",
        ];
        let at: Vec<usize> = order.iter().map(|w| text.find(w).unwrap()).collect();
        assert!(at.is_sorted(), "{text}");
    }

    #[test]
    fn integers_that_readers_would_round_are_texts_or_refused() {
        let seed = serde_json::json!({"seed": u64::MAX, "steps": 20});
        assert_eq!(
            canonical(&seed).unwrap_err().to_string(),
            "the number 18446744073709551615 is not kept exactly by every reader of JSON"
        );
        assert_eq!(
            canonical(&exact(seed)).unwrap(),
            r#"{"seed":"18446744073709551615","steps":20}"#
        );
    }

    #[test]
    fn what_is_canonical_stays() {
        let text = r#"{"a":[1e-7,0.1,123456789012345,-0.5],"b":{"":"\u0001\b\t\f\r/<"}}"#;
        assert_eq!(of(text), text);
        assert_eq!(of("[ -0.0, 1.0 ]"), "[0,1]");
    }
}

//! Numbers as people read them.

use crate::policy::Role;

/// A share in percent: two significant digits, at most one decimal from 10 % on.
pub(super) fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "not a number".to_owned();
    }
    let percent = share * 100.0;
    let magnitude = percent.abs();
    let digits = match magnitude {
        _ if magnitude == 0.0 || (percent - percent.round()).abs() < 1e-9 => 0,
        _ if magnitude >= 10.0 => 1,
        _ if magnitude >= 1.0 => 1,
        _ if magnitude >= 0.1 => 2,
        _ if magnitude >= 0.01 => 3,
        _ => 4,
    };
    format!("{percent:.digits$} %")
}

/// A count with separated thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A measured number: whole if it is whole, else four significant digits.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "not a number".to_owned();
    }
    if value.fract() == 0.0 && value.abs() < 1e15 {
        let text = format!("{:.0}", value.abs());
        let separated = text.parse().map_or(text, count);
        return if value < 0.0 { format!("−{separated}") } else { separated };
    }
    let magnitude = value.abs();
    let text = match magnitude {
        _ if magnitude >= 1000.0 => format!("{value:.1}"),
        _ if magnitude >= 1.0 => format!("{value:.3}"),
        _ if magnitude >= 0.001 => format!("{value:.4}"),
        _ => return scientific(value),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A small number: "1e-6", "2.5e-7".
fn scientific(value: f64) -> String {
    let text = format!("{value:.2e}");
    match text.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.')),
        _ => text,
    }
}

/// `n` things: "1 row", "3 rows".
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// "a", "a and b", "a, b and c".
pub(super) fn list<S: AsRef<str>>(parts: &[S]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// Name of a role, as in policies.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Subject => "subject",
        Role::Identifier => "identifier",
        Role::QuasiIdentifier => "quasi-identifier",
        Role::Sensitive => "sensitive",
        Role::Item => "item",
        Role::Time => "time",
        Role::Measure => "measure",
        Role::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(percent(0.891), "89.1 %");
        assert_eq!(percent(0.09), "9 %");
        assert_eq!(percent(0.0714), "7.1 %");
        assert_eq!(percent(0.0015), "0.15 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(
            (count(1), count(1892), count(120_322), count(1_000_000)),
            ("1".into(), "1,892".into(), "120,322".into(), "1,000,000".into())
        );
        assert_eq!(
            (number(14.0), number(0.269_635), number(1256.8), number(-2.0)),
            ("14".into(), "0.2696".into(), "1256.8".into(), "−2".into())
        );
        assert_eq!(
            (number(0.2), number(1e-6), number(2.5e-7), number(20.125), number(0.1003)),
            ("0.2".into(), "1e-6".into(), "2.5e-7".into(), "20.125".into(), "0.1003".into())
        );
        assert_eq!((number(f64::NAN), percent(f64::NAN)), ("not a number".into(), "not a number".into()));
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(counted(1, "row", "rows"), "1 row");
    }
}

//! Numbers in JSON: counts are written without a decimal point.

use serde::Serializer;

/// Largest integer up to which every integer is an `f64`.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Writes an optional number, a whole one as an integer.
#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
pub(super) fn optional<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) if number.fract() == 0.0 && number.abs() <= EXACT =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within the exact range")]
            serializer.serialize_i64(*number as i64)
        }
        Some(number) => serializer.serialize_f64(*number),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize)]
    struct Wrapped(#[serde(serialize_with = "optional")] Option<f64>);

    #[test]
    fn whole_numbers_have_no_point() {
        let text = |number| serde_json::to_string(&Wrapped(number)).unwrap();
        assert_eq!(text(Some(14.0)), "14");
        assert_eq!(text(Some(-3.0)), "-3");
        assert_eq!(text(Some(0.25)), "0.25");
        assert_eq!(text(Some(1e300)), "1e+300");
        assert_eq!(text(None), "null");
    }
}

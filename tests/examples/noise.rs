//! `noise`.

use super::support::Scratch;

#[test]
fn draws_are_counted_and_described() {
    let scratch = Scratch::new();
    for (distribution, scale, variance) in
        [("discrete-laplace", "2", 7.835_f64), ("discrete-gaussian", "0.5", 0.215), ("rounded-gaussian", "12.5", 156.33)]
    {
        let answer = scratch.run("noise", &["--distribution", distribution, "--scale", scale, "--count", "40000", "--json"]).ends(0).json();
        let keys: Vec<&str> = answer.as_object().expect("an object").keys().map(String::as_str).collect();
        let expected =
            ["count", "distribution", "histogram", "histogram_seconds", "mean", "samples_per_second", "scale", "seconds", "variance"];
        assert_eq!(keys, expected);
        assert_eq!((&answer["distribution"], &answer["count"]), (&distribution.into(), &40_000.into()));
        assert_eq!(answer["scale"].as_f64(), scale.parse().ok());
        let histogram = answer["histogram"].as_object().expect("a histogram");
        assert_eq!(histogram.values().filter_map(serde_json::Value::as_u64).sum::<u64>(), 40_000);
        assert!(histogram.keys().all(|value| value.parse::<i64>().is_ok()));
        // Seeds come from the system: eight standard errors, wrong once in 10^14.
        let seen = answer["variance"].as_f64().expect("a variance");
        assert!((seen / variance - 1.0).abs() < 8.0 * (5.5_f64 / 40_000.0).sqrt(), "{distribution}: {seen}");
        assert!(answer["mean"].as_f64().expect("a mean").abs() < 8.0 * (variance / 40_000.0).sqrt());
    }
}

#[test]
fn many_values_are_shown_as_ranges() {
    let scratch = Scratch::new();
    let call = ["--distribution", "discrete-laplace", "--scale", "1e12", "--count", "1001000", "--json", "--quiet"];
    let answer = scratch.run("noise", &call).ends(0).json();
    let histogram = answer["histogram"].as_object().expect("a histogram");
    assert!(histogram.len() < 1_000);
    let mut ranges: Vec<(i64, i64, u64)> = histogram
        .iter()
        .map(|(range, count)| {
            let (low, high) = range.split_once("..").expect("a range");
            (low.parse().expect("lo"), high.parse().expect("hi"), count.as_u64().expect("a count"))
        })
        .collect();
    ranges.sort_unstable();
    assert!(ranges.iter().all(|(low, high, _)| low < high) && ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    assert_eq!(ranges.iter().map(|(.., count)| count).sum::<u64>(), 1_001_000);
}

#[test]
fn parameters_outside_their_range_are_named() {
    let scratch = Scratch::new();
    for scale in ["0", "-1", "nan", "inf", "1e300", "", "ten", "1e-9"] {
        scratch
            .run("noise", &["--distribution", "discrete-gaussian", "--scale", scale, "--count", "10"])
            .ends(2)
            .says(&["--scale", "2^-20", "2^50"]);
    }
    for count in ["0", "-5", "1.5", "1e300"] {
        scratch.run("noise", &["--distribution", "discrete-laplace", "--scale", "1", "--count", count]).ends(2).says(&["--count", "1"]);
    }
    scratch.run("noise", &["--distribution", "laplace", "--scale", "1", "--count", "1"]).ends(2).says(&["discrete-laplace"]);
}

//! Variants that are wrong as such samplers have been wrong: the goodness of fit must refuse each of them.

use super::fit::{ALARM, score};
use super::{DRAWS, draws, gaussian, laplace, rounded};
use backmask::dp::noise::Noise;

#[track_caller]
fn refused(what: &str, law: &dyn Noise, sample: &[i64]) {
    let score = score(law, sample, 2);
    assert!(score > ALARM, "{what} passes: {score:.2}");
}

#[test]
fn another_scale() {
    refused("half the scale", &laplace("10"), &draws(&laplace("5"), DRAWS, 1));
    refused("5 % of the scale", &laplace("1000"), &draws(&laplace("950"), DRAWS, 2));
    refused("5 % of the scale", &laplace("1e12"), &draws(&laplace("0.95e12"), DRAWS, 3));
    refused("5 % of σ", &gaussian("10"), &draws(&gaussian("9.5"), DRAWS, 4));
    refused("5 % of σ", &rounded("1e6"), &draws(&rounded("950000"), DRAWS, 5));
}

#[test]
fn another_law() {
    refused("rounded for discrete", &gaussian("0.5"), &draws(&rounded("0.5"), DRAWS, 1));
    refused("Gaussian for Laplace", &laplace("10"), &draws(&gaussian("14.1"), DRAWS, 2));
}

#[test]
fn both_signs_of_zero() {
    // −0 kept: zero comes twice as often as it should.
    let law = laplace("2");
    let sizes = draws(&super::geometric("2"), DRAWS, 3);
    let signed: Vec<i64> = sizes.iter().enumerate().map(|(index, &size)| if index % 2 == 0 { size } else { -size }).collect();
    refused("−0", &law, &signed);
}

#[test]
fn a_float_sampler_truncated() {
    // ⌊·⌋ of a continuous law instead of the nearest integer, and a tail cut off at 3 σ.
    let law = rounded("2");
    let shifted: Vec<i64> = draws(&rounded("4"), DRAWS, 4).iter().map(|x| x.div_euclid(2)).collect();
    refused("the floor", &law, &shifted);
    let cut: Vec<i64> = draws(&law, DRAWS, 5).iter().map(|&x| if x.abs() > 6 { 0 } else { x }).collect();
    refused("a tail cut off", &law, &cut);
}

#[test]
fn one_sign_more_often() {
    let law = laplace("7");
    let biased: Vec<i64> = draws(&law, DRAWS, 6).iter().enumerate().map(|(index, &x)| if index % 33 == 0 { x.abs() } else { x }).collect();
    refused("a biased sign", &law, &biased);
}

#[test]
fn one_threshold_off() {
    // One value of a hundred goes to its neighbour.
    let law = gaussian("3");
    let moved: Vec<i64> =
        draws(&law, DRAWS, 7).iter().enumerate().map(|(index, &x)| if x == 2 && index % 16 == 0 { 3 } else { x }).collect();
    refused("a threshold", &law, &moved);
}

//! Pictures, as inline SVG. Series differ by shape as well as by colour; every picture has a title and a description that says the same in words.

use super::markup::Markup;
use crate::release::report::measured::{ClassSizes, UnicityPoint};
use crate::release::report::types::Estimate;
use crate::release::report::wording::{count, percent};
use crate::risk::DecileRate;

const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 44.0;

/// Lower ends of the groups of class sizes; the declared k is added to them.
const GROUPS: [u64; 11] = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000];

fn coordinate(value: f64) -> String {
    if value.is_finite() { format!("{value:.1}") } else { "0".to_owned() }
}

/// A share as it can be drawn.
fn unit(share: f64) -> f64 {
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "a coordinate in a picture")]
pub(super) fn real(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}

fn text(markup: &mut Markup, class: &str, anchor: &str, x: f64, y: f64, words: &str) {
    markup.leaf("text", &[("class", class), ("text-anchor", anchor), ("x", &coordinate(x)), ("y", &coordinate(y))], words);
}

fn line(markup: &mut Markup, class: &str, from: (f64, f64), to: (f64, f64)) {
    markup.void(
        "line",
        &[("class", class), ("x1", &coordinate(from.0)), ("y1", &coordinate(from.1)), ("x2", &coordinate(to.0)), ("y2", &coordinate(to.1))],
    );
}

fn bar(markup: &mut Markup, class: &str, x: f64, width: f64, top: f64, bottom: f64) {
    markup.void(
        "rect",
        &[
            ("class", class),
            ("x", &coordinate(x)),
            ("y", &coordinate(top)),
            ("width", &coordinate(width)),
            ("height", &coordinate((bottom - top).max(0.0))),
        ],
    );
}

/// A picture with a frame, a scale of percent up to `highest`, and what `inner` draws; it is given the height of a share.
fn plot(markup: &mut Markup, title: &str, description: &str, highest: f64, inner: impl FnOnce(&mut Markup, &dyn Fn(f64) -> f64)) {
    let view = format!("0 0 {WIDTH} {HEIGHT}");
    markup.element("svg", &[("viewBox", &view), ("role", "img"), ("aria-label", title)], |svg| {
        svg.leaf("title", &[], title).leaf("desc", &[], description);
        let height = HEIGHT - TOP - BOTTOM;
        let at = |share: f64| TOP + height * (1.0 - (unit(share) / highest).min(1.0));
        for step in 0..=4 {
            let share = highest * f64::from(step) / 4.0;
            line(svg, "grid", (LEFT, at(share)), (WIDTH - RIGHT, at(share)));
            text(svg, "soft", "end", LEFT - 6.0, at(share) + 4.0, &percent(share));
        }
        line(svg, "axis", (LEFT, at(0.0)), (WIDTH - RIGHT, at(0.0)));
        inner(svg, &at);
    });
}

/// The smallest of some round shares that is not below `largest`.
fn scale(largest: f64) -> f64 {
    [0.04, 0.08, 0.2, 0.4, 0.6, 0.8].into_iter().find(|step| unit(largest) <= *step).unwrap_or(1.0)
}

/// People in classes of each group of sizes, as shares of all people.
fn shares(sizes: &[(u64, u64)], groups: &[u64]) -> Vec<f64> {
    let people = |&(size, classes): &(u64, u64)| real(size) * real(classes);
    let all: f64 = sizes.iter().map(people).sum();
    let mut shares = vec![0.0; groups.len()];
    for entry in sizes.iter().filter(|_| all > 0.0) {
        let group = groups.partition_point(|group| *group <= entry.0).checked_sub(1);
        if let Some(share) = group.and_then(|group| shares.get_mut(group)) {
            *share += people(entry) / all;
        }
    }
    shares
}

/// Bars: how many people look like how many others, in the pool (if known) and in the release. A line stands where the promised k begins.
pub(super) fn class_sizes(markup: &mut Markup, sizes: &ClassSizes, k: Option<u64>) {
    let largest = sizes.after.iter().chain(sizes.before.iter().flatten()).map(|(size, _)| *size).max().unwrap_or(1);
    let mut groups: Vec<u64> = GROUPS.into_iter().chain(k).filter(|group| *group <= largest.max(k.unwrap_or(1))).collect();
    groups.sort_unstable();
    groups.dedup();
    let after = shares(&sizes.after, &groups);
    let before = sizes.before.as_ref().map(|before| shares(before, &groups));
    let highest = scale(after.iter().chain(before.iter().flatten()).copied().fold(0.0, f64::max));
    let below = |shares: &[f64]| -> f64 {
        k.map_or(0.0, |k| groups.iter().zip(shares).filter(|(group, _)| **group < k).map(|(_, share)| share).sum())
    };
    let description = match (k, &before) {
        (Some(k), Some(before)) => {
            format!(
                "In classes of fewer than {k}: {} of the people in the pool, {} in the release.",
                percent(below(before)),
                percent(below(&after))
            )
        }
        (Some(k), None) => format!("In classes of fewer than {k}: {} of the people in the release.", percent(below(&after))),
        (None, _) => "Share of people by the size of the class they are in.".to_owned(),
    };
    plot(markup, "How many people look alike", &description, highest, |svg, at| {
        let step = (WIDTH - LEFT - RIGHT) / real(groups.len().max(1));
        let width = if before.is_some() { step * 0.38 } else { step * 0.62 };
        for (index, group) in groups.iter().enumerate() {
            let x = LEFT + step * real(index);
            let share = |shares: &[f64]| shares.get(index).copied().unwrap_or(0.0);
            if let Some(before) = &before {
                bar(svg, "before", x + step * 0.1, width, at(share(before)), at(0.0));
                bar(svg, "after", x + step * 0.52, width, at(share(&after)), at(0.0));
            } else {
                bar(svg, "after", x + step * 0.19, width, at(share(&after)), at(0.0));
            }
            let label = match groups.get(index + 1) {
                Some(next) if *next == group + 1 => count(*group),
                Some(next) => format!("{}–{}", count(*group), count(next - 1)),
                None => format!("{}+", count(*group)),
            };
            text(svg, "soft", "middle", x + step / 2.0, HEIGHT - BOTTOM + 16.0, &label);
        }
        text(
            svg,
            "soft",
            "middle",
            f64::midpoint(LEFT, WIDTH - RIGHT),
            HEIGHT - 8.0,
            "people in the class (share of people, by class size)",
        );
        if let (Some(k), Some(index)) = (k, k.and_then(|k| groups.iter().position(|group| *group == k))) {
            let x = LEFT + step * real(index);
            line(svg, "line limit", (x, TOP - 8.0), (x, at(0.0)));
            text(svg, "limit", "start", x + 4.0, TOP - 10.0, &format!("k = {k}"));
        }
        legend(svg, before.is_some());
    });
}

fn legend(svg: &mut Markup, before: bool) {
    let mut x = LEFT;
    if before {
        bar(svg, "before", x, 10.0, 6.0, 16.0);
        text(svg, "before", "start", x + 15.0, 15.0, "pool");
        x += 62.0;
    }
    bar(svg, "after", x, 10.0, 6.0, 16.0);
    text(svg, "after", "start", x + 15.0, 15.0, "release");
}

/// Lines: share of people whom p known items single out, in the pool (if known) and in the release, with the gate's limit.
pub(super) fn unicity(markup: &mut Markup, points: &[UnicityPoint], limit: f64) {
    let mut points = points.to_vec();
    points.sort_by_key(|point| point.known);
    let upper = |point: &UnicityPoint| point.after.map_or(0.0, unit).max(point.after_upper.map_or(0.0, unit));
    let largest = points.iter().map(|point| upper(point).max(point.before.map_or(0.0, unit))).fold(unit(limit), f64::max);
    let with_before = points.iter().any(|point| point.before.is_some());
    let description = points
        .last()
        .map(|last| {
            let before = last.before.map(|share| format!(", in the pool {}", percent(unit(share)))).unwrap_or_default();
            let after = last.after.map_or_else(|| "no items of a person are linked".to_owned(), |share| percent(unit(share)));
            format!("With {} known: in the release {after}{before}.", count(last.known))
        })
        .unwrap_or_default();
    plot(markup, "People singled out by what an attacker knows", &description, scale(largest), |svg, at| {
        let step = (WIDTH - LEFT - RIGHT) / real(points.len().max(1));
        let x = |index: usize| LEFT + step * (real(index) + 0.5);
        line(svg, "line limit", (LEFT, at(limit)), (WIDTH - RIGHT, at(limit)));
        text(svg, "limit", "end", WIDTH - RIGHT - 2.0, at(limit) - 5.0, &format!("gate: {}", percent(limit)));
        let path = |share: &dyn Fn(&UnicityPoint) -> Option<f64>| -> String {
            let placed = points.iter().enumerate().filter_map(|(index, point)| share(point).map(|share| (x(index), at(share))));
            placed.map(|(x, y)| format!("{},{}", coordinate(x), coordinate(y))).collect::<Vec<_>>().join(" ")
        };
        if with_before {
            svg.void("polyline", &[("class", "line before"), ("points", &path(&|point| point.before))]);
        }
        svg.void("polyline", &[("class", "line after"), ("points", &path(&|point| point.after))]);
        for (index, point) in points.iter().enumerate() {
            let x = x(index);
            if let Some(after) = point.after {
                let y = at(after);
                line(svg, "whisker", (x, y), (x, at(upper(point))));
                svg.void("circle", &[("class", "after"), ("cx", &coordinate(x)), ("cy", &coordinate(y)), ("r", "3.5")]);
            }
            if let Some(before) = point.before {
                bar(svg, "before", x - 3.5, 7.0, at(before) - 3.5, at(before) + 3.5);
            }
            text(svg, "soft", "middle", x, HEIGHT - BOTTOM + 16.0, &count(point.known));
        }
        text(svg, "soft", "middle", f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 8.0, "items of a person that the attacker knows");
        legend(svg, with_before);
    });
}

/// Width that names beside horizontal bars get, and the height of a bar with its gap.
const NAMES: f64 = 170.0;
const ROW: f64 = 26.0;

/// A name that fits beside a bar: about 7 units a character.
fn short(name: &str) -> String {
    const MOST: usize = 22;
    if name.chars().count() <= MOST { name.to_owned() } else { name.chars().take(MOST - 1).chain(['…']).collect() }
}

/// A picture of horizontal rows on a scale of percent from 0 to `highest`; `inner` draws one row, given its middle and the place of a share.
fn lying(
    markup: &mut Markup,
    (title, description): (&str, &str),
    highest: f64,
    names: &[&str],
    inner: impl Fn(&mut Markup, usize, f64, &dyn Fn(f64) -> f64),
) {
    let height = ROW * real(names.len()) + 34.0;
    let view = format!("0 0 {WIDTH} {}", coordinate(height));
    markup.element("svg", &[("viewBox", &view), ("role", "img"), ("aria-label", title)], |svg| {
        svg.leaf("title", &[], title).leaf("desc", &[], description);
        let right = WIDTH - 62.0;
        let at = |share: f64| NAMES + (right - NAMES) * (unit(share) / highest).min(1.0);
        let bottom = height - 24.0;
        for step in 0..=4 {
            let share = highest * f64::from(step) / 4.0;
            line(svg, if step == 0 { "axis" } else { "grid" }, (at(share), 4.0), (at(share), bottom));
            text(svg, "soft", "middle", at(share), height - 8.0, &percent(share));
        }
        for (index, name) in names.iter().enumerate() {
            let middle = 6.0 + ROW * (real(index) + 0.5);
            text(svg, "soft", "end", NAMES - 8.0, middle + 4.0, &short(name));
            inner(svg, index, middle, &at);
        }
    });
}

/// Bars: the share of information that each column lost.
pub(super) fn losses(markup: &mut Markup, losses: &[(&str, f64)]) {
    let names: Vec<&str> = losses.iter().map(|(name, _)| *name).collect();
    let worst = losses.iter().copied().reduce(|worst, next| if next.1 > worst.1 { next } else { worst });
    let description = worst.map_or_else(String::new, |(name, loss)| format!("Most was lost in {name}: {}.", percent(unit(loss))));
    lying(markup, ("Information lost by column", &description), 1.0, &names, |svg, index, middle, at| {
        let loss = losses.get(index).map_or(0.0, |(_, loss)| unit(*loss));
        bar(svg, "after", at(0.0), at(loss) - at(0.0), middle - 8.0, middle + 8.0);
        text(svg, "soft", "start", at(loss) + 6.0, middle + 4.0, &percent(loss));
    });
}

/// Dots with their intervals.
pub(super) fn intervals(markup: &mut Markup, estimates: &[Estimate]) {
    let names: Vec<&str> = estimates.iter().map(|estimate| estimate.model.as_str()).collect();
    let largest = estimates.iter().map(|estimate| unit(estimate.value).max(estimate.high.map_or(0.0, unit))).fold(0.0, f64::max);
    lying(
        markup,
        ("Estimates and their intervals", "The table above says the same in figures."),
        [0.0004, 0.004].into_iter().find(|step| largest <= *step).unwrap_or_else(|| scale(largest)),
        &names,
        |svg, index, middle, at| {
            let Some(estimate) = estimates.get(index) else { return };
            if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
                line(svg, "whisker", (at(low), middle), (at(high), middle));
                for end in [low, high] {
                    line(svg, "whisker", (at(end), middle - 5.0), (at(end), middle + 5.0));
                }
            }
            svg.void("circle", &[("class", "after"), ("cx", &coordinate(at(estimate.value))), ("cy", &coordinate(middle)), ("r", "4")]);
        },
    );
}

/// Small bars, one for each tenth of the people, from the most ordinary to the rarest, with the gate's limit.
pub(super) fn deciles(markup: &mut Markup, deciles: &[DecileRate], limit: f64) {
    let (width, height) = (112.0, 26.0);
    let largest = deciles.iter().map(|decile| unit(decile.upper).max(unit(decile.rate))).fold(unit(limit), f64::max).max(1e-9);
    let worst = deciles.iter().map(|decile| unit(decile.upper)).fold(0.0, f64::max);
    let title = format!("Upper bounds by tenth of the people, from the most ordinary to the rarest: the worst is {}", percent(worst));
    let view = format!("0 0 {width} {height}");
    markup.element("svg", &[("viewBox", &view), ("role", "img"), ("aria-label", &title), ("style", "width:7rem")], |svg| {
        svg.leaf("title", &[], &title);
        let at = |share: f64| height * (1.0 - unit(share) / largest);
        let step = width / real(deciles.len().max(1));
        for (index, decile) in deciles.iter().enumerate() {
            let class = if unit(decile.upper) > limit { "limit" } else { "after" };
            bar(svg, class, step * real(index) + 1.0, step - 2.0, at(decile.upper).min(height - 1.0), height);
        }
        line(svg, "line limit", (0.0, at(limit)), (width, at(limit)));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_count_people_not_classes() {
        // One class of 30 and ten of 1: three quarters of the people are in the large class.
        let shares = shares(&[(1, 10), (30, 1)], &[1, 2, 12]);
        assert_eq!(shares, vec![0.25, 0.0, 0.75]);
    }

    #[test]
    fn scales_hold_what_is_drawn() {
        for largest in [0.0, 0.03, 0.04, 0.09, 0.5, 0.99, 1.0, f64::NAN, 7.0] {
            assert!(scale(largest) >= unit(largest));
        }
    }

    #[test]
    fn the_line_of_k_stands_at_its_group() {
        let mut markup = Markup::default();
        class_sizes(&mut markup, &ClassSizes { before: Some(vec![(1, 4), (3, 2)]), after: vec![(12, 1)] }, Some(12));
        let svg = markup.finish();
        assert!(svg.contains("k = 12") && svg.contains("100 % of the people in the pool, 0 % in the release"), "{svg}");
    }
}

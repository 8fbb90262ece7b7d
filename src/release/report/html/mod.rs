//! The report as one page: no scripts, no network, readable in print, in dark and by screen readers.

mod charts;
mod cost;
mod markup;
mod page;
mod product;

use super::audience::Audience;
use super::types::Report;

/// The page of a report for one audience. For [`Audience::Recipient`] the report is first reduced by [`Report::for_recipient`],
/// so a steward's report can be given in either case.
///
/// # Guarantee
/// Every text of the report is escaped, elements nest, and the page refers to nothing outside itself.
///
/// ```
/// use backmask::{release::report::{Audience, Report, html}, units::Risk};
///
/// let report = Report::new("<b>bold</b>", "2026-11-24T09:30:00Z", Risk::new(0.09)?);
/// assert!(html(&report, Audience::Recipient).contains("&lt;b&gt;bold&lt;/b&gt;"));
/// # Ok::<(), backmask::Error>(())
/// ```
#[must_use]
pub fn html(report: &Report, audience: Audience) -> String {
    match audience {
        Audience::Steward => page::page(&report.clone().with_statements(), audience),
        Audience::Recipient => page::page(&report.for_recipient(), audience),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Unit, sample};
    use super::*;
    use crate::policy::{AttackName, ProductKind};
    use crate::release::report::{Attack, ProductReport, UnicityPoint};
    use crate::risk::DecileRate;

    /// Checks that tags nest, and returns their number.
    fn balanced(html: &str) -> usize {
        let mut open: Vec<&str> = Vec::new();
        let mut tags = 0;
        let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("a document type");
        while let Some(start) = rest.find('<') {
            let end = start + rest[start..].find('>').expect("a tag that ends");
            let tag = &rest[start + 1..end];
            rest = &rest[end + 1..];
            tags += 1;
            let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "a tag closes what is not open");
            } else if !tag.ends_with('/') && name != "meta" {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "left open: {open:?}");
        tags
    }

    #[test]
    fn pages_are_well_formed_and_self_contained() {
        for report in [sample::syntactic(), sample::differentially_private()] {
            for audience in [Audience::Steward, Audience::Recipient] {
                let page = html(&report, audience);
                assert!(balanced(&page) > 200);
                for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link", "<iframe", "javascript:"] {
                    assert!(!page.contains(outside), "{outside}");
                }
                assert!(page.contains("<html lang=\"en\">") && page.contains("<title>") && page.contains("scope=\"col\""));
                assert_eq!(page.matches("<svg").count(), page.matches("role=\"img\"").count());
                assert_eq!(page.matches("<svg").count(), page.matches("</title>").count() - 1, "every picture has a title");
            }
        }
    }

    #[test]
    fn the_balance_check_can_fail() {
        for broken in ["<!DOCTYPE html><p><b></p></b>", "<!DOCTYPE html><p>", "<!DOCTYPE html></p>"] {
            assert!(std::panic::catch_unwind(|| balanced(broken)).is_err(), "{broken}");
        }
    }

    #[test]
    fn the_first_line_is_the_accepted_risk() {
        let page = html(&sample::syntactic(), Audience::Recipient);
        let body = &page[page.find("<body>").unwrap()..];
        let first = body.split("<p>").nth(1).unwrap();
        assert!(first.contains("research enclave, contract 17"), "{}", &first[..200]);
        assert!(!html(&sample::differentially_private(), Audience::Recipient).contains("Accepted risk"));
    }

    #[test]
    fn whatever_a_policy_says_is_text() {
        let attack = "<script>alert(1)</script>\"'&";
        let mut report = sample::syntactic();
        let clean = html(&report, Audience::Steward);
        report.name = attack.to_owned();
        report.purpose = attack.to_owned();
        report.recipient = attack.to_owned();
        report.accepted_risks = vec![attack.to_owned()];
        report.gate.reasons = vec![attack.to_owned()];
        for product in &mut report.products {
            product.name = attack.to_owned();
            product.accepted_risk = Some(attack.to_owned());
            product.notes = vec![attack.to_owned()];
            product.steward_notes = vec![attack.to_owned()];
            product.file = Some(attack.to_owned());
            for column in &mut product.columns {
                column.name = attack.to_owned();
                column.became = attack.to_owned();
            }
            for guarantee in &mut product.guarantees {
                guarantee.model = attack.to_owned();
                guarantee.parameters.insert(attack.to_owned(), attack.into());
            }
        }
        for input in report.inputs.iter_mut().flatten() {
            input.path = attack.to_owned();
        }
        for excluded in report.excluded.iter_mut().flatten() {
            excluded.reason = attack.to_owned();
        }
        let page = html(&report, Audience::Steward);
        balanced(&page);
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"));
        assert!(!clean.contains("&lt;script"));
    }

    #[test]
    fn the_recipients_page_shows_nothing_of_the_steward() {
        let page = html(&sample::syntactic(), Audience::Recipient);
        for secret in ["/pool/", "incognito", "89.1 %", "12 profiles", "a1b2c3d4", "Time spent", "1,033", "set aside"] {
            assert!(!page.contains(secret), "{secret}");
            assert!(html(&sample::syntactic(), Audience::Steward).contains(secret), "{secret} is missing for the steward");
        }
    }

    #[test]
    fn extreme_figures_do_not_break_the_page() {
        let mut report = sample::syntactic();
        let mut product = ProductReport::new("empty", ProductKind::Records);
        product.class_sizes = Some(crate::release::report::ClassSizes { before: Some(vec![]), after: vec![] });
        product.unicity = vec![UnicityPoint { known: 0, before: Some(f64::NAN), after: Some(f64::INFINITY), after_upper: None }];
        product.attacks =
            Some(vec![Attack { rate: Some(f64::NAN), deciles: vec![DecileRate::default()], ..Attack::new(AttackName::KnownItems) }]);
        report.products.push(product);
        let mut product = ProductReport::new("huge", ProductKind::Fragments);
        product.rows = u64::MAX;
        product.class_sizes = Some(crate::release::report::ClassSizes { before: None, after: vec![(u64::MAX, u64::MAX), (0, 3)] });
        product.unicity = vec![UnicityPoint { known: u64::MAX, before: None, after: Some(2.0), after_upper: Some(-1.0) }];
        report.products.push(product);
        report.products.push(ProductReport::new("nothing", ProductKind::Cohorts));
        let page = html(&report, Audience::Steward);
        balanced(&page);
        assert!(!page.contains("NaN") && !page.contains("inf\""), "a coordinate is not a number");
        assert!(Unit::Subject.counts_people());
    }

    /// Writes the sample pages into the folder that `BACKMASK_REPORTS` names, to be looked at.
    #[test]
    fn sample_pages_for_the_eye() {
        let Some(folder) = std::env::var_os("BACKMASK_REPORTS") else { return };
        let folder = std::path::PathBuf::from(folder);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, report) in [("syntactic", sample::syntactic()), ("private", sample::differentially_private())] {
            std::fs::write(folder.join(format!("{name}-steward.html")), html(&report, Audience::Steward)).unwrap();
            std::fs::write(folder.join(format!("{name}-recipient.html")), html(&report, Audience::Recipient)).unwrap();
        }
    }
}

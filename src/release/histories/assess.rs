//! The risk of histories as they are.

use super::HistoryWorkshop;
use super::attack::{against_lists, wanted};
use crate::error::Result;
use crate::policy::{AttackName, Product};
use crate::release::report::{Attack, ProductReport, UnicityPoint};

/// Measures what an attacker achieves who gets the items of every person as they are, under one token: what a product of cohorts or fragments is made to prevent.
pub(in crate::release) fn assess(shop: &HistoryWorkshop<'_>, product: &Product) -> Result<ProductReport> {
    let mut report = ProductReport::new(product.name(), product.kind());
    report.accepted_risk = product.accept_risk().map(str::to_owned);
    let histories = shop.histories(&shop.columns()?, &shop.forming())?;
    report.rows = histories.all().pairs() as u64;
    report.subjects = Some(histories.people());
    report.notes.push("The histories as they are, before anything is formed: each person's items under one token.".to_owned());
    let mut attacks = Vec::new();
    for attack in wanted(&shop.policy.gate, &[AttackName::KnownItems]) {
        if attack != AttackName::KnownItems {
            attacks.push(Attack::not_run(attack, "is for the finished product, and these are the histories as they are"));
            continue;
        }
        for result in against_lists(shop, &histories)? {
            let point = UnicityPoint { known: result.known, before: None, after: Some(result.rate), after_upper: Some(result.upper) };
            report.unicity.push(point);
            attacks.push(Attack { knowledge: Some("items, uniform".to_owned()), ..Attack::from(result) });
        }
    }
    report.attacks = Some(attacks);
    Ok(report)
}

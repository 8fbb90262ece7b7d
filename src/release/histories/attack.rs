//! What an attacker achieves against cohorts and fragments.

use super::HistoryWorkshop;
use super::matrix::{Histories, people_with_items};
use crate::error::Result;
use crate::history::cohorts::Cohorts;
use crate::history::fragments::{Fragments, Order};
use crate::matrix::{SubjectItems, deciles, rarity};
use crate::policy::{AttackName, FragmentsProduct};
use crate::release::report::{Attack, ProductReport, UnicityPoint};
use crate::risk::{AttackOptions, AttackResult, Controlled, KnownFragmentItems, KnownItems, Records, RelinkResult, relink};
use crate::units::Share;

/// The attacks of the gate; those of this kind of product if the policy does not say.
pub(super) fn wanted(gate: &crate::policy::Gate, of_kind: &[AttackName]) -> Vec<AttackName> {
    gate.attacks.clone().unwrap_or_else(|| of_kind.to_vec())
}

/// What was measured against whole lists, for every number of known items of the gate.
pub(super) fn against_lists(shop: &HistoryWorkshop<'_>, histories: &Histories) -> Result<Vec<AttackResult>> {
    let attack = KnownItems::new(histories.all(), &histories.subject_ids, &histories.item_ids)?;
    let options = AttackOptions::new(&shop.policy.gate, shop.seed);
    shop.policy.gate.known_items.iter().map(|&known| attack.run(known, &options)).collect()
}

/// Tenths of people by the rarity of what the pool has of them, for the people whom `chosen` names; 0 for all others.
pub(super) fn tenths(histories: &Histories, chosen: &[bool]) -> Result<Vec<u8>> {
    let matrix = histories.all();
    let people = chosen.iter().filter(|&&chosen| chosen).count() as u64;
    let scores = rarity(matrix, &matrix.support(), people);
    let places: Vec<usize> = (0..chosen.len()).filter(|&person| chosen[person]).collect();
    let own: Vec<f64> = places.iter().map(|&person| scores[person]).collect();
    let ids: Vec<u64> = places.iter().map(|&person| histories.subject_ids[person]).collect();
    let mut tenths = vec![0; chosen.len()];
    for (place, tenth) in places.into_iter().zip(deciles(&own, &ids)?) {
        tenths[place] = tenth;
    }
    Ok(tenths)
}

/// Items that are predicted of a person.
const PREDICTED: usize = 10;

/// Share of people outside the pool who may be accused of being in it.
const FALSE_ALARMS: f64 = 0.05;

/// Why an attack is not run that the policy asks for.
const OTHER_KIND: &str = "is for products of another kind";

fn is_controlled(attack: AttackName) -> bool {
    matches!(attack, AttackName::Attribute | AttackName::Membership)
}

fn has_more_than(matrix: &SubjectItems, items: usize) -> bool {
    (0..u32::try_from(matrix.subjects()).unwrap_or(u32::MAX)).any(|person| matrix.items_of(person).len() > items)
}

/// Cohorts as an attacker sees them.
fn records_of(cohorts: &Cohorts, histories: &Histories) -> Result<Records> {
    let (mut ids, mut sizes, mut items, mut members) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in cohorts.rows() {
        ids.push(row.cohort_id);
        sizes.push(u64::from(row.size));
        items.push(row.item);
        members.push(u64::from(row.members));
    }
    Records::from_cells(&ids, &sizes, &items, &members, histories.item_ids.len())
}

fn entry(result: AttackResult, knowledge: &str) -> Attack {
    Attack { knowledge: Some(knowledge.to_owned()), ..Attack::from(result) }
}

impl HistoryWorkshop<'_> {
    /// What can be said of the people of the cohorts beyond what can be said of the control group.
    pub(super) fn attack_cohorts(&self, cohorts: &Cohorts, histories: &Histories) -> Result<Vec<Attack>> {
        let gate = &self.policy.gate;
        let attacks = wanted(gate, &[AttackName::Attribute, AttackName::Membership]);
        if people_with_items(&histories.control) == 0 {
            let reason = "there is no control group: set people aside with gate.control";
            let reason_of = |attack| if is_controlled(attack) { reason } else { OTHER_KIND };
            return Ok(attacks.into_iter().map(|attack| Attack::not_run(attack, reason_of(attack))).collect());
        }
        let released = records_of(cohorts, histories)?;
        let raw = Records::from_matrix(histories.all());
        let of = |records| {
            let (people, ids) = (histories.all(), &histories.subject_ids);
            Controlled::new(records, people, ids, &histories.control, ids, &histories.item_ids)
        };
        let (released, raw) = (of(&released)?, of(&raw)?);
        let options = AttackOptions::new(gate, self.seed);
        let mut results = Vec::new();
        for attack in attacks {
            match attack {
                AttackName::Attribute => {
                    for &known in &gate.known_items {
                        if !has_more_than(histories.all(), known) {
                            let reason = format!("nobody has more than {known} items");
                            results.push(Attack { known: Some(known as u64), ..Attack::not_run(attack, reason) });
                            continue;
                        }
                        let result = released.inference(known, PREDICTED, &options)?;
                        let before = raw.inference(known, PREDICTED, &options)?;
                        let knowledge =
                            format!("items of the person, uniform; {PREDICTED} others are predicted by the cohort that fits best");
                        results.push(Attack { original_rate: Some(before.rate), ..entry(result, &knowledge) });
                    }
                }
                AttackName::Membership => {
                    let alarms = Share::new(FALSE_ALARMS)?;
                    let (result, before) = (released.membership(alarms, &options)?, raw.membership(alarms, &options)?);
                    let knowledge = "all items of the person; 5 % false alarms";
                    results.push(Attack { original_rate: Some(before.rate), known: None, ..entry(result, knowledge) });
                }
                other => results.push(Attack::not_run(other, OTHER_KIND)),
            }
        }
        Ok(results)
    }

    pub(super) fn attack_fragments(
        &self,
        product: &FragmentsProduct,
        fragments: &Fragments,
        histories: &Histories,
        report: &mut ProductReport,
    ) -> Result<()> {
        let mut attacks = Vec::new();
        for attack in wanted(&self.policy.gate, &[AttackName::KnownItems, AttackName::Linkage]) {
            match attack {
                AttackName::KnownItems => attacks.extend(self.known_items_of_fragments(fragments, histories, report)?),
                AttackName::Linkage => attacks.push(self.linkage(product, fragments, histories, report)?),
                other => attacks.push(Attack::not_run(other, OTHER_KIND)),
            }
        }
        report.attacks = Some(attacks);
        Ok(())
    }

    fn known_items_of_fragments(&self, fragments: &Fragments, histories: &Histories, report: &mut ProductReport) -> Result<Vec<Attack>> {
        let lists: Vec<&[u32]> = fragments.pieces().iter().collect();
        let pieces = SubjectItems::from_lists(&lists, histories.matrix.items())?;
        let mut released = vec![false; histories.subject_ids.len()];
        for &owner in fragments.owners() {
            released[owner as usize] = true;
        }
        let attack = KnownFragmentItems::new(&pieces, fragments.owners(), &histories.subject_ids, &histories.item_ids)?
            .with_deciles(&tenths(histories, &released)?)?;
        let options = AttackOptions::new(&self.policy.gate, self.seed);
        let before = against_lists(self, histories)?;
        let mut attacks = Vec::new();
        for (&known, before) in self.policy.gate.known_items.iter().zip(before) {
            let result = attack.run(known, &options)?;
            report.unicity.push(UnicityPoint {
                known: result.known,
                before: Some(before.rate),
                after: Some(result.rate),
                after_upper: Some(result.upper),
            });
            let order = if fragments.order() == Order::Sequences { "; does not know their order" } else { "" };
            let knowledge = format!("surviving items of the person, uniform; goes by the fragments that hold most of them{order}");
            let mut attack = entry(result, &knowledge);
            attack.original_rate = Some(before.rate);
            attacks.push(attack);
        }
        self.inside_one_fragment(&pieces, fragments, histories, report)?;
        Ok(attacks)
    }

    /// The attacker puts fragments of one person together by taste, as somebody can who has the lists of the pool.
    fn linkage(
        &self,
        product: &FragmentsProduct,
        fragments: &Fragments,
        histories: &Histories,
        report: &mut ProductReport,
    ) -> Result<Attack> {
        let mut owners = fragments.owners().to_vec();
        owners.sort_unstable();
        if owners.windows(2).all(|pair| pair[0] != pair[1]) {
            return Ok(Attack::not_run(AttackName::Linkage, "nobody has two fragments"));
        }
        let options = AttackOptions::new(&self.policy.gate, self.seed);
        let disjoint = product.sessions.is_none();
        let RelinkResult { trials, auc, auc_upper, precision, precision_upper, baseline } =
            relink(&fragments.pieces(), fragments.owners(), histories.all(), disjoint, &options)?;
        report.steward_notes.push(format!(
            "Linkage: a fragment of the same person fits better than one of somebody else in {:.1} % of cases (at most {:.1} %; a guess: 50 %).",
            auc * 100.0,
            auc_upper * 100.0
        ));
        Ok(Attack {
            knowledge: Some("the lists of the pool, without names; takes the fragment that fits a fragment best".to_owned()),
            people: report.subjects,
            trials: Some(trials),
            rate: Some(precision),
            upper: Some(precision_upper),
            baseline: Some(baseline),
            excess: Some(if baseline < 1.0 { ((precision - baseline) / (1.0 - baseline)).max(0.0) } else { 0.0 }),
            gate_value: Some(precision_upper),
            ..Attack::new(AttackName::Linkage)
        })
    }

    /// What somebody achieves whose knowledge happens to lie in one fragment, for the steward: beyond m items nothing is promised there.
    fn inside_one_fragment(
        &self,
        pieces: &SubjectItems,
        fragments: &Fragments,
        histories: &Histories,
        report: &mut ProductReport,
    ) -> Result<()> {
        let ids: Vec<u64> = (0..u32::try_from(pieces.subjects()).unwrap_or(u32::MAX))
            .map(|piece| {
                let owner = histories.subject_ids[fragments.owners()[piece as usize] as usize];
                pieces.items_of(piece).iter().fold(owner, |sum, &item| sum.wrapping_add(histories.item_ids[item as usize]))
            })
            .collect();
        // Owners are numbered anew, because the attack wants no more codes than units.
        let mut owners = fragments.owners().to_vec();
        let mut distinct = owners.clone();
        distinct.sort_unstable();
        distinct.dedup();
        for owner in &mut owners {
            *owner = u32::try_from(distinct.binary_search(owner).unwrap_or(0)).unwrap_or(u32::MAX);
        }
        let attack = KnownItems::of_units(pieces, &ids, &histories.item_ids, &owners)?;
        let options = AttackOptions::new(&self.policy.gate, self.seed);
        let mut rates = Vec::new();
        for &known in self.policy.gate.known_items.iter().filter(|&&known| known > 1) {
            rates.push(format!("{known} known: {:.1} %", attack.run(known, &options)?.rate * 100.0));
        }
        if !rates.is_empty() {
            report.steward_notes.push(format!(
                "Somebody whose known items all lie in one fragment of a person, chosen at random, singles the person out in {}.",
                rates.join(", ")
            ));
        }
        Ok(())
    }
}

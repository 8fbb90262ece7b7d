//! Realistic reports for tests, with every field filled.

use super::*;
use crate::policy::{AggregateFunction, AttackName, Metric, Period, ProductKind, PseudonymMethod, Role, Scope, TokenFormat};
use crate::risk::{Combination, DecileRate, MatchSets};
use crate::units::Risk;
use serde_json::json;
use std::collections::BTreeMap;

fn column(name: &str, role: Role, became: &str, level: Option<usize>, highest: Option<usize>) -> ColumnReport {
    ColumnReport { name: name.to_owned(), role, became: became.to_owned(), level, highest }
}

fn attack(name: AttackName, known: Option<u64>, successes: u32, upper: f64, original: Option<f64>, gate_value: f64) -> Attack {
    let rate = f64::from(successes) / 2000.0;
    Attack {
        known,
        knowledge: Some("uniform".to_owned()),
        trials: Some(2000),
        successes: Some(u64::from(successes)),
        rate: Some(rate),
        upper: Some(upper),
        original_rate: original,
        gate_value: Some(gate_value),
        deciles: (0..10u32)
            .map(|decile| {
                let share = f64::from(decile + 1) / 10.0;
                DecileRate {
                    rate: gate_value * share * 0.8,
                    upper: gate_value * share,
                    baseline: 0.0005,
                    people: 189,
                    trials: 200,
                    successes: 3,
                }
            })
            .collect(),
        ..Attack::new(name)
    }
}

fn people() -> ProductReport {
    let levels: BTreeMap<String, usize> = [("birth_year".to_owned(), 1), ("country".to_owned(), 1), ("gender".to_owned(), 0)].into();
    ProductReport {
        file: Some("people.parquet".to_owned()),
        sha256: Some("5f2b1c0e6a9d4f7e8b3a2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f".to_owned()),
        rows: 1812,
        subjects: Some(1812),
        columns: vec![
            column("subject_id", Role::Subject, "dropped", None, None),
            column("birth_year", Role::QuasiIdentifier, "generalized to intervals of 5 years", Some(1), Some(4)),
            column("country", Role::QuasiIdentifier, "generalized to subregions", Some(1), Some(3)),
            column("gender", Role::QuasiIdentifier, "kept", Some(0), Some(1)),
            column("registered_at", Role::QuasiIdentifier, "dropped", None, None),
        ],
        guarantees: vec![
            Guarantee::new("k-anonymity", Unit::Subject, Verified::Release).parameter("k", 12).found(14.0, true),
            Guarantee::new("t-closeness", Unit::Ratio, Verified::Unverifiable)
                .parameter("column", "gender")
                .parameter("t", 0.2)
                .parameter("distance", "equal")
                .found(0.1834, true),
        ],
        estimates: vec![Estimate { model: "population-uniqueness".to_owned(), value: 0.0, low: Some(0.0), high: Some(0.0021) }],
        transformation: Some(TransformationReport {
            levels,
            suppressed_rows: 88,
            suppressed_subjects: 88,
            equivalence_classes: 61,
            average_class_size: 29.704_918,
        }),
        quality: Some(QualityReport {
            metric: Metric::Loss,
            aggregate: AggregateFunction::ArithmeticMean,
            value: json!(0.214_532),
            all: [
                ("loss".to_owned(), 0.214_532),
                ("discernibility".to_owned(), 248_114.0),
                ("precision".to_owned(), 0.2261),
                ("loss.birth_year".to_owned(), 0.083),
                ("loss.country".to_owned(), 0.56),
                ("loss.gender".to_owned(), 0.0006),
                ("normalized-entropy.birth_year".to_owned(), 0.31),
                ("normalized-entropy.country".to_owned(), 0.62),
                ("normalized-entropy.gender".to_owned(), 0.0),
            ]
            .into(),
        }),
        search: Some(SearchReport { nodes: 40, checked: 17, optimal: true, seconds: Some(0.031) }),
        attacks: Some(vec![Attack {
            exact: true,
            knowledge: Some("all quasi-identifiers".to_owned()),
            columns: vec!["birth_year".to_owned(), "country".to_owned(), "gender".to_owned()],
            people: Some(1812),
            match_sets: Some(MatchSets { minimum: 14, p10: 17, median: 28, p90: 73, maximum: 92, mean_inverse: 0.0337 }),
            combinations: vec![Combination { columns: vec!["birth_year".to_owned()], rate: 0.0, upper: 0.0, gate_value: 0.0 }],
            combinations_possible: Some(7),
            deciles: vec![],
            ..attack(AttackName::Demographics, Some(3), 0, 0.0, Some(0.0376), 0.0)
        }]),
        class_sizes: Some(ClassSizes {
            before: Some(vec![(1, 74), (2, 41), (3, 28), (4, 17), (6, 22), (8, 17), (11, 19), (15, 17), (23, 12), (42, 6), (70, 1)]),
            after: vec![(14, 11), (17, 9), (22, 12), (28, 11), (37, 8), (48, 6), (73, 3), (92, 1)],
        }),
        population_risk: Some(PopulationRisk {
            threshold: 0.09,
            prosecutor_highest: 0.0714,
            prosecutor_average: 0.0337,
            prosecutor_at_risk: 0.0,
            journalist_highest: 0.0071,
            journalist_average: 0.0034,
            journalist_at_risk: 0.0,
            marketer: 0.0034,
        }),
        control_people: Some(192),
        notes: vec!["registered_at is dropped: the day of registration alone is nearly a name.".to_owned()],
        steward_notes: vec!["12 profiles had no events.".to_owned()],
        ..ProductReport::new("people", ProductKind::Records)
    }
}

fn tastes() -> ProductReport {
    ProductReport {
        file: Some("tastes.parquet".to_owned()),
        sha256: Some("c0ffee1c0e6a9d4f7e8b3a2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e".to_owned()),
        rows: 5127,
        subjects: Some(1708),
        guarantees: vec![
            Guarantee::new("cohort-size", Unit::Subject, Verified::Release).parameter("k", 20).found(20.0, true),
            Guarantee::new("cell-support", Unit::Subject, Verified::Release).parameter("min_members", 3).found(3.0, true),
        ],
        attacks: Some(vec![
            Attack { baseline: Some(0.331), excess: Some(0.038), ..attack(AttackName::Attribute, Some(4), 712, 0.377, Some(0.894), 0.081) },
            Attack { baseline: Some(0.05), excess: Some(0.0163), ..attack(AttackName::Membership, None, 131, 0.0759, Some(1.0), 0.0214) },
        ]),
        losses: Some(Losses {
            reasons: vec![Loss { reason: "rows name no item".to_owned(), count: 17 }],
            popularity: vec![
                PopularityLoss { items: 7110, most_people: 4, rows: 9001, kept: 1210 },
                PopularityLoss { items: 12, most_people: 611, rows: 8870, kept: 8466 },
            ],
        }),
        utility: Some(
            [(
                "ease".to_owned(),
                [("recall@20".to_owned(), 0.2933), ("ndcg@100".to_owned(), 0.3624), ("lift_retained".to_owned(), 0.69)].into(),
            )]
            .into(),
        ),
        ..ProductReport::new("tastes", ProductKind::Cohorts)
    }
}

fn log() -> ProductReport {
    let point = |known, before, after, after_upper| UnicityPoint {
        known,
        before: Some(before),
        after: Some(after),
        after_upper: Some(after_upper),
    };
    ProductReport {
        accepted_risk: Some("research enclave, contract 17".to_owned()),
        file: Some("log.parquet".to_owned()),
        sha256: Some("0ddba11c0e6a9d4f7e8b3a2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e".to_owned()),
        rows: 52_904,
        subjects: Some(1701),
        columns: vec![
            column("token", Role::Subject, "keyed token", None, None),
            column("artist_id", Role::Item, "left out where fewer than 20 people share it", None, None),
            column("plays", Role::Measure, "intervals at 10, 100", None, None),
        ],
        guarantees: vec![Guarantee::new("item-support", Unit::Subject, Verified::Release).parameter("min_subjects", 20).found(20.0, true)],
        transformation: Some(TransformationReport { suppressed_rows: 39_930, suppressed_subjects: 3, ..TransformationReport::default() }),
        attacks: Some(vec![
            attack(AttackName::KnownItems, Some(1), 0, 0.0015, Some(0.121), 0.0149),
            attack(AttackName::KnownItems, Some(2), 172, 0.0967, Some(0.469), 0.31),
            attack(AttackName::KnownItems, Some(3), 810, 0.4231, Some(0.76), 0.72),
            attack(AttackName::KnownItems, Some(4), 1340, 0.6875, Some(0.891), 0.91),
            attack(AttackName::Scoreboard, Some(4), 1502, 0.767, Some(0.954), 0.94),
            Attack::not_run(AttackName::Linkage, "there is only one product"),
        ]),
        unicity: vec![
            point(1, 0.121, 0.0, 0.0015),
            point(2, 0.469, 0.086, 0.0967),
            point(3, 0.76, 0.405, 0.4231),
            point(4, 0.891, 0.67, 0.6875),
            point(8, 0.993, 0.979, 0.9841),
        ],
        ..ProductReport::new("log", ProductKind::Records)
    }
}

/// A syntactic release with an accepted risk, as the steward sees it.
pub(crate) fn syntactic() -> Report {
    Report {
        accepted_risks: vec!["research enclave, contract 17".to_owned()],
        purpose: "training artist recommenders".to_owned(),
        recipient: "Example AI Inc.".to_owned(),
        inputs: Some(vec![
            InputFile { path: "/pool/events.parquet".to_owned(), sha256: "9a".repeat(32), rows: 92_834, subjects: 1892 },
            InputFile { path: "/pool/profiles.parquet".to_owned(), sha256: "7b".repeat(32), rows: 1900, subjects: 1900 },
        ]),
        input_commitment: "4e".repeat(32),
        excluded: Some(vec![
            Excluded { reason: "incognito".to_owned(), rows: 412 },
            Excluded { reason: "podcast or audiobook".to_owned(), rows: 1033 },
        ]),
        pseudonyms: vec![
            Pseudonym {
                column: "subject_id".to_owned(),
                product: Some("log".to_owned()),
                method: PseudonymMethod::Blake3,
                scope: Scope::Period,
                format: Some(TokenFormat::Hex),
                period: Some(Period::Month),
                session_gap: None,
                reversible: false,
                reproducible: true,
                irreversible: false,
                distinct: Some(9310),
                collision_probability: Some(1.3e-31),
                input_space_bits: None,
                warning: None,
                key_id: Some("a1b2c3d4".to_owned()),
            },
            Pseudonym {
                column: "phone".to_owned(),
                product: Some("log".to_owned()),
                method: PseudonymMethod::Ff1,
                scope: Scope::Session,
                format: Some(TokenFormat::Input),
                period: None,
                session_gap: Some(30),
                reversible: true,
                reproducible: true,
                irreversible: false,
                distinct: Some(1701),
                collision_probability: None,
                input_space_bits: Some(33.2),
                warning: Some("there are few telephone numbers".to_owned()),
                key_id: Some("a1b2c3d4".to_owned()),
            },
        ],
        products: vec![people(), tastes(), log()],
        gate: GateVerdict {
            confidence: Some(0.95),
            reasons: vec!["log: known-items with 4 known reaches 91 % in the worst tenth of the people; the limit is 9 %".to_owned()],
            ..Report::new("", "", Risk::new(0.09).unwrap()).gate
        },
        refusals: Some(2),
        seconds: Some(Seconds { read: 0.412, fit: 0.871, write: 0.118, assess: 2.31 }),
        ..Report::new("artist-preferences-2026-11", "2026-11-24T09:30:00Z", Risk::new(0.09).unwrap())
    }
    .with_statements()
}

/// A differentially private release, as the steward sees it: with attacks and measurements that the recipient must not get.
pub(crate) fn differentially_private() -> Report {
    let loss = PrivacyLoss { epsilon: 1.0, delta: 1e-6, mu: Some(0.237) };
    let mut report = syntactic();
    report.accepted_risks.clear();
    report.gate = GateVerdict { passed: true, reasons: vec![], ..report.gate };
    let (people, log) = (people(), log());
    report.products = vec![ProductReport {
        file: Some("artists.parquet".to_owned()),
        sha256: Some("ab".repeat(32)),
        rows: 214,
        guarantees: vec![
            Guarantee::new("differential-privacy", Unit::Subject, Verified::Unverifiable)
                .parameter("epsilon", 1.0)
                .parameter("delta", 1e-6)
                .found(1.0, true),
        ],
        privacy_loss: Some(loss.clone()),
        bounds: Some(Bounds { reidentification: 0.000_25, tpr_at_fpr: 0.0022, posterior: 0.731 }),
        unicity: log.unicity,
        accepted_risk: None,
        ..ProductReport { name: "artists".to_owned(), kind: ProductKind::Catalogue, utility: tastes().utility, ..people }
    }];
    report.privacy_loss = Some(ReleaseLoss {
        loss,
        ledger: LedgerReport {
            spent: [("epsilon".to_owned(), 1.0), ("delta".to_owned(), 1e-6)].into(),
            remaining: [("epsilon".to_owned(), 3.0), ("delta".to_owned(), 9e-6)].into(),
        },
    });
    report.with_statements()
}

//! A co-listening matrix from files to recommendations, on real listeners.

use crate::real_data::real_data;
use backmask::aggregates::co_listening::{CoListeningOptions, CoListeningPlan, Denoised};
use backmask::aggregates::{CatalogueOptions, CataloguePlan, Contributions};
use backmask::dp::ledger::{Budget, Ledger};
use backmask::keys::Key;
use backmask::listening::open;
use backmask::matrix::SubjectItems;
use backmask::policy::{Input, Table};
use backmask::units::{Delta, Epsilon, Share};
use backmask::utility::{Evaluation, EvaluationOptions, FoldIn, Gram, Histories, Interactions, ProductData};
use rand::{SeedableRng, rngs::ChaCha20Rng};

fn names(count: usize) -> Vec<u64> {
    (1..=count as u64).map(|id| id.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
}

/// HetRec has 1,135 people for training here. What a matrix tells depends on people times μ: ε = 10 for them is about what ε = 1 is for 10,000.
#[test]
fn real_listeners_are_predicted_better_than_by_popularity() {
    let Some(path) = real_data("real_listeners_are_predicted_better_than_by_popularity", "hetrec2011-lastfm-2k/user_artists.dat") else {
        return;
    };
    let sources = open(&[path], Table::Events, &Input::default()).expect("HetRec");
    let all = Histories::read(&sources, "subject_id", "artist_id", None).expect("histories");
    let every = all.items();
    let (test, train) = all.split(3, 2);
    let (test, train) = (test.interactions(&every).expect("rows"), train.interactions(&every).expect("rows"));
    let test = FoldIn::random(&test, Share::new(0.8).expect("a share"), 3);

    let lists: Vec<&[u32]> = (0..train.rows()).map(|row| train.items_of(row)).collect();
    let pool = SubjectItems::from_lists(&lists, every.len()).expect("a pool");
    let (people, items) = (names(lists.len()), names(every.len()));
    let contributions = Contributions::new(&pool, &people, &items).expect("names");
    let (epsilon, delta) = (Epsilon::new(10.0).expect("ε"), Delta::new(1e-6).expect("δ"));
    let (own, half) = (Epsilon::new(5.0).expect("ε"), Delta::new(5e-7).expect("δ"));
    let catalogue = CataloguePlan::new(own, half, &CatalogueOptions::new(50)).expect("a plan");
    let plan = CoListeningPlan::beside(&catalogue.events(), epsilon, delta, &CoListeningOptions::new(50)).expect("a plan");

    let folder = tempfile::tempdir().expect("a folder");
    let budget = Budget::new(Epsilon::new(20.0).expect("ε"), Delta::new(1e-5).expect("δ"));
    let mut ledger = Ledger::create(folder.path().join("ledger"), "HetRec", budget).expect("a ledger");
    let (key, mut rng) = (Key::from_bytes([2; 32]), ChaCha20Rng::seed_from_u64(5));
    let reservation = ledger.reserve(&catalogue.spending("artists", "test").expect("a spending")).expect("enough");
    let catalogue = catalogue.run(&contributions, &key, &reservation, &mut rng).expect("a catalogue");
    ledger.commit(reservation).expect("a debit");
    let chosen = plan.choose_items(&catalogue);
    let reservation = ledger.reserve(&plan.spending("together", "test").expect("a spending")).expect("enough");
    let noisy = plan.run(&contributions, &chosen, &key, &reservation, &mut rng).expect("a matrix");
    ledger.commit(reservation).expect("a debit");

    let Denoised::Structure(structure) = noisy.denoise(1).expect("a matrix") else { panic!("refused") };
    let pairs: Vec<(u32, u32, f64)> = structure.table().collect();
    let options = EvaluationOptions { lambda: Some(structure.default_lambda()), ..EvaluationOptions::default() };
    let interactions: &Interactions = &train;
    let evaluation = Evaluation::new(interactions, test, EvaluationOptions { lambda: Some(200.0), ..EvaluationOptions::default() });
    let evaluation = evaluation.expect("figures");
    let released = Evaluation::new(interactions, evaluation.test().clone(), options).expect("figures");
    let found = released.product(&ProductData::Pairs(pairs.clone())).expect("figures")["ease"].by_name()["ndcg@100"];
    let popularity = evaluation.original()["popularity"].by_name()["ndcg@100"];
    assert!(found > popularity + 0.03, "{found}, popularity {popularity}, {} items", chosen.len());

    // The weights that the library publishes are those that a buyer computes from the table.
    let weights = structure.ease(None, 1).expect("weights");
    let gram = Gram::of_pairs(&pairs, every.len(), chosen.len()).expect("a matrix");
    assert_eq!(gram.items().len(), weights.size());
}

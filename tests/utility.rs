//! Usefulness of products as files, and on real data.

use crate::real_data::real_data;
use backmask::io::Source;
use backmask::listening::open;
use backmask::policy::{Input, ProductKind, Table};
use backmask::units::Share;
use backmask::utility::{
    Evaluation, EvaluationOptions, FoldIn, Histories, Interactions, Items, ProductColumns, ProductData, Recommender, Trainable,
    TrainingProduct,
};
use std::sync::Arc;

const COLUMNS: ProductColumns<'_> = ProductColumns { item: "artist", subject: "token" };

/// A table in a CSV file, and the folder that it lives in.
fn table(text: &str) -> (tempfile::TempDir, Vec<Arc<dyn Source>>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("product.csv");
    std::fs::write(&path, text).expect("a file");
    let sources = open(&[path], Table::Events, &Input::default()).expect("a table");
    (folder, sources)
}

fn items() -> Items {
    Items::new(["a", "b", "c", "d"].map(str::to_owned))
}

fn read(kind: ProductKind, text: &str) -> TrainingProduct {
    let (_folder, sources) = table(text);
    match TrainingProduct::read(kind, &sources, COLUMNS, &items()).expect("a product") {
        Trainable::Product(product) => product,
        Trainable::No(reason) => panic!("{reason}"),
    }
}

fn reason(kind: ProductKind, text: &str) -> String {
    let (_folder, sources) = table(text);
    match TrainingProduct::read(kind, &sources, COLUMNS, &items()).expect("a product") {
        Trainable::Product(product) => panic!("{product:?}"),
        Trainable::No(reason) => reason,
    }
}

#[test]
fn every_kind_of_product_is_read_as_what_it_is() {
    let people = read(ProductKind::Records, "token,artist,plays\ny,b,3\nx,a,1\nx,c,1\nx,a,9\nx,unknown,1\n,a,1\n");
    let expected = Interactions::from_lists(&[vec![0, 2], vec![1]], 4).expect("lists");
    assert_eq!(people.data, ProductData::People(expected));
    assert_eq!((people.items, people.matched_items), (4, 3));

    let cohorts = read(ProductKind::Cohorts, "cohort_id,size,item,members\n1,16,d,5\n1,16,b,7\n2,25,b,4\n");
    let expected = Interactions::from_rows(&[vec![(1, 7.0), (3, 5.0)], vec![(1, 4.0)]], 4).and_then(|rows| rows.scaled(vec![0.25, 0.2]));
    assert_eq!(cohorts.data, ProductData::Groups(expected.expect("rows")));

    let fragments = read(ProductKind::Fragments, "fragment_id,item\nf1,a\nf2,c\nf1,b\n");
    assert_eq!(fragments.data, ProductData::Groups(Interactions::from_lists(&[vec![0, 1], vec![2]], 4).expect("lists")));

    let catalogue = read(ProductKind::Catalogue, "item,subjects,plays\nb,20,400\nzz,9,9\n");
    assert_eq!(catalogue.data, ProductData::Popularity(vec![0.0, 20.0, 0.0, 0.0]));

    let pairs = read(ProductKind::CoListening, "item_a,item_b,value\na,a,9.5\na,b,-0.25\nzz,b,1\n");
    assert_eq!(pairs.data, ProductData::Pairs(vec![(0, 0, 9.5), (0, 1, -0.25)]));
    assert_eq!((pairs.items, pairs.matched_items), (3, 2));
}

#[test]
fn released_weights_are_read_as_a_model() {
    let read = |rows: &str| {
        let (_folder, sources) = table(&format!("item_a,item_b,weight\n{rows}"));
        TrainingProduct::read_weights(&sources, &items())
    };
    let model = read("a,b,0.25\na,d,0.5\nzz,a,9\na,zz,9\n").expect("weights");
    assert_eq!(model.recommend(&[0], 9), [3, 1]);
    assert!(read("a,a,0.25\n").is_err(), "EASE gives no weight from an item to itself");
}

#[test]
fn rows_in_another_order_are_the_same_product() {
    let text = "cohort_id,size,item,members\n1,16,d,5\n1,16,b,7\n2,25,b,4\n3,20,a,6\n";
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    assert_eq!(read(ProductKind::Cohorts, text), read(ProductKind::Cohorts, &lines.join("\n")));
}

#[test]
fn what_cannot_train_a_recommender_says_why() {
    assert!(reason(ProductKind::Records, "artist\na\n").contains("no column token says which rows belong to one person"));
    assert!(reason(ProductKind::Records, "token,genre\nx,rock\n").contains("no column artist"));
    assert!(reason(ProductKind::Records, "token,artist\nx,rock\n").contains("none of its 1 items"));
    assert!(reason(ProductKind::Histogram, "hour,count\n1,2\n").contains("histogram"));
    assert!(reason(ProductKind::SyntheticProfiles, "token\n1\n").contains("profiles"));
}

#[test]
fn damaged_cohorts_are_errors() {
    for rows in ["1,16,a,0", "1,-1,a,5", "1,16,a,5\n1,17,b,5"] {
        let (_folder, sources) = table(&format!("cohort_id,size,item,members\n{rows}\n"));
        assert!(TrainingProduct::read(ProductKind::Cohorts, &sources, COLUMNS, &items()).is_err(), "{rows}");
    }
}

#[test]
fn people_are_split_by_name_and_none_is_lost() {
    let rows: Vec<String> = (0..300).map(|row| format!("p{},i{}", row / 3, row % 7)).collect();
    let (_folder, sources) = table(&format!("who,what\n{}\n", rows.join("\n")));
    let all = Histories::read(&sources, "who", "what", None).expect("histories");
    let (some, others) = all.split(1, 2);
    assert_eq!((some.people() + others.people(), some.rows() + others.rows()), (100, 300));
    assert!((8..=35).contains(&some.people()), "a fifth of 100, by hash: {}", some.people());
    assert_eq!((some.same_names(&others), some.same_names(&all)), (0, some.people()));
    assert_ne!(all.split(2, 2).0.people(), 0);
    assert_eq!(all.split(1, 0).0.people(), 0);
}

/// HetRec, artists with at least five listeners, 400 people held out, λ = 200. Other implementations of the same protocol have recall@20 .355 and NDCG@100 .420 for EASE, .127 and .174 for
/// popularity, for another choice of 400 people; between choices the figures move by about .01.
#[test]
fn real_listeners_are_predicted_as_well_as_others_report() {
    let Some(path) = real_data("real_listeners_are_predicted_as_well_as_others_report", "hetrec2011-lastfm-2k/user_artists.dat") else {
        return;
    };
    let sources = open(&[path], Table::Events, &Input::default()).expect("HetRec");
    let all = Histories::read(&sources, "subject_id", "artist_id", None).expect("histories");
    let every = all.items();
    let support = all.interactions(&every).expect("rows").popularity();
    let kept = |people: &Histories| {
        let people = people.interactions(&every).expect("rows");
        let lists: Vec<Vec<u32>> = (0..people.rows())
            .map(|row| people.items_of(row).iter().copied().filter(|&item| support[item as usize] >= 5.0).collect())
            .collect();
        Interactions::from_lists(&lists, every.len()).expect("lists")
    };
    let (test, train) = all.split(3, 2);
    let test = FoldIn::random(&kept(&test), Share::new(0.8).expect("a share"), 3);
    let options = EvaluationOptions { top_items: 2_828, lambda: Some(200.0), ..EvaluationOptions::default() };
    let train = kept(&train);
    let evaluation = Evaluation::new(&train, test, options).expect("figures");
    let figure = |model: &str, name: &str| evaluation.original()[model].by_name()[name];
    for (model, name, expected) in
        [("ease", "recall@20", 0.355), ("ease", "ndcg@100", 0.420), ("popularity", "recall@20", 0.127), ("popularity", "ndcg@100", 0.174)]
    {
        let found = figure(model, name);
        assert!((found - expected).abs() < 0.03, "{model} {name}: {found}, expected about {expected}");
    }
    assert!(figure("item-knn", "recall@20") > figure("popularity", "recall@20") + 0.1);
}

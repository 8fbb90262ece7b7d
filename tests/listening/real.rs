//! Counts of the research data sets.

use super::{cell, distinct, names, open_all, pool, read};
use crate::real_data::real_data;
use backmask::arrow::array::Array;
use backmask::io::ReadOptions;
use backmask::policy::{Format, Input, Table};

fn text(delimiter: char, header: bool, columns: &[(&str, &str)]) -> Input {
    Input {
        format: Some(Format::Csv),
        delimiter: Some(delimiter),
        header: Some(header),
        columns: columns.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        ..Input::default()
    }
}

#[test]
fn hetrec() {
    let Some(path) = real_data("hetrec", "hetrec2011-lastfm-2k/user_artists.dat") else { return };
    let (batch, _) = pool(&[&path], &Input::default()).unwrap();
    assert_eq!((batch.num_rows(), distinct(&batch, "subject_id"), distinct(&batch, "artist_id")), (92_834, 1_892, 17_632));
    let (batch, _) = pool(&[path.parent().unwrap()], &Input::default()).unwrap();
    assert_eq!((batch.num_rows(), batch.column_by_name("artist_name").unwrap().null_count()), (92_834, 0));
    let columns = [("subject_id", "userID"), ("artist_id", "artistID"), ("plays", "weight")];
    assert_eq!(pool(&[&path], &text('\t', true, &columns)).unwrap().0.num_rows(), 92_834);
}

#[test]
fn lastfm_sessions() {
    let Some(path) = real_data("lastfm_sessions", "lastfm-sessions/lastfm.tsv") else { return };
    let columns = [("subject_id", "column_1"), ("artist_id", "column_2"), ("started_at", "column_3")];
    let (batch, _) = pool(&[&path], &text('\t', false, &columns)).unwrap();
    assert_eq!((batch.num_rows(), distinct(&batch, "subject_id"), distinct(&batch, "artist_id")), (129_310, 304, 789));
    assert_eq!(cell(&batch, "started_at", 1).unwrap(), "1970-01-01T00:00:54Z");
}

#[test]
fn lastfm_1k() {
    let Some(path) = real_data("lastfm_1k", "lastfm-1k") else { return };
    let (batch, _) = pool(&[&path], &Input::default()).unwrap();
    assert_eq!((batch.num_rows(), distinct(&batch, "subject_id")), (5_000, 2));
    let people = read(&open_all(&[&path], Table::Profiles, &Input::default()).unwrap(), &ReadOptions::default()).unwrap().0;
    assert_eq!((people.num_rows(), distinct(&people, "subject_id")), (992, 992));
    assert_eq!(cell(&people, "registered_at", 0).unwrap(), "2006-08-13");
}

#[test]
fn lfm_1b() {
    let Some(path) = real_data("lfm_1b", "lfm-1b/LFM-1b_users.txt") else { return };
    let (people, _) = pool(&[&path], &Input::default()).unwrap();
    assert_eq!(people.num_rows(), 120_322);
    // Complete: country, an age above 0, gender m or f (n is "neutral"). One of them lives in Namibia, whose code NA is not a missing value.
    let is_complete = |row: &usize| {
        let given = |name| super::cell(&people, name, *row);
        given("country").is_some() && given("age").is_some_and(|age| age != "0") && given("gender").is_some_and(|gender| gender != "n")
    };
    let complete: Vec<usize> = (0..people.num_rows()).filter(is_complete).collect();
    let namibian = complete.iter().filter(|&&row| cell(&people, "country", row).as_deref() == Some("NA")).count();
    assert_eq!((complete.len() - namibian, namibian), (40_627, 1));
    let missing = |name| people.column_by_name(name).unwrap().null_count();
    assert_eq!((missing("age"), missing("playcount")), (74_202, 25));
}

#[test]
fn movielens() {
    let Some(path) = real_data("movielens", "ml-100k/u.data") else { return };
    let columns = [("subject_id", "UserID"), ("track_id", "MovieID"), ("started_at", "Timestamp")];
    let (batch, _) = pool(&[&path], &text('\t', true, &columns)).unwrap();
    assert_eq!((batch.num_rows(), distinct(&batch, "subject_id"), distinct(&batch, "track_id")), (100_000, 943, 1_682));
    assert_eq!(names(&batch), ["subject_id", "track_id", "Rating", "started_at"]);
}

#[test]
fn adult() {
    let Some(path) = real_data("adult", "adult/adult.csv") else { return };
    let (batch, _) = pool(&[&path], &text(';', true, &[])).unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (30_162, 9));
    assert_eq!(names(&batch)[8], "salary-class");
}

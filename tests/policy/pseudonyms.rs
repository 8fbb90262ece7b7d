//! Which method of pseudonymization goes with which scope, format and option.

use super::{changed, check, check_unsupported};
use backmask::policy::{Period, Policy, PseudonymMethod, PseudonymSpec, Scope, Table, TokenFormat};

/// The good policy with this pseudonym of the person.
fn subject(pseudonym: &str) -> String {
    changed("column = \"subject_id\"\n", &format!("column = \"subject_id\"\npseudonym = {{ {pseudonym} }}\n"))
}

fn identifier(pseudonym: &str) -> String {
    changed("role = \"identifier\"", &format!("role = \"identifier\"\ntreatment = {{ pseudonym = {{ {pseudonym} }} }}"))
}

const METHODS: [&str; 6] = ["blake3", "hmac-sha256", "aes-siv", "aes-block", "ff1", "dense"];
const FORMATS: [&str; 6] = ["hex", "base32", "binary", "int64", "uint64", "input"];

/// Scopes with what they need beside them.
const SCOPES: [(&str, &str); 6] = [
    ("product", ""),
    ("release", ""),
    ("recipient", ""),
    ("period", ", period = \"month\""),
    ("session", ", session_gap = 30"),
    ("none", ""),
];

/// What is written here once more, as the contract has it.
fn goes(method: &str, scope: &str) -> bool {
    let hash = matches!(method, "blake3" | "hmac-sha256");
    match scope {
        "recipient" => method != "dense",
        "period" => hash || matches!(method, "aes-siv" | "aes-block"),
        "session" => hash,
        _ => true,
    }
}

#[test]
fn every_method_with_every_scope() {
    for method in METHODS {
        for (scope, rest) in SCOPES {
            let text = subject(&format!("method = \"{method}\", scope = \"{scope}\"{rest}"));
            // The product "log" orders its rows by person.
            let text = if scope == "none" { text.replace("order = \"subject-time\"", "order = \"shuffled\"") } else { text };
            if goes(method, scope) {
                let policy = Policy::from_toml(&text).unwrap_or_else(|error| panic!("{method}, {scope}: {error}"));
                let again = Policy::from_toml(&policy.normalized().unwrap()).unwrap();
                assert_eq!(again.subject, policy.subject, "{method}, {scope}");
                let spec = &policy.subject.as_ref().unwrap().pseudonym;
                assert_eq!((spec.method.name(), spec.scope.name()), (method, scope));
            } else {
                check(&text, "subject.pseudonym.scope", "or");
            }
        }
    }
}

#[test]
fn every_method_with_every_format() {
    let possible = |method: &str, format: &str| match method {
        "dense" => matches!(format, "int64" | "uint64"),
        "ff1" => format == "input",
        "aes-block" => matches!(format, "hex" | "base32" | "binary" | "input"),
        _ => matches!(format, "hex" | "base32" | "binary"),
    };
    for method in METHODS {
        for format in FORMATS {
            let options = format!("method = \"{method}\", format = \"{format}\"");
            if possible(method, format) {
                let policy = Policy::from_toml(&subject(&options)).unwrap();
                let spec = &policy.subject.as_ref().unwrap().pseudonym;
                assert_eq!((spec.format, spec.written_format().name()), (Some(spec.written_format()), format));
                Policy::from_toml(&identifier(&options)).unwrap();
            } else {
                check(&subject(&options), "subject.pseudonym.format", method);
                check(&identifier(&options), "profiles.columns.email.treatment.pseudonym.format", method);
            }
        }
    }
    let default = |method| PseudonymSpec { method, ..PseudonymSpec::default() }.written_format();
    assert_eq!(default(PseudonymMethod::Blake3), TokenFormat::Hex);
    assert_eq!((default(PseudonymMethod::Ff1), default(PseudonymMethod::Dense)), (TokenFormat::Input, TokenFormat::Uint64));
}

#[test]
fn options_belong_to_their_method_and_scope() {
    let cases = [
        ("alphabet = \"hex\"", "alphabet", "ff1"),
        ("method = \"aes-siv\", alphabet = \"hex\"", "alphabet", "ff1"),
        ("codebook = true", "codebook", "dense"),
        ("method = \"aes-siv\", codebook = true", "codebook", "dense"),
        ("method = \"dense\", codebook = true, irreversible = true", "codebook", "irreversible"),
        ("period = \"day\"", "period", "scope"),
        ("scope = \"session\", session_gap = 30, period = \"day\"", "period", "session"),
        ("scope = \"period\"", "period", "month"),
        ("scope = \"period\", period = { days = 0 }", "period.days", "36500"),
        ("scope = \"period\", period = { days = 36501 }", "period.days", "36500"),
        ("session_gap = 30", "session_gap", "scope"),
        ("scope = \"period\", period = \"day\", session_gap = 30", "session_gap", "period"),
        ("scope = \"session\"", "session_gap", "30"),
        ("scope = \"session\", session_gap = 0", "session_gap", "10080"),
        ("scope = \"session\", session_gap = 10081", "session_gap", "10080"),
        ("time = \"started_at\"", "time", "scope"),
        ("scope = \"session\", session_gap = 5, time = \"ms_played\"", "time", "measure"),
        ("scope = \"period\", period = \"week\", time = \"ended_at\"", "time", "not declared"),
        ("scope = \"recipient\", irreversible = true", "scope", "again"),
        ("scope = \"fragment\"", "scope", "fragments"),
        ("scope = \"none\", irreversible = true", "irreversible", "drops"),
        ("scope = \"none\", format = \"hex\"", "format", "drops"),
        // Forms.
        ("scope = \"periods\"", "scope", "`period`"),
        ("formats = \"hex\"", "formats", "`format`"),
        ("format = \"hexadecimal\"", "format", "`hex`"),
        ("scope = \"period\", period = \"year\"", "period", "`month`"),
        ("session_gaps = 30", "session_gaps", "`session_gap`"),
        ("irreversible = \"yes\"", "irreversible", "true or false"),
        ("session_gap = -1", "session_gap", "not negative"),
    ];
    for (options, key, words) in cases {
        check(&subject(options), &format!("subject.pseudonym.{key}"), words);
    }
    for good in [
        "method = \"ff1\", alphabet = \"hex\"",
        "method = \"ff1\", irreversible = true",
        "method = \"aes-siv\", irreversible = true",
        "method = \"dense\", codebook = true",
        "scope = \"period\", period = { days = 14 }, time = \"started_at\"",
        "scope = \"session\", session_gap = 10080",
        "scope = \"session\", session_gap = 1, irreversible = true, method = \"hmac-sha256\"",
    ] {
        Policy::from_toml(&subject(good)).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    let recipient = subject("scope = \"recipient\"").replace("recipient = \"Example\"", "recipient = \"\"");
    check(&recipient, "subject.pseudonym.scope", "recipient");
}

#[test]
fn the_time_of_tokens_is_the_only_one_or_named() {
    let text = subject("scope = \"period\", period = { days = 3 }");
    let policy = Policy::from_toml(&text).unwrap();
    let spec = &policy.subject.as_ref().unwrap().pseudonym;
    assert_eq!((spec.scope, spec.period), (Scope::Period, Some(Period::Days(3))));
    assert_eq!(policy.time_of_tokens(Table::Events, &super::EVENTS).unwrap(), "started_at");
    policy.check_tables(Some(&super::EVENTS), Some(&super::PROFILES)).unwrap();
    // The table lacks the only time.
    let missing: Vec<&str> = super::EVENTS.iter().copied().filter(|name| *name != "started_at").collect();
    assert!(policy.time_of_tokens(Table::Events, &missing).unwrap_err().to_string().contains("no column of role time"));

    let second = "[events.columns.ended_at]\nrole = \"time\"\ntreatment = \"drop\"\n[events.columns.started_at]";
    let two = text.replace("[events.columns.started_at]", second);
    check(&two, "subject.pseudonym.time", "started_at");
    let named = two.replace("period = { days = 3 }", "period = { days = 3 }, time = \"ended_at\"");
    // A time that is dropped cuts tokens all the same.
    let policy = Policy::from_toml(&named).unwrap();
    assert_eq!(policy.time_of_tokens(Table::Events, &["ended_at", "started_at"]).unwrap(), "ended_at");
    assert!(policy.time_of_tokens(Table::Events, &["started_at"]).is_err());
    // None at all.
    let none =
        text.replace("role = \"time\"\ntreatment = { truncate = \"month\" }", "role = \"other\"").replace("\norder = \"subject-time\"", "");
    check(&none, "subject.pseudonym.time", "no column of role time");
}

#[test]
fn tokens_by_period_are_of_events_and_have_no_models() {
    let split = "scope = \"session\", session_gap = 30";
    let profiles = subject(split).replace("columns = [\"age\",", "columns = [\"subject_id\", \"age\",");
    check(&profiles, "products[0].columns", "profiles");
    let text = subject(split).replace("order = \"subject-time\"", "models = [{ name = \"k-anonymity\", k = 5 }]");
    let text = text.replace("[events.columns.genre]", "[events.columns.country]\nrole = \"quasi-identifier\"\n[events.columns.genre]");
    check_unsupported(&text, "products[1].models[0]", "fix the levels");
    // The models are fine in a product without the tokens.
    let text = text.replace(
        "name = \"log\"\nkind = \"records\"",
        "name = \"log\"\nkind = \"records\"\ncolumns = [\"track_id\", \"artist_id\", \"genre\", \"country\"]",
    );
    Policy::from_toml(&text).unwrap();
}

#[test]
fn what_is_handed_over_says_how_tokens_were_made_and_nothing_else() {
    let text = subject("method = \"dense\", codebook = true");
    let normalized = Policy::from_toml(&text).unwrap().normalized().unwrap();
    assert!(normalized.contains("method = \"dense\"") && normalized.contains("codebook = true"), "{normalized}");
    // What is not set is not written, so that the text of old policies stays the same.
    let plain = Policy::from_toml(&subject("method = \"blake3\"")).unwrap().normalized().unwrap();
    for absent in ["irreversible", "codebook", "alphabet", "session_gap", "period", "format ="] {
        assert!(!plain.contains(absent), "{absent} in {plain}");
    }
}

//! Bad policies: what is said about each.

use super::{changed, check, check_unsupported};

#[test]
fn mistakes_of_form_name_their_key() {
    let cases = [
        // Unknown keys in every type list what is expected.
        ("version = 1", "version = 1\nversions = 2", "versions", "`version`"),
        ("delimiter = \";\"", "delimiters = \";\"", "input.delimiters", "`delimiter`"),
        (
            "column = \"subject_id\"",
            "column = \"subject_id\"\npseudonym = { methods = \"blake3\" }",
            "subject.pseudonym.methods",
            "`method`",
        ),
        ("column = \"subject_id\"", "columns = \"subject_id\"", "subject.columns", "`column`"),
        ("role = \"sensitive\"", "rôle = \"sensitive\"", "line 24, column 2", "TOML"),
        ("role = \"sensitive\"", "roles = \"sensitive\"", "profiles.columns.gender.roles", "`role`"),
        ("[profiles.columns.gender]", "[profiles.column.gender]", "profiles.column", "`columns`"),
        ("origin = 1900", "origins = 1900", "profiles.columns.age.hierarchy.origins", "`origin`"),
        ("max = 2 }", "maximum = 2 }", "profiles.columns.age.levels.maximum", "`max`"),
        ("truncate = \"month\"", "truncated = \"month\"", "events.columns.started_at.treatment.truncated", "`truncate`"),
        ("truncate = \"month\"", "shift = { day = 3 }", "events.columns.started_at.treatment.shift.day", "`days`"),
        ("suppression_limit = 0.05", "suppression = 0.05", "products[0].suppression", "`suppression_limit`"),
        ("k = 12 }", "k = 12, l = 3 }", "products[0].models[0].l", "`k`"),
        ("quality = { weights", "quality = { weight", "products[0].quality.weight", "`weights`"),
        ("min_subjects = 20", "subjects = 20", "products[1].item_support.subjects", "`min_subjects`"),
        ("max_risk = 0.2", "max_risks = 0.2", "gate.max_risks", "`max_risk`"),
        // Wrong types and values.
        ("version = 1", "version = \"one\"", "version", "whole number"),
        ("version = 1", "version = -1", "version", "not negative"),
        ("name = \"demo\"", "name = 2026-01-01", "name", "a string"),
        ("format = \"csv\"", "format = \"excel\"", "input.format", "`parquet`"),
        ("delimiter = \";\"", "delimiter = \";;\"", "input.delimiter", "a single character"),
        ("role = \"sensitive\"", "role = \"secret\"", "profiles.columns.gender.role", "`quasi-identifier`"),
        ("role = \"sensitive\"", "role = { name = \"item\" }", "profiles.columns.gender.role", "a string"),
        ("intervals = [5, 10, 20]", "intervals = [5, \"10\", 20]", "profiles.columns.age.hierarchy.intervals[1]", "a number"),
        ("intervals = [5, 10, 20], origin = 1900", "mask = \"right\", dates = [\"year\"]", "profiles.columns.age.hierarchy", "give one of"),
        (
            "dates = [\"month\", \"year\"]",
            "dates = [\"month\", \"century\"]",
            "profiles.columns.registered_at.hierarchy.dates[1]",
            "`decade`",
        ),
        ("treatment = { truncate = \"month\" }", "treatment = \"truncate\"", "events.columns.started_at.treatment", "`drop`"),
        ("treatment = { truncate = \"month\" }", "treatment = { }", "events.columns.started_at.treatment", "give one of"),
        (
            "treatment = { truncate = \"month\" }",
            "treatment = { truncate = \"month\", round = 3 }",
            "events.columns.started_at.treatment",
            "keep one of",
        ),
        ("treatment = { truncate = \"month\" }", "treatment = 3", "events.columns.started_at.treatment", "\"keep\""),
        (
            "treatment = { buckets = [30000, 120000] }",
            "treatment = { clamp = [1] }",
            "events.columns.ms_played.treatment.clamp",
            "list of two numbers",
        ),
        ("kind = \"records\"", "kind = \"record\"", "products[0].kind", "`fragments`"),
        ("kind = \"records\"\nsource", "source", "products[0].kind", "missing"),
        ("name = \"people\"\n", "", "products[0].name", "missing"),
        ("source = \"profiles\"", "source = \"profile\"", "products[0].source", "`profiles`"),
        ("k = 12", "k = 1", "products[0].models[0].k", "at least 2"),
        ("k = 12", "k = \"12\"", "products[0].models[0].k", "whole number"),
        ("k = 12", "k = 2.5", "products[0].models[0].k", "whole number"),
        ("k = 12", "k = -12", "products[0].models[0].k", "not negative"),
        (", k = 12", "", "products[0].models[0].k", "missing"),
        ("name = \"k-anonymity\"", "name = \"k-anonymous\"", "products[0].models[0].name", "`k-anonymity`"),
        ("name = \"k-anonymity\", ", "", "products[0].models[0].name", "missing"),
        ("suppression_limit = 0.05", "suppression_limit = 1.05", "products[0].suppression_limit", "[0, 1]"),
        ("suppression_limit = 0.05", "suppression_limit = nan", "products[0].suppression_limit", "[0, 1]"),
        ("suppression_limit = 0.05", "levels = { age = -1 }", "products[0].levels.age", "not negative"),
        ("age = 2.0", "age = \"much\"", "products[0].quality.weights.age", "a number"),
        ("max_risk = 0.2", "max_risk = 0", "gate.max_risk", "(0, 1]"),
        ("max_risk = 0.2", "confidence = 1.0", "gate.confidence", "(0, 1)"),
        ("max_risk = 0.2", "control = -0.1", "gate.control", "[0, 1]"),
        ("attacks = [\"known-items\"]", "attacks = [\"guess\"]", "gate.attacks[0]", "`known-items`"),
        ("attacks = [\"known-items\"]", "known_items = [1, -2]", "gate.known_items[1]", "not negative"),
        // Not TOML at all.
        ("version = 1", "version = ", "line 2, column 11", "TOML"),
        ("version = 1", "version = 1\nversion = 1", "line 3, column 1", "duplicate"),
    ];
    for (from, to, key, words) in cases {
        check(&changed(from, to), key, words);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn contradictions_name_their_key_and_the_remedy() {
    let cases = [
        ("version = 1", "version = 2", "version", "version = 1"),
        ("name = \"demo\"", "name = \" \"", "name", "give one"),
        ("name = \"demo\"", "name = \"de\\nmo\"", "name", "one line"),
        // Input.
        ("delimiter = \";\"", "delimiter = \"§\"", "input.delimiter", "ASCII"),
        ("delimiter = \";\"", "delimiter = '\"'", "input.delimiter", "ASCII"),
        ("delimiter = \";\"", "delimiter = \"\\n\"", "input.delimiter", "ASCII"),
        ("format = \"csv\"", "format = \"parquet\"", "input.delimiter", "only for format"),
        ("delimiter = \";\"", "columns = { a = \"x\", b = \"x\" }", "input.columns.b", "one name"),
        ("delimiter = \";\"", "profiles = { delimiter = \"é\" }", "input.profiles.delimiter", "ASCII"),
        // The subject.
        ("[subject]\ncolumn = \"subject_id\"", "", "columns.subject_id.role", "[subject]"),
        (
            "[columns.subject_id]\nrole = \"subject\"",
            "[columns.subject_id]\nrole = \"other\"",
            "columns.subject_id.role",
            "role = \"subject\"",
        ),
        ("[columns.subject_id]\nrole = \"subject\"", "[columns.other_id]\nrole = \"subject\"", "columns.other_id.role", "may only repeat"),
        (
            "[columns.subject_id]\nrole = \"subject\"",
            "[columns.subject_id]\nrole = \"subject\"\ntreatment = \"keep\"",
            "columns.subject_id.treatment",
            "subject.pseudonym",
        ),
        (
            "recipient = \"Example\"\n\n[input]\nformat = \"csv\"\ndelimiter = \";\"\n\n[subject]",
            "[subject]\npseudonym = { scope = \"recipient\" }",
            "subject.pseudonym.scope",
            "recipient",
        ),
        // Treatments and roles.
        (
            "role = \"identifier\"",
            "role = \"identifier\"\ntreatment = \"keep\"",
            "profiles.columns.email.treatment",
            "dropped or pseudonymized",
        ),
        (
            "role = \"identifier\"",
            "role = \"identifier\"\ntreatment = { round = 3 }",
            "profiles.columns.email.treatment",
            "dropped or pseudonymized",
        ),
        (
            "role = \"sensitive\"",
            "role = \"sensitive\"\ntreatment = { truncate = \"day\" }",
            "profiles.columns.gender.treatment",
            "does not fit the role sensitive",
        ),
        ("role = \"sensitive\"", "role = \"sensitive\"\ntreatment = \"relative\"", "profiles.columns.gender.treatment", "does not fit"),
        (
            "role = \"sensitive\"",
            "role = \"sensitive\"\ntreatment = { pseudonym = { } }",
            "profiles.columns.gender.treatment",
            "does not fit",
        ),
        ("{ truncate = \"month\" }", "{ round = 3 }", "events.columns.started_at.treatment", "role time"),
        ("{ truncate = \"month\" }", "{ shift = { days = 0 } }", "events.columns.started_at.treatment.shift.days", "1 to 36500"),
        (
            "[events.columns.genre]\nrole = \"item\"",
            "[events.columns.genre]\nrole = \"item\"\ntreatment = { clamp = [0, 1] }",
            "events.columns.genre.treatment",
            "item",
        ),
        ("[30000, 120000]", "[]", "events.columns.ms_played.treatment.buckets", "empty"),
        ("[30000, 120000]", "[30000, 30000]", "events.columns.ms_played.treatment.buckets[1]", "strictly"),
        ("[30000, 120000]", "[30000, inf]", "events.columns.ms_played.treatment.buckets[1]", "finite"),
        ("[30000, 120000]", "[nan, 3]", "events.columns.ms_played.treatment.buckets[0]", "finite"),
        ("{ buckets = [30000, 120000] }", "{ round = 0 }", "events.columns.ms_played.treatment.round", "positive"),
        ("{ buckets = [30000, 120000] }", "{ round = inf }", "events.columns.ms_played.treatment.round", "positive"),
        ("{ buckets = [30000, 120000] }", "{ clamp = [2, 1] }", "events.columns.ms_played.treatment.clamp", "order"),
        ("{ buckets = [30000, 120000] }", "{ clamp = [nan, 1] }", "events.columns.ms_played.treatment.clamp", "finite"),
        // Hierarchies and levels.
        ("[5, 10, 20]", "[]", "profiles.columns.age.hierarchy.intervals", "empty"),
        ("[5, 10, 20]", "[5, 12]", "profiles.columns.age.hierarchy.intervals[1]", "multiple"),
        ("[5, 10, 20]", "[5, 5]", "profiles.columns.age.hierarchy.intervals[1]", "multiple"),
        ("[5, 10, 20]", "[0]", "profiles.columns.age.hierarchy.intervals[0]", "positive"),
        ("[5, 10, 20]", "[5, inf]", "profiles.columns.age.hierarchy.intervals[1]", "finite"),
        ("origin = 1900", "origin = nan", "profiles.columns.age.hierarchy.origin", "finite"),
        ("[\"month\", \"year\"]", "[]", "profiles.columns.registered_at.hierarchy.dates", "empty"),
        ("[\"month\", \"year\"]", "[\"year\", \"month\"]", "profiles.columns.registered_at.hierarchy.dates", "finest to coarsest"),
        ("[\"month\", \"year\"]", "[\"year\", \"year\"]", "profiles.columns.registered_at.hierarchy.dates", "each once"),
        ("[\"month\", \"year\"]", "[\"week\", \"month\"]", "profiles.columns.registered_at.hierarchy.dates", "not nested"),
        ("dates = [\"month\", \"year\"]", "file = \"\"", "profiles.columns.registered_at.hierarchy.file", "empty"),
        (
            "dates = [\"month\", \"year\"]",
            "file = \"a.csv\", delimiter = \"é\"",
            "profiles.columns.registered_at.hierarchy.delimiter",
            "ASCII",
        ),
        ("min = 0, max = 2", "min = 3, max = 2", "profiles.columns.age.levels", "min at most max"),
        ("min = 0, max = 2", "max = 5", "profiles.columns.age.levels.max", "from 0 to 4"),
        ("role = \"sensitive\"", "role = \"sensitive\"\nlevels = { max = 1 }", "profiles.columns.gender.levels", "quasi-identifier"),
        (
            "role = \"identifier\"",
            "role = \"identifier\"\nhierarchy = { mask = \"left\" }",
            "profiles.columns.email.hierarchy",
            "not generalized",
        ),
        // Item hierarchies.
        (
            "role = \"sensitive\"",
            "role = \"sensitive\"\ngeneralize_to = \"age\"",
            "profiles.columns.gender.generalize_to",
            "role = \"item\"",
        ),
        ("generalize_to = \"genre\"", "generalize_to = \"label\"", "events.columns.artist_id.generalize_to", "declare label"),
        ("generalize_to = \"genre\"", "generalize_to = \"ms_played\"", "events.columns.artist_id.generalize_to", "role item"),
        ("generalize_to = \"genre\"", "generalize_to = \"track_id\"", "events.columns.artist_id.generalize_to", "circle"),
        ("generalize_to = \"genre\"", "generalize_to = \"artist_id\"", "events.columns.artist_id.generalize_to", "circle"),
        // Products.
        ("name = \"log\"", "name = \"People\"", "products[1].name", "own name"),
        ("name = \"log\"", "name = \"\"", "products[1].name", "empty"),
        ("name = \"log\"", "name = \"a/b\"", "products[1].name", "separator"),
        ("name = \"log\"", "name = 'a\\b'", "products[1].name", "separator"),
        ("name = \"log\"", "name = \"a..b\"", "products[1].name", "separator"),
        ("name = \"log\"", "name = \".log\"", "products[1].name", "dot"),
        ("name = \"log\"", "name = \"Report\"", "products[1].name", "itself"),
        ("name = \"log\"", "name = \"policy\"", "products[1].name", "itself"),
        ("name = \"log\"", "name = \"transformation\"", "products[1].name", "itself"),
        ("name = \"log\"", "name = \"a:b\"", "products[1].name", "character"),
        (
            "name = \"log\"\nkind = \"records\"",
            "name = \"log\"\nkind = \"catalogue\"\nepsilon = 1\ndelta = 1e-6\nmax_items_per_subject = 3",
            "products[1].item_support",
            "unknown key",
        ),
        ("columns = [\"age\", \"registered_at\", \"gender\"]", "columns = []", "products[0].columns", "empty"),
        (
            "columns = [\"age\", \"registered_at\", \"gender\"]",
            "columns = [\"age\", \"track_id\"]",
            "products[0].columns[1]",
            "not declared for the profiles table",
        ),
        ("columns = [\"age\", \"registered_at\", \"gender\"]", "columns = [\"age\", \"age\"]", "products[0].columns[1]", "once"),
        ("columns = [\"age\", \"registered_at\", \"gender\"]", "columns = [\"age\", \"email\"]", "products[0].columns[1]", "pseudonym"),
        (
            "columns = [\"age\", \"registered_at\", \"gender\"]",
            "columns = [\"gender\"]\nlevels = { }",
            "products[0].quality.weights.age",
            "remove it",
        ),
        ("k = 12 }", "k = 12 }, { name = \"k-anonymity\", k = 5 }", "products[0].models[1]", "twice"),
        (
            "k = 12 }",
            "k = 12 }, { name = \"t-closeness\", column = \"age\", t = 0.2, distance = \"equal\" }",
            "products[0].models[1].column",
            "role quasi-identifier",
        ),
        (
            "k = 12 }",
            "k = 12 }, { name = \"t-closeness\", column = \"email\", t = 0.2, distance = \"equal\" }",
            "products[0].models[1].column",
            "no column email",
        ),
        (
            "k = 12 }",
            "k = 12 }, { name = \"t-closeness\", column = \"gender\", t = 1.2, distance = \"equal\" }",
            "products[0].models[1].t",
            "from 0 to 1",
        ),
        ("k = 12 }", "k = 12 }, { name = \"entropy-l-diversity\", column = \"gender\", l = 0.5 }", "products[0].models[1].l", "from 1"),
        (
            "k = 12 }",
            "k = 12 }, { name = \"delta-presence\", min = 0.5, max = 0.2, population = \"p.csv\" }",
            "products[0].models[1].max",
            "not below min",
        ),
        ("k = 12 }", "k = 12 }, { name = \"average-risk\", threshold = -0.1 }", "products[0].models[1].threshold", "from 0 to 1"),
        ("models = [{ name = \"k-anonymity\", k = 12 }]", "", "products[0].models", "age, registered_at"),
        ("models = [{ name = \"k-anonymity\", k = 12 }]", "search = \"fixed\"", "products[0].levels", "needs the levels"),
        (
            "models = [{ name = \"k-anonymity\", k = 12 }]",
            "search = \"fixed\"\nlevels = { age = 1 }",
            "products[0].levels",
            "registered_at",
        ),
        (
            "models = [{ name = \"k-anonymity\", k = 12 }]",
            "search = \"fixed\"\nlevels = { age = 3, registered_at = 1 }",
            "products[0].levels.age",
            "limits",
        ),
        (
            "models = [{ name = \"k-anonymity\", k = 12 }]",
            "search = \"fixed\"\nlevels = { age = 2, registered_at = 4 }",
            "products[0].levels.registered_at",
            "from 0 to 3",
        ),
        (
            "models = [{ name = \"k-anonymity\", k = 12 }]",
            "search = \"fixed\"\nlevels = { gender = 2 }",
            "products[0].levels.gender",
            "name one of age, registered_at",
        ),
        (
            "models = [{ name = \"k-anonymity\", k = 12 }]",
            "models = [{ name = \"k-anonymity\", k = 12 }]\nlevels = { age = 1 }",
            "products[0].levels",
            "finds the levels itself",
        ),
        ("suppression_limit = 0.05", "time_limit = 3", "products[0].time_limit", "heuristic"),
        ("suppression_limit = 0.05", "search = \"heuristic\"\ntime_limit = 0", "products[0].time_limit", "positive"),
        ("suppression_limit = 0.05", "accept_risk = \" \"", "products[0].accept_risk", "reason"),
        ("suppression_limit = 0.05", "accept_risk = \"a\\nb\"", "products[0].accept_risk", "one line"),
        ("format = \"csv\"\ndelimiter = \";\"", "format = \"lfm-1b\"\nheader = true", "input.header", "only for format"),
        ("quality = { weights = { age = 2.0 } }", "quality = { gs_factor = 1.5 }", "products[0].quality.gs_factor", "from 0 to 1"),
        ("quality = { weights = { age = 2.0 } }", "quality = { gs_factor = nan }", "products[0].quality.gs_factor", "from 0 to 1"),
        ("age = 2.0", "age = -2.0", "products[0].quality.weights.age", "not negative"),
        ("age = 2.0", "age = inf", "products[0].quality.weights.age", "finite"),
        ("age = 2.0", "gender = 1", "products[0].quality.weights.gender", "quasi-identifier"),
        ("suppression_limit = 0.05", "item_support = { min_subjects = 2 }", "products[0].item_support", "no item"),
        ("min_subjects = 20", "min_subjects = 1", "products[1].item_support.min_subjects", "at least 2"),
        ("min_subjects = 20", "min_subjects = 20, item = \"ms_played\"", "products[1].item_support.item", "track_id"),
        ("generalize_to = \"genre\"", "", "products[1].item_support.item", "do not form one hierarchy"),
        ("max_events_per_subject = 2000", "max_events_per_subject = 0", "products[1].max_events_per_subject", "at least 1"),
        (
            "column = \"subject_id\"\n",
            "column = \"subject_id\"\npseudonym = { scope = \"none\" }\n",
            "products[1].order",
            "token of the person",
        ),
        ("{ truncate = \"month\" }", "\"drop\"", "products[1].order", "no time"),
        (
            "[events.columns.started_at]",
            "[events.columns.ended_at]\nrole = \"time\"\n[events.columns.started_at]",
            "products[1].order",
            "several times",
        ),
        // The gate.
        ("attacks = [\"known-items\"]", "attacks = [\"known-items\", \"known-items\"]", "gate.attacks[1]", "once"),
        ("attacks = [\"known-items\"]", "known_items = []", "gate.known_items", "empty"),
        ("attacks = [\"known-items\"]", "known_items = [0, 1]", "gate.known_items[0]", "from 1"),
        ("attacks = [\"known-items\"]", "known_items = [1, 3, 2]", "gate.known_items[2]", "sort"),
        ("attacks = [\"known-items\"]", "known_items = [2, 2]", "gate.known_items[1]", "once"),
        ("attacks = [\"known-items\"]", "trials = 0", "gate.trials", "from 1"),
        ("attacks = [\"known-items\"]", "trials = 10000001", "gate.trials", "10000000"),
        ("attacks = [\"known-items\"]", "control = 1.0", "gate.control", "below 1"),
        // Links.
        ("recipient = \"Example\"", "link_products = [\"people\", \"logs\"]", "link_products[1]", "no product logs"),
        ("recipient = \"Example\"", "link_products = [\"people\", \"people\"]", "link_products[1]", "once"),
        ("recipient = \"Example\"", "link_products = [\"people\"]", "link_products", "two or more"),
    ];
    for (from, to, key, words) in cases {
        check(&changed(from, to), key, words);
    }
}

#[test]
fn what_is_not_built_is_refused() {
    let cases = [
        (
            "role = \"identifier\"",
            "role = \"identifier\"\ntreatment = { pseudonym = { scope = \"session\", session_gap = 30 } }",
            "profiles.columns.email.treatment.pseudonym.scope",
            "session",
        ),
        (
            "role = \"identifier\"",
            "role = \"identifier\"\ntreatment = { pseudonym = { scope = \"period\", period = \"day\" } }",
            "profiles.columns.email.treatment.pseudonym.scope",
            "other than the subject",
        ),
        (
            "[events.columns.genre]\nrole = \"item\"",
            "[events.columns.genre]\nrole = \"item\"\ngeneralize_to = \"groups.csv\"",
            "events.columns.genre.generalize_to",
            "file",
        ),
        (
            "k = 12 }",
            "k = 12 }, { name = \"k-map\", k = 5, population = \"a.csv\" }, { name = \"delta-presence\", min = 0, max = 1, population = \"b.csv\" }",
            "products[0].models[2].population",
            "second population",
        ),
        ("attacks = [\"known-items\"]", "attacks = [\"known-items\", \"scoreboard\"]", "gate.attacks[1]", "scoreboard"),
        ("attacks = [\"known-items\"]", "attacks = [\"membership\"]", "gate.attacks[0]", "membership"),
        ("recipient = \"Example\"", "link_products = [\"people\", \"log\"]", "link_products", "linked"),
    ];
    for (from, to, key, words) in cases {
        check_unsupported(&changed(from, to), key, words);
    }
}

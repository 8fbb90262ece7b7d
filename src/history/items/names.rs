//! Names of items.

use hashbrown::HashMap;

/// A name by which two spellings of one thing are equal: small letters and digits of any script, without accents, punctuation and blanks; `&` is `and`. Words in parentheses stay, because a
/// live recording is another one. A name of signs only (there is a band called “!!!”) stays as it is, without blanks. Nothing is left of a blank name.
///
/// ```
/// use backmask::history::items::normalized;
/// assert_eq!(normalized("  Björk "), normalized("BJORK"));
/// assert_eq!(normalized("Simon & Garfunkel"), "simonandgarfunkel");
/// assert_ne!(normalized("Roxanne"), normalized("Roxanne (Live)"));
/// assert_eq!(normalized("!!!"), "!!!");
/// ```
#[must_use]
pub fn normalized(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for character in name.chars().flat_map(char::to_lowercase) {
        match plain(character) {
            Some(letters) => folded.push_str(letters),
            None if character.is_alphanumeric() => folded.push(character),
            None => {}
        }
    }
    if folded.is_empty() { name.chars().filter(|character| !character.is_whitespace()).collect() } else { folded }
}

/// Latin letters without their accents, and signs that are words.
fn plain(character: char) -> Option<&'static str> {
    Some(match character {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' | 'ǎ' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ð' | 'ď' | 'đ' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì' | 'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' | 'ǐ' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'ǒ' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù' | 'ú' | 'û' | 'ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'ǔ' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        '&' => "and",
        _ => return None,
    })
}

/// Counts which name each item has in the data: the one of most rows, since a code may have been written with several.
///
/// Names are given as codes of the columns that make them up; `u32::MAX` is a missing one. Of names with equally many rows the one that `earlier` puts first wins, so the order of the rows
/// does not matter.
#[derive(Debug, Clone, Default)]
pub struct NameVotes {
    rows: HashMap<(u32, Vec<u32>), u64>,
}

impl NameVotes {
    /// No rows yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a row with an item and the codes of its names.
    pub fn add(&mut self, item: u32, names: &[u32]) {
        match self.rows.get_mut(&(item, names.to_vec())) {
            Some(rows) => *rows += 1,
            None => {
                self.rows.insert((item, names.to_vec()), 1);
            }
        }
    }

    /// The key of each of `items` items: `key` makes it from the codes of a name, none if the name says nothing. Names with equal keys are counted together.
    #[must_use]
    pub fn keys(&self, items: usize, key: impl Fn(&[u32]) -> Option<String>) -> Vec<Option<String>> {
        let mut rows: HashMap<(u32, String), u64> = HashMap::new();
        for ((item, names), count) in &self.rows {
            if let Some(key) = key(names) {
                *rows.entry((*item, key)).or_default() += count;
            }
        }
        let mut best: Vec<Option<(u64, String)>> = vec![None; items];
        for ((item, key), count) in rows {
            let Some(best) = best.get_mut(item as usize) else { continue };
            let better = best.as_ref().is_none_or(|(rows, known)| count > *rows || (count == *rows && key < *known));
            if better {
                *best = Some((count, key));
            }
        }
        best.into_iter().map(|best| best.map(|(_, key)| key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_equal() {
        for (one, other) in [
            ("Sigur Rós", "sigur ros"),
            ("Beyoncé", "BEYONCE"),
            ("AC/DC", "ac dc"),
            ("Motörhead", "Motorhead"),
            ("Guns N' Roses", "Guns N Roses"),
            ("Straße", "STRASSE"),
            ("e\u{301}tude", "étude"),
            ("Kraftwerk\u{a0}", "kraftwerk"),
        ] {
            assert_eq!(normalized(one), normalized(other), "{one}");
        }
        for (one, other) in
            [("Yes", "No"), ("Song 2", "Song 3"), ("宇多田ヒカル", "椎名林檎"), ("!!!", "???"), ("Heroes", "Heroes (Remastered)")]
        {
            assert_ne!(normalized(one), normalized(other), "{one}");
        }
        assert_eq!(normalized(" \t"), "");
    }

    #[test]
    fn the_name_of_most_rows_wins_whatever_the_order() {
        let rows = [(0, [1]), (0, [2]), (0, [3]), (0, [3]), (1, [u32::MAX]), (2, [1]), (2, [2])];
        let key = |names: &[u32]| match names {
            [u32::MAX] => None,
            // Names 2 and 3 are spellings of one.
            [2 | 3] => Some("b".to_owned()),
            [name] => Some(format!("a{name}")),
            _ => None,
        };
        let mut votes = NameVotes::new();
        for (item, names) in &rows {
            votes.add(*item, names);
        }
        let mut reversed = NameVotes::new();
        for (item, names) in rows.iter().rev() {
            reversed.add(*item, names);
        }
        let expected = [Some("b".to_owned()), None, Some("a1".to_owned()), None];
        assert_eq!(votes.keys(4, key), expected);
        assert_eq!(reversed.keys(4, key), expected);
    }
}

//! From TOML text to a policy, with the key of every mistake.

use super::{Canonical, HierarchySpec, Model, Policy, Product, SameItems};
use crate::error::{Error, Result};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserializer, Expected, IntoDeserializer, Unexpected, Visitor};
use serde_path_to_error::Segment;
use std::fmt;
use std::path::Path;

impl Policy {
    /// Reads a policy from the text of a TOML file and validates it.
    ///
    /// Paths of hierarchy files stay as they are written; [`Policy::from_path`] takes them as relative to the policy file.
    ///
    /// ```
    /// use backmask::policy::Policy;
    ///
    /// let policy = Policy::from_toml(r#"
    ///     version = 1
    ///     name = "ages"
    ///     [columns.age]
    ///     role = "quasi-identifier"
    ///     hierarchy = { intervals = [5, 10, 20] }
    ///     [[products]]
    ///     name = "people"
    ///     kind = "records"
    ///     models = [{ name = "k-anonymity", k = 12 }]
    /// "#)?;
    /// assert_eq!(policy.products[0].name(), "people");
    ///
    /// let mistake = Policy::from_toml("version = 1\nname = 'ages'\nproducts = [{ name = 'p', kind = 'records', model = [] }]").unwrap_err();
    /// assert!(mistake.to_string().starts_with("policy: products[0].model: unknown key"));
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Policy`] if the text is not TOML, a key is unknown, missing or of the wrong type, or the policy contradicts itself
    /// (see [`Policy::validate`]); [`Error::Unsupported`] if it asks for something that this version does not build.
    pub fn from_toml(text: &str) -> Result<Self> {
        let policy = Self::parse(text)?;
        policy.validate()?;
        Ok(policy)
    }

    /// Reads a policy file and validates it. Relative paths in it become relative to the folder of the policy file.
    ///
    /// # Errors
    /// As [`Policy::from_toml`]; [`Error::Policy`] too if there is no such file or it is not UTF-8, and [`Error::Io`] if it cannot be read.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Error::policy(path.display().to_string(), "there is no such file", "give the path of the policy file")
            }
            std::io::ErrorKind::InvalidData => Error::policy(path.display().to_string(), "the file is not UTF-8 text", "save it as UTF-8"),
            _ => Error::io(path, error),
        })?;
        let mut policy = Self::parse(&text)?;
        policy.resolve_paths(path.parent().unwrap_or(Path::new("")))?;
        policy.validate()?;
        Ok(policy)
    }

    /// Reads a policy without validating it.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().map_err(|error| syntax_error(text, &error))?;
        serde_path_to_error::deserialize(Node(toml::Value::Table(table))).map_err(|error| {
            let path = error.path().clone();
            error.into_inner().at(&path)
        })
    }

    fn resolve_paths(&mut self, folder: &Path) -> Result<()> {
        let resolve = |key: &str, path: &mut String| {
            if let Some(joined) = folder.join(path.as_str()).to_str() {
                joined.clone_into(path);
                Ok(())
            } else {
                Err(Error::policy(key, "the folder of the policy file has a name that is not UTF-8", "move the policy file"))
            }
        };
        self.each_path(resolve)
    }

    /// Calls `change` with the key and the text of every path of a file.
    pub(super) fn each_path(&mut self, mut change: impl FnMut(&str, &mut String) -> Result<()>) -> Result<()> {
        let declared: Vec<String> =
            [&self.columns, &self.events.columns, &self.profiles.columns].into_iter().flat_map(|columns| columns.keys().cloned()).collect();
        for columns in [&mut self.columns, &mut self.events.columns, &mut self.profiles.columns] {
            for (name, column) in columns {
                if let Some(HierarchySpec::File { path, .. }) = &mut column.hierarchy {
                    change(&format!("columns.{name}.hierarchy.file"), path)?;
                }
                if let Some(target) = &mut column.generalize_to
                    && !declared.contains(target)
                    && is_file_name(target)
                {
                    change(&format!("columns.{name}.generalize_to"), target)?;
                }
            }
        }
        for (index, product) in self.products.iter_mut().enumerate() {
            let items = match product {
                Product::Cohorts(cohorts) => cohorts.items.as_mut(),
                Product::Fragments(fragments) => fragments.items.as_mut(),
                _ => None,
            };
            if let Some(SameItems { canonical: Canonical::File { path, .. }, .. }) = items {
                change(&format!("products[{index}].items.canonical.file"), path)?;
            }
            let Product::Records(records) = product else { continue };
            for model in &mut records.models {
                let (Model::KMap { population: Some(path), .. } | Model::DeltaPresence { population: path, .. }) = model else { continue };
                change(&format!("products[{index}].models.population"), path)?;
            }
        }
        Ok(())
    }
}

/// Whether a text that names a column or a file looks like a file.
pub(super) fn is_file_name(text: &str) -> bool {
    text.contains(['/', '\\']) || Path::new(text).extension().is_some()
}

fn syntax_error(text: &str, error: &toml::de::Error) -> Error {
    let key = error.span().and_then(|span| text.get(..span.start)).map_or_else(
        || "TOML".to_owned(),
        |before| {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!("line {line}, column {column}")
        },
    );
    Error::policy(key, format!("not valid TOML: {}", one_line(error.message())), "correct the syntax there")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A mistake of the policy without its place, which the caller knows.
#[derive(Debug)]
struct Mistake {
    /// The key below the place where the mistake was found, if it is a matter of one key.
    key: Option<String>,
    problem: String,
    remedy: String,
}

impl Mistake {
    fn new(problem: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        Self { key: None, problem: one_line(&problem.to_string()), remedy: one_line(&remedy.to_string()) }
    }

    fn of_key(key: &str, problem: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        Self { key: Some(key.to_owned()), ..Self::new(problem, remedy) }
    }

    /// The error for a mistake that was found at `path`.
    fn at(self, path: &serde_path_to_error::Path) -> Error {
        let mut segments: Vec<&Segment> = path.iter().collect();
        if let (Some(key), Some(Segment::Map { key: last })) = (&self.key, segments.last())
            && key == last
        {
            segments.pop();
        }
        let mut parts: Vec<String> = Vec::new();
        for segment in segments {
            match segment {
                Segment::Seq { index } => parts.push(format!("[{index}]")),
                Segment::Map { key: name } | Segment::Enum { variant: name } => push_key(&mut parts, name),
                Segment::Unknown => {}
            }
        }
        if let Some(name) = &self.key {
            push_key(&mut parts, name);
        }
        Error::policy(if parts.is_empty() { "the file".to_owned() } else { parts.concat() }, self.problem, self.remedy)
    }
}

/// Adds a key to the parts of a dotted path.
fn push_key(parts: &mut Vec<String>, key: &str) {
    let dot = if parts.is_empty() { "" } else { "." };
    parts.push(format!("{dot}{}", super::quoted_key(key)));
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

impl std::error::Error for Mistake {}

/// What `serde` calls an expected type, in words of the policy.
fn in_words(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative".to_owned(),
        "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a character" => "a single character".to_owned(),
        "a map" => "a table".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a tuple of size 2" => "a list of two numbers".to_owned(),
        _ => text.strip_prefix("struct ").map_or(text.clone(), |_| "a table".to_owned()),
    }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl de::Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        match message.split_once("; ") {
            Some((problem, remedy)) => Self::new(problem, remedy),
            None => Self::new(message, "correct the value"),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Map => "a table".to_owned(),
            Unexpected::Seq => "a list".to_owned(),
            other => other.to_string(),
        };
        Self::new(format!("{found} is of the wrong type"), format!("expected {}", in_words(expected)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("{found} is out of range"), format!("expected {}", in_words(expected)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("a list of {length} does not fit"), format!("expected {}", in_words(expected)))
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("unknown value {found:?}"), format!("expected one of {}", listed(expected)))
    }

    fn unknown_field(found: &str, expected: &'static [&'static str]) -> Self {
        let remedy = if expected.is_empty() { "remove it".to_owned() } else { format!("expected one of {}", listed(expected)) };
        Self::of_key(found, "unknown key", remedy)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of_key(field, "the key is missing", format!("add `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::of_key(field, "the key is given twice", "remove one of the two")
    }
}

/// A TOML value as a deserializer that hands out the tags of a table first (see [`super::tagged`]).
struct Node(toml::Value);

impl IntoDeserializer<'_, Mistake> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            toml::Value::String(text) => visitor.visit_string(text),
            toml::Value::Integer(number) => visitor.visit_i64(number),
            toml::Value::Float(number) => visitor.visit_f64(number),
            toml::Value::Boolean(truth) => visitor.visit_bool(truth),
            toml::Value::Datetime(_) => Err(de::Error::invalid_type(Unexpected::Other("a date"), &visitor)),
            toml::Value::Array(values) => {
                let mut sequence = SeqDeserializer::new(values.into_iter().map(Node));
                let value = visitor.visit_seq(&mut sequence)?;
                sequence.end()?;
                Ok(value)
            }
            toml::Value::Table(mut table) => {
                let tags: Vec<_> = ["kind", "name"].into_iter().filter_map(|tag| table.remove_entry(tag)).collect();
                visitor.visit_map(MapDeserializer::new(tags.into_iter().chain(table).map(|(key, value)| (key, Node(value)))))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            toml::Value::String(text) => visitor.visit_enum(IntoDeserializer::<Mistake>::into_deserializer(text)),
            other => Node(other).refuse("a string"),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

impl Node {
    /// The error for a value where `expected` should stand.
    fn refuse<T>(self, expected: &'static str) -> Result<T, Mistake> {
        struct Nothing(&'static str);
        impl Visitor<'_> for Nothing {
            type Value = std::convert::Infallible;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }
        match self.deserialize_any(Nothing(expected)) {
            Err(mistake) => Err(mistake),
            Ok(never) => match never {},
        }
    }
}

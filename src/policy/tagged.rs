//! Tables whose kind is named by one of their own keys (`kind = "records"`, `name = "k-anonymity"`).
//!
//! `serde`'s own internally tagged enums copy the table before they look at it, and then a mistake is reported for the whole table instead of
//! for the key that holds it. Here the table is handed on as it is when its tag comes first, which [`super::parse`] makes sure of. With any other
//! deserializer the tag may stand anywhere; the table is then copied, and only the place in the message is less exact.

use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, VariantAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// An enum that is written as a table with its variant's name under [`Self::TAG`].
pub(super) trait Tagged<'de>: Sized {
    /// The key with the name of the variant.
    const TAG: &'static str;
    /// What such a table is, for messages.
    const EXPECTED: &'static str;

    /// Deserializes the externally tagged form of the enum.
    fn external<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Deserializes a table of `T`.
pub(super) fn deserialize<'de, T: Tagged<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(TableVisitor(PhantomData))
}

struct TableVisitor<T>(PhantomData<T>);

impl<'de, T: Tagged<'de>> Visitor<'de> for TableVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<T, M::Error> {
        let Some(first) = map.next_key::<String>()? else { return Err(M::Error::missing_field(T::TAG)) };
        if first == T::TAG {
            return T::external(External(map));
        }
        let mut entries = vec![(first, map.next_value::<serde_json::Value>()?)];
        while let Some(entry) = map.next_entry::<String, serde_json::Value>()? {
            entries.push(entry);
        }
        let Some(place) = entries.iter().position(|(key, _)| key == T::TAG) else { return Err(M::Error::missing_field(T::TAG)) };
        entries.swap(0, place);
        let mut map = MapDeserializer::<_, serde_json::Error>::new(entries.into_iter());
        let _tag: Option<String> = map.next_key().map_err(M::Error::custom)?;
        T::external(External(map)).map_err(M::Error::custom)
    }
}

/// A table from which only the key of the tag was read, seen as an externally tagged enum.
struct External<M>(M);

impl<'de, M: MapAccess<'de>> Deserializer<'de> for External<M> {
    type Error = M::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, M::Error> {
        visitor.visit_enum(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, M: MapAccess<'de>> EnumAccess<'de> for External<M> {
    type Error = M::Error;
    type Variant = Rest<M>;

    fn variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<(S::Value, Rest<M>), M::Error> {
        Ok((self.0.next_value_seed(seed)?, Rest(self.0)))
    }
}

/// What remains of the table after its tag.
struct Rest<M>(M);

impl<'de, M: MapAccess<'de>> VariantAccess<'de> for Rest<M> {
    type Error = M::Error;

    fn unit_variant(self) -> Result<(), M::Error> {
        Err(M::Error::custom("a variant without keys cannot be tagged"))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, M::Error> {
        seed.deserialize(MapAccessDeserializer::new(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, _visitor: V) -> Result<V::Value, M::Error> {
        Err(M::Error::custom("a variant without keys cannot be tagged"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _fields: &'static [&'static str], visitor: V) -> Result<V::Value, M::Error> {
        visitor.visit_map(self.0)
    }
}

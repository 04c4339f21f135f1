//! Every required field that a body leaves out, rather than the first.
//!
//! What serde derives stops at the first field that is missing. So the body is read again with that field filled in, until
//! nothing is missing any more; what then came of it is thrown away, and all that had to be filled in is told.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, IntoDeserializer, MapAccess, Visitor},
    forward_to_deserialize_any,
};
use serde_path_to_error::Error;

/// Why a body could not be read.
pub(super) enum Unread<E> {
    /// These fields are not in it.
    Missing(Vec<String>),
    /// Something that is in it is wrong.
    Wrong(Error<E>),
}

/// Reads a body by `attempt`, which reads it from its beginning, with these fields [filled in](Filled).
pub(super) fn read<T, E: fmt::Display>(attempt: impl Fn(&[String]) -> Result<T, Error<E>>) -> Result<T, Unread<E>> {
    let mut missing: Vec<String> = Vec::new();
    loop {
        match attempt(&missing) {
            Ok(value) if missing.is_empty() => return Ok(value),
            Ok(_) => return Err(Unread::Missing(missing)),
            Err(error) => match missing_field(&error) {
                Some(field) if !missing.contains(&field) => missing.push(field),
                _ if missing.is_empty() => return Err(Unread::Wrong(error)),
                _ => return Err(Unread::Missing(missing)),
            },
        }
    }
}

/// The path cannot name it, since a field that is missing is the fault of the object around it; serde's text does.
fn missing_field<E: fmt::Display>(error: &Error<E>) -> Option<String> {
    let text = error.inner().to_string();
    super::between_ticks(&text, "missing field `").map(str::to_owned)
}

/// A body with some fields filled in.
pub(super) struct Filled<'a, D> {
    pub(super) body: D,
    pub(super) fields: &'a [String],
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Filled<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.body.deserialize_map(FilledVisitor {
            visitor,
            fields: self.fields,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct FilledVisitor<'a, V> {
    visitor: V,
    fields: &'a [String],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for FilledVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(formatter)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(FilledMap {
            members,
            fields: self.fields,
            is_filled: false,
        })
    }
}

/// The members of the body, and after them the fields that are filled in.
struct FilledMap<'a, A> {
    members: A,
    fields: &'a [String],
    is_filled: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for FilledMap<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        if self.is_filled {
            return self.next_filled(seed);
        }
        // The seed can be used once: whether there is another member is asked by a key that is kept as it is.
        if let Some(key) = self.members.next_key::<String>()? {
            return seed.deserialize(key.into_deserializer()).map(Some);
        }
        self.is_filled = true;
        self.next_filled(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        if self.is_filled {
            seed.deserialize(Anything(PhantomData))
        } else {
            self.members.next_value_seed(seed)
        }
    }
}

impl<'de, A: MapAccess<'de>> FilledMap<'_, A> {
    fn next_filled<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some((field, rest)) = self.fields.split_first() else {
            return Ok(None);
        };
        self.fields = rest;
        seed.deserialize(field.as_str().into_deserializer()).map(Some)
    }
}

/// A value of whatever type a field has, as far as bodies have them: a text, or a truth.
struct Anything<E>(PhantomData<E>);

impl<'de, E: de::Error> Deserializer<'de> for Anything<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_str("")
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_bool(false)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

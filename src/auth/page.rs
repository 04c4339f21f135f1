//! Lists are read a page at a time.

use std::str::FromStr;

use super::{FieldError, FieldErrors};

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// What to ask for to get the next page; none on the last.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Nothing, and no more to come.
    pub(crate) const fn empty() -> Self {
        Self {
            items: Vec::new(),
            next_cursor: None,
        }
    }
}

/// Which page of a list is wanted, as it was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageRequest<'a> {
    /// How many items at most.
    pub(crate) limit: Option<u32>,
    /// Where the last page ended.
    pub(crate) cursor: Option<&'a str>,
}

impl PageRequest<'_> {
    /// How much to show and after which item; a cursor is the id of the last one seen.
    pub(crate) fn parse<Id: FromStr>(self, errors: &mut FieldErrors) -> Option<(PageSize, Option<Id>)> {
        let size = errors.take(PageSize::parse(self.limit));
        let cursor = errors.take(self.cursor.map(parse_cursor).transpose());
        size.zip(cursor)
    }
}

fn parse_cursor<Id: FromStr>(text: &str) -> Result<Id, FieldError> {
    text.parse()
        .map_err(|_| FieldError::new("cursor", "invalid_cursor", "This cursor is not one of ours."))
}

/// How much of a list to show: one more than this is read, to know whether there is a next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageSize(u32);

impl PageSize {
    const DEFAULT: u32 = 50;
    const MAX: u32 = 200;

    fn parse(limit: Option<u32>) -> Result<Self, FieldError> {
        match limit.unwrap_or(Self::DEFAULT) {
            size @ 1..=Self::MAX => Ok(Self(size)),
            _ => Err(FieldError::new(
                "limit",
                "invalid_limit",
                format!("A limit is between 1 and {}.", Self::MAX),
            )),
        }
    }

    /// How many rows to ask the store for.
    pub(crate) fn rows(self) -> i64 {
        i64::from(self.0) + 1
    }

    /// Cuts `rows` to a page; `cursor_of` names the last one shown.
    pub(crate) fn cut<R, T>(self, mut rows: Vec<R>, cursor_of: impl Fn(&R) -> String) -> Page<T>
    where
        T: From<R>,
    {
        let size = usize::try_from(self.0).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        let next_cursor = rows.last().filter(|_| more).map(cursor_of);
        Page {
            items: rows.into_iter().map(T::from).collect(),
            next_cursor,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{clock::Timestamp, id::EventId};

    fn parsed(limit: Option<u32>, cursor: Option<&str>) -> Option<(PageSize, Option<EventId>)> {
        let mut errors = FieldErrors::default();
        PageRequest { limit, cursor }.parse(&mut errors)
    }

    proptest! {
        #[test]
        fn a_cursor_is_an_id_and_nothing_else_is_one(text in prop_oneof![".{0,40}", "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{11,13}"]) {
            let expected = uuid::Uuid::try_parse(&text).ok().map(EventId::from);
            prop_assert_eq!(parsed(None, Some(&text)).map(|(_, after)| after), expected.map(Some));
        }

        #[test]
        fn the_cursor_of_a_page_leads_on_from_its_last_item(rows in prop::collection::vec(any::<u128>(), 0..210), limit in 0..300_u32) {
            let Some((size, None)) = parsed(Some(limit), None) else {
                prop_assert!(!(1..=200).contains(&limit));
                return Ok(());
            };
            let shown = rows.iter().copied().take(usize::try_from(size.rows()).unwrap()).collect();
            let cursor_of = |row: &u128| EventId::from(uuid::Uuid::from_u128(*row)).to_string();
            let page: Page<u128> = size.cut(shown, cursor_of);
            prop_assert!(rows.starts_with(&page.items) && page.items.len() <= limit as usize);
            prop_assert_eq!(page.next_cursor.is_some(), rows.len() > limit as usize);
            if let Some(cursor) = &page.next_cursor {
                let last = page.items.last().map(|row| EventId::from(uuid::Uuid::from_u128(*row)));
                prop_assert_eq!(parsed(None, Some(cursor)).unwrap().1, last);
            }
        }

        #[test]
        fn a_new_id_is_read_back(seconds in 0..4_000_000_000_i64) {
            let id = EventId::new(Timestamp::from_unix_seconds(seconds));
            prop_assert_eq!(parsed(None, Some(&id.to_string())).unwrap().1, Some(id));
        }
    }
}

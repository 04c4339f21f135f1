//! What a forger makes of something that is good: texts that differ from it in a place or two.

use proptest::{prelude::*, sample::Index};

/// One change to a text.
#[derive(Clone, Debug)]
enum Edit {
    Put(Index, char),
    Insert(Index, char),
    Remove(Index),
    Swap(Index, Index),
    CutAfter(Index),
    Repeat(Index),
}

/// Changes to a text, to be made one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Edits(Vec<Edit>);

impl Edits {
    /// What they make of `text`. That may be the same again.
    pub(crate) fn of(&self, text: &str) -> String {
        let mut characters: Vec<char> = text.chars().collect();
        for edit in &self.0 {
            edit.make(&mut characters);
        }
        characters.into_iter().collect()
    }
}

impl Edit {
    fn make(&self, text: &mut Vec<char>) {
        if let Self::Insert(at, with) = self {
            text.insert(at.index(text.len() + 1), *with);
            return;
        }
        let length = text.len();
        if length == 0 {
            return;
        }
        match self {
            Self::Put(at, with) => text[at.index(length)] = *with,
            Self::Insert(..) => {}
            Self::Remove(at) => drop(text.remove(at.index(length))),
            Self::Swap(one, other) => text.swap(one.index(length), other.index(length)),
            Self::CutAfter(at) => text.truncate(at.index(length)),
            Self::Repeat(from) => text.extend_from_within(from.index(length)..),
        }
    }
}

/// One to three changes; mostly with characters of the kind that tokens have.
pub(crate) fn edits() -> impl Strategy<Value = Edits> {
    let with = || prop_oneof![4 => "[A-Za-z0-9_-]", 1 => "[.=+/ ~\"]", 1 => any::<char>().prop_map(String::from)];
    let with = move || with().prop_filter_map("a character", |text| text.chars().next());
    let edit = prop_oneof![
        (any::<Index>(), with()).prop_map(|(at, with)| Edit::Put(at, with)),
        (any::<Index>(), with()).prop_map(|(at, with)| Edit::Insert(at, with)),
        any::<Index>().prop_map(Edit::Remove),
        any::<(Index, Index)>().prop_map(|(one, other)| Edit::Swap(one, other)),
        any::<Index>().prop_map(Edit::CutAfter),
        any::<Index>().prop_map(Edit::Repeat),
    ];
    prop::collection::vec(edit, 1..4).prop_map(Edits)
}

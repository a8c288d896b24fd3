//! How the letters of a literal are compared with those of a text. Unaware of places.

use crate::query::{Fold, Reading};

use super::fold::{Eye, Letter};

/// Whether marks that are typed must be there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Marks {
    Asked,
    /// The post has none at all, and its author may have left them out.
    Lacking,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Compare {
    pub reading: Reading,
    pub marks: Marks,
}

impl Compare {
    /// Whether a letter as it is typed finds one of a text.
    pub fn finds(self, typed: &Letter, found: &Letter) -> bool {
        typed.base == found.base
            && match self.reading.fold {
                Fold::Typed => !typed.is_marked() || typed.marks == found.marks || self.marks == Marks::Lacking,
                Fold::Strict => typed.marks == found.marks,
                Fold::All => true,
            }
            && (!self.reading.parts_i() || self.eye(typed) == self.eye(found))
    }

    fn eye(self, letter: &Letter) -> Option<Eye> {
        match (letter.eye, self.reading.turkish) {
            (Some(Eye::Capital), true) => Some(Eye::Dotless),
            (Some(Eye::Dotted), true) | (Some(Eye::Capital), false) => Some(Eye::Small),
            (eye, _) => eye,
        }
    }
}

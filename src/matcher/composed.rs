//! A text with its letters and marks composed (NFC), and the way between its bytes and those of the original.
//! Unaware of literals.

use std::iter::once;

use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The composed form of a text that is not composed already.
#[derive(Debug)]
pub(super) struct Composed {
    pub text: String,
    /// Where each part that is composed by itself begins: in the original, and here. In order, with the ends of both.
    parts: Vec<(u32, u32)>,
}

impl Composed {
    /// Nothing if `text` is composed already.
    pub fn of(text: &str) -> Option<Self> {
        if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
            return None;
        }
        let mut composed = Self { text: String::with_capacity(text.len()), parts: Vec::new() };
        let mut starts: Vec<usize> = text.char_indices().filter(|(_, next)| begins(*next)).map(|(at, _)| at).collect();
        if starts.first() != Some(&0) {
            starts.insert(0, 0);
        }
        starts.push(text.len());
        for part in starts.windows(2) {
            composed.parts.push((part[0] as u32, composed.text.len() as u32));
            composed.text.extend(text[part[0]..part[1]].nfc());
        }
        composed.parts.push((text.len() as u32, composed.text.len() as u32));
        Some(composed)
    }

    /// The byte here of a byte of the original at which a part begins.
    pub fn at_original(&self, byte: usize) -> Option<usize> {
        let at = self.parts.binary_search_by_key(&byte, |(original, _)| *original as usize).ok()?;
        Some(self.parts[at].1 as usize)
    }

    /// The byte of the original of a byte here at which a part begins.
    pub fn to_original(&self, byte: usize) -> Option<usize> {
        let at = self.parts.binary_search_by_key(&byte, |(_, composed)| *composed as usize).ok()?;
        Some(self.parts[at].0 as usize)
    }
}

/// Whether a character never joins the one before it.
pub(super) fn begins(character: char) -> bool {
    character.is_ascii()
        || canonical_combining_class(character) == 0 && is_nfc_quick(once(character)) != IsNormalized::Maybe
}

/// Whether no character before a byte of a text joins with one after it.
pub(super) fn parts(text: &str, byte: usize) -> bool {
    text[byte..].chars().next().is_none_or(|next| byte == 0 || begins(next))
}

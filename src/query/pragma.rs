//! What a query says of itself at its head: how marks are compared, in which languages and time zone it is read.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::model::Lang;

use super::{Inflect, LiteralKind};

/// The pragmas of a query, or their defaults.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pragmas {
    /// `@lang:cs,sk`: whose forms bare words have, in place of the project's languages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub langs: Vec<Lang>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub morph: Option<Morph>,
    #[serde(default, skip_serializing_if = "Fold::is_default")]
    pub fold: Fold,
    /// `@tz:Europe/Prague`, in place of the project's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// `@strict:on`: AND and OR side by side are an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

impl Pragmas {
    pub fn are_default(&self) -> bool {
        *self == Self::default()
    }

    /// How the literals of one kind are compared.
    pub fn reading_of(&self, kind: LiteralKind) -> Reading {
        let turkish = self.langs.contains(&Lang::Tr);
        match kind {
            LiteralKind::Exact | LiteralKind::Symbol => Reading::default(),
            LiteralKind::Raw | LiteralKind::Fuzzy(_) => Reading { fold: Fold::All, turkish, capital: false },
            _ => Reading { fold: self.fold, turkish, capital: false },
        }
    }

    /// Whether bare words have forms, and how these are asked for.
    pub fn inflects(&self) -> Inflect {
        if self.morph == Some(Morph::Off) { Inflect::Never } else { Inflect::Asked }
    }
}

/// Which bare words have forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Morph {
    Off,
    /// A word is declined as a name.
    Names,
    /// As a name and as any other word.
    Full,
}

/// What of marks is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// A mark that is typed must be there; one that is not typed may be.
    #[default]
    Typed,
    /// Marks must be as typed; `I`, `ı` and `İ` are told apart.
    Strict,
    /// Marks are not compared.
    All,
}

impl Fold {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How the letters of one literal are compared with those of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Reading {
    #[serde(default, skip_serializing_if = "Fold::is_default")]
    pub fold: Fold,
    /// `I` is the capital of `ı`, and `İ` that of `i`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub turkish: bool,
    /// The word must begin with a capital: so for a form that in lower case is an ordinary word.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub capital: bool,
}

impl Reading {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the four i of Turkish are not all the same.
    pub fn parts_i(self) -> bool {
        self.turkish || self.fold == Fold::Strict
    }
}

/// A time zone by its IANA name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    pub fn named(name: &str) -> Option<Self> {
        let zone = TimeZone::get(name).ok()?;
        zone.iana_name().is_some().then_some(Self(zone))
    }

    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    pub fn zone(&self) -> &TimeZone {
        &self.0
    }
}

impl Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| serde::de::Error::custom(format!("no time zone is called `{name}`")))
    }
}

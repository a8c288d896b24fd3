//! Yes, no, and what is not known. Unaware of what is asked.

use serde::Serialize;

/// Whether something holds, as far as is known: the logic of Kleene. In this order AND is the least and OR the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    No,
    Unknown,
    Yes,
}

impl Truth {
    /// Of an answer that may be missing.
    pub fn known(answer: Option<bool>) -> Self {
        answer.map_or(Self::Unknown, Self::from)
    }

    pub fn is_yes(self) -> bool {
        self == Self::Yes
    }

    /// That all hold; the rest is not asked once one does not.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::Yes;
        for part in parts {
            all = all.min(part);
            if all == Self::No {
                break;
            }
        }
        all
    }

    /// That one holds; the rest is not asked once one does.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut any = Self::No;
        for part in parts {
            any = any.max(part);
            if any == Self::Yes {
                break;
            }
        }
        any
    }

    /// That at least so many hold.
    pub fn at_least(least: u32, parts: impl IntoIterator<Item = Self>) -> Self {
        let (mut yes, mut unknown) = (0_u32, 0_u32);
        for part in parts {
            yes += u32::from(part == Self::Yes);
            unknown += u32::from(part == Self::Unknown);
        }
        match yes {
            _ if yes >= least => Self::Yes,
            _ if yes + unknown >= least => Self::Unknown,
            _ => Self::No,
        }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

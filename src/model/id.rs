//! Deterministic ids: a prefix and 26 characters of lower-case Crockford base32 over 16 bytes of BLAKE3.
//! The same post has the same id on every machine, over crashes, replays and restores.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;

/// Sixteen bytes of BLAKE3 over a domain and length-prefixed fields, so that no two lists of fields share an input.
fn hash16(domain: &str, fields: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for field in std::iter::once(domain.as_bytes()).chain(fields.iter().copied()) {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

fn encode(prefix: &str, bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(prefix.len() + DIGITS);
    text.push_str(prefix);
    let number = u128::from_be_bytes(*bytes);
    for digit in (0..DIGITS).rev() {
        let value = (number >> (digit * 5)) & 31;
        text.push(ALPHABET[value as usize] as char);
    }
    text
}

fn decode(prefix: &'static str, text: &str) -> Result<[u8; 16], IdError> {
    let digits = text.strip_prefix(prefix).ok_or(IdError::Prefix { expected: prefix })?;
    if digits.len() != DIGITS {
        return Err(IdError::Length);
    }
    let mut number: u128 = 0;
    for (at, byte) in digits.bytes().enumerate() {
        let value = ALPHABET.iter().position(|&letter| letter == byte).ok_or(IdError::Digit)? as u128;
        if at == 0 && value > 7 {
            return Err(IdError::Digit);
        }
        number = (number << 5) | value;
    }
    Ok(number.to_be_bytes())
}

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("an id of this kind starts with `{expected}`")]
    Prefix { expected: &'static str },
    #[error("an id has 26 characters after its prefix")]
    Length,
    #[error("an id holds only the digits and letters of lower-case Crockford base32")]
    Digit,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name([u8; 16]);

        impl $name {
            /// What every id of this kind starts with.
            pub const PREFIX: &'static str = $prefix;

            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode($prefix, &self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                decode($prefix, text).map(Self)
            }
        }
    };
}

id!(
    /// A post, and the mention of it: one id for both. Of (network, native id); the configured source's name never enters.
    PostId, "m1_"
);
id!(
    /// A thread: of (network, native id of its root).
    ThreadId, "t1_"
);
id!(
    /// An author on one network. Never shared across networks.
    AuthorId, "a1_"
);
id!(
    /// Mentions with the same normalised text within a day.
    ClusterId, "c1_"
);
id!(
    /// One event for one endpoint: constant over retries, restarts and replays, and always with the same body.
    DeliveryId, "dlv_"
);

impl PostId {
    pub fn of(network: &str, native_id: &str) -> Self {
        Self(hash16("post", &[network.as_bytes(), native_id.as_bytes()]))
    }
}

impl ThreadId {
    pub fn of(network: &str, root_native_id: &str) -> Self {
        Self(hash16("thread", &[network.as_bytes(), root_native_id.as_bytes()]))
    }
}

impl AuthorId {
    pub fn of(network: &str, native_id: &str) -> Self {
        Self(hash16("author", &[network.as_bytes(), native_id.as_bytes()]))
    }
}

impl ClusterId {
    /// Of a text that the caller has normalised.
    pub fn of(normalised: &str) -> Self {
        Self(hash16("cluster", &[normalised.as_bytes()]))
    }
}

impl DeliveryId {
    /// `content` is whatever else decides the body: matches, text, times.
    pub fn of(endpoint: &str, mention: PostId, revision: u32, event: &str, content: &[u8]) -> Self {
        Self(hash16(
            "delivery",
            &[endpoint.as_bytes(), mention.as_bytes(), &revision.to_be_bytes(), event.as_bytes(), content],
        ))
    }

    /// An event about no mention (a gap, a test): `key` names the occurrence.
    pub fn of_notice(endpoint: &str, event: &str, key: &str) -> Self {
        Self(hash16("notice", &[endpoint.as_bytes(), event.as_bytes(), key.as_bytes()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_golden() {
        assert_eq!(
            PostId::of("bluesky", "at://did:plc:a/app.bsky.feed.post/1").to_string(),
            "m1_2jgry2b6dwvscs5zqwr5563zxv"
        );
        assert_eq!(
            ThreadId::of("bluesky", "at://did:plc:a/app.bsky.feed.post/1").to_string(),
            "t1_7vmwexq26s058ze4t12wdzvq7z"
        );
        assert_eq!(AuthorId::of("bluesky", "did:plc:a").to_string(), "a1_0r90qcedxjcawaskjvsghbpf07");
        let mention = PostId::of("web", "x");
        assert_eq!(
            DeliveryId::of("care", mention, 1, "mention.matched", b"body").to_string(),
            "dlv_38vb51qcasxt704eftjsescnda"
        );
    }

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = PostId::of("web", "https://example.com/1");
        assert_eq!(id.to_string().parse::<PostId>(), Ok(id));
        assert!(id.to_string().len() <= 30);
    }

    #[test]
    fn a_text_that_is_no_id_says_why() {
        assert_eq!("t1_0".parse::<PostId>(), Err(IdError::Prefix { expected: "m1_" }));
        assert_eq!("m1_0".parse::<PostId>(), Err(IdError::Length));
        assert_eq!("m1_u0000000000000000000000000".parse::<PostId>(), Err(IdError::Digit));
        assert_eq!("m1_z0000000000000000000000000".parse::<PostId>(), Err(IdError::Digit));
    }

    #[test]
    fn fields_are_separated_by_their_lengths() {
        assert_ne!(PostId::of("ab", "c"), PostId::of("a", "bc"));
        assert_ne!(PostId::of("a", "b").as_bytes(), ThreadId::of("a", "b").as_bytes());
    }
}

//! Bearer tokens: kept as SHA-256, compared in constant time.

use std::path::Path;

use axum::http::{HeaderMap, header};
use rand::RngExt;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Letters and digits of a token; 32 of 62 are 190 bits.
const TOKEN_CHARS: usize = 32;
const TOKEN_CHARS_MIN: usize = 16;
const TOKEN_PREFIX: &str = "eft_";

/// A token that requests may carry, by its hash.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// Reads a token file. The error names the file and what to do.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|cause| {
            format!("the token file {} cannot be read: {cause}; it holds one line of {TOKEN_CHARS_MIN} or more letters, digits and signs", path.display())
        })?;
        let token = text.trim();
        if token.len() < TOKEN_CHARS_MIN {
            return Err(format!("the token in {} is shorter than {TOKEN_CHARS_MIN} characters", path.display()));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let path = path.display();
            return Err(format!("the token in {path} holds more than ASCII letters, digits and signs on one line"));
        }
        Ok(Self(Sha256::digest(token.as_bytes()).into()))
    }

    /// Whether a request carries this token.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(given) = bearer(headers) else { return false };
        let given: [u8; 32] = Sha256::digest(given.as_bytes()).into();
        given.ct_eq(&self.0).into()
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A new token.
pub fn new_token() -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rng = rand::rng();
    let drawn = (0..TOKEN_CHARS).map(|_| LETTERS[rng.random_range(0..LETTERS.len())] as char);
    TOKEN_PREFIX.chars().chain(drawn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_token_is_admitted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let text = new_token();
        std::fs::write(&path, format!("{text}\n")).unwrap();
        let token = Token::read(&path).unwrap();
        let headers = |value: &str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        assert!(token.admits(&headers(&format!("Bearer {text}"))));
        assert!(token.admits(&headers(&format!("bearer {text}"))));
        for wrong in ["Bearer ", "Bearer x", &format!("Basic {text}"), &format!("Bearer {text}x"), &text] {
            assert!(!token.admits(&headers(wrong)), "{wrong}");
        }
        assert!(!token.admits(&HeaderMap::new()));
    }

    #[test]
    fn a_short_or_missing_token_file_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert!(Token::read(&path).err().unwrap().contains("one line of 16"));
        std::fs::write(&path, "short").unwrap();
        assert!(Token::read(&path).err().unwrap().contains("shorter"));
    }
}

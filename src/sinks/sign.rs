//! Standard Webhooks signatures: the secrets of an endpoint, signing with all of them, verifying with any of them.
//! Unaware of HTTP.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tracing::warn;

use crate::model::Timestamp;

/// How far the clocks of sender and receiver may be apart, either way.
pub const SKEW_MAX: Duration = Duration::from_mins(5);
/// Signatures of one request that are looked at.
const SIGNATURES_MAX: usize = 16;
const PREFIX: &str = "whsec_";
const SECRET_BYTES_MIN: usize = 24;
const SECRET_BYTES_MAX: usize = 64;
/// A secret as text, with room for blanks around it.
const SECRET_FILE_BYTES_MAX: u64 = 1024;

/// What an endpoint and its receiver share. Shown only by [`Secret::reveal`].
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a text is not a secret. The text is never part of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("a secret starts with whsec_")]
    Prefix,
    #[error("what follows whsec_ is not base64")]
    Base64,
    #[error("a secret is base64 of 24 to 64 bytes, this is {0}")]
    Length(usize),
}

/// What a signature is made of.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    pub id: &'a str,
    /// Seconds since 1970.
    pub timestamp: i64,
    pub body: &'a [u8],
}

/// Why a request is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    #[error("the timestamp is more than five minutes off")]
    Skew,
    #[error("no signature fits any secret")]
    Signature,
}

impl Secret {
    /// Reads `whsec_` and base64 of 24 to 64 bytes, with or without padding.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let digits = text.strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
        let padded = format!("{digits:=<0$}", digits.len().next_multiple_of(4));
        let bytes = STANDARD.decode(padded).map_err(|_| SecretError::Base64)?;
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
            return Err(SecretError::Length(bytes.len()));
        }
        Ok(Self(bytes))
    }

    pub fn random() -> Self {
        Self(rand::random::<[u8; 32]>().to_vec())
    }

    /// The text to give to the receiver: `whsec_` and base64.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// Reads one secret from a file; blanks around it do not count. The error says what to do.
    pub fn read(file: &Path) -> Result<Self, String> {
        let advice = "write the endpoint's secret into it: whsec_ and base64 of 24 to 64 bytes";
        let fail = |cause: &dyn fmt::Display| format!("secret file {}: {cause}; {advice}", file.display());
        let mut text = String::new();
        let mut opened = File::open(file).map_err(|error| fail(&error))?;
        warn_if_readable_by_others(file, &opened);
        (&mut opened).take(SECRET_FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| fail(&error))?;
        Self::parse(text.trim()).map_err(|error| fail(&error))
    }

    /// Reads the secrets of one endpoint, in the order in which they sign.
    pub fn read_all(files: &[PathBuf]) -> Result<Vec<Self>, String> {
        files.iter().map(|file| Self::read(file)).collect()
    }

    fn mac(&self, signed: &Signed<'_>) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(format!("{}.{}.", signed.id, signed.timestamp).as_bytes());
        mac.update(signed.body);
        mac.finalize().into_bytes().into()
    }
}

/// The value of `webhook-signature`: one signature for each secret.
pub fn sign(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signed = Signed { id, timestamp, body };
    let signatures: Vec<String> =
        secrets.iter().map(|secret| format!("v1,{}", STANDARD.encode(secret.mac(&signed)))).collect();
    signatures.join(" ")
}

/// Whether any of the signatures was made with any of the secrets, about now. Takes the same time wherever they differ.
pub fn verify(secrets: &[Secret], signed: &Signed<'_>, signatures: &str, now: Timestamp) -> Result<(), Unverified> {
    if now.seconds().abs_diff(signed.timestamp) > SKEW_MAX.as_secs() {
        return Err(Unverified::Skew);
    }
    let given: Vec<Vec<u8>> = signatures
        .split(' ')
        .take(SIGNATURES_MAX)
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .collect();
    for secret in secrets {
        let mac = secret.mac(signed);
        if given.iter().any(|given| bool::from(given.as_slice().ct_eq(&mac))) {
            return Ok(());
        }
    }
    Err(Unverified::Signature)
}

#[cfg(unix)]
fn warn_if_readable_by_others(file: &Path, opened: &File) {
    use std::os::unix::fs::PermissionsExt;

    let Ok(meta) = opened.metadata() else { return };
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        warn!(file = %file.display(), mode = format!("{mode:o}"), "a secret is open to everybody; chmod 600 it");
    }
}

#[cfg(not(unix))]
fn warn_if_readable_by_others(_file: &Path, _opened: &File) {}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NOW: i64 = 1_614_265_330;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn the_signature_of_the_specification_comes_out() {
        let secret = Secret::parse(KNOWN).unwrap();
        let signature = sign(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", NOW, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_rotates_both_sign_and_either_verifies() {
        let (old, new, other) = (Secret::random(), Secret::random(), Secret::random());
        let signed = Signed { id: "dlv_1", timestamp: NOW, body: b"{}" };
        let signatures = sign(&[new.clone(), old.clone()], signed.id, signed.timestamp, signed.body);
        assert_eq!(signatures.split(' ').count(), 2);
        for secret in [old, new] {
            assert_eq!(verify(&[secret], &signed, &signatures, at(NOW)), Ok(()));
        }
        assert_eq!(verify(&[other], &signed, &signatures, at(NOW)), Err(Unverified::Signature));
    }

    #[test]
    fn another_id_time_or_body_is_refused_and_so_is_an_old_request() {
        let secrets = [Secret::random()];
        let signed = Signed { id: "dlv_1", timestamp: NOW, body: b"{}" };
        let signatures = sign(&secrets, signed.id, signed.timestamp, signed.body);
        for changed in
            [Signed { id: "dlv_2", ..signed }, Signed { timestamp: NOW + 1, ..signed }, Signed { body: b"", ..signed }]
        {
            assert_eq!(verify(&secrets, &changed, &signatures, at(NOW)), Err(Unverified::Signature));
        }
        for now in [NOW - 300, NOW + 300] {
            assert_eq!(verify(&secrets, &signed, &signatures, at(now)), Ok(()));
        }
        for now in [NOW - 301, NOW + 301] {
            assert_eq!(verify(&secrets, &signed, &signatures, at(now)), Err(Unverified::Skew));
        }
    }

    #[test]
    fn a_secret_is_refused_with_the_reason_and_never_shown() {
        assert_eq!(Secret::parse("MfKQ").unwrap_err(), SecretError::Prefix);
        assert_eq!(Secret::parse("whsec_M!KQ").unwrap_err(), SecretError::Base64);
        assert_eq!(Secret::parse("whsec_MfKQ").unwrap_err(), SecretError::Length(3));
        let secret = Secret::random();
        assert_eq!(Secret::parse(&secret.reveal()).unwrap().reveal(), secret.reveal());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn a_secret_file_may_end_in_a_newline_and_a_missing_one_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, format!("{KNOWN}\n")).unwrap();
        assert_eq!(Secret::read(&file).unwrap().reveal(), KNOWN);
        let error = Secret::read(&directory.path().join("absent")).unwrap_err();
        assert!(error.contains("absent") && error.contains("whsec_"), "{error}");
    }
}

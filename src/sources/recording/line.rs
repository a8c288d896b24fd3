//! One line of a recording. Unaware of files.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::Wire;

/// A body within the longest arrival of any wire, and what quoting makes of it.
pub(super) const LINE_BYTES_MAX: usize = 64 << 20;

/// A line that was read.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) at_ms: u64,
    pub(super) wire: Wire,
    pub(super) body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    at_ms: u64,
    wire: Wire,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    body_base64: Option<Cow<'a, str>>,
}

impl Line {
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let Written { at_ms, wire, body, body_base64 } =
            serde_json::from_slice(text).map_err(|cause| cause.to_string())?;
        let body = match (body, body_base64) {
            (Some(Value::String(text)), None) => text.into_bytes(),
            (Some(object @ Value::Object(_)), None) => object.to_string().into_bytes(),
            (None, Some(text)) => STANDARD.decode(text.as_bytes()).map_err(|cause| format!("body_base64: {cause}"))?,
            _ => return Err("a line has `body`, an object or a string, or else `body_base64`".to_owned()),
        };
        Ok(Self { at_ms, wire, body })
    }

    /// The line with its end. The body reads back byte for byte.
    pub(super) fn write(at_ms: u64, wire: Wire, body: &[u8]) -> Vec<u8> {
        let name = wire.name();
        let mut line = format!(r#"{{"at_ms":{at_ms},"wire":"{name}","#).into_bytes();
        match std::str::from_utf8(body) {
            Ok(text) if is_compact_object(text) => {
                line.extend_from_slice(br#""body":"#);
                line.extend_from_slice(body);
            }
            Ok(text) => {
                line.extend_from_slice(br#""body":"#);
                line.extend_from_slice(Value::from(text).to_string().as_bytes());
            }
            Err(_) => {
                line.extend_from_slice(br#""body_base64":""#);
                line.extend_from_slice(STANDARD.encode(body).as_bytes());
                line.push(b'"');
            }
        }
        line.extend_from_slice(b"}\n");
        line
    }
}

/// Whether parsing and writing an object gives the same text, so that it can stand in the line as it is.
fn is_compact_object(text: &str) -> bool {
    let object = text.starts_with('{').then(|| serde_json::from_str::<Value>(text).ok()).flatten();
    object.is_some_and(|object| object.to_string().as_bytes() == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_read_back_byte_for_byte() {
        let huge_number = br#"{"n":123456789012345678901234567890}"#;
        for body in [
            &br#"{"text":"caf\u00e9"}"#[..],
            r#"{"text":"café","list":[1,2.5,null,true]}"#.as_bytes(),
            b"{ \"spaced\" : 1 }",
            b"{\"a\":1}\n{\"b\":2}\n",
            b"[1,2]",
            b"\"text\"",
            b"{\"cut",
            br#"{"a":1,"a":2}"#,
            huge_number,
            b"\xff\xfe\x00",
            b"",
        ] {
            let written = Line::write(17, Wire::JetstreamV2, body);
            assert_eq!(written.iter().filter(|byte| **byte == b'\n').count(), 1);
            let line = Line::parse(&written).unwrap();
            assert_eq!(line, Line { at_ms: 17, wire: Wire::JetstreamV2, body: body.to_vec() });
        }
    }

    #[test]
    fn an_object_stands_in_the_line_as_it_is() {
        let written = Line::write(0, Wire::Notice, br#"{"gap":{}}"#);
        assert_eq!(written, b"{\"at_ms\":0,\"wire\":\"notice\",\"body\":{\"gap\":{}}}\n");
    }

    #[test]
    fn a_line_that_is_none_says_why() {
        for (text, why) in [
            (r#"{"at_ms":0,"wire":"carrier_pigeon","body":{}}"#, "unknown variant"),
            (r#"{"at_ms":-1,"wire":"push","body":{}}"#, "invalid value"),
            (r#"{"at_ms":0,"wire":"push"}"#, "a line has `body`"),
            (r#"{"at_ms":0,"wire":"push","body":[]}"#, "a line has `body`"),
            (r#"{"at_ms":0,"wire":"push","body_base64":"*"}"#, "body_base64"),
            (r#"{"at_ms":0,"wire":"push","body":{}"#, "EOF"),
        ] {
            let error = Line::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}

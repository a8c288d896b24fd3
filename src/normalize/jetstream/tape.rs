//! JSON text to a tape of nodes that is walked once: no tree is built, no text copied, no memory asked for twice.
//! Unaware of what the nodes mean.

use std::cell::RefCell;

use simd_json::prelude::{ValueAsScalar, ValueIntoString};
use simd_json::tape::{Array, Object, Tape, Value};
use simd_json::{Buffers, ErrorType};

use crate::model::Rejected;

/// Bodies up to here leave their buffers to the next one; the buffers of a larger body go with it.
const REUSE_BYTES_MAX: usize = 64 << 10;

#[derive(Default)]
struct Scratch {
    buffers: Buffers,
    nodes: Vec<simd_json::Node<'static>>,
}

/// Parses `body` in place and hands the walker its root.
pub(super) fn read<T>(body: &mut [u8], walk: impl FnOnce(Node<'_, '_>) -> Result<T, Rejected>) -> Result<T, Rejected> {
    thread_local! {
        static SCRATCH: RefCell<Scratch> = RefCell::default();
    }
    if body.len() > REUSE_BYTES_MAX {
        return parse(body, &mut Scratch::default(), walk);
    }
    SCRATCH.with_borrow_mut(|scratch| parse(body, scratch, walk))
}

fn parse<T>(
    body: &mut [u8],
    scratch: &mut Scratch,
    walk: impl FnOnce(Node<'_, '_>) -> Result<T, Rejected>,
) -> Result<T, Rejected> {
    let mut tape = Tape(std::mem::take(&mut scratch.nodes)).reset();
    let filled = simd_json::fill_tape(body, &mut scratch.buffers, &mut tape);
    let walked = match filled {
        Ok(()) => walk(Node(tape.as_value())),
        Err(error) if matches!(error.error(), ErrorType::InvalidUtf8) => Err(Rejected::NotUtf8),
        Err(_) => Err(Rejected::Syntax),
    };
    scratch.nodes = tape.reset().0;
    walked
}

/// One value of the text. A value of another type than the one asked for is `Rejected::Shape`.
#[derive(Clone, Copy)]
pub(super) struct Node<'t, 'b>(Value<'t, 'b>);

impl<'t, 'b> Node<'t, 'b> {
    pub(super) fn text(self) -> Result<&'b str, Rejected> {
        self.0.into_string().ok_or(Rejected::Shape)
    }

    pub(super) fn number(self) -> Result<u64, Rejected> {
        self.0.as_u64().ok_or(Rejected::Shape)
    }

    pub(super) fn truth(self) -> Result<bool, Rejected> {
        self.0.as_bool().ok_or(Rejected::Shape)
    }

    /// The fields of an object; those that are null are left out.
    pub(super) fn fields(self) -> Result<impl Iterator<Item = (&'b str, Node<'t, 'b>)>, Rejected> {
        let object: Object<'t, 'b> = self.0.as_object().ok_or(Rejected::Shape)?;
        let fields = object.iter().map(|(name, value)| (name, Node(value)));
        Ok(fields.filter(|(_, node)| node.0.as_null().is_none()))
    }

    pub(super) fn items(self) -> Result<impl Iterator<Item = Node<'t, 'b>>, Rejected> {
        let array: Array<'t, 'b> = self.0.as_array().ok_or(Rejected::Shape)?;
        Ok(array.iter().map(Node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_text(body: &str) -> Result<String, Rejected> {
        read(&mut body.as_bytes().to_vec(), |root| {
            let (_, node) = root.fields()?.next().ok_or(Rejected::NoId)?;
            node.text().map(str::to_owned)
        })
    }

    #[test]
    fn fields_are_read_by_type_and_null_is_no_field() {
        assert_eq!(first_text(r#"{"b":null,"a":"x\u00e9\n"}"#), Ok("xé\n".to_owned()));
        assert_eq!(first_text(r#"{"a":1}"#), Err(Rejected::Shape));
        assert_eq!(first_text(r#"{"a":null}"#), Err(Rejected::NoId));
        assert_eq!(first_text("[1]"), Err(Rejected::Shape));
    }

    #[test]
    fn what_is_no_json_is_refused_and_spoils_nothing_for_the_next() {
        for bad in ["", " ", "{", "{\"a\":}", "{\"a\":\"x}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\u{1}\"}", "nul", "{}}"] {
            assert_eq!(first_text(bad), Err(Rejected::Syntax), "{bad:?}");
            assert_eq!(first_text(r#"{"a":"x"}"#), Ok("x".to_owned()));
        }
        assert_eq!(read(&mut b"{\"a\":\"\xff\"}".to_vec(), |_| Ok(())), Err(Rejected::NotUtf8));
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(REUSE_BYTES_MAX));
        assert_eq!(first_text(&large).map(|text| text.len()), Ok(REUSE_BYTES_MAX));
    }
}

//! The members of one JSON object, found in its bytes without parsing it: names in any order, strings and nested
//! values skipped whole. Unaware of what a member means.

use memchr::memchr2;

/// Calls `take` with the name and the value of every member of the object that `text` begins with, both as they are
/// written: the name without its quotes, a string value with them. Says whether the object was whole; of one that is
/// cut off, the members before the cut were taken. Nothing of what is nested in a value is taken for a member.
pub(super) fn each<'t>(text: &'t [u8], take: impl FnMut(&'t [u8], &'t [u8])) -> bool {
    walk(text, take).is_some()
}

fn walk<'t>(text: &'t [u8], mut take: impl FnMut(&'t [u8], &'t [u8])) -> Option<()> {
    let mut at = past(text, past_space(text, 0), b'{')?;
    if text.get(at) == Some(&b'}') {
        return Some(());
    }
    loop {
        let name_end = string_end(text, at)?;
        let value_start = past(text, past_space(text, name_end), b':')?;
        let value_end = value_end(text, value_start)?;
        take(&text[at + 1..name_end - 1], &text[value_start..value_end]);
        at = past_space(text, value_end);
        if text.get(at) == Some(&b'}') {
            return Some(());
        }
        at = past(text, at, b',')?;
    }
}

/// Behind this byte and the space that follows it.
fn past(text: &[u8], at: usize, byte: u8) -> Option<usize> {
    (text.get(at) == Some(&byte)).then(|| past_space(text, at + 1))
}

fn past_space(text: &[u8], at: usize) -> usize {
    let space = text.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace());
    at + space.count()
}

/// Where the value that starts at `at` ends.
fn value_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => string_end(text, at),
        b'{' | b'[' => nested_end(text, at),
        _ => {
            let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
            // A number that is cut off is another number.
            let length = text[at..].iter().position(is_end)?;
            (length > 0).then_some(at + length)
        }
    }
}

/// Behind the closing quote of the string that starts at `at`.
fn string_end(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let mut from = at + 1;
    loop {
        let found = from + memchr2(b'"', b'\\', text.get(from..)?)?;
        if text[found] == b'"' {
            return Some(found + 1);
        }
        // Whatever is escaped ends nothing.
        from = found + 2;
    }
}

/// Behind the bracket that closes the one at `at`. Only the depth is counted: whether brackets match is for the
/// decoder to say.
fn nested_end(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match text.get(at)? {
            b'"' => {
                at = string_end(text, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The members as `name=value`, and whether the object was whole.
    fn read(text: &str) -> (Vec<String>, bool) {
        let mut members = Vec::new();
        let show = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let whole = each(text.as_bytes(), |name, value| members.push(format!("{}={}", show(name), show(value))));
        (members, whole)
    }

    #[test]
    fn members_are_those_of_the_object_itself() {
        let (members, whole) =
            read(r#" { "a" : {"b":[{"c":"}"}],"a":2} , "d":"\\\"e\":1,\\","f":-1.5e3,"g":[1,"]",{}],"h":null } trail"#);
        assert!(whole);
        assert_eq!(
            members,
            [r#"a={"b":[{"c":"}"}],"a":2}"#, r#"d="\\\"e\":1,\\""#, "f=-1.5e3", r#"g=[1,"]",{}]"#, "h=null"]
        );
        assert_eq!(read("{}"), (Vec::new(), true));
    }

    #[test]
    fn of_an_object_that_is_cut_off_the_whole_members_are_taken() {
        let text = r#"{"a":"x","b":12,"c":{"d":[1]}}"#;
        for end in 0..text.len() {
            let (members, whole) = read(&text[..end]);
            assert!(!whole && members.len() < 4, "{end}");
            // The digits of a number are taken only with what ends it.
            assert!(members.iter().all(|member| ["a=\"x\"", "b=12", "c={\"d\":[1]}"].contains(&member.as_str())));
        }
        for bad in
            ["", "[]", "x", "{", "{]", "{a:1}", r#"{"a"}"#, r#"{"a":}"#, r#"{"a":"";}"#, r#"{"a":1,}"#, r#"{"a\"#]
        {
            assert!(!read(bad).1, "{bad}");
        }
    }
}

//! A mention as one line of the demo.

use serde_json::Value;

use crate::highlight::{is_colourful, marked};
use crate::model::{Field, How, Span, Term};
use crate::rig::receiver::Received;

/// Characters of a text that fit a line.
const TEXT_CHARS_MAX: usize = 72;

/// The lag, the language, the query and the text with its words marked.
pub(super) fn line(endpoint: &str, received: &Received) -> String {
    let data = &received.body["data"];
    let lag = data["times"]["fetched_at"]
        .as_str()
        .and_then(|time| time.parse().ok())
        .map_or(0, |fetched| received.at.since(fetched).as_millis());
    let what = match received.kind.as_str() {
        "mention.matched" => "+",
        "mention.updated" => "~",
        "mention.deleted" => "−",
        _ => "·",
    };
    if received.kind == "mention.deleted" {
        return format!("{what} {endpoint:<6}                deleted            {}", data["id"].as_str().unwrap_or(""));
    }
    let queries: Vec<String> = data["matches"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|found| format!("{}/{}", found["project"].as_str().unwrap_or(""), found["query"].as_str().unwrap_or("")))
        .collect();
    let queries = if queries.is_empty() { "(no longer)".to_owned() } else { queries.join(" ") };
    let lang = data["content"]["lang"]["code"].as_str().unwrap_or("??");
    let text = data["content"]["text"].as_str().unwrap_or("");
    format!("{what} {endpoint:<6} {lag:>5} ms  {lang}  {queries:<34} {}", excerpt(text, &data["matches"]))
}

/// The beginning of the text, its line breaks as spaces.
fn excerpt(text: &str, matches: &Value) -> String {
    let end = text.char_indices().nth(TEXT_CHARS_MAX).map_or(text.len(), |(end, _)| end);
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap_or(0)).unwrap_or(0);
    let terms: Vec<Term> = matches
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|found| found["terms"].as_array().into_iter().flatten())
        .filter(|term| term["field"] == "text")
        .map(|term| Term {
            keyword: String::new(),
            how: How::Word,
            field: Field::Text,
            span: Span { start: number(&term["start_byte"]), end: number(&term["end_byte"]) },
        })
        .filter(|term| term.span.end as usize <= end)
        .collect();
    let marked = marked(&text[..end], Field::Text, &terms, is_colourful());
    if end < text.len() { format!("{marked}…") } else { marked }
}

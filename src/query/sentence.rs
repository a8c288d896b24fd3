//! Where sentences end. One definition for all evaluators, from Unicode's; unaware of queries.

use unicode_segmentation::UnicodeSegmentation;

/// The bytes at which a sentence begins, but for the first: as UAX #29 has it, only behind white space or behind an end
/// that needs none (`。`), and behind `…` too.
pub fn sentence_starts(text: &str) -> Vec<usize> {
    let mut starts: Vec<usize> = text.split_sentence_bound_indices().map(|(start, _)| start).collect();
    starts.retain(|&start| {
        let before = text[..start].chars().next_back();
        before.is_some_and(|before| before.is_whitespace() || !before.is_ascii())
    });
    for (dots, _) in text.match_indices('…') {
        let rest = &text[dots + '…'.len_utf8()..];
        let word = rest.trim_start();
        let is_end = word.len() < rest.len() && !word.chars().next().is_some_and(char::is_lowercase);
        if is_end {
            starts.push(text.len() - word.len());
        }
    }
    starts.sort_unstable();
    starts.dedup();
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_a_reader_ends_them() {
        let rows = [
            ("It is down. Again!", vec!["Again!"]),
            ("Version 3.5 of e.on costs 1.000,00 now", vec![]),
            ("see https://a.cz/b?c=D.E!F now", vec![]),
            ("Down… Again", vec!["Again"]),
            ("Down… again", vec![]),
            ("水が出ない。なぜ？", vec!["なぜ？"]),
            ("one\ntwo", vec!["two"]),
            ("wow!Really", vec![]),
        ];
        for (text, expected) in rows {
            let found: Vec<&str> = sentence_starts(text)
                .into_iter()
                .map(|start| text[start..].split(". ").next().unwrap_or_default())
                .collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}

//! `earful query forms`: the forms of the words on standard input, one word a line.

use std::io::{self, BufRead, Write};

use crate::query::forms::{Accepted, Form, Language, Morph, forms};

/// Bytes of a line that are read; what is longer is no word and stays alone.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Writes `language TAB word TAB forms` for each word, the forms parted by spaces. Forms that are accepted only with a
/// capital stand in a column of their own behind. Without `morph`, a word with a capital is inflected as a name.
pub fn run(code: &str, morph: Option<Morph>, mut input: impl BufRead, output: impl Write) -> io::Result<()> {
    let language = Language::of_code(code);
    let mut output = io::BufWriter::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::take(&mut input, LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return output.flush();
        }
        let text = String::from_utf8_lossy(&line);
        let word = text.trim();
        if word.is_empty() {
            continue;
        }
        let found = forms(word, language, morph.unwrap_or_else(|| Morph::of_word(word)));
        write!(output, "{code}\t{word}\t{}", column(&found, Accepted::InAnyCase))?;
        let capitalised = column(&found, Accepted::Capitalised);
        let tab = if capitalised.is_empty() { "" } else { "\t" };
        writeln!(output, "{tab}{capitalised}")?;
    }
}

fn column(forms: &[Form], accepted: Accepted) -> String {
    let texts = forms.iter().filter(|form| form.accepted == accepted).map(|form| form.text.as_str());
    texts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(code: &str, morph: Option<Morph>, input: &str) -> String {
        let mut output = Vec::new();
        run(code, morph, input.as_bytes(), &mut output).expect("memory takes all");
        String::from_utf8(output).expect("what is written is text")
    }

    #[test]
    fn a_line_holds_the_language_the_word_and_its_forms() {
        let text = written("cs", None, "Praha\n\nKarlovy Vary\n");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("cs\tPraha\tPraha Prahy "), "{text}");
        assert_eq!(lines[1], "cs\tKarlovy Vary\tKarlovy Vary");
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn forms_that_need_a_capital_stand_apart() {
        let text = written("cs", Some(Morph::Names), "Pole");
        let columns: Vec<&str> = text.trim_end().split('\t').collect();
        assert!(!columns[2].split(' ').any(|form| form == "Poli") && columns[3].split(' ').any(|form| form == "Poli"));
    }
}

//! `earful query forms`: the forms of the words on standard input, one word a line.

use std::io::{self, BufRead, Write};

use crate::query::forms::{Language, Morph, forms};

/// Bytes of a line that are read; what is longer is no word and stays alone.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Writes `language TAB word TAB forms` for each word, the forms parted by spaces. Without `morph`, a word with a capital
/// is inflected as a name.
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
        writeln!(output, "{code}\t{word}\t{}", found.join(" "))?;
    }
}

//! `earful language`: the language of every line on standard input.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
use std::process::ExitCode;

use clap::Args;

use crate::language;
use crate::model::Lang;

use super::Failure;
use super::progress::Progress;

/// Bytes of a line that are held. What a text says of its language it says before that.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// The code of what nobody knows, as ISO 639 has it.
const UNDETERMINED: &str = "und";

#[derive(Args)]
pub(super) struct LanguageArgs {
    /// The language that the texts are declared to be in: evidence, not truth.
    #[arg(long)]
    lang: Option<String>,
}

pub(super) fn run(args: &LanguageArgs) -> Result<ExitCode, Failure> {
    let declared = args
        .lang
        .as_deref()
        .map(|code| Lang::parse(code).ok_or_else(|| Failure::usage(format!("lang `{code}` is not known"))));
    let declared: Vec<Lang> = declared.transpose()?.into_iter().collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    match answer(io::stdin().lock(), &declared, &mut out) {
        // Whoever read the output has had enough.
        Err(cause) if cause.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(cause) => Err(Failure::usage(cause.to_string())),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

/// One line of output for every line of input. No more than one line of each is held.
fn answer(mut input: impl BufRead, declared: &[Lang], out: &mut impl Write) -> io::Result<()> {
    // Where answers go to the terminal they are the progress.
    let mut progress = Progress::on_terminal(!io::stdout().is_terminal());
    let mut line = Vec::new();
    let mut lines = 0_u64;
    while next_line(&mut input, &mut line)? {
        let (code, confidence) = told(&String::from_utf8_lossy(&line), declared);
        writeln!(out, "{code}\t{confidence:.2}")?;
        lines += 1;
        progress.tell(|| format!("{lines} lines read"));
    }
    out.flush()
}

/// The code of one of the 27 with its probability, or that of another language with whatlang's confidence.
fn told(text: &str, declared: &[Lang]) -> (&'static str, f32) {
    match language::detect(text, declared).best {
        Some((lang, probability)) => (lang.code(), probability),
        None => language::outside(text).unwrap_or((UNDETERMINED, 0.0)),
    }
}

/// Reads the next line, and of a long one the beginning. False at the end of the input.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &[u8], declared: &[Lang]) -> Vec<(String, f32)> {
        let mut out = Vec::new();
        answer(input, declared, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let rows = out.lines().map(|line| line.split_once('\t').unwrap());
        rows.map(|(code, confidence)| (code.to_owned(), confidence.parse().unwrap())).collect()
    }

    fn codes(input: &[u8]) -> Vec<String> {
        answers(input, &[]).into_iter().map(|(code, _)| code).collect()
    }

    #[test]
    fn every_line_has_an_answer_in_its_place() {
        let input = "Už třetí den nám nefunguje internet\r\n\n日本語の文章です\nTôi không biết anh ấy đang ở đâu bây giờ\n#tag\nthis is the last line";
        assert_eq!(codes(input.as_bytes()), ["cs", "und", "ja", "vie", "und", "en"]);
        assert!(answers(input.as_bytes(), &[]).iter().all(|(_, confidence)| (0.0..=1.0).contains(confidence)));
        assert_eq!(codes(b""), [""; 0]);
        assert_eq!(codes(b"\xFF\xFE\n"), ["und"]);
    }

    #[test]
    fn of_a_long_line_the_beginning_is_read_and_the_next_line_is_whole() {
        for bytes in [LINE_BYTES_MAX - 1, LINE_BYTES_MAX, LINE_BYTES_MAX + 1, 5 * LINE_BYTES_MAX] {
            let long = "dnes je krásně a nikam nespěcháme ".repeat(bytes as usize / 30);
            let mut input = long.into_bytes();
            input.truncate(bytes as usize);
            input.extend_from_slice("\nthe next line is in English\n".as_bytes());
            assert_eq!(codes(&input), ["cs", "en"], "{bytes}");
        }
    }

    #[test]
    fn what_is_declared_is_heard() {
        let confidence = |declared: &[Lang]| answers("Jeg tror jeg kan".as_bytes(), declared)[0].clone();
        assert_eq!(confidence(&[Lang::No]).0, "no");
        assert_eq!(confidence(&[Lang::Da]).0, "da");
    }
}

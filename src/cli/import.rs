//! `earful query import`: what a query of another product becomes, and what changes by it.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::query::{self, Dialect, Imported, Remark};

use super::matching;
use super::query::{Stop, text_of};

#[derive(Args)]
pub(super) struct ImportArgs {
    /// The query as the other product writes it, or `-` to read it from standard input.
    query: String,
    /// Whose language it is: brandwatch, talkwalker, meltwater, x or lucene.
    #[arg(long, value_parser = dialect_named)]
    from: Dialect,
    /// Write JSON: the query and the remarks in one object.
    #[arg(long)]
    json: bool,
}

fn dialect_named(name: &str) -> Result<Dialect, String> {
    let names = Dialect::ALL.map(Dialect::name).join(", ");
    Dialect::named(name).ok_or_else(|| format!("no such language of queries; there are {names}"))
}

/// Writes the query, and to `notes` what is otherwise than it was.
pub(super) fn run(args: &ImportArgs, out: &mut impl Write, notes: &mut impl Write) -> Result<ExitCode, Stop> {
    let text = text_of(&args.query)?;
    let wrong = |errors: Vec<_>| Stop::Wrong(matching::explain(&text, &errors));
    let Imported { text: imported, remarks, query } = query::import(&text, args.from).map_err(wrong)?;
    if args.json {
        let told: Vec<_> = remarks.iter().map(in_json).collect();
        writeln!(out, "{}", json!({ "text": imported, "canonical": query::write(&query), "remarks": told }))?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{imported}")?;
    for Remark { operator, sentence, instead, .. } in &remarks {
        match instead.is_empty() {
            true => writeln!(notes, "no counterpart: {operator}: {sentence}")?,
            false => writeln!(notes, "changed: {operator}: {sentence} Here: {instead}")?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn in_json(remark: &Remark) -> serde_json::Value {
    let Remark { code, span, operator, sentence, instead } = remark;
    let instead = Some(instead).filter(|instead| !instead.is_empty());
    json!({
        "code": code, "start_byte": span.start, "end_byte": span.end, "operator": operator, "message": sentence,
        "suggestion": instead,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(query: &str, from: Dialect, json: bool) -> Result<(String, String), Stop> {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        run(&ImportArgs { query: query.to_owned(), from, json }, &mut out, &mut notes)?;
        Ok((String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap()))
    }

    #[test]
    fn the_query_is_written_and_what_changes_is_noted() {
        let (out, notes) = imported("logitech NEAR/2f keyboard", Dialect::Brandwatch, false).ok().unwrap();
        assert!(out.contains("logitech ONEAR/2 keyboard") && query::parse(&out).is_ok(), "{out}");
        assert!(notes.starts_with("changed: NEAR") && notes.lines().count() == 1, "{notes}");
        let (out, notes) = imported("data -is:retweet", Dialect::X, true).ok().unwrap();
        let told: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert!(told["text"].as_str().is_some_and(|text| text.contains("data -is:repost")), "{told}");
        assert!(notes.is_empty() && told["remarks"][0]["code"] == "changed", "{told}");
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        let Err(Stop::Wrong(message)) = imported("(outage OR", Dialect::Lucene, false) else { panic!("it was read") };
        assert!(!message.is_empty());
        assert!(dialect_named("google").is_err_and(|why| why.contains("brandwatch")));
    }
}

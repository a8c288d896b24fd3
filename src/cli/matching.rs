//! `earful match`: a query against posts on standard input.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;

use crate::highlight::{is_colourful, marked};
use crate::language;
use crate::matcher::{Matcher, Scratch};
use crate::model::{Field, Lang, Match, Post};
use crate::query::{self, QueryError, Rule};

use super::posts::for_each_post;
use super::progress::Progress;
use super::{EXIT_NOTHING, Failure};

#[derive(Args)]
pub(super) struct MatchArgs {
    /// The query, in the query language.
    query: String,
    /// Write a JSON object for each post that matches.
    #[arg(long)]
    json: bool,
    /// Only count the posts that match.
    #[arg(short, long)]
    count: bool,
    /// Posts that do not match.
    #[arg(short = 'v', long)]
    invert: bool,
    /// The language that the posts are declared to be in.
    #[arg(long)]
    lang: Option<String>,
}

/// The query at work: what was seen, and what goes out.
struct Matching<'a, W> {
    args: &'a MatchArgs,
    matcher: Matcher,
    scratch: Scratch,
    colourful: bool,
    posts: u64,
    count: u64,
    out: W,
}

pub(super) fn run(args: &MatchArgs) -> Result<ExitCode, Failure> {
    let tree = query::parse(&args.query).map_err(|errors| Failure::usage(explain(&args.query, &errors)))?;
    for lint in &tree.lints {
        eprintln!("earful: note: {}", lint.message);
    }
    let declared = args
        .lang
        .as_deref()
        .map(|code| Lang::parse(code).ok_or_else(|| Failure::usage(format!("lang `{code}` is not known"))));
    let declared = declared.transpose()?;
    let mut matching = Matching {
        args,
        matcher: Matcher::compile(vec![rule(tree)]),
        scratch: Scratch::default(),
        colourful: is_colourful(),
        posts: 0,
        count: 0,
        out: io::BufWriter::new(io::stdout().lock()),
    };
    match matching.read(io::stdin().lock(), declared) {
        // Whoever read the output has had enough.
        Err(cause) if cause.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        Err(cause) => return Err(Failure::usage(cause.to_string())),
        Ok(()) => {}
    }
    Ok(if matching.count > 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NOTHING) })
}

impl<W: Write> Matching<'_, W> {
    /// Reads every line to the end of the input.
    fn read(&mut self, mut input: impl BufRead, declared: Option<Lang>) -> io::Result<()> {
        // Where matches go to the terminal they are the progress.
        let mut progress = Progress::on_terminal(self.args.count || !io::stdout().is_terminal());
        for_each_post(&mut input, declared, &mut |post| {
            self.look_at(&post)?;
            progress.tell(|| format!("{} posts read, {} match", self.posts, self.count));
            Ok(())
        })?;
        drop(progress);
        if self.args.count {
            writeln!(self.out, "{}", self.count)?;
        }
        self.out.flush()
    }

    fn look_at(&mut self, post: &Post) -> io::Result<()> {
        self.posts += 1;
        let matches =
            self.matcher.scan(post, &|| language::detect(post.language_text(), &post.langs), &mut self.scratch);
        if matches.is_empty() != self.args.invert {
            return Ok(());
        }
        self.count += 1;
        match (self.args.count, self.args.json) {
            (true, _) => Ok(()),
            (false, true) => writeln!(self.out, "{}", json(post, &matches)),
            (false, false) => writeln!(self.out, "{}", shown(post, &matches, self.colourful)),
        }
    }
}

pub(super) fn rule(tree: query::Query) -> Rule {
    Rule {
        project: String::new(),
        query: "match".to_owned(),
        version: 1,
        tags: Vec::new(),
        languages: Vec::new(),
        sources: Vec::new(),
        tree,
    }
}

/// The mistakes of a query, each below the place where it is.
pub(super) fn explain(text: &str, errors: &[QueryError]) -> String {
    let mut lines = vec!["the query is not valid".to_owned()];
    for error in errors {
        let line_start = text[..error.span.start.min(text.len())].rfind('\n').map_or(0, |at| at + 1);
        let line = text[line_start..].lines().next().unwrap_or("");
        let before = text[line_start..error.span.start.min(text.len())].chars().count();
        let width = text.get(error.span.clone()).map_or(1, |part| part.chars().count().max(1));
        lines.push(format!("  {line}"));
        lines.push(format!(
            "  {}{}",
            " ".repeat(before),
            "^".repeat(width.min(line.chars().count().saturating_sub(before).max(1)))
        ));
        let hint = error.suggestion.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default();
        lines.push(format!("  {} [{}]{hint}", error.message, error.code));
    }
    lines.join("\n")
}

pub(super) fn shown(post: &Post, matches: &[Match], colourful: bool) -> String {
    let terms: Vec<_> = matches.iter().flat_map(|found| found.terms.clone()).collect();
    let text = marked(&post.text, Field::Text, &terms, colourful);
    match &post.title {
        Some(title) => format!("{} | {text}", marked(title, Field::Title, &terms, colourful)),
        None => text,
    }
}

fn json(post: &Post, matches: &[Match]) -> serde_json::Value {
    let terms = matches.iter().flat_map(|found| &found.terms).map(|term| {
        serde_json::json!({
            "keyword": term.keyword, "how": term.how.name(), "field": term.field.name(),
            "start_byte": term.span.start, "end_byte": term.span.end,
        })
    });
    serde_json::json!({ "title": post.title, "text": post.text, "url": post.url, "terms": terms.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn args(query: &str) -> MatchArgs {
        MatchArgs { query: query.to_owned(), json: false, count: false, invert: false, lang: None }
    }

    /// What is written, and how many posts were read.
    fn matched(query: &str, input: &[u8]) -> (String, u64) {
        let args = args(query);
        let mut matching = Matching {
            args: &args,
            matcher: Matcher::compile(vec![rule(query::parse(query).unwrap())]),
            scratch: Scratch::default(),
            colourful: false,
            posts: 0,
            count: 0,
            out: Vec::new(),
        };
        matching.read(input, None).unwrap();
        (String::from_utf8(matching.out).unwrap(), matching.posts)
    }

    #[test]
    fn every_post_of_an_arrival_is_looked_at() {
        let pushed = "{\"token\":\"desk\",\"networks\":[]}\n{\"id\":\"1\",\"text\":\"no coffee\"}\n\
                      {\"id\":\"2\",\"text\":\"green tea\"}\n{\"id\":\"3\",\"text\":\"black tea\"}\n";
        let texts = serde_json::json!({ "at_ms": 0, "wire": "push", "body": pushed }).to_string();
        let packed = serde_json::json!({ "at_ms": 0, "wire": "push", "body_base64": STANDARD.encode(pushed) });
        for line in [texts, packed.to_string()] {
            assert_eq!(matched("tea", line.as_bytes()), ("green tea\nblack tea\n".to_owned(), 3), "{line}");
        }
        let gap = r#"{"at_ms":0,"wire":"notice","body":{"gap":{"from":"tea","to":"tea","why":"tea"}}}"#;
        assert_eq!(matched("tea", gap.as_bytes()), (String::new(), 0));
    }
}

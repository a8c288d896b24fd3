//! `earful match`: a query against posts on standard input.

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde::Deserialize;

use crate::clock;
use crate::highlight::{is_colourful, marked};
use crate::language;
use crate::matcher::{Matcher, Scratch};
use crate::model::{Example, Field, Lang, Match, Post, PostEvent, Wire};
use crate::normalize;
use crate::projects::example_post;
use crate::query::{self, QueryError, Rule};

use super::{EXIT_NOTHING, Failure};

/// Bytes of one line of input.
const LINE_BYTES_MAX: usize = 1 << 20;

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

/// A line that is no plain text.
#[derive(Deserialize)]
struct JsonLine {
    text: Option<String>,
    title: Option<String>,
    lang: Option<String>,
    author: Option<serde_json::Value>,
    site: Option<String>,
    network: Option<String>,
    wire: Option<Wire>,
    body: Option<serde_json::Value>,
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
    let matcher = Matcher::compile(vec![rule(tree)]);
    let (mut scratch, mut count) = (Scratch::default(), 0_u64);
    let colourful = is_colourful();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line.map_err(|cause| Failure::usage(format!("standard input: {cause}")))?;
        if line.len() > LINE_BYTES_MAX {
            eprintln!("earful: a line of {} bytes is passed over; at most {LINE_BYTES_MAX} are read", line.len());
            continue;
        }
        let Some(post) = post_of(&String::from_utf8_lossy(&line), declared) else { continue };
        let matches = matcher.scan(&post, &|| language::detect(&post.text, &post.langs), &mut scratch);
        if matches.is_empty() != args.invert {
            continue;
        }
        count += 1;
        let written = match (args.count, args.json) {
            (true, _) => Ok(()),
            (false, true) => writeln!(out, "{}", json(&post, &matches)),
            (false, false) => writeln!(out, "{}", shown(&post, &matches, colourful)),
        };
        match written {
            // Whoever read the output has had enough.
            Err(cause) if cause.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            other => other.map_err(|cause| Failure::usage(cause.to_string()))?,
        }
    }
    if args.count {
        writeln!(out, "{count}").map_err(|cause| Failure::usage(cause.to_string()))?;
    }
    out.flush().ok();
    Ok(if count > 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NOTHING) })
}

fn rule(tree: query::Query) -> Rule {
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

/// The post that a line holds; none for a line of a recording that holds no post.
fn post_of(line: &str, declared: Option<Lang>) -> Option<Post> {
    let parsed = line.trim_start().starts_with('{').then(|| serde_json::from_str::<JsonLine>(line).ok()).flatten();
    let mut post = match parsed {
        Some(JsonLine { wire: Some(wire), body: Some(body), .. }) => return recorded(wire, &body),
        Some(JsonLine { text: Some(text), title, lang, author, site, network, .. }) => {
            let author = author.and_then(|author| match author {
                serde_json::Value::String(handle) => Some(handle),
                other => other["handle"].as_str().map(str::to_owned),
            });
            example_post(&Example {
                text,
                title,
                lang: lang.as_deref().and_then(Lang::parse),
                author,
                site,
                source: network,
            })
        }
        _ => example_post(&Example { text: line.trim_end_matches('\r').to_owned(), ..Example::default() }),
    };
    post.langs.extend(declared);
    Some(post)
}

fn recorded(wire: Wire, body: &serde_json::Value) -> Option<Post> {
    let source: Arc<str> = "recording".into();
    let bytes = body.as_str().map_or_else(|| body.to_string(), str::to_owned).into_bytes();
    let events = normalize::events(bytes, wire, &source, clock::now()).ok()?;
    events.into_iter().find_map(|event| match event {
        Ok(PostEvent::Upsert { post, .. }) => Some(*post),
        _ => None,
    })
}

fn shown(post: &Post, matches: &[Match], colourful: bool) -> String {
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

//! `earful query`: what helps to write queries. What is measured is measured on the posts of the input.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::highlight::{is_colourful, marked};
use crate::language;
use crate::matcher::{self, Matcher, Scratch};
use crate::model::{Field, How, Post, Span, Term};
use crate::query::naive::{Explained, explain};
use crate::query::{self, Around, Query, Rule, Truth};
use crate::search::{Preview, Sample, SampleTerm};

use super::import::ImportArgs;
use super::matching::{self, rule};
use super::posts::for_each_post;
use super::progress::Progress;
use super::{EXIT_NOTHING, Failure};

/// Samples of what a change adds and of what it loses.
const SAMPLES_MAX: usize = 5;
/// Posts whose matching is timed again and again; more are only counted.
const TIMED_POSTS_MAX: usize = 20_000;
/// Times that they are matched; the fastest counts.
const TIMED_ROUNDS: usize = 5;

#[derive(Subcommand)]
pub(super) enum QueryCommand {
    /// Check a query, and tell what its parser remarks.
    #[command(
        after_help = "Examples:\n  earful query check 'outage AND (vellano OR vellanet*)'\n  earful query check --json - <query.txt\n\nExit codes: 0 valid · 2 not valid"
    )]
    Check(OneQuery),
    /// Lay a query out: one line if it fits, else a line for each part. Comments come first.
    #[command(after_help = "Examples:\n  earful query fmt 'a AND (b OR c)'\n  earful query fmt - <query.txt")]
    Fmt(OneQuery),
    /// Show how a query is read: its tree, in JSON.
    #[command(after_help = "Example:\n  earful query explain 'outage NEAR/5 vellano NOT planned'")]
    Explain(OneQuery),
    /// Say of each post on standard input why the query matches it, or why not.
    #[command(
        after_help = "Examples:\n  echo 'Vellano is down, a long outage' | earful query why 'outage NEAR/2 vellano'\n  earful query why --json '#tea' <posts.ndjson\n\nExit codes: 0 something matched · 1 nothing did · 2 the query is wrong"
    )]
    Why(OneQuery),
    /// Compare two queries on the posts of standard input: what the new one adds and what it loses.
    #[command(after_help = "Example:\n  earful query diff 'outage' 'outage OR blackout' <recording.ndjson")]
    Diff(DiffArgs),
    /// Write the forms of the words on standard input, one word a line: language, word, forms; behind another tab those
    /// that are accepted with a capital only.
    #[command(
        after_help = "Examples:\n  echo Praha | earful query forms --lang cs\n  earful query forms --lang pl --names <brands.txt"
    )]
    Forms(FormsArgs),
    /// Ask the running daemon what a query catches among its stored posts, before it is saved.
    #[command(
        after_help = "Examples:\n  earful query preview 'outage NEAR/5 vellano' --language cs\n  earful query preview 'outage OR blackout' --old 'outage' --since 2026-11-01T00:00:00Z\n\nExit codes: 0 something matches · 1 nothing does · 2 the query is wrong"
    )]
    Preview(PreviewArgs),
    /// Read a query of another product: the query goes to standard output, what changes by it to standard error.
    #[command(
        after_help = "Examples:\n  earful query import --from brandwatch 'outage NEAR/5 (vellano OR vellanet)'\n  earful query import --from x --json - <rule.txt\n\nExit codes: 0 read · 2 it holds what cannot be asked here\nEach operator: docs/DIALECTS.md"
    )]
    Import(ImportArgs),
    /// Measure what a query costs on the posts of standard input.
    #[command(after_help = "Example:\n  earful query cost 'outage OR the' <recording.ndjson")]
    Cost(OneQuery),
}

#[derive(Args)]
pub(super) struct OneQuery {
    /// The query, or `-` to read it from standard input where no posts are read.
    query: String,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct DiffArgs {
    /// The query as it is.
    old: String,
    /// The query as it shall be.
    new: String,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct FormsArgs {
    /// The language of the words: bg cs de el et fi hr hu lt lv pl ro ru sk sl sr tr uk have rules of their own.
    #[arg(long)]
    lang: String,
    /// Inflect every word as a name. Without it, words with a capital are.
    #[arg(long)]
    names: bool,
}

#[derive(Args)]
pub(super) struct PreviewArgs {
    /// The query.
    query: String,
    /// The query as it was, to see what is gained and lost.
    #[arg(long)]
    old: Option<String>,
    /// Only posts in this language, whose forms bare words have. May be given several times.
    #[arg(long)]
    language: Vec<String>,
    /// Only posts from this time on, as 2026-11-25T10:00:00Z.
    #[arg(long)]
    since: Option<String>,
    /// Only posts before this time.
    #[arg(long)]
    until: Option<String>,
    /// Posts that are shown at most.
    #[arg(long, default_value_t = 10)]
    samples: usize,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, command: QueryCommand) -> Result<ExitCode, Failure> {
    if let QueryCommand::Preview(args) = command {
        return preview(config, &args);
    }
    let out = &mut io::BufWriter::new(io::stdout().lock());
    let done = match command {
        QueryCommand::Check(args) => check(&args, out),
        QueryCommand::Fmt(args) => fmt(&args, out),
        QueryCommand::Import(args) => super::import::run(&args, out, &mut io::stderr().lock()),
        QueryCommand::Explain(args) => show_tree(&args, out),
        QueryCommand::Why(args) => why(&args, &mut io::stdin().lock(), out),
        QueryCommand::Diff(args) => diff(&args, &mut io::stdin().lock(), out),
        QueryCommand::Cost(args) => cost(&args, &mut io::stdin().lock(), out),
        QueryCommand::Forms(args) => {
            let morph = args.names.then_some(query::forms::Morph::Names);
            super::forms::run(&args.lang, morph, io::stdin().lock(), &mut *out)
                .map(|()| ExitCode::SUCCESS)
                .map_err(Stop::Io)
        }
        QueryCommand::Preview(_) => Ok(ExitCode::SUCCESS),
    };
    let done = done.and_then(|code| out.flush().map(|()| code).map_err(Stop::Io));
    match done {
        Ok(code) => Ok(code),
        Err(Stop::Wrong(message)) => Err(Failure::usage(message)),
        // Whoever read the output has had enough.
        Err(Stop::Io(cause)) if cause.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(Stop::Io(cause)) => Err(Failure::usage(cause.to_string())),
    }
}

/// Why a command ends early.
pub(super) enum Stop {
    Wrong(String),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

impl OneQuery {
    fn text(&self) -> io::Result<String> {
        text_of(&self.query)
    }
}

/// A query's text, from standard input if the argument says so.
pub(super) fn text_of(argument: &str) -> io::Result<String> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    io::stdin().lock().take(query::QUERY_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn read(text: &str) -> Result<Query, Stop> {
    query::parse(text).map_err(|errors| Stop::Wrong(matching::explain(text, &errors)))
}

fn check(args: &OneQuery, out: &mut impl Write) -> Result<ExitCode, Stop> {
    let text = args.text()?;
    let read = query::parse(&text);
    if args.json {
        let (remarks, is_valid) = match &read {
            Ok(query) => (&query.lints, true),
            Err(errors) => (errors, false),
        };
        let told = remarks.iter().map(|remark| {
            json!({
                "code": remark.code, "start_byte": remark.span.start, "end_byte": remark.span.end,
                "message": remark.message, "suggestion": remark.suggestion,
            })
        });
        writeln!(out, "{}", json!({ "valid": is_valid, "remarks": told.collect::<Vec<_>>() }))?;
        return Ok(if is_valid { ExitCode::SUCCESS } else { ExitCode::from(super::EXIT_USAGE) });
    }
    let query = read.map_err(|errors| Stop::Wrong(matching::explain(&text, &errors)))?;
    for lint in &query.lints {
        let instead = lint.suggestion.as_deref().map(|instead| format!("; {instead}")).unwrap_or_default();
        writeln!(out, "note: {} [{}]{instead}", lint.message, lint.code)?;
    }
    writeln!(out, "the query is valid")?;
    Ok(ExitCode::SUCCESS)
}

fn fmt(args: &OneQuery, out: &mut impl Write) -> Result<ExitCode, Stop> {
    let text = args.text()?;
    let query = read(&text)?;
    let laid_out = query::layout(&query);
    match args.json {
        true => writeln!(out, "{}", json!({ "text": laid_out, "canonical": query::write(&query) }))?,
        false => {
            for comment in query::comments(&text) {
                writeln!(out, "<<< {comment} >>>")?;
            }
            writeln!(out, "{laid_out}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show_tree(args: &OneQuery, out: &mut impl Write) -> Result<ExitCode, Stop> {
    let query = read(&args.text()?)?;
    let tree = serde_json::to_value(&query).map_err(|cause| Stop::Wrong(cause.to_string()))?;
    match args.json {
        true => writeln!(out, "{tree}")?,
        false => writeln!(out, "{tree:#}")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn why(args: &OneQuery, input: &mut impl BufRead, out: &mut impl Write) -> Result<ExitCode, Stop> {
    let rule = rule(read(&args.query)?);
    let mut is_any = false;
    for_each_post(input, None, &mut |post| {
        let verdict = || language::detect(post.language_text(), &post.langs);
        let explained = explain(&rule, &post, &Around::of(&post), &verdict);
        is_any |= explained.truth.is_yes();
        match args.json {
            true => writeln!(out, "{}", json!({ "text": post.text, "why": explained })),
            false => {
                writeln!(out, "{}", post.text.lines().next().unwrap_or_default())?;
                tell(&explained, 1, &post, out)
            }
        }
    })?;
    Ok(if is_any { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NOTHING) })
}

/// One line for each part: whether it holds, where it was found, what was nearly found.
fn tell(part: &Explained, depth: usize, post: &Post, out: &mut impl Write) -> io::Result<()> {
    let sign = match part.truth {
        Truth::Yes => "yes",
        Truth::No => "no ",
        Truth::Unknown => "?  ",
    };
    let found: Vec<String> = part
        .terms
        .iter()
        .filter_map(|term| {
            let text = if term.field == crate::model::Field::Title { post.title.as_deref()? } else { &post.text };
            Some(format!("“{}”", text.get(term.span.start as usize..term.span.end as usize)?))
        })
        .collect();
    let found = if found.is_empty() { String::new() } else { format!("  {}", found.join(" ")) };
    let note = part.note.as_deref().map(|note| format!("  ({note})")).unwrap_or_default();
    writeln!(out, "{}{sign} {}{found}{note}", "  ".repeat(depth), part.query)?;
    part.parts.iter().try_for_each(|part| tell(part, depth + 1, post, out))
}

/// What one of two queries finds and the other does not.
#[derive(Default)]
struct Only {
    posts: u64,
    samples: Vec<String>,
}

impl Only {
    fn note(&mut self, post: &Post) {
        self.posts += 1;
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(post.text.lines().next().unwrap_or_default().to_owned());
        }
    }
}

fn diff(args: &DiffArgs, input: &mut impl BufRead, out: &mut impl Write) -> Result<ExitCode, Stop> {
    let named = |name: &str, tree| Rule { query: name.to_owned(), ..rule(tree) };
    let matcher = Matcher::compile(vec![named("old", read(&args.old)?), named("new", read(&args.new)?)]);
    let mut scratch = Scratch::default();
    let mut progress = Progress::on_terminal(io::stdout().is_terminal());
    let (mut posts, mut both, mut gained, mut lost) = (0_u64, 0_u64, Only::default(), Only::default());
    for_each_post(input, None, &mut |post| {
        posts += 1;
        let found = matcher.scan(&post, &|| language::detect(post.language_text(), &post.langs), &mut scratch);
        let is_found = |name: &str| found.iter().any(|found| found.query == name);
        match (is_found("old"), is_found("new")) {
            (true, true) => both += 1,
            (false, true) => gained.note(&post),
            (true, false) => lost.note(&post),
            (false, false) => {}
        }
        progress.tell(|| format!("{posts} posts read, {} gained, {} lost", gained.posts, lost.posts));
        Ok(())
    })?;
    drop(progress);
    if args.json {
        let told = |only: &Only| json!({ "posts": only.posts, "samples": only.samples });
        let told = json!({ "posts": posts, "both": both, "gained": told(&gained), "lost": told(&lost) });
        writeln!(out, "{told}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{posts} posts: {both} match both, {} are gained, {} are lost", gained.posts, lost.posts)?;
    for (sign, only) in [("+", &gained), ("-", &lost)] {
        for sample in &only.samples {
            writeln!(out, "{sign} {sample}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn cost(args: &OneQuery, input: &mut impl BufRead, out: &mut impl Write) -> Result<ExitCode, Stop> {
    let tree = read(&args.query)?;
    let mut counted = Counted::new(tree.clone(), matcher::triggers(&tree));
    let mut progress = Progress::on_terminal(io::stdout().is_terminal());
    for_each_post(input, None, &mut |post| {
        counted.look_at(post);
        progress.tell(|| format!("{} posts read", counted.posts));
        Ok(())
    })?;
    drop(progress);
    let figures = counted.figures();
    match args.json {
        true => writeln!(out, "{figures}")?,
        false => {
            writeln!(
                out,
                "{} posts: {} match; the query is evaluated for {} in a million, and takes {} ns of a post",
                figures["posts"], figures["matches"], figures["evaluated_per_million"], figures["ns_per_post"]
            )?;
            for term in figures["terms"].as_array().into_iter().flatten() {
                writeln!(out, "  {} in a million: {}", term["per_million"], term["term"])?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn preview(config: &Path, args: &PreviewArgs) -> Result<ExitCode, Failure> {
    let body = json!({
        "text": args.query, "old": args.old, "languages": args.language, "since": args.since, "until": args.until,
        "samples": args.samples,
    });
    let mut progress = Progress::on_terminal(true);
    let mut last = None;
    super::client::post_lines(config, "/v1/query/preview", &body, &mut |found: Preview| {
        progress.tell(|| format!("{} of {} posts read, {} match", found.posts, found.posts_total, found.matches));
        last = Some(found);
    })?;
    drop(progress);
    let found = last.ok_or_else(|| Failure::usage("the daemon ended before it answered"))?;
    if !found.done && found.posts_total > 0 {
        return Err(Failure::usage("the daemon ended before all posts were read"));
    }
    if args.json {
        println!("{}", serde_json::to_string(&found).map_err(|cause| Failure::usage(cause.to_string()))?);
    } else {
        show_preview(&found);
    }
    Ok(if found.matches > 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NOTHING) })
}

fn show_preview(found: &Preview) {
    println!(
        "{} of {} stored posts match; {} ns of a core per post",
        found.matches, found.posts, found.match_ns_per_post
    );
    for (name, counts) in [("day", &found.by_day), ("language", &found.by_language), ("source", &found.by_source)] {
        let counts: Vec<String> = counts.iter().map(|(key, count)| format!("{key} {count}")).collect();
        if !counts.is_empty() {
            println!("by {name}: {}", counts.join(" · "));
        }
    }
    for (name, side) in [("gained", &found.gained), ("lost", &found.lost)] {
        if let Some(side) = side {
            println!("{} are {name}", side.posts);
            side.samples.iter().for_each(show_sample);
        }
    }
    if found.gained.is_none() {
        found.samples.iter().for_each(show_sample);
    }
}

fn show_sample(sample: &Sample) {
    let terms_of = |field: Field| {
        let terms = sample.terms.iter().filter(move |term| term.field == field.name());
        let term = |term: &SampleTerm| Term {
            keyword: term.keyword.clone(),
            how: How::Word,
            field,
            span: Span { start: term.start_byte, end: term.end_byte },
        };
        terms.map(term).collect::<Vec<_>>()
    };
    println!("{}  {}  {}", sample.at, sample.id, sample.url.as_deref().unwrap_or_default());
    if let Some(title) = &sample.title {
        println!("    {}", marked(title, Field::Title, &terms_of(Field::Title), is_colourful()));
    }
    println!("    {}", marked(&sample.text, Field::Text, &terms_of(Field::Text), is_colourful()));
}

/// A query measured on posts: how often its triggers fire, and how long it takes.
struct Counted {
    matcher: Matcher,
    /// What makes the query worth evaluating, each as a query of its own.
    triggers: Matcher,
    scratch: Scratch,
    timed: Vec<Post>,
    posts: u64,
    matches: u64,
    evaluated: u64,
    fired: Vec<(String, u64)>,
}

impl Counted {
    fn new(tree: Query, triggers: Vec<(String, query::Node)>) -> Self {
        let rules = triggers.iter().enumerate().map(|(nth, (_, root))| Rule {
            query: nth.to_string(),
            ..rule(Query { pragmas: Default::default(), root: root.clone(), lints: Vec::new() })
        });
        Self {
            triggers: Matcher::compile(rules.collect()),
            matcher: Matcher::compile(vec![rule(tree)]),
            scratch: Scratch::default(),
            timed: Vec::new(),
            posts: 0,
            matches: 0,
            evaluated: 0,
            fired: triggers.into_iter().map(|(term, _)| (term, 0)).collect(),
        }
    }

    fn look_at(&mut self, post: Post) {
        let verdict = || language::detect(post.language_text(), &post.langs);
        self.posts += 1;
        self.matches += u64::from(!self.matcher.scan(&post, &verdict, &mut self.scratch).is_empty());
        let fired = self.triggers.scan(&post, &verdict, &mut self.scratch);
        self.evaluated += u64::from(!fired.is_empty() || self.fired.is_empty());
        for found in fired {
            let nth: usize = found.query.parse().expect("a trigger is named by its number");
            self.fired[nth].1 += 1;
        }
        if self.timed.len() < TIMED_POSTS_MAX {
            self.timed.push(post);
        }
    }

    /// The fastest of several rounds over the same posts, less a round with a query that nothing holds.
    fn ns_per_post(&mut self) -> u64 {
        let nothing = query::parse("{\u{10fffd}\u{10fffd}}").map(|tree| Matcher::compile(vec![rule(tree)]));
        let Ok(nothing) = nothing else { return 0 };
        let (timed, scratch) = (&self.timed, &mut self.scratch);
        let mut fastest = |matcher: &Matcher| {
            let round = |scratch: &mut Scratch| {
                let started = Instant::now();
                for post in timed {
                    matcher.scan(post, &|| language::detect(post.language_text(), &post.langs), scratch);
                }
                started.elapsed().as_nanos() as u64
            };
            (0..TIMED_ROUNDS).map(|_| round(scratch)).min().unwrap_or(0)
        };
        let (with, without) = (fastest(&self.matcher), fastest(&nothing));
        with.saturating_sub(without) / (timed.len() as u64).max(1)
    }

    fn figures(mut self) -> serde_json::Value {
        let ns_per_post = self.ns_per_post();
        let per_million = |count: u64| count * 1_000_000 / self.posts.max(1);
        let mut fired = std::mem::take(&mut self.fired);
        fired.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let terms = fired.iter().map(|(term, count)| json!({ "term": term, "per_million": per_million(*count) }));
        json!({
            "posts": self.posts,
            "matches": self.matches,
            "evaluated_per_million": per_million(self.evaluated),
            "ns_per_post": ns_per_post,
            "terms": terms.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(run: impl FnOnce(&mut Vec<u8>) -> Result<ExitCode, Stop>) -> String {
        let mut out = Vec::new();
        match run(&mut out) {
            Ok(_) => String::from_utf8(out).unwrap(),
            Err(Stop::Wrong(message)) => message,
            Err(Stop::Io(cause)) => panic!("{cause}"),
        }
    }

    fn one(query: &str) -> OneQuery {
        OneQuery { query: query.to_owned(), json: false }
    }

    #[test]
    fn why_tells_the_parts_that_hold_and_the_nearest_miss() {
        let post = "Vellano is slow, and there is once again a long outage";
        let text = told(|out| why(&one("outage NEAR/2 vellano NOT drill"), &mut post.as_bytes(), out));
        assert!(
            text.contains("no  outage NEAR/2 vellano  (`outage` and `vellano` are 9 words apart, NEAR/2 is asked for)"),
            "{text}"
        );
        assert!(text.contains("no  drill") && text.contains("yes -drill"), "{text}");
        let text = told(|out| why(&one("outage NEAR/9 vellano"), &mut post.as_bytes(), out));
        assert!(text.contains("yes outage NEAR/9 vellano  “Vellano” “outage”"), "{text}");
        let text = told(|out| why(&one("vellano likes:>5"), &mut post.as_bytes(), out));
        assert!(text.contains("?   likes:>5  (the post does not tell its `likes:`)"), "{text}");
    }

    #[test]
    fn diff_counts_what_is_gained_and_lost_and_shows_some() {
        let posts = "a dog\na cat\nboth dog and cat\nneither\n";
        let args = DiffArgs { old: "dog".to_owned(), new: "cat".to_owned(), json: false };
        let text = told(|out| diff(&args, &mut posts.as_bytes(), out));
        assert_eq!(text, "4 posts: 1 match both, 1 are gained, 1 are lost\n+ a cat\n- a dog\n");
    }

    #[test]
    fn cost_names_the_terms_that_fire() {
        let posts = "the dog\nthe cat\nthe bird sings\na fox\n";
        let text = told(|out| {
            cost(&OneQuery { json: true, ..one("(the OR fox) (sings OR howls)") }, &mut posts.as_bytes(), out)
        });
        let figures: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&figures["posts"], &figures["matches"]), (&json!(4), &json!(1)));
        let fired: u64 =
            figures["terms"].as_array().unwrap().iter().map(|term| term["per_million"].as_u64().unwrap()).sum();
        assert_eq!(figures["evaluated_per_million"], json!(fired));
    }

    #[test]
    fn a_query_is_laid_out_and_its_comments_are_kept() {
        let text = told(|out| fmt(&one("a   AND (b OR c) <<< why >>> // because"), out));
        assert_eq!(text, "<<< why >>>\n<<< because >>>\na (b OR c)\n");
        assert!(told(|out| fmt(&one("a AND"), out)).contains("missing_term"));
    }
}

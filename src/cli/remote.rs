//! Commands that ask the running daemon.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueHint};
use serde_json::Value;

use crate::highlight::{is_colourful, marked};
use crate::model::{Field, How, Span, Term};
use crate::tables::nearest;

use super::{EXIT_NOTHING, Failure, client};

#[derive(Args)]
pub(super) struct SearchArgs {
    /// In the query language; without one every mention is found.
    query: Option<String>,
    #[arg(long)]
    project: Option<String>,
    #[arg(long)]
    lang: Option<String>,
    /// Matched at or after this time, as 2026-11-25T10:00:00Z.
    #[arg(long)]
    since: Option<String>,
    /// Matched before this time.
    #[arg(long)]
    until: Option<String>,
    #[arg(long, default_value_t = 50)]
    limit: usize,
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
pub(super) enum DeliveriesCommand {
    /// List them, oldest first.
    #[command(after_help = "Example:\n  earful deliveries list --state dead --endpoint care --json")]
    List {
        #[arg(long)]
        endpoint: Option<String>,
        /// `pending` or `dead`.
        #[arg(long, default_value = "pending")]
        state: String,
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[arg(long)]
        json: bool,
    },
    /// Show one with its body, as JSON.
    #[command(after_help = "Example:\n  earful deliveries show dlv_5xrbn053vfqv5ecvs8vt3g3wdf")]
    Show { id: String },
    /// Make dead letters wait again; all conditions that are given must hold.
    #[command(
        after_help = "Examples:\n  earful deliveries retry --endpoint care --since 2026-11-25T00:00:00Z\n  earful deliveries retry dlv_5xrbn053vfqv5ecvs8vt3g3wdf"
    )]
    Retry {
        #[arg(long)]
        endpoint: Option<String>,
        /// As `project/query`.
        #[arg(long)]
        query: Option<String>,
        /// Created at or after this time.
        #[arg(long)]
        since: Option<String>,
        /// Created before this time.
        #[arg(long)]
        until: Option<String>,
        #[arg(long)]
        json: bool,
        ids: Vec<String>,
    },
}

#[derive(Subcommand)]
pub(super) enum EndpointCommand {
    /// Send an endpoint.test event through the endpoint's queue.
    #[command(after_help = "Example:\n  earful endpoint test care && earful status")]
    Test {
        endpoint: String,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
pub(super) enum IndexCommand {
    /// Build the index anew from the store; answers when it is done.
    #[command(after_help = "Example:\n  earful index rebuild")]
    Rebuild(super::JsonArgs),
}

#[derive(Args)]
pub(super) struct BackupArgs {
    /// A directory that does not exist.
    #[arg(value_hint = ValueHint::DirPath)]
    target: PathBuf,
    #[arg(long)]
    json: bool,
}

pub(super) fn search(config: &Path, args: &SearchArgs) -> Result<ExitCode, Failure> {
    let pairs = [
        ("query", &args.query),
        ("project", &args.project),
        ("lang", &args.lang),
        ("since", &args.since),
        ("until", &args.until),
    ];
    let mut asked: Vec<(&str, String)> =
        pairs.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect();
    asked.push(("limit", args.limit.to_string()));
    let answer: Value = client::get(config, "/v1/mentions", &asked)?;
    let mentions = answer["mentions"].as_array().cloned().unwrap_or_default();
    if args.json {
        println!("{answer}");
    } else {
        mentions.iter().for_each(show_mention);
    }
    Ok(if mentions.is_empty() { ExitCode::from(EXIT_NOTHING) } else { ExitCode::SUCCESS })
}

fn show_mention(mention: &Value) {
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap_or(0)).unwrap_or(0);
    let terms_of = |field: Field| {
        let terms = mention["terms"].as_array().into_iter().flatten().filter(|term| term["field"] == field.name());
        let span = |term: &Value| Span { start: number(&term["start_byte"]), end: number(&term["end_byte"]) };
        terms.map(|term| Term { keyword: String::new(), how: How::Word, field, span: span(term) }).collect::<Vec<_>>()
    };
    let of = |key: &str, field: Field| {
        mention[key].as_str().map(|text| marked(text, field, &terms_of(field), is_colourful()))
    };
    let word = |key: &str| mention[key].as_str().unwrap_or("").to_owned();
    println!("{}  {}  {}  {}", word("matched_at"), word("lang"), word("id"), word("url"));
    if let Some(title) = of("title", Field::Title) {
        println!("    {title}");
    }
    if let Some(text) = of("text", Field::Text).filter(|text| !text.is_empty()) {
        println!("    {text}");
    }
}

pub(super) fn status(config: &Path, json: bool) -> Result<ExitCode, Failure> {
    let status: Value = client::get(config, "/v1/status", &[])?;
    if json {
        println!("{status}");
        return Ok(ExitCode::SUCCESS);
    }
    println!("earful {}  epoch {}", text(&status["version"]), text(&status["epoch"]));
    println!("projects  {} with {} queries", status["projects"], status["queries"]);
    if let Some(stale) = status["projects_stale"].as_str() {
        println!("          not those on disk: {stale}");
    }
    println!("index     {} mentions, {} rows behind", status["indexed"], status["index_lag_rows"]);
    println!(
        "disk      {}, {} MB free",
        text(&status["disk_level"]),
        status["disk_free_bytes"].as_u64().unwrap_or(0) >> 20
    );
    for (name, source) in status["sources"].as_object().into_iter().flatten() {
        let cause = source["cause"].as_str().map(|cause| format!("  ({cause})")).unwrap_or_default();
        println!(
            "source    {name}  {}  {}  {} events{cause}",
            text(&source["kind"]),
            text(&source["state"]),
            source["totals"]["events"].as_u64().unwrap_or(0)
        );
        show_failing(source);
    }
    for (name, endpoint) in status["endpoints"].as_object().into_iter().flatten() {
        show_endpoint(name, endpoint);
    }
    Ok(ExitCode::SUCCESS)
}

/// Feeds that are not answered, some of them by name.
fn show_failing(source: &Value) {
    let named: Vec<_> = source["failing"].as_object().into_iter().flatten().collect();
    for (feed, cause) in &named {
        println!("          not answered: {feed}  ({})", text(cause));
    }
    let others = source["failing_total"].as_u64().unwrap_or(0).saturating_sub(named.len() as u64);
    if others > 0 {
        println!("          and {others} more");
    }
}

fn show_endpoint(name: &str, endpoint: &Value) {
    let clock = &endpoint["clock"];
    println!(
        "endpoint  {name}  {}  {}  created {} = delivered {} + dead {} + superseded {} + pending {}",
        text(&endpoint["kind"]),
        text(&clock["state"]),
        endpoint["created"],
        endpoint["delivered"],
        endpoint["dead"],
        endpoint["superseded"],
        endpoint["pending"],
    );
    let said = [("", "class"), ("since ", "failing_since"), ("next attempt ", "not_before")];
    let said: Vec<String> =
        said.into_iter().filter_map(|(what, key)| Some(format!("{what}{}", clock[key].as_str()?))).collect();
    if text(&clock["state"]) != "ok" && !said.is_empty() {
        println!("          {}", said.join(", "));
    }
}

/// Fails for an endpoint that neither the configuration nor the store knows: an empty list would look like good news.
fn known_endpoint(config: &Path, asked: &str) -> Result<(), Failure> {
    let status: Value = client::get(config, "/v1/status", &[])?;
    let known: Vec<&str> =
        status["endpoints"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    if known.contains(&asked) {
        return Ok(());
    }
    let hint = match nearest(asked, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("known are {}", known.join(", ")),
    };
    Err(Failure::usage(format!("there is no endpoint `{asked}`; {hint}")))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

pub(super) fn deliveries(config: &Path, command: DeliveriesCommand) -> Result<ExitCode, Failure> {
    match command {
        DeliveriesCommand::List { endpoint, state, limit, json } => {
            endpoint.as_deref().map_or(Ok(()), |endpoint| known_endpoint(config, endpoint))?;
            let mut asked = vec![("state", state), ("limit", limit.to_string())];
            asked.extend(endpoint.map(|endpoint| ("endpoint", endpoint)));
            let answer: Value = client::get(config, "/v1/deliveries", &asked)?;
            if json {
                println!("{answer}");
                return Ok(ExitCode::SUCCESS);
            }
            for delivery in answer["deliveries"].as_array().into_iter().flatten() {
                let cause = delivery["reason"].as_str().or(delivery["last_cause"].as_str()).unwrap_or("");
                println!(
                    "{}  {}  seq {}  {}  {}  {} attempts  {cause}",
                    text(&delivery["id"]),
                    text(&delivery["endpoint"]),
                    delivery["seq"],
                    text(&delivery["event"]),
                    text(&delivery["created_at"]),
                    delivery["attempts"],
                );
            }
            Ok(ExitCode::SUCCESS)
        }
        DeliveriesCommand::Show { id } => {
            let delivery: Value = client::get(config, &format!("/v1/deliveries/{id}"), &[])?;
            println!("{delivery:#}");
            Ok(ExitCode::SUCCESS)
        }
        DeliveriesCommand::Retry { endpoint, query, since, until, json, ids } => {
            endpoint.as_deref().map_or(Ok(()), |endpoint| known_endpoint(config, endpoint))?;
            let request = crate::api::RetryRequest { endpoint, ids, query, since, until };
            let answer: Value = client::post(config, "/v1/deliveries/retry", &request)?;
            Ok(show_answer(json, &answer, &format!("{} deliveries wait again", answer["retried"])))
        }
    }
}

/// What a command came to, for a program or for a person.
fn show_answer(json: bool, answer: &Value, sentence: &str) -> ExitCode {
    if json {
        println!("{answer}");
    } else {
        println!("{sentence}");
    }
    ExitCode::SUCCESS
}

pub(super) fn endpoint(config: &Path, command: EndpointCommand) -> Result<ExitCode, Failure> {
    let EndpointCommand::Test { endpoint, json } = command;
    known_endpoint(config, &endpoint)?;
    let answer: Value = client::post(config, &format!("/v1/endpoints/{endpoint}/test"), &serde_json::json!({}))?;
    let sentence =
        format!("{} is queued for {endpoint}; `earful status` shows when it is delivered", text(&answer["id"]));
    Ok(show_answer(json, &answer, &sentence))
}

pub(super) fn backup(config: &Path, args: &BackupArgs) -> Result<ExitCode, Failure> {
    let target = std::path::absolute(&args.target).map_err(|cause| Failure::usage(cause.to_string()))?;
    let answer: Value = client::post(config, "/v1/backup", &serde_json::json!({ "target": target }))?;
    let sentence = format!("{}: {} MB", target.display(), answer["bytes"].as_u64().unwrap_or(0) >> 20);
    Ok(show_answer(args.json, &answer, &sentence))
}

pub(super) fn index(config: &Path, command: IndexCommand) -> Result<ExitCode, Failure> {
    let IndexCommand::Rebuild(args) = command;
    let told = |status: &Value| {
        format!("building the index anew: {} mentions, {} rows behind", status["indexed"], status["index_lag_rows"])
    };
    let answer: Value = client::post_watched(config, "/v1/index/rebuild", &serde_json::json!({}), told)?;
    Ok(show_answer(args.json, &answer, &format!("{} mentions are indexed", answer["mentions"])))
}

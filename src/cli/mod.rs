//! The command line: what each command takes, and which room does it.

mod check;
mod client;
mod forms;
mod import;
mod init;
mod language;
mod matching;
mod posts;
mod progress;
mod query;
mod remote;
mod start;

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};

use crate::config::Config;
use crate::tables::FileError;

use progress::Progress;

/// Nothing matched, as grep says it.
const EXIT_NOTHING: u8 = 1;
/// The command line or its input is wrong.
const EXIT_USAGE: u8 = 2;
/// The configuration is wrong.
const EXIT_CONFIGURATION: u8 = 78;

/// Listens to streams and feeds, matches projects' queries, and delivers every mention: verified, in order, once.
#[derive(Parser)]
#[command(name = "earful", version, about, max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  earful init                 write a configuration, a first project and a token here\n  earful check                check configuration and projects\n  earful run                  run the daemon\n  earful demo                 see the whole path work, with nothing outside this machine\n\nExit codes: 0 done · 1 nothing found · 2 wrong usage · 65 store damaged · 74 input/output · 78 configuration"
)]
struct Cli {
    /// The configuration file.
    #[arg(short, long, global = true, env = "EARFUL_CONFIG", default_value = "earful.toml", value_hint = ValueHint::FilePath)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a configuration, a first project and a token file.
    #[command(
        after_help = "Example:\n  earful init --brand Vellano --feed https://example.org/feed --webhook https://care.example.org/hooks"
    )]
    Init(init::InitArgs),
    /// Run the daemon in the foreground.
    #[command(
        after_help = "Examples:\n  earful run\n  earful run --record arrivals.ndjson\n  EARFUL_LOG__LEVEL=debug earful run\n\nSIGTERM stops it in bounded time, SIGHUP reloads the projects."
    )]
    Run(start::RunArgs),
    /// Check the configuration and all projects with their examples.
    #[command(after_help = "Example:\n  earful check && systemctl reload earful")]
    Check(JsonArgs),
    /// List the projects and their queries.
    #[command(after_help = "Example:\n  earful projects --json")]
    Projects(JsonArgs),
    /// Match a query against posts on standard input: the grep of the trade.
    #[command(
        after_help = "Examples:\n  echo 'Vellano is down again' | earful match 'vellano AND (down OR outage)'\n  earful match 'café NOT \"net café\"' <posts.txt\n  earful match --json '#tea' <recording.ndjson\n\nA line is a text, or a JSON object with a text, or a line of a recording.\nExit codes: 0 something matched · 1 nothing did · 2 the query is wrong"
    )]
    Match(matching::MatchArgs),
    /// What helps to write queries: check, lay out, explain, compare, measure.
    #[command(
        subcommand,
        after_help = "Examples:\n  earful query check 'outage AND (vellano OR vellanet*)'\n  echo 'Vellano is down' | earful query why 'vellano NEAR/3 outage'\n  earful query diff 'outage' 'outage OR blackout' <recording.ndjson"
    )]
    Query(query::QueryCommand),
    /// Tell the language of every line on standard input: its code, a tab, how sure that is between 0 and 1.
    #[command(
        after_help = "Examples:\n  echo 'Kde je nejbližší zastávka?' | earful language\n  earful language --lang no <posts.txt\n\nA code of two letters is one of the 27 languages with its probability; one of three letters is another language, named by\nwhatlang with its own confidence; `und` is no language at all. Links, tags and names are not looked at."
    )]
    Language(language::LanguageArgs),
    /// Search stored mentions with the query language.
    #[command(
        after_help = "Example:\n  earful search 'outage NOT planned' --project vellano-care --since 2026-11-01T00:00:00Z"
    )]
    Search(remote::SearchArgs),
    /// Play a recording through the projects and endpoints of the configuration, then stop.
    #[command(
        after_help = "Examples:\n  earful replay arrivals.ndjson --factor 10\n  earful replay arrivals.ndjson --again\n\nA replay that was cut off goes on where it was."
    )]
    Replay(start::ReplayArgs),
    /// Show what the daemon is doing.
    #[command(after_help = "Example:\n  earful status --json | jq .endpoints")]
    Status(JsonArgs),
    /// Deliveries that wait or were given up.
    #[command(
        subcommand,
        after_help = "Examples:\n  earful deliveries list --state dead\n  earful deliveries show dlv_…\n  earful deliveries retry --endpoint care"
    )]
    Deliveries(remote::DeliveriesCommand),
    /// Endpoints.
    #[command(subcommand, after_help = "Example:\n  earful endpoint test care")]
    Endpoint(remote::EndpointCommand),
    /// Write a backup of the running daemon's store into a new directory.
    #[command(
        after_help = "Example:\n  earful backup /var/lib/earful/backups/2026-11-25\n\nThe daemon writes it, where the daemon may write. To restore, copy it to `data_dir` and start: the index is built anew, and `earful-epoch` changes."
    )]
    Backup(remote::BackupArgs),
    /// The index.
    #[command(subcommand, after_help = "Example:\n  earful index rebuild")]
    Index(remote::IndexCommand),
    /// Measure the daemon from socket to receiver, on loopback.
    #[command(after_help = "Example:\n  earful bench --posts 200000 --json")]
    Bench(crate::demo::BenchArgs),
    /// Show the whole path: a live stream, two feeds, a verified webhook, and a daemon killed half-way.
    #[command(after_help = "Example:\n  earful demo")]
    Demo(crate::demo::DemoArgs),
    /// Write shell completions to standard output.
    #[command(after_help = "Example:\n  earful completions bash >/etc/bash_completion.d/earful")]
    Completions { shell: clap_complete::Shell },
    /// Write the manual page to standard output.
    #[command(after_help = "Example:\n  earful man | man -l -")]
    Man,
}

/// Output for another program.
#[derive(Args)]
struct JsonArgs {
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command of this process. Returns its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(cause) = rustls::crypto::ring::default_provider().install_default() {
        drop(cause);
    }
    match run(cli) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("earful: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let config = cli.config;
    match cli.command {
        Command::Init(args) => init::init(&config, &args),
        Command::Run(args) => start::run(&config, args),
        Command::Check(args) => check::check(&config, args.json),
        Command::Projects(args) => check::projects(&config, args.json),
        Command::Match(args) => matching::run(&args),
        Command::Query(command) => query::run(&config, command),
        Command::Language(args) => language::run(&args),
        Command::Search(args) => remote::search(&config, &args),
        Command::Replay(args) => start::replay(&config, &args),
        Command::Status(args) => remote::status(&config, args.json),
        Command::Deliveries(command) => remote::deliveries(&config, command),
        Command::Endpoint(command) => remote::endpoint(&config, command),
        Command::Backup(args) => remote::backup(&config, &args),
        Command::Index(command) => remote::index(&config, command),
        Command::Bench(args) => bench(&args).map_err(Failure::usage),
        Command::Demo(args) => crate::demo::demo(&args).map_err(Failure::usage),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "earful", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man => man(),
    }
}

fn bench(args: &crate::demo::BenchArgs) -> Result<ExitCode, String> {
    let mut progress = Progress::on_terminal(true);
    let figures = crate::demo::bench(args, &mut |line| progress.tell(|| line))?;
    // The line goes before the figures come.
    drop(progress);
    figures.show(args)?;
    Ok(ExitCode::SUCCESS)
}

/// The page of the whole, then one for each command.
fn man() -> Result<ExitCode, Failure> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match render_pages(&command, &mut out).and_then(|()| out.flush()) {
        // Whoever read the pages has had enough.
        Err(cause) if cause.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(cause) => Err(Failure::usage(cause.to_string())),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn render_pages(command: &clap::Command, out: &mut impl Write) -> std::io::Result<()> {
    clap_mangen::Man::new(command.clone()).render(out)?;
    command.get_subcommands().filter(|sub| !sub.is_hide_set()).try_for_each(|sub| render_pages(sub, out))
}

/// Why a command failed: what a person is told, and the exit code.
struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: EXIT_USAGE }
    }

    fn configuration(errors: &[FileError]) -> Self {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Self { message: lines.join("\nearful: "), code: EXIT_CONFIGURATION }
    }
}

fn read_config(path: &std::path::Path) -> Result<Config, Failure> {
    Config::read(path).map_err(|errors| Failure::configuration(&errors))
}

/// A runtime for the edges.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands that do something, with their names as they are typed.
    fn commands(command: &clap::Command, name: &str, found: &mut Vec<(String, clap::Command)>) {
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let name = format!("{name} {}", sub.get_name());
            commands(sub, &name, found);
            found.push((name, sub.clone()));
        }
    }

    #[test]
    fn the_command_line_is_well_formed_and_every_command_has_an_example() {
        let command = Cli::command();
        command.clone().debug_assert();
        let mut found = Vec::new();
        commands(&command, "earful", &mut found);
        assert!(found.iter().any(|(name, _)| name == "earful deliveries retry"));
        for (name, sub) in found {
            let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example") && help.contains(&name), "`{name} --help` has no example: {help}");
        }
    }

    #[test]
    fn what_another_program_may_read_is_also_told_as_json() {
        let mut found = Vec::new();
        commands(&Cli::command(), "earful", &mut found);
        let takes_json = |name: &str| {
            let (_, command) = found.iter().find(|(found, _)| found == name).unwrap();
            command.get_arguments().any(|argument| argument.get_long() == Some("json"))
        };
        for name in [
            "check",
            "projects",
            "match",
            "search",
            "query check",
            "query fmt",
            "query explain",
            "query why",
            "query diff",
            "query cost",
            "query preview",
            "status",
            "deliveries list",
            "deliveries retry",
            "endpoint test",
            "backup",
            "index rebuild",
            "bench",
        ] {
            assert!(takes_json(&format!("earful {name}")), "{name}");
        }
    }

    #[test]
    fn the_manual_has_a_page_for_every_command() {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        let mut pages = Vec::new();
        render_pages(&command, &mut pages).unwrap();
        let pages = String::from_utf8(pages).unwrap();
        for name in ["earful", "earful-run", "earful-deliveries", "earful-deliveries-retry", "earful-index-rebuild"] {
            assert!(pages.contains(&format!(".TH {name} ")), "no page for {name}");
        }
    }
}

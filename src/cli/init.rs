//! `earful init`: a configuration, a first project and the secrets, ready to run.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use crate::api::auth::new_token;
use crate::sinks::sign::Secret;

use super::Failure;

#[derive(Args)]
pub(super) struct InitArgs {
    /// What to listen for: a brand, a product, a name.
    #[arg(long, default_value = "Earful")]
    brand: String,
    /// A feed to poll; can be given more than once. Without one, Bluesky's stream is listened to.
    #[arg(long)]
    feed: Vec<String>,
    /// Where mentions are sent. Without one they are written to mentions.ndjson.
    #[arg(long)]
    webhook: Option<String>,
    /// Replace what is there.
    #[arg(long)]
    force: bool,
}

pub(super) fn init(config: &Path, args: &InitArgs) -> Result<ExitCode, Failure> {
    let directory = config.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let slug = slug_of(&args.brand);
    let project = directory.join("projects").join(format!("{slug}.toml"));
    let secret = directory.join("webhook.secret");
    let token = directory.join("token");
    let mut files = vec![
        (config.to_owned(), configuration(args), 0o640),
        (project, project_text(args, &slug), 0o640),
        (token, new_token() + "\n", 0o600),
    ];
    if args.webhook.is_some() {
        files.push((secret, Secret::random().reveal() + "\n", 0o600));
    }
    if let Some((path, ..)) = files.iter().find(|(path, ..)| path.exists() && !args.force) {
        return Err(Failure::usage(format!("{} exists already; `--force` replaces it", path.display())));
    }
    for (path, text, mode) in &files {
        write(path, text, *mode).map_err(|cause| Failure::usage(format!("{}: {cause}", path.display())))?;
        println!("wrote {}", path.display());
    }
    println!(
        "\nNow:\n  earful check   checks all of it\n  earful run     listens\n  earful search  finds what was heard"
    );
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    // A file that is replaced must not keep a wider mode.
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn slug_of(brand: &str) -> String {
    let letters: String = brand
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .take(48)
        .collect();
    let slug = letters.trim_matches('-').to_owned();
    if slug.is_empty() { "first".to_owned() } else { slug }
}

/// A value as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn configuration(args: &InitArgs) -> String {
    let source = match args.feed.is_empty() {
        true => "# Bluesky's stream; no account is needed.\n[source.bluesky]\nkind = \"jetstream\"\n".to_owned(),
        false => {
            let urls: Vec<String> = args.feed.iter().map(|url| quoted(url)).collect();
            format!("[source.feeds]\nkind = \"feeds\"\nurls = [{}]\n", urls.join(", "))
        }
    };
    let endpoint = match &args.webhook {
        None => "# Mentions as lines of a file. For a webhook: kind = \"webhook\", url, secret_files.\n[endpoint.inbox]\nkind = \"ndjson\"\npath = \"mentions.ndjson\"\n".to_owned(),
        Some(url) => format!("# The receiver verifies with the same secret: https://www.standardwebhooks.com\n[endpoint.inbox]\nkind = \"webhook\"\nurl = {}\nsecret_files = [\"webhook.secret\"]\n", quoted(url)),
    };
    format!(
        "# Every key that is not here has its default; `config/default.toml` documents them all.\ndata_dir = \"data\"\nprojects_dir = \"projects\"\n\n[api]\nlisten = \"127.0.0.1:7311\"\ntoken_file = \"token\"\n\n{source}\n{endpoint}"
    )
}

fn project_text(args: &InitArgs, slug: &str) -> String {
    let brand = &args.brand;
    let word = match brand.contains(char::is_whitespace) {
        true => format!("\"{}\"", brand.replace('"', " ")),
        false => brand.clone(),
    };
    format!(
        "# Who this is for, and what they do with it.\nquery_language = 1\ntitle = {title}\ntime_zone = \"UTC\"\nendpoints = [\"inbox\"]\n\n[query.{slug}]\n# Words are found in any case; a letter typed with a mark must have it. AND, OR, NOT, \"phrases\", word*, #tag, @name.\ntext = {text}\nmust_match = [{example}]\n",
        title = quoted(brand),
        text = quoted(&word),
        example = quoted(&format!("Has anyone tried {brand} yet?")),
    )
}

//! `earful init`: a configuration, a first project and the secrets, ready to run.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use url::{Host, Url};

use crate::api::auth::new_token;
use crate::config::Config;
use crate::fetch::guard::Guard;
use crate::projects::{ProjectText, read_project};
use crate::query::{self, Node, Spans};
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
    let (configuration, text) = (configuration(args), project_text(args, &slug));
    let read = Config::parse(config, &configuration, &[]);
    let read = read.and_then(|read| read_project(&project, &ProjectText { slug, text: text.clone() }, &read.routes));
    // What was asked for cannot be written so that it is read again.
    read.map_err(|errors| Failure::configuration(&errors))?;
    let mut files =
        vec![(config.to_owned(), configuration, 0o640), (project, text, 0o640), (token, new_token() + "\n", 0o600)];
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

/// `Škoda Plus` is `skoda-plus`: marks go, everything else that a slug cannot hold is a hyphen.
fn slug_of(brand: &str) -> String {
    let mut slug = String::new();
    for letter in brand.nfkd().filter(|letter| !is_combining_mark(*letter)) {
        match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => slug.push(letter),
            'ł' | 'Ł' => slug.push('l'),
            'ø' | 'Ø' => slug.push('o'),
            'đ' | 'Đ' => slug.push('d'),
            'ß' => slug.push_str("ss"),
            'æ' | 'Æ' => slug.push_str("ae"),
            _ if !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(48);
    let slug = slug.trim_matches('-').to_owned();
    if slug.is_empty() { "first".to_owned() } else { slug }
}

/// Networks that the named addresses lie in and that nothing is asked in unless it is allowed: who names one allows it.
fn allowed_networks(args: &InitArgs) -> BTreeSet<String> {
    let guard = Guard::new(Vec::new());
    let urls = args.feed.iter().chain(&args.webhook).filter_map(|url| Url::parse(url).ok());
    let mut networks = BTreeSet::new();
    for url in urls {
        let network = |address: IpAddr| match address {
            IpAddr::V4(address) if address.is_loopback() => "127.0.0.0/8".to_owned(),
            IpAddr::V4(address) => format!("{address}/32"),
            IpAddr::V6(address) => format!("{address}/128"),
        };
        match url.host() {
            Some(Host::Domain("localhost")) => networks.extend(["127.0.0.0/8".to_owned(), "::1/128".to_owned()]),
            Some(Host::Ipv4(address)) if guard.check_address(address.into()).is_err() => {
                networks.insert(network(address.into()));
            }
            Some(Host::Ipv6(address)) if guard.check_address(address.into()).is_err() => {
                networks.insert(network(address.into()));
            }
            _ => {}
        }
    }
    networks
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
    let networks = allowed_networks(args);
    let egress = match networks.is_empty() {
        true => String::new(),
        false => {
            let list: Vec<String> = networks.iter().map(|network| quoted(network)).collect();
            format!(
                "# Private networks are refused but for these, because an address below lies there.\n[egress]\nallow = [{}]\n\n",
                list.join(", ")
            )
        }
    };
    format!(
        "# Every key that is not here has its default; `config/default.toml` documents them all.\ndata_dir = \"data\"\nprojects_dir = \"projects\"\n\n[api]\nlisten = \"127.0.0.1:7311\"\ntoken_file = \"token\"\n\n{egress}{source}\n{endpoint}"
    )
}

/// The brand as one term: as it is typed if it is one, else as a phrase.
fn query_of(brand: &str) -> String {
    let brand = brand.trim();
    let read = query::parse(brand).ok().filter(|query| query.lints.is_empty());
    match read.map(|query| query.root) {
        Some(Node::Found(Spans::Keyword(keyword))) if keyword.text == brand => brand.to_owned(),
        _ => format!("\"{}\"", brand.replace('"', " ")),
    }
}

fn project_text(args: &InitArgs, slug: &str) -> String {
    let brand = &args.brand;
    let word = query_of(brand);
    format!(
        "# Who this is for, and what they do with it.\nquery_language = 1\ntitle = {title}\ntime_zone = \"UTC\"\nendpoints = [\"inbox\"]\n\n[query.{slug}]\n# Words are found in any case; a letter typed with a mark must have it. AND, OR, NOT, \"phrases\", word*, #tag, @name.\ntext = {text}\nmust_match = [{example}]\n",
        title = quoted(brand),
        text = quoted(&word),
        example = quoted(&format!("Has anyone tried {brand} yet?")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_becomes_a_slug_that_people_recognise() {
        let slugs = [
            ("Škoda Plus", "skoda-plus"),
            ("Żabka", "zabka"),
            ("Łódź & Co.", "lodz-co"),
            ("AT&T", "at-t"),
            ("トヨタ", "first"),
            ("--", "first"),
        ];
        for (brand, slug) in slugs {
            assert_eq!(slug_of(brand), slug, "{brand}");
            assert!(crate::projects::is_slug(slug));
        }
    }

    fn args(brand: &str, feed: &str, webhook: &str) -> InitArgs {
        InitArgs {
            brand: brand.to_owned(),
            feed: vec![feed.to_owned()],
            webhook: Some(webhook.to_owned()),
            force: false,
        }
    }

    #[test]
    fn whatever_the_brand_is_called_its_project_is_valid() {
        let rows = [
            ("Vellano", "Vellano"),
            ("Škoda Plus", "\"Škoda Plus\""),
            ("Re:Zero", "\"Re:Zero\""),
            ("-x", "\"-x\""),
            ("AT&T", "AT&T"),
            ("Yahoo!", "Yahoo!"),
            ("who?", "\"who?\""),
            ("OR", "\"OR\""),
            ("fish & chips", "\"fish & chips\""),
            ("a \"b\" c", "\"a  b  c\""),
            ("(new)", "\"(new)\""),
            ("トヨタ", "トヨタ"),
        ];
        for (brand, query) in rows {
            assert_eq!(query_of(brand), query, "{brand}");
            let directory = tempfile::tempdir().unwrap();
            let config = directory.path().join("earful.toml");
            let args = args(brand, "https://blog.example.org/f", "https://care.example.org/");
            assert!(init(&config, &args).is_ok(), "{brand}");
            let text = std::fs::read_to_string(&config).unwrap();
            assert!(Config::parse(&config, &text, &[]).is_ok(), "{brand}");
        }
    }

    #[test]
    fn what_cannot_be_read_again_is_not_written() {
        for (brand, feed, webhook, told) in [
            ("\"", "https://a.example/f", "https://b.example/", "no word between"),
            ("", "https://a.example/f", "https://b.example/", "no word between"),
            ("B", "ftp://a.example/f", "https://b.example/", "no http or https address"),
            ("B", "https://a.example/f", "https://user:pass@b.example/", "carries credentials"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let failure = init(&directory.path().join("earful.toml"), &args(brand, feed, webhook)).err().unwrap();
            assert!(failure.message.contains(told), "{brand} {feed}: {}", failure.message);
            assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
        }
    }

    #[test]
    fn who_names_a_private_address_allows_it() {
        let networks = |feed, webhook| allowed_networks(&args("B", feed, webhook)).into_iter().collect::<Vec<_>>();
        assert_eq!(networks("http://127.0.0.1:8000/f", "https://care.example.org/"), ["127.0.0.0/8"]);
        assert_eq!(networks("http://localhost/f", "http://10.1.2.3/"), ["10.1.2.3/32", "127.0.0.0/8", "::1/128"]);
        assert!(networks("https://blog.example.org/f", "http://8.8.8.8/").is_empty());
        for network in networks("http://[::1]:80/f", "http://192.168.1.4/") {
            network.parse::<crate::fetch::guard::Network>().expect("a network that the configuration takes");
        }
    }
}

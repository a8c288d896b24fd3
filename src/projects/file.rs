//! One project file: its keys, its queries with their spans, its examples.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::language;
use crate::model::{
    Author, AuthorId, Connector, Example, Lang, Post, PostId, PostKind, Project, SavedQuery, SourceType, Thread,
    ThreadId, Timestamp,
};
use crate::query::{self, Home, Morph, Rule, Shared, Zone};
use crate::tables::{self, FileError, Places, nearest};

/// The version of the query language that this program knows.
pub const QUERY_LANGUAGE: u32 = 1;
/// Bytes of a project file.
const PROJECT_BYTES_MAX: usize = 4 << 20;

/// A project's file name without its ending, and its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectText {
    pub slug: String,
    pub text: String,
}

/// What projects may refer to.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    pub endpoints: BTreeSet<String>,
    pub sources: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectFile {
    query_language: u32,
    #[serde(default)]
    title: String,
    #[serde(default = "utc")]
    time_zone: String,
    #[serde(default)]
    languages: Vec<String>,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    endpoints: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    /// Which bare words have forms: `off`, `names`, `full`.
    morph: Option<String>,
    /// Terms that queries use by `list(NAME)`.
    #[serde(default)]
    list: BTreeMap<String, Vec<String>>,
    query: BTreeMap<String, QueryTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryTable {
    text: toml::Spanned<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    must_match: Vec<toml::Spanned<ExampleValue>>,
    #[serde(default)]
    must_not_match: Vec<toml::Spanned<ExampleValue>>,
}

/// An example is a text, or a table with more.
#[derive(Deserialize)]
#[serde(untagged)]
enum ExampleValue {
    Text(String),
    Table(ExampleTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExampleTable {
    #[serde(default)]
    text: String,
    title: Option<String>,
    lang: Option<String>,
    author: Option<String>,
    site: Option<String>,
    source: Option<String>,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Reads and checks one project against what it may refer to. `file` is only named in errors.
pub fn read_project(
    file: &Path,
    project: &ProjectText,
    routes: &Routes,
) -> Result<(Project, Vec<Rule>), Vec<FileError>> {
    let ProjectText { slug, text } = project;
    if text.len() > PROJECT_BYTES_MAX {
        return Err(vec![FileError::whole(file, format!("a project file holds at most {PROJECT_BYTES_MAX} bytes"))]);
    }
    let (read, mut errors) = tables::read_lenient::<ProjectFile>(file, text);
    let Some(read) = read else { return Err(errors) };
    let places = Places::of(file, text);
    check_head(file, project, &places, &read, &mut errors);
    check_routes(&places, &read, routes, &mut errors);
    let languages = parse_languages(&places, &read.languages, &mut errors);
    let home = Home {
        langs: languages.clone(),
        morph: parse_morph(&places, &read, &mut errors),
        zone: Zone::named(&read.time_zone),
    };
    let shared = Shared {
        lists: read.list.clone(),
        queries: read.query.iter().map(|(name, table)| (name.clone(), table.text.get_ref().clone())).collect(),
    };
    let mut queries = Vec::new();
    let mut rules = Vec::new();
    for (name, table) in &read.query {
        if !is_slug(name) {
            errors.push(places.error(&format!("query.{name}"), slug_sentence("a query's name", name)));
        }
        let saved = saved_query(file, text, (name, table), &mut errors);
        let Some(tree) = parse_query((file, text), &table.text, &shared, &mut errors) else { continue };
        let rule = Rule {
            project: slug.clone(),
            query: name.clone(),
            version: 1,
            tags: read.tags.iter().chain(&table.tags).cloned().collect(),
            languages: languages.clone(),
            sources: read.sources.clone(),
            tree: tree.at(&home),
        };
        check_examples(file, text, (table, &saved, &rule), &mut errors);
        queries.push(saved);
        rules.push(rule);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let project = Project {
        slug: slug.clone(),
        title: if read.title.is_empty() { slug.clone() } else { read.title },
        time_zone: read.time_zone,
        languages,
        sources: read.sources,
        endpoints: read.endpoints,
        tags: read.tags,
        query_language: read.query_language,
        queries,
    };
    Ok((project, rules))
}

fn check_head(
    file: &Path,
    project: &ProjectText,
    places: &Places<'_>,
    read: &ProjectFile,
    errors: &mut Vec<FileError>,
) {
    if !is_slug(&project.slug) {
        errors.push(FileError::whole(file, slug_sentence("a project's file name", &project.slug)));
    }
    if read.query_language != QUERY_LANGUAGE {
        let message = format!("query_language is {}; this program knows version {QUERY_LANGUAGE}", read.query_language);
        errors.push(places.error("query_language", message));
    }
    if jiff::tz::TimeZone::get(&read.time_zone).is_err() {
        let message = format!("time_zone: there is no zone `{}`; write an IANA name as Europe/Prague", read.time_zone);
        errors.push(places.error("time_zone", message));
    }
    if read.query.is_empty() {
        errors.push(FileError::whole(file, "a project needs at least one query: add a table [query.NAME] with a text"));
    }
}

fn check_routes(places: &Places<'_>, read: &ProjectFile, routes: &Routes, errors: &mut Vec<FileError>) {
    let lists = [("endpoints", &read.endpoints, &routes.endpoints), ("sources", &read.sources, &routes.sources)];
    for (key, named, known) in lists {
        for name in named.iter().filter(|name| !known.contains(*name)) {
            let hint = match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the configuration has {}", list(known)),
            };
            errors.push(places.error(key, format!("{key}: there is no `{name}`; {hint}")));
        }
    }
}

fn list(names: &BTreeSet<String>) -> String {
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    }
}

fn parse_languages(places: &Places<'_>, codes: &[String], errors: &mut Vec<FileError>) -> Vec<Lang> {
    codes
        .iter()
        .filter_map(|code| {
            let lang = Lang::parse(code);
            if lang.is_none() {
                let known: Vec<_> = Lang::ALL.into_iter().map(Lang::code).collect();
                let message = format!("languages: `{code}` is not one of {}", known.join(" "));
                errors.push(places.error("languages", message));
            }
            lang
        })
        .collect()
}

fn parse_morph(places: &Places<'_>, read: &ProjectFile, errors: &mut Vec<FileError>) -> Option<Morph> {
    match read.morph.as_deref()? {
        "off" => Some(Morph::Off),
        "names" => Some(Morph::Names),
        "full" => Some(Morph::Full),
        other => {
            errors.push(places.error("morph", format!("morph: `{other}` is not one of off, names, full")));
            None
        }
    }
}

fn saved_query(
    file: &Path,
    text: &str,
    (name, table): (&String, &QueryTable),
    errors: &mut Vec<FileError>,
) -> SavedQuery {
    let mut examples = |values: &[toml::Spanned<ExampleValue>]| {
        values.iter().map(|value| example(file, text, value, errors)).collect::<Vec<_>>()
    };
    SavedQuery {
        slug: name.clone(),
        text: table.text.get_ref().trim().to_owned(),
        version: 1,
        tags: table.tags.clone(),
        must_match: examples(&table.must_match),
        must_not_match: examples(&table.must_not_match),
    }
}

fn example(file: &Path, text: &str, value: &toml::Spanned<ExampleValue>, errors: &mut Vec<FileError>) -> Example {
    match value.get_ref() {
        ExampleValue::Text(post) => Example { text: post.clone(), ..Example::default() },
        ExampleValue::Table(table) => {
            let lang = table.lang.as_deref().and_then(Lang::parse);
            if lang.is_none() && table.lang.is_some() {
                let message =
                    format!("lang: `{}` is not a language that Earful detects", table.lang.as_deref().unwrap_or(""));
                errors.push(FileError::at(file, text, value.span().start, message));
            }
            Example {
                text: table.text.clone(),
                title: table.title.clone(),
                lang,
                author: table.author.clone(),
                site: table.site.clone(),
                source: table.source.clone(),
            }
        }
    }
}

/// Parses a query; its errors are placed in the file.
fn parse_query(
    (file, text): (&Path, &str),
    value: &toml::Spanned<String>,
    shared: &Shared,
    errors: &mut Vec<FileError>,
) -> Option<query::Query> {
    match query::parse_with(value.get_ref(), shared) {
        Ok(tree) => Some(tree),
        Err(mistakes) => {
            for mistake in mistakes {
                let place = place_in_file(text, value, mistake.span.start);
                let hint = mistake.suggestion.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default();
                let message = format!("{} [{}]{hint}", mistake.message, mistake.code);
                errors.push(FileError::at(file, text, place, message));
            }
            None
        }
    }
}

/// A byte of the query's value as a byte of the file. Exact for literal strings, and for basic ones up to an escape.
fn place_in_file(text: &str, value: &toml::Spanned<String>, byte: usize) -> usize {
    let written = &text[value.span()];
    let start = written.find(value.get_ref().as_str()).unwrap_or(0);
    value.span().start + start + byte.min(value.get_ref().len())
}

fn check_examples(
    file: &Path,
    text: &str,
    (table, saved, rule): (&QueryTable, &SavedQuery, &Rule),
    errors: &mut Vec<FileError>,
) {
    let cases = table.must_match.iter().zip(&saved.must_match).map(|case| (case, true));
    let others = table.must_not_match.iter().zip(&saved.must_not_match).map(|case| (case, false));
    for ((place, example), expected) in cases.chain(others) {
        let post = example_post(example);
        // An example asks about the query's words; which source brings a post is not its business.
        let rule = Rule { sources: Vec::new(), ..rule.clone() };
        let matched =
            query::naive::matches(&rule, &post, &|| language::detect(post.language_text(), &post.langs)).is_some();
        if matched != expected {
            let verb = if expected { "must match and does not" } else { "must not match and does" };
            let message = format!("query `{}`: the example “{}” {verb}", saved.slug, example.text);
            errors.push(FileError::at(file, text, place.span().start, message));
        }
    }
}

/// The post that an example describes.
pub(crate) fn example_post(example: &Example) -> Post {
    let network: std::sync::Arc<str> = example.source.as_deref().unwrap_or("example").into();
    let handle = example.author.clone().unwrap_or_else(|| "someone".to_owned());
    Post {
        id: PostId::of("example", &example.text),
        network,
        native_id: example.text.clone(),
        source_type: SourceType::Social,
        site: example.site.as_deref().unwrap_or("example.org").into(),
        board: None,
        connector: Connector::Push,
        source: "example".into(),
        kind: PostKind::Post,
        url: None,
        author: Author {
            id: AuthorId::of("example", &handle),
            native_id: handle.clone(),
            handle: Some(handle),
            name: None,
            url: None,
        },
        title: example.title.clone(),
        text: example.text.clone(),
        truncated: false,
        langs: example.lang.into_iter().collect(),
        hashtags: Vec::new(),
        mentions: Vec::new(),
        links: Vec::new(),
        thread: Thread { id: ThreadId::of("example", &example.text), root: None, parent: None },
        published_at: None,
        edited_at: None,
        fetched_at: Timestamp::EPOCH,
    }
}

/// Writes a project's file so that a crash leaves the old one or the new one.
pub fn write_project(directory: &Path, project: &ProjectText) -> std::io::Result<()> {
    let target = directory.join(format!("{}.toml", project.slug));
    let draft = directory.join(format!(".{}.toml.new", project.slug));
    std::fs::write(&draft, &project.text)?;
    std::fs::File::open(&draft)?.sync_all()?;
    std::fs::rename(&draft, &target)?;
    std::fs::File::open(directory)?.sync_all()
}

/// Lower-case letters, digits and inner hyphens: safe in a file name, a key, a URL and a label.
pub fn is_slug(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

fn slug_sentence(what: &str, name: &str) -> String {
    format!("{what} has 1 to 64 lower-case letters, digits, hyphens and underscores; `{name}` does not")
}

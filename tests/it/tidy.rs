//! Rules of style that a machine can check.

use std::fs;
use std::path::{Path, PathBuf};

const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARS_MAX: usize = 160;

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Every source file of a folder of the project, with its text.
fn texts(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join(folder), &mut found);
    assert!(!found.is_empty());
    found
        .into_iter()
        .map(|path| (path.strip_prefix(root).unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// What is compiled into the binary: everything before the first item at the margin that only tests have.
fn code_of(text: &str) -> &str {
    text.split("\n#[cfg(test)]\n").next().unwrap()
}

/// Files that only tests have, by the attribute of their `mod` line.
fn is_of_tests(path: &Path) -> bool {
    path.ends_with("tests.rs") || path.ends_with("fetch/loopback.rs")
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_begins_with_what_it_owns() {
    let heads = texts("src").into_iter().filter(|(path, text)| !is_of_tests(path) && !text.starts_with("//! "));
    report(&heads.map(|(path, _)| format!("{}: no module head", path.display())).collect::<Vec<_>>());
}

#[test]
fn no_function_is_longer_than_a_screen() {
    let mut wrong = Vec::new();
    for (path, text) in texts("src") {
        let mut open: Option<(usize, usize, String)> = None;
        for (number, line) in code_of(&text).lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let starts = [
                "fn ",
                "pub fn ",
                "async fn ",
                "pub async fn ",
                "pub(super) fn ",
                "pub(crate) fn ",
                "pub(super) async fn ",
            ];
            if open.is_none()
                && starts.iter().any(|start| line.trim_start().starts_with(start))
                && !line.trim_end().ends_with(';')
            {
                open = Some((number, indent, line.trim().to_owned()));
            }
            if let Some((start, at, name)) = &open
                && line.starts_with(&format!("{}}}", " ".repeat(*at)))
                && indent == *at
            {
                if number - start + 1 > FUNCTION_LINES_MAX {
                    wrong.push(format!("{}:{}: {} lines: {name}", path.display(), start + 1, number - start + 1));
                }
                open = None;
            }
        }
    }
    report(&wrong);
}

#[test]
fn nothing_is_left_unfinished_or_asleep() {
    let banned = ["todo!(", "unimplemented!(", "#[ignore", "dbg!(", "XXX", "FIXME"];
    let mut wrong = Vec::new();
    for (path, text) in texts("src").into_iter().chain(texts("tests")) {
        if path.ends_with("tidy.rs") {
            continue;
        }
        let asleep = path.starts_with("tests") && (text.contains("thread::sleep(") || text.contains("time::sleep("));
        for word in banned.iter().filter(|word| text.contains(**word)) {
            wrong.push(format!("{}: holds {word}", path.display()));
        }
        if asleep {
            wrong.push(format!("{}: a test that sleeps", path.display()));
        }
        for (number, line) in
            text.lines().enumerate().filter(|(_, line)| line.chars().count() > LINE_CHARS_MAX && !line.contains('"'))
        {
            wrong.push(format!("{}:{}: {} characters", path.display(), number + 1, line.chars().count()));
        }
    }
    report(&wrong);
}

#[test]
fn code_that_runs_does_not_unwrap() {
    let mut wrong = Vec::new();
    for (path, text) in texts("src").into_iter().filter(|(path, _)| !is_of_tests(path)) {
        for (number, line) in code_of(&text).lines().enumerate() {
            if line.contains(".unwrap()") && !line.trim_start().starts_with("//") {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    report(&wrong);
}

#[test]
fn metrics_are_named_in_one_place() {
    let mut wrong = Vec::new();
    for (path, text) in texts("src").into_iter().filter(|(path, _)| !path.ends_with("metrics.rs")) {
        for word in ["counter!(", "gauge!(", "histogram!("].iter().filter(|word| text.contains(**word)) {
            wrong.push(format!("{}: {word} belongs into metrics.rs", path.display()));
        }
    }
    report(&wrong);
    for metric in earful::metrics::ALL {
        assert!(metric.name.starts_with("earful_") && metric.help.ends_with('.'), "{}", metric.name);
        assert_eq!(metric.name.ends_with("_total"), metric.kind == earful::metrics::Kind::Counter, "{}", metric.name);
    }
}

#[test]
fn every_default_is_read_and_every_key_is_documented() {
    let environment = [];
    let config = earful::config::Config::parse(Path::new("earful.toml"), "", &environment).unwrap();
    assert!(config.sources.is_empty() && config.endpoints.is_empty());
    let mut commented = false;
    for (number, line) in earful::config::DEFAULTS.lines().enumerate() {
        let line = line.trim();
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(commented, "config/default.toml:{}: `{line}` has no comment above it", number + 1);
        }
        commented = line.starts_with('#');
    }
}

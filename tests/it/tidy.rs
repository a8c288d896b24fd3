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

#[test]
fn every_metric_is_documented_as_it_describes_itself() {
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap();
    let (operations, architecture) = (read("OPERATIONS.md"), read("ARCHITECTURE.md"));
    let names: Vec<&str> = earful::metrics::ALL.iter().map(|metric| metric.name).collect();
    let mut wrong = Vec::new();
    for metric in earful::metrics::ALL {
        let row = operations.lines().find(|line| line.starts_with(&format!("| `{}` |", metric.name)));
        let kind = format!("{:?}", metric.kind).to_lowercase();
        if !row.is_some_and(|row| row.contains(&format!("| {kind} |")) && row.ends_with(&format!("{} |", metric.help)))
        {
            wrong.push(format!("docs/OPERATIONS.md: no row `{}`, {kind}, {}", metric.name, metric.help));
        }
    }
    for (name, text) in [("OPERATIONS.md", &operations), ("ARCHITECTURE.md", &architecture)] {
        for named in text.split('`').filter(|word| word.starts_with("earful_")) {
            let named = named.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_').next().unwrap();
            if !names.contains(&named) {
                wrong.push(format!("docs/{name}: there is no metric `{named}`"));
            }
        }
    }
    report(&wrong);
}

#[test]
fn the_store_is_written_in_one_place_that_never_waits_inside() {
    let mut wrong = Vec::new();
    for (path, text) in texts("src") {
        let code = code_of(&text);
        for call in ["db.put", "db.write(", "db.delete", "db.merge", ".write_without_wal", "write_opt("] {
            let is_writer = path.ends_with("store/writer.rs") && call == "write_opt(";
            // The format, the epoch and the mark of a restored store are written before the writer starts.
            let is_opening = path.ends_with("store/open.rs") || path.ends_with("store/backup.rs");
            if code.contains(call) && !is_writer && !is_opening {
                wrong.push(format!("{}: `{call}`", path.display()));
            }
        }
    }
    report(&wrong);
    let writer = texts("src").into_iter().find(|(path, _)| path.ends_with("store/writer.rs")).unwrap().1;
    assert_eq!((writer.matches("write_opt(").count(), writer.matches("set_no_slowdown(true)").count()), (1, 1));
}

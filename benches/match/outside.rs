//! Engines outside this process: each is a program in `benches/peers` that reads the same files, and prints what it took.
//!
//! The files, in the directory that is given: `terms.txt`, a term a line; `uses.txt`, for each term the queries and groups in
//! which it stands, as `query:group` between spaces, group 7 for what must not be there; `wanted.txt`, for each query the
//! groups that must all be there, as the bits of a number; `queries.txt`, for each query its groups as a Lucene query;
//! `posts.txt`, a post a line. Each program prints `SECONDS MATCHES`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use earful::model::Post;

use super::made::Query;
use super::peers::Terms;

fn directory() -> PathBuf {
    std::env::temp_dir().join(format!("earful-bench-{}", std::process::id()))
}

pub fn write(terms: &Terms, queries: &[Query], posts: &[Post]) {
    let directory = directory();
    fs::create_dir_all(&directory).unwrap();
    let [mut texts, mut uses, mut wanted, mut lucene] = [const { String::new() }; 4];
    for (text, used) in terms.uses() {
        writeln!(texts, "{text}").unwrap();
        let used: Vec<String> = used.iter().map(|(query, group)| format!("{query}:{group}")).collect();
        writeln!(uses, "{}", used.join(" ")).unwrap();
    }
    for query in queries {
        writeln!(wanted, "{}", (1 << query.groups.len()) - 1).unwrap();
        let clause = |sign: &str, group: &[String]| {
            let terms: Vec<String> = group.iter().map(|term| format!("\"{term}\"")).collect();
            format!("{sign}({})", terms.join(" "))
        };
        let mut clauses: Vec<String> = query.groups.iter().map(|group| clause("+", group)).collect();
        if !query.none_of.is_empty() {
            clauses.push(clause("-", &query.none_of));
        }
        writeln!(lucene, "{}", clauses.join(" ")).unwrap();
    }
    let lines: Vec<&str> = posts.iter().map(|post| post.text.as_str()).collect();
    for (name, text) in [
        ("terms.txt", texts),
        ("uses.txt", uses),
        ("wanted.txt", wanted),
        ("queries.txt", lucene),
        ("posts.txt", lines.join("\n")),
    ] {
        fs::write(directory.join(name), text).unwrap();
    }
}

/// Runs each engine whose command the directory has: an executable file of its name. Seconds and matches of each, or why
/// there are none.
pub fn run(peers: &str, size: usize, threads: usize) -> Vec<Result<(String, f64, usize), String>> {
    let data = directory();
    let mut commands: Vec<PathBuf> = fs::read_dir(peers).unwrap().map(|entry| entry.unwrap().path()).collect();
    commands.sort();
    let outcomes = commands.iter().map(|command| outcome(command, &data, size, threads)).collect();
    fs::remove_dir_all(&data).unwrap();
    outcomes
}

fn outcome(command: &Path, data: &Path, size: usize, threads: usize) -> Result<(String, f64, usize), String> {
    let engine = command.file_stem().unwrap().to_string_lossy().into_owned();
    let output = Command::new(command).arg(data).arg(threads.to_string()).output();
    let output = output.map_err(|error| format!("{engine}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut numbers = said.lines().last().unwrap_or_default().split_whitespace();
    let seconds = numbers.next().and_then(|seconds| seconds.parse().ok());
    let matches = numbers.next().and_then(|matches| matches.parse().ok());
    match (seconds, matches) {
        (Some(seconds), Some(matches)) => Ok((engine, seconds, matches)),
        _ => Err(format!("{engine} at {size} queries: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

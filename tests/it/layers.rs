//! The house stands: a room imports only from lower floors, and two rooms on one floor never import each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by floor, lowest first: the table that holds the house.
const FLOORS: [&[&str]; 9] = [
    &["model", "clock", "crash", "metrics"],
    &["event", "extract", "highlight", "language", "query", "tables"],
    &["matcher", "normalize"],
    &["index", "projects", "store"],
    &["keeper", "outbox", "search"],
    &["fetch", "inlet"],
    &["sinks", "sources"],
    &["config", "pipeline", "rig"],
    &["api", "run", "demo", "cli"],
];

/// Rooms of one floor that may use each other, with the reason.
const NEIGHBOURS: [(&str, &str, &str); 7] = [
    ("metrics", "model", "labels are closed sets of the model"),
    ("clock", "model", "the clock gives the model's time"),
    ("run", "api", "the daemon starts the servers"),
    ("cli", "api", "the command line asks the daemon over its socket"),
    ("cli", "run", "the command line starts the daemon"),
    ("cli", "demo", "a command each"),
    ("demo", "api", "the demo asks its daemon over its socket"),
];

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that stand behind a `crate::`: one, or those of a list in braces, at any depth of lists in it.
fn named_first(rest: &str) -> Vec<String> {
    let name = |part: &str| {
        let part = part.trim_start();
        part.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '_').collect::<String>()
    };
    let mut named = Vec::new();
    match rest.strip_prefix('{') {
        None => named.push(name(rest)),
        Some(list) => {
            let (mut depth, mut start) = (1, 0);
            for (at, letter) in list.char_indices() {
                match letter {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 0 || (depth == 1 && letter == ',') {
                    named.push(name(&list[start..at]));
                    start = at + 1;
                }
                if depth == 0 {
                    break;
                }
            }
        }
    }
    named.retain(|name| !name.is_empty());
    named
}

/// Rooms that each room names, in code that is not a test.
fn imports() -> BTreeMap<String, Vec<(String, PathBuf)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut imports: BTreeMap<String, Vec<(String, PathBuf)>> = BTreeMap::new();
    for file in files {
        let inner = file.strip_prefix(&root).unwrap();
        let room = inner.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        if room == "lib" || room == "main" || inner.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for named in code.split("crate::").skip(1).flat_map(named_first) {
            if named != room {
                imports.entry(room.clone()).or_default().push((named, inner.to_owned()));
            }
        }
    }
    imports
}

#[test]
fn a_room_imports_only_from_lower_floors() {
    let mut wrong = Vec::new();
    for (room, named) in imports() {
        let floor =
            floor_of(&room).unwrap_or_else(|| panic!("the room `{room}` stands on no floor: add it to the table"));
        for (other, file) in named {
            let Some(below) = floor_of(&other) else { continue };
            let neighbours = NEIGHBOURS.iter().any(|(from, to, _)| *from == room && *to == other);
            if below >= floor && !neighbours {
                wrong.push(format!("{}: `{room}` on floor {floor} uses `{other}` on floor {below}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_check_of_the_layers_sees_imports() {
    let imports = imports();
    assert!(imports["pipeline"].iter().any(|(room, _)| room == "store"), "the turn is known to use the store");
    assert!(!imports.contains_key("model"), "the nouns use nobody: {:?}", imports.get("model"));
}

#[test]
fn a_list_of_imports_is_read_name_by_name() {
    let rows: [(&str, &[&str]); 5] = [
        ("store::{Store, Family};", &["store"]),
        ("{store, index};", &["store", "index"]),
        (
            "{\n    api::{self, Services},\n    store::{rows::{A, B}, Store},\n    metrics,\n};",
            &["api", "store", "metrics"],
        ),
        ("{clock as now, Thing, model::{Post, id::{PostId}}};", &["clock", "model"]),
        ("Error", &[]),
    ];
    for (text, expected) in rows {
        assert_eq!(named_first(text), expected, "{text}");
    }
}

#[test]
fn every_room_is_in_the_map() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for room in FLOORS.into_iter().flatten() {
        assert!(map.contains(&format!("pub mod {room};")), "`{room}` is not in src/lib.rs");
    }
}

//! The table of bad input: what comes in broken, hostile or out of date, where, and what is said about it. Every row is
//! followed by one good item of its kind, which still works.

mod api;
mod files;
mod wires;

use std::time::{Duration, Instant};

const ROWS_MIN: usize = 80;
/// No bad input may cost more, on a machine that is busy with other tests.
const ROW_TIME_MAX: Duration = Duration::from_secs(10);

/// What a row is called, what makes its bytes, and what must be said about them. What is taken all the same says `ok`.
type Row = (&'static str, fn() -> Vec<u8>, &'static str);

/// Rows that come in at one place.
struct Group<'a> {
    place: &'static str,
    /// Says `ok` and what came of it, or what is wrong.
    read: Box<dyn Fn(&[u8]) -> String + 'a>,
    good: fn() -> Vec<u8>,
    rows: &'static [Row],
}

impl Group<'_> {
    /// What was not as expected, a line each.
    fn run(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, bytes, expected) in self.rows {
            let started = Instant::now();
            let said = (self.read)(&bytes());
            if !said.contains(expected) || (said.starts_with("ok") != expected.starts_with("ok")) {
                wrong.push(format!("{}, {name}: expected `{expected}`, got `{}`", self.place, start_of(&said)));
            }
            if started.elapsed() > ROW_TIME_MAX {
                wrong.push(format!("{}, {name}: took {:?}", self.place, started.elapsed()));
            }
            let after = (self.read)(&(self.good)());
            if !after.starts_with("ok") {
                wrong.push(format!("{}, after {name}: the good one says `{}`", self.place, start_of(&after)));
            }
        }
        println!("{}: {} rows", self.place, self.rows.len());
        wrong
    }
}

fn start_of(text: &str) -> String {
    text.chars().take(400).collect()
}

#[test]
fn bad_input_is_turned_away_with_its_reason_and_the_next_good_one_is_taken() {
    let api = api::Api::start();
    let groups: Vec<Group<'_>> = wires::groups().into_iter().chain(files::groups()).chain(api.groups()).collect();
    let rows: usize = groups.iter().map(|group| group.rows.len()).sum();
    let wrong: Vec<String> = groups.iter().flat_map(Group::run).collect();
    println!("{rows} rows in {} places", groups.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows >= ROWS_MIN);
}

//! What came in and what went out in the demo, and whether it adds up with what the recording says.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::rig::receiver::{Receiver, Stats};

use super::script::{Demo, endpoints, number};
use super::tape::Tape;

/// Deliveries by what became of them, over all endpoints.
#[derive(Debug, Default)]
struct Deliveries {
    created: u64,
    delivered: u64,
    superseded: u64,
    dead: u64,
    pending: u64,
}

/// What the receivers saw.
#[derive(Debug, Default)]
struct Seen {
    requests: u64,
    verified: u64,
    repeated: u64,
    bad: u64,
    conflicting: u64,
}

/// The daemon's account and the receivers', at the end.
pub(super) struct Summary {
    status: Value,
    deliveries: Deliveries,
    seen: Seen,
    /// Mentions from the stream that search finds, by project.
    left: BTreeMap<String, u64>,
}

/// Posts that went with their account: no source's own deletions.
pub(super) fn erased(status: &Value) -> u64 {
    let of = |source: &str| number(&status["sources"][source]["totals"]["posts_deleted"]);
    number(&status["totals"]["posts_deleted"]).saturating_sub(of("stream") + of("feeds"))
}

impl Summary {
    pub(super) async fn of(demo: &Demo) -> Result<Self, String> {
        let status = demo.daemon.status().await?;
        let mut left = BTreeMap::new();
        for project in demo.tape.left.keys() {
            let found = demo.daemon.get(&format!("/v1/mentions?project={project}&limit=1000")).await;
            let found = found.ok_or_else(|| format!("the daemon does not find the mentions of {project}"))?;
            let mentions = found["mentions"].as_array().into_iter().flatten();
            let of_stream = mentions.filter(|mention| mention["network"] == "bluesky");
            left.insert(project.clone(), of_stream.count() as u64);
        }
        let sum = |key: &str| endpoints(&status).map(|endpoint| number(&endpoint[key])).sum::<u64>();
        let deliveries = Deliveries {
            created: sum("created"),
            delivered: sum("delivered"),
            superseded: sum("superseded"),
            dead: sum("dead"),
            pending: sum("pending"),
        };
        let stats: Vec<Stats> = demo.receivers.values().map(Receiver::stats).collect();
        let total = |count: fn(&Stats) -> u64| stats.iter().map(count).sum::<u64>();
        let seen = Seen {
            requests: total(|stats| stats.requests),
            verified: demo.receivers.values().map(|receiver| receiver.accepted().len() as u64).sum(),
            repeated: total(|stats| stats.repeated),
            bad: total(|stats| stats.bad_signature),
            conflicting: total(|stats| stats.conflicting_body),
        };
        Ok(Self { status, deliveries, seen, left })
    }

    /// A withdrawn delivery may have been on the wire already; it was verified then, and is not counted as lost.
    fn lost(&self) -> u64 {
        self.deliveries.delivered.saturating_sub(self.seen.verified)
    }

    /// Prints it. Returns whether it adds up.
    pub(super) fn adds_up(&self, tape: &Tape) -> bool {
        let Self { status, deliveries, seen, .. } = self;
        let stream = &status["sources"]["stream"]["totals"];
        println!(
            "\nposts in    {} of {} from the stream, {} from feeds; {} edits, {} deletions, {} erased with their account; {} seen twice after the kill",
            number(&stream["posts_created"]),
            tape.creates,
            number(&status["sources"]["feeds"]["totals"]["posts_created"]),
            number(&status["totals"]["posts_edited"]),
            number(&status["totals"]["posts_deleted"]),
            erased(status),
            number(&stream["posts_unchanged"])
        );
        let left: Vec<String> = self.left.iter().map(|(project, count)| format!("{count} {project}")).collect();
        println!("matched     {} mentions", number(&status["totals"]["mentions_created"]));
        println!("left        {} of the stream at the end, as the recording says", left.join(" + "));
        println!(
            "deliveries  {} = {} delivered + {} superseded + {} dead + {} pending",
            deliveries.created, deliveries.delivered, deliveries.superseded, deliveries.dead, deliveries.pending
        );
        println!(
            "verified    {} by signature, in {} requests; {} repeated, {} bad, {} conflicting",
            seen.verified, seen.requests, seen.repeated, seen.bad, seen.conflicting
        );
        println!("lost {}", self.lost());
        let wrong = self.wrong(tape);
        for what in &wrong {
            println!("DOES NOT ADD UP: {what}");
        }
        wrong.is_empty()
    }

    /// What does not add up.
    fn wrong(&self, tape: &Tape) -> Vec<String> {
        let Self { status, deliveries, seen, left } = self;
        let stream = &status["sources"]["stream"]["totals"];
        let counts = [
            ("posts of the stream that came in", number(&stream["posts_created"]), tape.creates),
            ("edits in the stream", number(&stream["posts_edited"]), tape.updates),
            ("deletions in the stream", number(&stream["posts_deleted"]), tape.deletes),
            ("posts erased with their account", erased(status), tape.erased),
            ("deliveries dead or pending", deliveries.dead + deliveries.pending, 0),
            ("signatures that are bad, and ids with two bodies", seen.bad + seen.conflicting, 0),
            ("deliveries lost", self.lost(), 0),
        ];
        let left = tape.left.iter().map(|(project, expected)| {
            (format!("mentions of {project} left at the end"), left.get(project).copied().unwrap_or(0), *expected)
        });
        let counts = counts.into_iter().map(|(what, found, expected)| (what.to_owned(), found, expected)).chain(left);
        let mut wrong: Vec<String> = counts
            .filter(|(_, found, expected)| found != expected)
            .map(|(what, found, expected)| format!("{what}: {found}, expected {expected}"))
            .collect();
        let Deliveries { created, delivered, superseded, dead, pending } = deliveries;
        if *created != delivered + superseded + dead + pending {
            wrong.push(format!("created = delivered + superseded + dead + pending: {deliveries:?}"));
        }
        if !(*delivered..=delivered + superseded).contains(&seen.verified) {
            wrong.push(format!(
                "every delivery was verified: {}, expected {delivered} to {}",
                seen.verified,
                delivered + superseded
            ));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tape() -> Tape {
        let left = BTreeMap::from([("care".to_owned(), 2)]);
        Tape { creates: 5, updates: 2, deletes: 1, erased: 1, end_ms: 9, left }
    }

    fn summary() -> Summary {
        let stream = json!({ "posts_created": 5, "posts_edited": 2, "posts_deleted": 1 });
        let feeds = json!({ "posts_deleted": 1 });
        Summary {
            status: json!({
                "sources": { "stream": { "totals": stream }, "feeds": { "totals": feeds } },
                "totals": { "posts_deleted": 3 },
            }),
            deliveries: Deliveries { created: 4, delivered: 3, superseded: 1, dead: 0, pending: 0 },
            seen: Seen { requests: 4, verified: 3, ..Seen::default() },
            left: BTreeMap::from([("care".to_owned(), 2)]),
        }
    }

    #[test]
    fn one_figure_that_is_off_does_not_add_up() {
        assert_eq!(summary().wrong(&tape()), Vec::<String>::new());
        let told = |change: &dyn Fn(&mut Summary)| {
            let mut changed = summary();
            change(&mut changed);
            changed.wrong(&tape()).join("; ")
        };
        let off = [
            told(&|summary| summary.status["sources"]["stream"]["totals"]["posts_edited"] = json!(1)),
            told(&|summary| summary.status["sources"]["stream"]["totals"]["posts_created"] = json!(6)),
            told(&|summary| summary.status["totals"]["posts_deleted"] = json!(2)),
            told(&|summary| summary.left = BTreeMap::from([("care".to_owned(), 1)])),
            told(&|summary| summary.left.clear()),
            told(&|summary| summary.deliveries.created = 5),
            told(&|summary| summary.seen.verified = 2),
            told(&|summary| summary.seen.bad = 1),
        ];
        let expected = ["edits", "came in: 6", "erased", "care left", "care left", "created =", "lost", "bad"];
        for (told, expected) in off.iter().zip(expected) {
            assert!(told.contains(expected), "{told}");
        }
    }
}

//! What a query catches among the stored posts, before it is saved: counts, samples, and what a change adds or loses.
//! Newest posts first, all cores, told as it goes. Unaware of HTTP.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::time::Instant;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::language;
use crate::matcher::{Matcher, Scratch};
use crate::model::{Lang, Match, Post, Timestamp};
use crate::query::{Query, Rule};
use crate::store::{ReadError, Store};

/// Posts that one core reads at a time.
const CHUNK_POSTS: u64 = 4_096;
/// Chunks per core between two tellings.
const CHUNKS_PER_CORE: usize = 2;

/// What is asked of the stored posts.
#[derive(Clone, Debug)]
pub struct PreviewRequest {
    pub query: Query,
    /// The query as it was: what the new one adds and loses is told.
    pub old: Option<Query>,
    /// Only posts in these; empty for all.
    pub languages: Vec<Lang>,
    /// Published, or else fetched, at or after this, and before that.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Of matches, and of what is gained and lost.
    pub samples_max: usize,
}

/// What was found up to here.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    /// Whether all stored posts were read.
    pub done: bool,
    /// Posts read, and posts there are to read.
    pub posts: u64,
    pub posts_total: u64,
    pub matches: u64,
    /// Matches by day, in UTC.
    pub by_day: BTreeMap<String, u64>,
    /// By the likeliest language; `unknown` where there is none.
    pub by_language: BTreeMap<String, u64>,
    /// By configured source.
    pub by_source: BTreeMap<String, u64>,
    /// Newest first.
    pub samples: Vec<Sample>,
    /// What matches now and did not, and the reverse, where an older query was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gained: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Side>,
    /// Nanoseconds of one core that matching took per post read, with reading the letters of the post.
    pub match_ns_per_post: u64,
}

/// Matches of one of two queries alone.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Side {
    pub posts: u64,
    pub samples: Vec<Sample>,
}

/// A post that matches.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    pub id: String,
    /// RFC 3339.
    pub at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub text: String,
    /// Where the query's words are.
    pub terms: Vec<SampleTerm>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SampleTerm {
    pub keyword: String,
    pub field: String,
    pub start_byte: u32,
    pub end_byte: u32,
}

/// Reads the stored posts from the newest on. `told` hears what was found so far, again and again, and may end it.
pub fn preview(
    store: &Store,
    request: &PreviewRequest,
    told: &mut dyn FnMut(&Preview) -> ControlFlow<()>,
) -> Result<Preview, ReadError> {
    let matcher = Matcher::compile(rules(request));
    let (floor, next) = (store.post_floor()?, store.post_next()?);
    let mut whole = Preview { posts_total: next.saturating_sub(floor), ..Preview::of(request) };
    let mut end = next;
    while end > floor {
        let mut chunks = Vec::new();
        while end > floor && chunks.len() < CHUNKS_PER_CORE * rayon::current_num_threads() {
            let start = end.saturating_sub(CHUNK_POSTS).max(floor);
            chunks.push(start..end);
            end = start;
        }
        let looked = |chunk: Range<u64>| look(store, request, &matcher, chunk);
        let parts: Vec<Preview> = chunks.into_par_iter().map(looked).collect::<Result<_, _>>()?;
        parts.into_iter().for_each(|part| whole.add(part, request.samples_max));
        whole.done = end <= floor;
        if told(&whole).is_break() {
            return Ok(whole);
        }
    }
    whole.done = true;
    Ok(whole)
}

const NEW: &str = "new";
const OLD: &str = "old";

fn rules(request: &PreviewRequest) -> Vec<Rule> {
    let rule = |query: &str, tree: &Query| Rule {
        project: String::new(),
        query: query.to_owned(),
        version: 0,
        tags: Vec::new(),
        languages: request.languages.clone(),
        sources: Vec::new(),
        tree: tree.clone(),
    };
    let old = request.old.iter().map(|tree| rule(OLD, tree));
    old.chain([rule(NEW, &request.query)]).collect()
}

/// What a range of posts holds, newest first.
fn look(store: &Store, request: &PreviewRequest, matcher: &Matcher, chunk: Range<u64>) -> Result<Preview, ReadError> {
    let mut found = Preview::of(request);
    let mut scratch = Scratch::default();
    let posts = store.posts_between(chunk)?;
    let mut matched = Vec::new();
    let started = Instant::now();
    for post in posts.iter().rev().map(|(_, post)| post).filter(|post| is_timely(post, request)) {
        found.posts += 1;
        let matches = matcher.scan(post, &|| language::detect(post.language_text(), &post.langs), &mut scratch);
        if !matches.is_empty() {
            matched.push((post, matches));
        }
    }
    found.match_ns_per_post = started.elapsed().as_nanos() as u64 / found.posts.max(1);
    for (post, matches) in matched {
        if !store.is_hidden(post.author.id)? {
            found.note(post, &matches, request.samples_max);
        }
    }
    Ok(found)
}

fn time_of(post: &Post) -> Timestamp {
    post.published_at.unwrap_or(post.fetched_at)
}

fn is_timely(post: &Post, request: &PreviewRequest) -> bool {
    let at = time_of(post);
    request.since.is_none_or(|since| at >= since) && request.until.is_none_or(|until| at < until)
}

impl Preview {
    fn of(request: &PreviewRequest) -> Self {
        let side = request.old.as_ref().map(|_| Side::default());
        Self { gained: side.clone(), lost: side, ..Self::default() }
    }

    fn note(&mut self, post: &Post, matches: &[Match], samples_max: usize) {
        let of = |name: &str| matches.iter().find(|found| found.query == name);
        let (new, old) = (of(NEW), of(OLD));
        let side = match (new, old) {
            (Some(_), None) => self.gained.as_mut(),
            (None, Some(_)) => self.lost.as_mut(),
            _ => None,
        };
        if let (Some(side), Some(found)) = (side, new.or(old)) {
            side.posts += 1;
            if side.samples.len() < samples_max {
                side.samples.push(sample(post, found));
            }
        }
        let Some(found) = new else { return };
        self.matches += 1;
        let verdict = language::detect(post.language_text(), &post.langs);
        let lang = verdict.best.map_or("unknown", |(lang, _)| lang.code());
        let day = time_of(post).to_string().chars().take("2026-01-01".len()).collect::<String>();
        *self.by_day.entry(day).or_default() += 1;
        *self.by_language.entry(lang.to_owned()).or_default() += 1;
        *self.by_source.entry(post.source.to_string()).or_default() += 1;
        if self.samples.len() < samples_max {
            self.samples.push(sample(post, found));
        }
    }

    /// Adds what an older part of the posts holds.
    fn add(&mut self, older: Self, samples_max: usize) {
        let nanos = self.match_ns_per_post * self.posts + older.match_ns_per_post * older.posts;
        self.posts += older.posts;
        self.match_ns_per_post = nanos / self.posts.max(1);
        self.matches += older.matches;
        let counts = [
            (&mut self.by_day, older.by_day),
            (&mut self.by_language, older.by_language),
            (&mut self.by_source, older.by_source),
        ];
        for (counts, older) in counts {
            older.into_iter().for_each(|(key, count)| *counts.entry(key).or_default() += count);
        }
        let samples = |samples: &mut Vec<Sample>, older: Vec<Sample>| {
            samples.extend(older);
            samples.truncate(samples_max);
        };
        samples(&mut self.samples, older.samples);
        for (side, older) in [(&mut self.gained, older.gained), (&mut self.lost, older.lost)] {
            if let (Some(side), Some(older)) = (side, older) {
                side.posts += older.posts;
                samples(&mut side.samples, older.samples);
            }
        }
    }
}

fn sample(post: &Post, found: &Match) -> Sample {
    let terms = found.terms.iter().map(|term| SampleTerm {
        keyword: term.keyword.clone(),
        field: term.field.name().to_owned(),
        start_byte: term.span.start,
        end_byte: term.span.end,
    });
    Sample {
        id: post.id.to_string(),
        at: time_of(post).to_string(),
        url: post.url.clone(),
        title: post.title.clone(),
        text: post.text.clone(),
        terms: terms.collect(),
    }
}

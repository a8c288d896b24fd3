//! X: filtered stream, search and PowerTrack. What their operators with a colon are in ours.

use crate::model::{PostId, ThreadId};

use super::fields::{Given, Rule};
use super::tree::{Kind, Part, Tree};

/// How posts of X are named here, in whose ids the name of the network is.
const NETWORK: &str = "x";

pub(super) fn rule(name: &str) -> Option<Rule> {
    Some(match name {
        "from" => Rule::field("author"),
        "bio_name" => Rule::scope("author_name"),
        "url" => Rule::field("url").noted("`url:` looks in the post's own address too, and for all of the value."),
        "url_contains" => Rule::value(url_contains).noted("`url:` looks in the post's own address too."),
        "contains" => Rule::value(|given| {
            let is_word = given.text.chars().all(char::is_alphanumeric);
            is_word.then(|| given.term(Kind::Word, format!("*{}*", given.text)))
        }),
        "is" => Rule::value(is),
        "has" => Rule::value(has),
        "lang" => Rule::value(lang),
        "profile_country" => Rule::value(|given| Some(given.field("country", given.text.to_lowercase()))),
        "followers_count" | "min_followers" => Rule::value(followers),
        "conversation_id" => {
            Rule::value(|given| Some(given.field("thread", ThreadId::of(NETWORK, given.text).to_string())))
                .noted("Threads have ids of their own here: this is that of the network `x`.")
        }
        "in_reply_to_tweet_id" | "in_reply_to_status_id" => Rule::value(|given| {
            let parent = PostId::of(NETWORK, given.text).to_string();
            Some(given.all(vec![given.field("is", "reply"), given.field("parent_id", parent)]))
        })
        .noted("Posts have ids of their own here: this is that of the network `x`."),
        "sample" => Rule::value(sample),
        "to" => Rule::refused("a post that answers one of an author is not asked by name; `@name` finds who is named"),
        "retweets_of" | "retweets_of_tweet_id" | "quotes_of_tweet_id" => {
            Rule::refused("which post is repeated or quoted is not asked; `is:repost` and `is:quote` are")
        }
        "list" => Rule::refused("members of a list there are not known here; write them out with `author:`"),
        "source" => Rule::refused("the application is not known; `source:` here is the network"),
        "bio" | "bio_location" | "from_affiliate_of" | "to_affiliate_of" => {
            Rule::refused("of an author only handle, id and name are asked")
        }
        "context" | "entity" | "embedding" => Rule::refused("topics that X adds are not known here; write words"),
        "place" | "place_country" | "point_radius" | "bounding_box" | "profile_region" | "profile_locality"
        | "profile_subregion" => Rule::refused("of a place only the author's country is asked, by `country:`"),
        "tweets_count" | "statuses_count" | "following_count" | "friends_count" | "listed_count" => {
            Rule::refused("of an author's numbers only `followers:` is asked")
        }
        "url_title" | "url_description" => Rule::refused("pages that a post links to are not read"),
        _ => return None,
    })
}

fn url_contains(given: &Given) -> Option<Part> {
    let edges = [given.text.chars().next()?, given.text.chars().next_back()?];
    (!edges.iter().any(|edge| edge.is_alphanumeric())).then(|| given.field("url", given.text))
}

fn is(given: &Given) -> Option<Part> {
    match given.text {
        "verified" => Some(given.field("verified", "true")),
        _ => given.among("is", &[("retweet", "repost"), ("reply", "reply"), ("quote", "quote")]),
    }
}

fn has(given: &Given) -> Option<Part> {
    if matches!(given.text, "media" | "media_link") {
        return Some(given.any(vec![given.field("has", "image"), given.field("has", "video")]));
    }
    let pairs = [
        ("links", "link"),
        ("hashtags", "hashtag"),
        ("mentions", "mention"),
        ("images", "image"),
        ("video_link", "video"),
        ("videos", "video"),
    ];
    given.among("has", &pairs)
}

/// A language by the code that X gives it. What it does not know it passes over.
fn lang(given: &Given) -> Option<Part> {
    Some(match given.text {
        "und" => Part::new(Tree::Nothing, given.span.clone()),
        "iw" => given.field("lang", "he"),
        "zh-CN" | "zh-TW" => given.field("lang", "zh"),
        code => given.field("lang", code),
    })
}

/// `n` or more, or `a..b`.
fn followers(given: &Given) -> Option<Part> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match given.text.split_once("..") {
        Some((min, max)) if is_number(min) && is_number(max) => {
            Some(given.field("followers", format!("[{min} TO {max}]")))
        }
        None if is_number(given.text) => Some(given.field("followers", format!(">={}", given.text))),
        _ => None,
    }
}

fn sample(given: &Given) -> Option<Part> {
    let percent: u32 = given.text.parse().ok().filter(|percent| (1..=100).contains(percent))?;
    Some(given.field("sample", percent.to_string()))
}

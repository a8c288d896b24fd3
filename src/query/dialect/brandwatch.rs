//! Brandwatch Consumer Research, and Crimson Hexagon before it: what its fields are in ours.

use super::country;
use super::fields::{Given, Rule, host};
use super::tree::{Kind, Part};

const NO_PLACE: &str = "of a place only the country is asked, by `country:`";
const NO_ID: &str = "ids of posts here are made of the network and its id, and a query there does not tell the network";

pub(super) fn rule(name: &str) -> Option<Rule> {
    Some(match name {
        "title" => Rule::scope("title"),
        "site" => Rule::value(|given| Some(given.field("site", host(given.text)))),
        "url" | "rating" => Rule::field(if name == "url" { "url" } else { "rating" }),
        "links" => Rule::field("url").noted("`url:` looks in the post's own address too."),
        "author" => Rule::value(author),
        "language" => Rule::field("lang"),
        "country" => Rule::value(|given| Some(given.field("country", country::of_three(given.text)?))),
        "authorGender" => Rule::value(|given| given.among("gender", &[("F", "female"), ("M", "male")])),
        "authorVerified" => Rule::field("verified"),
        "authorFollowers" => Rule::field("followers"),
        "engagementType" => Rule::value(|given| {
            let kinds = [("COMMENT", "comment"), ("REPLY", "reply"), ("RETWEET", "repost"), ("QUOTE", "quote")];
            given.among("is", &kinds)
        }),
        "blogName" => Rule::value(|given| {
            Some(given.all(vec![given.field("source", "tumblr"), given.field("author", given.text)]))
        }),
        "tags" => Rule::value(|given| Some(given.all(vec![given.field("source", "tumblr"), given.entity('#')?]))),
        "subreddit" => Rule::field("board"),
        "weblogTitle" => Rule::field("author"),
        "topLevelDomain" => Rule::field("tld"),
        "imageType" => Rule::value(|given| given.among("has", &[("image", "image")]))
            .noted("That a post has nothing else is not asked."),
        "publisherSubType" => Rule::value(|given| {
            let media = given.among("has", &[("IMAGE", "image"), ("VIDEO", "video")])?;
            Some(given.all(vec![given.field("source", "instagram"), media]))
        }),
        "minuteOfDay" => Rule::value(hours).noted("Hours are read as those of UTC, by `@tz:UTC`."),
        "at_mentions" => Rule::value(|given| given.entity('@')),
        "hashtags" => Rule::value(|given| given.entity('#')),
        "raw" => Rule::value(|given| (!given.text.contains('"')).then(|| given.term(Kind::Exact, given.text))),
        "continent" | "region" | "city" | "latitude" | "longitude" => Rule::refused(NO_PLACE),
        "guid" | "parentPostId" | "rootPostId" | "engagingWithGuid" => Rule::refused(NO_ID),
        "engagingWith" | "parentBlogName" | "rootBlogName" => Rule::refused("whom a post answers is not asked by name"),
        "authorVerifiedType" => Rule::refused("`verified:` tells only whether an author is"),
        "channelId" | "brandIds" | "objects" | "itemReview" | "pubType" | "publication" | "redditAuthorFlair"
        | "redditPostFlair" | "redditSpoiler" | "sensitiveContent" | "subredditNSFW" | "subredditTopics" => {
            Rule::refused("no post tells it here")
        }
        _ => return None,
    })
}

/// A handle; with white space, the same with dots in its place, or a full name.
fn author(given: &Given) -> Option<Part> {
    if !given.text.contains(char::is_whitespace) {
        return Some(given.field("author", given.text));
    }
    let dotted = given.text.split_whitespace().collect::<Vec<_>>().join(".");
    let name = Part::scope("author_name", given.term(Kind::Phrase, given.text.replace('"', " ")));
    Some(given.any(vec![given.field("author", dotted), given.field("author", given.text), name]))
}

/// Minutes of the day that make whole hours.
fn hours(given: &Given) -> Option<Part> {
    let (first, last) = given.text.strip_prefix('[')?.strip_suffix(']')?.split_once(" TO ")?;
    let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let is_whole = first % 60 == 0 && last % 60 == 59 && first < last && last < 24 * 60;
    is_whole.then(|| given.field("hour", format!("[{} TO {}]", first / 60, last / 60)))
}

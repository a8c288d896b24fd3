//! What a field is compared with, from its text. Unaware of tokens.

use std::ops::Range;

use crate::model::Lang;

use super::super::QueryError;
use super::super::condition::{self, Bounds, Condition, Has, Is, SAMPLE_WHOLE, WEEKDAYS};
use super::super::pragma::Zone;
use super::token::{Field, mistake, unknown_language};

/// One part of the whole.
const SAMPLE_PERCENT_MIN: f64 = 0.001;

/// A field and its value. A time is read in `zone`, if the query names one.
pub fn compared(field: Field, value: &str, zone: Option<&Zone>, span: &Range<usize>) -> Result<Condition, QueryError> {
    let exact = value.trim();
    let value = exact.to_lowercase();
    let wrong = |message: &str, instead: &str| Err(mistake("wrong_value", span.clone(), message, Some(instead)));
    let zone = || zone.cloned();
    Ok(match field {
        Field::Lang => Condition::Lang(Lang::parse(&value).ok_or_else(|| unknown_language(&value, span))?),
        Field::Source => Condition::Source(value),
        Field::Author => match value.trim_start_matches(['@', '＠', '﹫']).trim() {
            "" => return wrong("A handle needs a letter.", "author:ann"),
            handle => Condition::Author(handle.to_owned()),
        },
        Field::Site | Field::Domain | Field::Tld => return host(field, &value, span),
        Field::Url => Condition::Url(value),
        Field::Board => Condition::Board(value),
        Field::SourceType => match condition::source_types().any(|known| known == value) {
            true => Condition::SourceType(value),
            false => {
                let known = condition::source_types().collect::<Vec<_>>().join(", ");
                return wrong(&format!("A type of source is one of {known}."), "sourcetype:forum");
            }
        },
        Field::Thread => Condition::Thread(exact.to_owned()),
        Field::ParentId => Condition::ParentId(exact.to_owned()),
        Field::Is => match Is::ALL.into_iter().find(|(name, _)| *name == value) {
            Some((_, is)) => Condition::Is(is),
            None if value == "own" => unfilled("is", value),
            None => {
                return wrong(
                    "A post is: post, reply, comment, repost, quote, root, edited, question, own.",
                    "is:reply",
                );
            }
        },
        Field::Has => match Has::ALL.into_iter().find(|(name, _)| *name == value) {
            Some((_, has)) => Condition::Has(has),
            None if matches!(value.as_str(), "image" | "video") => unfilled("has", value),
            None => return wrong("A post has: image, video, link, mention, hashtag, emoji.", "has:link"),
        },
        Field::Words => Condition::Words(number(&value, "words:[5 TO 400]", span)?),
        Field::Mentions => Condition::Mentions(number(&value, "mentions:<5", span)?),
        Field::Hour => match bounds(&value).map(|hours| (hours.min, hours.max.unwrap_or(23))) {
            Some((first @ 0..=23, last @ 0..=23)) => {
                Condition::Hour { first: first as u8, last: last as u8, zone: zone() }
            }
            _ => return wrong("An hour is a number from 0 to 23, or a range of them.", "hour:[19 TO 22]"),
        },
        Field::Weekday => match WEEKDAYS.iter().position(|day| *day == value) {
            Some(day) => Condition::Weekday { day: day as u8, zone: zone() },
            None => return wrong("A day is one of mon, tue, wed, thu, fri, sat, sun.", "weekday:(sat OR sun)"),
        },
        Field::Sample => match value.parse::<f64>() {
            Ok(percent) if (SAMPLE_PERCENT_MIN..=100.0).contains(&percent) => {
                Condition::Sample((percent * f64::from(SAMPLE_WHOLE) / 100.0).round() as u32)
            }
            _ => return wrong("A sample is a percentage from 0.001 to 100.", "sample:10"),
        },
        Field::Unfilled(name) => {
            check_unfilled(name, &value, span)?;
            unfilled(name, value)
        }
    })
}

fn unfilled(field: &str, value: String) -> Condition {
    Condition::Unfilled { field: field.to_owned(), value }
}

/// What is not filled yet is read all the same, so that a query that is saved today stays valid.
fn check_unfilled(name: &str, value: &str, span: &Range<usize>) -> Result<(), QueryError> {
    let known = |known: &[&str]| known.contains(&value);
    let (fits, message, instead) = match name {
        "verified" => (known(&["true", "false", "yes", "no"]), "It is true or false.", "verified:true"),
        "gender" => (
            known(&["female", "male", "other", "unknown"]),
            "It is one of female, male, other, unknown.",
            "gender:female",
        ),
        "sentiment" => (
            known(&["positive", "neutral", "negative"]) || decimal_bounds(value),
            "It is positive, neutral or negative, or a range of numbers.",
            "sentiment:negative",
        ),
        "country" => (
            value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_alphabetic()),
            "A country is the two letters of ISO 3166-1.",
            "country:cz",
        ),
        "followers" | "likes" | "shares" | "replies" | "reach" => (
            bounds(value).is_some_and(|bounds| bounds.max.is_none_or(|max| bounds.min <= max)),
            "It is a number or a range of numbers.",
            "[500 TO 100000], >5",
        ),
        _ => (decimal_bounds(value), "It is a number or a range of numbers.", "[500 TO 100000], >5"),
    };
    if fits { Ok(()) } else { Err(mistake("wrong_value", span.clone(), message, Some(instead))) }
}

fn number(value: &str, instead: &str, span: &Range<usize>) -> Result<Bounds, QueryError> {
    let message = "It is a number, a comparison or a range.";
    let fits = |bounds: &Bounds| bounds.max.is_none_or(|max| bounds.min <= max);
    bounds(value).filter(fits).ok_or_else(|| mistake("wrong_value", span.clone(), message, Some(instead)))
}

/// `5`, `=5`, `>5`, `>=5`, `<5`, `<=5`, `[5 to 10]`, `[5 to *]`, `[* to 5]`. A range may go backwards where hours do.
pub fn bounds(value: &str) -> Option<Bounds> {
    let value = value.trim();
    if let Some(inside) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let (min, max) = ends(inside)?;
        let min = if min == "*" { 0 } else { min.parse().ok()? };
        return Some(Bounds { min, max: if max == "*" { None } else { Some(max.parse().ok()?) } });
    }
    let signs = value.len() - value.trim_start_matches(['<', '>', '=']).len();
    let (sign, digits) = value.split_at(signs);
    let number: u64 = digits.trim().parse().ok()?;
    let bounds = |min, max| Some(Bounds { min, max });
    match sign {
        "" | "=" => bounds(number, Some(number)),
        ">" => bounds(number.checked_add(1)?, None),
        ">=" => bounds(number, None),
        "<" => bounds(0, Some(number.checked_sub(1)?)),
        "<=" => bounds(0, Some(number)),
        _ => None,
    }
}

fn ends(inside: &str) -> Option<(&str, &str)> {
    let (min, max) = inside.split_once(" to ").or_else(|| inside.split_once(" TO "))?;
    Some((min.trim(), max.trim()))
}

fn decimal_bounds(value: &str) -> bool {
    let is_number = |text: &str| text == "*" || text.parse::<f64>().is_ok_and(f64::is_finite);
    match value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => ends(inside).is_some_and(|(min, max)| is_number(min) && is_number(max)),
        None => is_number(value.trim_start_matches(['<', '>', '='])) && value != "*",
    }
}

fn host(field: Field, value: &str, span: &Range<usize>) -> Result<Condition, QueryError> {
    let value = ascii_host(if field == Field::Tld { value.trim_start_matches('.') } else { value });
    if is_host(&value) {
        return Ok(match field {
            Field::Domain => Condition::Domain(value),
            Field::Tld => Condition::Tld(value),
            _ => Condition::Site(value),
        });
    }
    let (_, address) = value.split_once("://").unwrap_or(("", &value));
    let host = address.split(['/', '?', '#', ':']).next().filter(|host| is_host(host));
    let instead = host.map(|host| format!("site:{host}"));
    let message = "A site is a host alone, as `example.org`: no address, no path.";
    Err(mistake("wrong_value", span.clone(), message, instead.as_deref()))
}

/// A host as posts name their sites: letters beyond ASCII as IDNA spells them.
fn ascii_host(value: &str) -> String {
    match url::Host::parse(value) {
        Ok(url::Host::Domain(host)) if !value.is_ascii() => host,
        _ => value.to_owned(),
    }
}

/// Labels of letters, digits and hyphens with single dots between them.
fn is_host(value: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'))
    };
    value.split('.').all(label)
}

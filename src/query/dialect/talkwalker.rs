//! Talkwalker: what its fields are in ours, and how it reads a text without operators.

use super::super::QueryError;
use super::super::parse::is_one_term;
use super::fields::{Given, Rule, host};
use super::lex::TokenKind;
use super::reader::Reader;
use super::terms::stray;
use super::tree::{Kind, Part, Tree, hull};
use super::written::Written;

/// Words that may lie between each two of a text without operators.
const WORDS_BETWEEN: usize = 10;
/// The networks that an author's id begins with.
const NETWORKS: [(&str, &str); 5] =
    [("ig", "instagram"), ("fb", "facebook"), ("tw", "x"), ("yt", "youtube"), ("tk", "tiktok")];

pub(super) fn rule(name: &str) -> Option<Rule> {
    Some(match name {
        "title" => Rule::scope("title"),
        "content" => Rule::scope("body"),
        "site" => Rule::value(|given| Some(given.field("site", host(given.text)))),
        "domain_url" | "domainurl" => Rule::value(|given| Some(given.field("domain", host(given.text)))),
        "host_url" | "hosturl" => Rule::refused("`site:` takes hosts below it too"),
        "author" => Rule::value(|given| Some(given.author_or_name())),
        "authorshort" => Rule::field("author").noted("Case does not count."),
        "mention" => Rule::value(|given| given.entity('@')).noted("Case does not count."),
        "hashtag" => Rule::value(|given| given.entity('#')).noted("Case does not count."),
        "lang" => Rule::field("lang"),
        "gender" | "sentiment" => {
            if name == "gender" {
                Rule::value(|given| Some(given.field("gender", given.text.to_lowercase())))
            } else {
                Rule::value(|given| Some(given.field("sentiment", given.text.to_lowercase())))
            }
        }
        "authorcountry" => Rule::value(|given| Some(given.field("country", given.text.to_lowercase()))),
        "sourcetype" => Rule::value(source_type),
        "is" => Rule::value(is),
        "contains" => Rule::value(|given| given.among("has", &[("image", "image"), ("video", "video")])),
        "posttype" => {
            Rule::value(|given| given.among("has", &[("IMAGE", "image"), ("VIDEO", "video"), ("LINK", "link")]))
        }
        "author_id" => Rule::value(|given| {
            let (network, id) = given.text.split_once(':')?;
            let (_, network) = NETWORKS.iter().find(|(short, _)| *short == network)?;
            Some(given.all(vec![given.field("source", *network), given.field("author", id)]))
        }),
        "sourcecountry" => Rule::refused("`country:` is the author's"),
        "authordescription" => Rule::refused("of an author only handle, id and name are asked"),
        "published" => Rule::refused("a query has no dates; a search has `--since` and `--until`"),
        "source_id" | "score" | "device" | "image" | "demographic" | "customerentity" => {
            Rule::refused("no post tells it here")
        }
        name if name.starts_with("custom.") => Rule::refused("no post tells it here"),
        _ => return None,
    })
}

fn source_type(given: &Given) -> Option<Part> {
    if let Some(network) = given.text.strip_prefix("SOCIALMEDIA_") {
        let network = if network == "TWITTER" { "x".to_owned() } else { network.to_lowercase() };
        return Some(given.field("source", network));
    }
    let pairs = [
        ("BLOG", "blog"),
        ("SOCIALMEDIA", "social"),
        ("MESSAGEBOARD", "forum"),
        ("FORUM", "forum"),
        ("ONLINENEWS", "news"),
        ("NEWS", "news"),
        ("REVIEW", "review"),
        ("VIDEO", "video"),
    ];
    given.among("sourcetype", &pairs)
}

fn is(given: &Given) -> Option<Part> {
    match given.text {
        "author_verified" => Some(given.field("verified", "true")),
        "twitter_reply" => Some(given.all(vec![given.field("is", "reply"), given.field("source", "x")])),
        _ => given.among("is", &[("comment", "comment"), ("question", "question"), ("retweet", "repost")]),
    }
}

fn is_operator(word: &str) -> bool {
    let name = word.split('/').next().unwrap_or_default();
    matches!(name, "AND" | "OR" | "NOT" | "NEAR" | "ONEAR" | "SENTENCE" | "OSENTENCE")
}

/// Whether a word is of capitals, and signs that may join them.
fn is_capital(word: &str) -> bool {
    word.chars().any(char::is_uppercase)
        && word.chars().all(|letter| letter.is_uppercase() || matches!(letter, '+' | '-' | '&'))
}

impl Reader<'_> {
    /// A text of nothing but words, which Talkwalker reads in a way of its own.
    pub fn without_operators(&mut self) -> Option<Result<Part, QueryError>> {
        if self.dialect != super::Dialect::Talkwalker {
            return None;
        }
        let word = |token: &super::lex::Token| match &token.kind {
            TokenKind::Word(text) => Some((text.clone(), token.span.clone())),
            _ => None,
        };
        let words: Vec<_> = self.tokens.iter().map(word).collect::<Option<_>>()?;
        if words.iter().any(|(text, _)| is_operator(text)) {
            return None;
        }
        let span = words.first()?.1.start..words.last()?.1.end;
        self.at = self.tokens.len();
        let texts: Vec<&str> = words.iter().map(|(text, _)| text.as_str()).collect();
        if texts.iter().all(|text| is_capital(text)) {
            let exact = format!("++\"{}\"", texts.join(" "));
            let sentence = "Without operators, capitals alone are these capitals.";
            self.remark(&span, "capitals alone", sentence, &exact);
            return Some(Ok(Part::term(Kind::Written, exact, &span)));
        }
        if let [text] = texts.as_slice() {
            let sign = text.chars().find(|letter| matches!(letter, '-' | '+' | '&'));
            return Some(match sign.filter(|_| !text.contains(['*', '?'])) {
                Some(sign) => self.raw(text, &sign.to_string(), span),
                None => self.word(text, span),
            });
        }
        let others = (texts.len() - 1) * WORDS_BETWEEN;
        // A sign is a part of a word only outside quotation marks.
        let has_sign = texts.iter().any(|text| text.starts_with(['#', '@', '$']));
        if has_sign && !texts.iter().all(|text| is_one_term(text)) {
            return Some(Err(stray(span)));
        }
        let joined = texts.join(" ");
        let window = if has_sign { format!("({joined})~{others}") } else { format!("\"{joined}\"~{others}") };
        self.remark(&span, "white space", "Without operators, words are only asked to be near.", &window);
        Some(Ok(Part::term(Kind::Written, window, &span)))
    }

    /// Several sites side by side: any of them.
    pub fn any_site(&mut self, parts: Vec<Part>) -> Vec<Part> {
        let is_site = |part: &Part| matches!(part.node, Tree::Field("site", _));
        if parts.iter().filter(|part| is_site(part)).count() < 2 {
            return parts;
        }
        let (sites, mut others): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_site);
        let span = hull(&sites);
        let sites = Part::any(sites);
        self.remark(&span, "site:", "Several sites side by side are any of them.", &Written::of(&sites));
        others.push(sites);
        others
    }
}

//! One answer of one feed, to what is to be remembered and handed over. Values in, values out; `now` is an argument.
//! Unaware of the network.

use std::time::Duration;

use reqwest::StatusCode;
use url::Url;

use crate::extract::charset;
use crate::extract::feed::{self, Feed};
use crate::extract::site::URL_BYTES_MAX;
use crate::fetch::Answer;
use crate::fetch::conditional::{Validators, is_unsettled, max_age, retry_after};
use crate::model::{PostId, Rejected, Timestamp};
use crate::normalize::feed::{Body, Head};

use super::elsewhere::Elsewhere;
use super::settings::FeedType;
use super::state::FeedState;
use super::window::{News, Notes, observe};

/// A wait of so many seconds that was asked for outlives a restart.
const WAIT_KEPT_S_MIN: u64 = 600;

/// What the operator decided for all feeds of the source.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub source_type: FeedType,
    /// Entries of a first poll that are older are quiet.
    pub first_poll_age_max: Duration,
}

/// What an answer came to.
#[derive(Debug, PartialEq)]
pub struct Polled {
    pub state: FeedState,
    /// To be handed over with the state, if it brought anything.
    pub body: Option<Body>,
    pub outcome: Outcome,
    pub notes: Notes,
}

/// How an answer ended. Closed: `name` is a metric label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    News {
        fresh: Option<Duration>,
    },
    /// A whole answer with nothing new in it.
    Unchanged {
        fresh: Option<Duration>,
    },
    NotModified {
        fresh: Option<Duration>,
    },
    /// The feed has ended.
    Gone,
    /// Not an answer that a feed gives.
    Status {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
    /// An answer that is no feed.
    Rejected(Rejected),
}

impl Outcome {
    pub fn name(&self) -> &'static str {
        match self {
            Self::News { .. } => "news",
            Self::Unchanged { .. } => "unchanged",
            Self::NotModified { .. } => "not_modified",
            Self::Gone => "gone",
            Self::Status { .. } => "status",
            Self::Rejected(_) => "no_feed",
        }
    }

    /// What is wrong with an answer that brought no feed, and may next time.
    pub fn failure(&self) -> Option<String> {
        match self {
            Self::Status { status, .. } => Some(format!("answered {status}")),
            Self::Rejected(reason) => Some(format!("the answer is no feed: {reason}")),
            Self::News { .. } | Self::Unchanged { .. } | Self::NotModified { .. } | Self::Gone => None,
        }
    }
}

/// Judges an answer. Parses the body, so it is not for a thread that others wait for.
pub fn digest(mut state: FeedState, answer: &Answer, elsewhere: &Elsewhere, terms: Terms, now: Timestamp) -> Polled {
    let is_own_answer = answer.url == state.address || answer.moved.as_ref() == Some(&answer.url);
    let (mut body, mut notes) = (None, Notes::default());
    let outcome = match answer.status {
        StatusCode::OK => match parse(answer) {
            Ok(feed) => {
                relocate(&mut state, answer);
                let news = observe(&mut state, &feed, elsewhere, now);
                state.validators = validators_of(answer, &feed, &news);
                notes = news.notes;
                let fresh = fresh_for(answer, feed.ttl_minutes);
                body = bring(&mut state, (&feed, &answer.url), news, terms, now);
                if body.is_some() { Outcome::News { fresh } } else { Outcome::Unchanged { fresh } }
            }
            Err(reason) => Outcome::Rejected(reason),
        },
        StatusCode::NOT_MODIFIED if state.validators.is_some() => {
            relocate(&mut state, answer);
            if let Some(validators) = state.validators.as_mut().filter(|known| known.url == answer.url.as_str()) {
                validators.refresh(&answer.headers);
            }
            Outcome::NotModified { fresh: fresh_for(answer, None) }
        }
        StatusCode::GONE if is_own_answer => {
            state.gone = true;
            Outcome::Gone
        }
        status => {
            let retry_after = retry_after(&answer.headers, now);
            if let Some(wait) = retry_after.filter(|wait| wait.as_secs() >= WAIT_KEPT_S_MIN) {
                state.not_before = now.plus(wait);
            }
            Outcome::Status { status, retry_after }
        }
    };
    Polled { state, body, outcome, notes }
}

/// The body that says which posts are gone after their pages were looked at.
pub fn farewell(state: &FeedState, gone: Vec<PostId>, terms: Terms) -> Body {
    let head = head(state, (&Feed::default(), &state.address), false, terms);
    Body { feed: head, entries: Vec::new(), gone: gone.iter().map(PostId::to_string).collect() }
}

/// The body that brings nothing, under a cursor that must outlive a restart.
pub fn silence(state: &FeedState, terms: Terms) -> Body {
    farewell(state, Vec::new(), terms)
}

fn parse(answer: &Answer) -> Result<Feed, Rejected> {
    let tld = answer.url.domain().and_then(|domain| domain.rsplit('.').next());
    let decoded = charset::decode(&answer.body, answer.content_type(), tld);
    let mut feed = feed::parse(&decoded.text, &answer.url)?;
    feed.salvaged |= decoded.replaced;
    Ok(feed)
}

/// What belongs to the window of this answer. What was cut off is asked for whole the next time. So is what is so new
/// that its validators may hide what followed, once: a server that calls everything new is not asked for everything
/// for ever.
fn validators_of(answer: &Answer, feed: &Feed, news: &News) -> Option<Validators> {
    let is_hasty = !(news.items.is_empty() && news.gone.is_empty()) && is_unsettled(&answer.headers);
    let validators = Validators::of(answer.url.as_str(), &answer.headers);
    validators.filter(|_| !feed.cut && !is_hasty)
}

/// Follows a move for good, except from TLS back to none, or to what is too long for an address.
fn relocate(state: &mut FeedState, answer: &Answer) {
    state.not_before = Timestamp::EPOCH;
    if let Some(moved) = &answer.moved
        && (moved.scheme() == "https" || state.address.scheme() == "http")
        && is_kept(moved)
    {
        state.address = moved.clone();
    }
}

fn bring(state: &mut FeedState, from: (&Feed, &Url), news: News, terms: Terms, now: Timestamp) -> Option<Body> {
    if news.items.is_empty() && news.gone.is_empty() {
        return None;
    }
    state.poll = state.next_poll(now);
    let gone = news.gone.iter().map(PostId::to_string).collect();
    Some(Body { feed: head(state, from, news.notes.is_first, terms), entries: news.items, gone })
}

fn head(state: &FeedState, (feed, url): (&Feed, &Url), first_poll: bool, terms: Terms) -> Head {
    // The end of a redirect may be of any length, as where storage signs its addresses; the feed's own is not.
    let url = if is_kept(url) { url } else { &state.address };
    Head {
        url: url.to_string(),
        title: feed.title.clone(),
        link: feed.link.clone(),
        language: feed.language.clone(),
        scope: state.scope.clone(),
        source_type: terms.source_type.source_type().name().to_owned(),
        poll: state.poll,
        first_poll,
        quiet_before: state.first_poll_at.unwrap_or_default().minus(terms.first_poll_age_max),
    }
}

/// Whether a URL is short enough to be kept.
fn is_kept(url: &Url) -> bool {
    url.as_str().len() <= URL_BYTES_MAX
}

fn fresh_for(answer: &Answer, ttl_minutes: Option<u32>) -> Option<Duration> {
    let ttl = ttl_minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
    max_age(&answer.headers).max(ttl)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderName};

    use super::super::state::tests::state;
    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;
    const FEED: &str = "<rss><channel><title>T</title><item><guid isPermaLink='false'>1</guid><title>one</title></item></channel></rss>";

    fn terms() -> Terms {
        Terms { source_type: FeedType::Blog, first_poll_age_max: Duration::from_secs(86_400) }
    }

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            url: state().address,
            moved: None,
            headers: headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
                .collect::<HeaderMap>(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn polled(state: FeedState, answer: &Answer) -> Polled {
        digest(state, answer, &Elsewhere::default(), terms(), NOW)
    }

    #[test]
    fn news_and_the_validators_of_their_answer_are_one_arrival() {
        let first = polled(state(), &answer(200, &[("etag", "\"1\""), ("cache-control", "max-age=60")], FEED));
        assert_eq!(first.outcome, Outcome::News { fresh: Some(Duration::from_secs(60)) });
        let body = first.body.unwrap();
        assert_eq!((body.entries.len(), body.entries[0].id.as_str()), (1, "tag:example.com,guid:1"));
        assert!(body.feed.first_poll && body.feed.poll == first.state.poll && first.state.poll > 0);
        assert_eq!(first.state.validators.as_ref().unwrap().etag.as_deref(), Some(&b"\"1\""[..]));
        let again = polled(first.state.clone(), &answer(200, &[("etag", "\"2\"")], FEED));
        assert_eq!((&again.outcome, &again.body), (&Outcome::Unchanged { fresh: None }, &None));
        assert_eq!(
            again.state.validators.as_ref().unwrap().etag.as_deref(),
            Some(&b"\"2\""[..]),
            "refreshed on every 200"
        );
        assert!(!again.state.must_outlive(&first.state));
        let bare = polled(again.state, &answer(200, &[], FEED));
        assert_eq!(bare.state.validators, None);
    }

    #[test]
    fn what_was_changed_in_the_moment_of_the_answer_is_asked_for_once_more_without_a_condition() {
        let at = |date: &'static str| {
            let modified = "Wed, 25 Nov 2026 04:38:10 GMT";
            answer(200, &[("etag", "\"1\""), ("last-modified", modified), ("date", date)], FEED)
        };
        let first = polled(state(), &at("Wed, 25 Nov 2026 04:38:10 GMT")).state;
        assert_eq!(first.validators, None, "an edit in this second would look unmodified");
        let again = polled(first, &at("Wed, 25 Nov 2026 04:38:11 GMT"));
        assert_eq!(again.outcome, Outcome::Unchanged { fresh: None });
        assert!(again.state.validators.is_some());
        assert!(polled(state(), &at("Wed, 25 Nov 2026 04:38:20 GMT")).state.validators.is_some());
    }

    #[test]
    fn a_304_keeps_the_window_and_refreshes_what_it_brings() {
        let first = polled(state(), &answer(200, &[("etag", "\"1\"")], FEED)).state;
        let same = polled(first.clone(), &answer(304, &[("etag", "\"1b\"")], ""));
        assert_eq!(same.outcome, Outcome::NotModified { fresh: None });
        assert_eq!(same.state.validators.unwrap().etag.as_deref(), Some(&b"\"1b\""[..]));
        assert_eq!(same.state.window, first.window);
        assert!(
            matches!(polled(state(), &answer(304, &[], "")).outcome, Outcome::Status { .. }),
            "nobody asked on a condition"
        );
    }

    #[test]
    fn an_answer_that_is_no_feed_changes_nothing() {
        let first = polled(state(), &answer(200, &[("etag", "\"1\"")], FEED)).state;
        for body in ["<!DOCTYPE html><html>Down for maintenance</html>", "", "{\"error\":1}"] {
            let failed = polled(first.clone(), &answer(200, &[("etag", "\"9\"")], body));
            assert!(matches!(failed.outcome, Outcome::Rejected(_)));
            assert_eq!(failed.state, first, "not even the validators: they would hide the feed behind a 304");
        }
    }

    #[test]
    fn half_an_answer_brings_its_entries_and_is_asked_for_again_in_full() {
        let half = &FEED[..FEED.len() - "</channel></rss>".len()];
        let polled = polled(state(), &answer(200, &[("etag", "\"1\"")], half));
        assert_eq!((polled.body.unwrap().entries.len(), polled.state.validators), (1, None));
    }

    #[test]
    fn a_move_for_good_is_followed_but_the_scope_stays_and_tls_is_not_given_up() {
        let to = |address: &str| {
            let url = Url::parse(address).unwrap();
            polled(state(), &Answer { moved: Some(url.clone()), url, ..answer(200, &[], FEED) }).state
        };
        let moved = to("https://feeds.other.org/x");
        assert_eq!((moved.address.as_str(), moved.scope.as_str()), ("https://feeds.other.org/x", "example.com"));
        assert_eq!(to("http://blog.example.com/feed").address, state().address);
        let failed =
            polled(state(), &Answer { moved: Some(Url::parse("https://x.example/").unwrap()), ..answer(500, &[], "") });
        assert_eq!(failed.state.address, state().address, "only once it was seen to work");
    }

    #[test]
    fn an_answer_from_the_end_of_an_endless_address_brings_its_entries() {
        let far = Url::parse(&format!("https://cdn.example.net/feed?signature={}", "x".repeat(URL_BYTES_MAX))).unwrap();
        for moved in [None, Some(far.clone())] {
            let polled = polled(state(), &Answer { url: far.clone(), moved, ..answer(200, &[], FEED) });
            assert_eq!(polled.state.address, state().address);
            let body = serde_json::to_vec(&polled.body.unwrap()).unwrap();
            let events = crate::normalize::feed::events(&body, &"blogs".into(), NOW).unwrap();
            assert!(matches!(&events[..], [Ok(_)]), "{events:?}");
        }
    }

    #[test]
    fn a_410_ends_the_feed_unless_it_is_the_end_of_a_detour() {
        let gone = polled(state(), &answer(410, &[], ""));
        assert!(gone.outcome == Outcome::Gone && gone.state.gone && gone.state.must_outlive(&state()));
        let detour = Answer { url: Url::parse("https://login.example.com/").unwrap(), ..answer(410, &[], "") };
        assert!(!polled(state(), &detour).state.gone);
    }

    #[test]
    fn a_long_wait_that_was_asked_for_outlives_a_restart() {
        let busy = polled(state(), &answer(503, &[("retry-after", "3600")], ""));
        assert_eq!(busy.state.not_before, NOW.plus(Duration::from_secs(3600)));
        assert!(busy.state.must_outlive(&state()));
        let short = polled(state(), &answer(429, &[("retry-after", "30")], ""));
        assert!(matches!(short.outcome, Outcome::Status { retry_after: Some(wait), .. } if wait.as_secs() == 30));
        assert!(!short.state.must_outlive(&state()));
        assert_eq!(polled(busy.state, &answer(200, &[], FEED)).state.not_before, Timestamp::EPOCH);
    }

    #[test]
    fn a_feed_that_was_empty_at_first_is_not_seen_for_the_first_time_again() {
        let empty = polled(state(), &answer(200, &[], "<rss><channel><title>T</title></channel></rss>"));
        assert!(empty.body.is_none() && empty.state.must_outlive(&state()));
        let body = polled(empty.state, &answer(200, &[], FEED)).body.unwrap();
        assert!(!body.feed.first_poll, "its undated entries are news");
    }

    #[test]
    fn the_ttl_of_a_feed_counts_as_its_freshness() {
        let with_ttl = FEED.replace("<title>T</title>", "<ttl>30</ttl>");
        let polled = polled(state(), &answer(200, &[("cache-control", "max-age=60")], &with_ttl));
        assert_eq!(polled.outcome, Outcome::News { fresh: Some(Duration::from_secs(1800)) });
    }
}

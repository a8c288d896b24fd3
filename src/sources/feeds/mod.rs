//! Feeds: a list of RSS, RDF, Atom and JSON feeds, polled politely; hands over new and changed entries, and what is
//! gone. Unaware of posts.

mod agenda;
mod answer;
mod earlier;
mod elsewhere;
mod poll;
mod settings;
mod state;
mod trouble;
mod window;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Ended, Source};
use crate::extract::site::Scope;
use crate::fetch::Client;
use crate::inlet::{Closed, Inlet};
use crate::model::Cursor;
use crate::{clock, metrics};

use agenda::Agenda;
use answer::Terms;
use elsewhere::Elsewhere;
use poll::{Pace, Poller, Slot};
use state::FeedState;

pub use settings::{FEEDS_MAX, FeedType, FeedsSettings, SettingsError};
pub use state::describe;
pub use trouble::Trouble;

/// How long a host is left alone after pages of it were looked at: ten pages every ten seconds at most.
const LOOK_REST: Duration = Duration::from_secs(10);

/// Of a site with more feeds only so many, the first of the list, have a say in entries that several of them list.
const SIBLINGS_MAX: usize = 32;

/// A list of feeds as one source: a cursor per feed, named by its configured address.
pub struct Feeds {
    source: Arc<str>,
    settings: FeedsSettings,
    client: Client,
    pace: Pace,
    trouble: Trouble,
}

impl Feeds {
    /// `source` is the slug of the configured source; `trouble` is told which feeds fail.
    pub fn new(
        source: Arc<str>,
        settings: FeedsSettings,
        client: Client,
        trouble: &Trouble,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let pace = Pace {
            interval: Duration::from_secs(settings.poll_interval_s),
            look_gap: Duration::from_secs(settings.look_gap_s),
            look_rest: LOOK_REST,
        };
        Ok(Self { source, settings, client, pace, trouble: trouble.clone() })
    }

    fn poller(&self) -> Poller {
        let age = Duration::from_secs(self.settings.first_poll_age_max_h * 3600);
        Poller {
            source: self.source.clone(),
            client: self.client.clone(),
            terms: Terms { source_type: self.settings.source_type, first_poll_age_max: age },
            body_bytes_max: self.settings.body_bytes_max,
            pace: self.pace,
            trouble: self.trouble.clone(),
        }
    }

    /// Every feed of the list, with what is durable of it.
    fn slots(&self, resume: Vec<Cursor>) -> Result<Vec<Slot>, String> {
        let addresses = self.settings.addresses().map_err(|error| error.to_string())?;
        let mut cursors: HashMap<String, Vec<u8>> =
            resume.into_iter().map(|cursor| (cursor.part, cursor.value)).collect();
        addresses.into_iter().map(|address| slot(&mut cursors, address)).collect()
    }
}

impl Source for Feeds {
    async fn run(&mut self, resume: Vec<Cursor>, inlet: &Inlet, stop: &CancellationToken) -> Ended {
        self.trouble.forget();
        let mut round = match self.slots(resume) {
            Ok(slots) => Round::new(slots, self.poller(), self.settings.concurrency),
            Err(cause) => return Ended::Fatal { cause },
        };
        loop {
            round.set_out(inlet);
            let next = round.next();
            tokio::select! {
                () = stop.cancelled() => return Ended::Stopped,
                Some(back) = round.visits.join_next() => match back {
                    Ok(Ok(back)) => round.welcome(back),
                    Ok(Err(Closed)) => return Ended::Stopped,
                    Err(panic) => return Ended::Retry { after: None, cause: format!("a visit broke off: {panic}") },
                },
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
    }
}

fn slot(cursors: &mut HashMap<String, Vec<u8>>, address: Url) -> Result<Slot, String> {
    let state = match cursors.remove(address.as_str()) {
        Some(value) => FeedState::decode(&value).map_err(|error| format!("the cursor of {address}: {error}"))?,
        None => {
            let scope = Scope::of(&address).ok_or_else(|| format!("{address} names no host"))?;
            FeedState::new(address.clone(), scope)
        }
    };
    let poll_at = Instant::now() + state.not_before.since(clock::now());
    Ok(Slot { part: address, state, failures: 0, told: false, unmodified: 0, poll_at })
}

/// All feeds, at home or being visited. Dropping it ends all visits.
struct Round {
    /// A feed that is being visited is not at home.
    home: Vec<Option<Slot>>,
    /// The feeds of each site.
    sites: HashMap<Scope, Vec<usize>>,
    agenda: Agenda,
    visits: JoinSet<Result<Back, Closed>>,
    poller: Arc<Poller>,
    concurrency: usize,
}

/// A feed that was visited.
struct Back {
    feed: usize,
    /// Where the visit went: the feed may have moved meanwhile.
    host: String,
    slot: Slot,
    /// How long the host is to be left alone.
    rest: Duration,
}

impl Round {
    fn new(slots: Vec<Slot>, poller: Poller, concurrency: usize) -> Self {
        let mut agenda = Agenda::default();
        let mut sites: HashMap<Scope, Vec<usize>> = HashMap::new();
        for (feed, slot) in slots.iter().enumerate() {
            sites.entry(slot.state.scope.clone()).or_default().push(feed);
            if let Some(at) = slot.due() {
                agenda.add(feed, at);
            }
        }
        let home = slots.into_iter().map(Some).collect();
        Self { home, sites, agenda, visits: JoinSet::new(), poller: Arc::new(poller), concurrency }
    }

    /// Starts every visit that is due, as far as there is room.
    fn set_out(&mut self, inlet: &Inlet) {
        while self.visits.len() < self.concurrency {
            let home = &self.home;
            let Some(feed) = self.agenda.take(Instant::now(), |feed| host(home[feed].as_ref())) else { break };
            let host = host(self.home[feed].as_ref());
            let mut slot = self.home[feed].take().expect("a feed on the agenda is at home");
            let elsewhere = self.elsewhere(feed, &slot.state.scope);
            let (poller, inlet) = (self.poller.clone(), inlet.clone());
            self.visits.spawn(async move {
                let rest = poller.visit(&mut slot, elsewhere, &inlet).await?;
                Ok(Back { feed, host, slot, rest })
            });
        }
        metrics::feed_visits(&self.poller.source, self.visits.len());
    }

    /// What the other feeds of a site list. One that fails has no say: what it lists may be old.
    fn elsewhere(&self, feed: usize, site: &Scope) -> Elsewhere {
        let mut elsewhere = Elsewhere::of(feed);
        for &other in self.sites.get(site).into_iter().flatten().take(SIBLINGS_MAX).filter(|other| **other != feed) {
            let others = self.home[other].as_ref().filter(|slot| slot.failures == 0 && !slot.state.gone);
            if let Some(slot) = others {
                elsewhere.hear(other, &slot.state.window);
            }
        }
        elsewhere
    }

    fn welcome(&mut self, back: Back) {
        if let Some(at) = back.slot.due() {
            self.agenda.add(back.feed, at);
        }
        self.home[back.feed] = Some(back.slot);
        self.agenda.release(&back.host, Instant::now(), back.rest);
    }

    /// When the next visit may start. While there is no room, only the end of a visit makes some.
    fn next(&self) -> Option<Instant> {
        if self.visits.len() < self.concurrency { self.agenda.next() } else { None }
    }
}

fn host(slot: Option<&Slot>) -> String {
    slot.and_then(|slot| slot.state.address.host_str()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;

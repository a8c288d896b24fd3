//! What each endpoint is told: one event per endpoint, with the matches of the projects that are routed there.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{self, DeletedView, GapView, MentionEvent, MentionView, RenderedEvent};
use crate::model::{Match, PostId, Timestamp};
use crate::projects::Live;
use crate::store::{Holding, MentionRow, MentionState, NewDelivery};

/// A hole in what a source could see.
pub(super) struct Gap<'a> {
    pub source: &'a str,
    pub from: &'a str,
    pub to: &'a str,
    pub why: &'a str,
}

/// Tells every endpoint of a gap.
pub(super) fn gap(gap: &Gap<'_>, live: &Live, now: Timestamp) -> Vec<NewDelivery> {
    let view = GapView { source: gap.source, from: gap.from, to: gap.to, why: gap.why, at: now };
    let delivery = |endpoint: &str| {
        let rendered = event::gap(endpoint, &view);
        NewDelivery {
            endpoint: endpoint.to_owned(),
            id: rendered.id,
            event: rendered.event,
            mention: None,
            thread: None,
            author: None,
            queries: Vec::new(),
            created_at: now,
            arrived_at: now,
            body: rendered.body,
        }
    };
    live.endpoints().into_iter().map(delivery).collect()
}

/// Tells the endpoints of a mention that came to be, changed or went. `held` is what they held before; what they hold
/// from now on is written into the row.
pub(super) fn mention(
    id: PostId,
    row: &mut MentionRow,
    held: &BTreeMap<String, Holding>,
    live: &Live,
) -> Vec<NewDelivery> {
    row.endpoints = held.clone();
    if row.state == MentionState::Deleted {
        return deletions(id, row, held);
    }
    let mut deliveries = Vec::new();
    for endpoint in endpoints_of(row, live) {
        let holds = held.get(&endpoint) == Some(&Holding::Holds);
        let matches: Vec<&Match> = row.matches.iter().filter(|found| routed(live, found, &endpoint)).collect();
        if matches.is_empty() && !holds {
            continue;
        }
        let kind = if holds { MentionEvent::Updated } else { MentionEvent::Matched };
        let queries = matches.iter().map(|found| format!("{}/{}", found.project, found.query)).collect();
        let rendered = render(&endpoint, kind, (id, row), matches, live);
        deliveries.push(delivery(&endpoint, id, row, rendered, queries));
        row.endpoints.insert(endpoint, Holding::Holds);
    }
    deliveries
}

fn deletions(id: PostId, row: &mut MentionRow, held: &BTreeMap<String, Holding>) -> Vec<NewDelivery> {
    let mut deliveries = Vec::new();
    for (endpoint, _) in held.iter().filter(|(_, holding)| **holding == Holding::Holds) {
        let view = DeletedView {
            id,
            revision: row.revision,
            thread: row.post.thread.id,
            network: &row.post.network,
            author: row.post.author.id,
            at: row.matched_at,
        };
        let rendered = event::deleted(endpoint, &view);
        deliveries.push(delivery(endpoint, id, row, rendered, Vec::new()));
        row.endpoints.insert(endpoint.clone(), Holding::Deleted);
    }
    deliveries
}

/// Endpoints that hold the mention, and those that a matching project is routed to.
fn endpoints_of(row: &MentionRow, live: &Live) -> BTreeSet<String> {
    let routes = row.matches.iter().filter_map(|found| live.routes.get(&found.project));
    row.endpoints.keys().cloned().chain(routes.flat_map(|route| route.endpoints.iter().cloned())).collect()
}

fn routed(live: &Live, found: &Match, endpoint: &str) -> bool {
    live.routes.get(&found.project).is_some_and(|route| route.endpoints.iter().any(|routed| routed == endpoint))
}

fn render(
    endpoint: &str,
    kind: MentionEvent,
    (id, row): (PostId, &MentionRow),
    matches: Vec<&Match>,
    live: &Live,
) -> RenderedEvent {
    let zone =
        matches.first().and_then(|found| live.routes.get(&found.project)).map_or("UTC", |route| &route.time_zone);
    let view = MentionView {
        id,
        post: &row.post,
        verdict: row.verdict,
        revision: row.revision,
        matches,
        parent: row.parent.as_ref(),
        root: row.root.as_ref(),
        cluster: row.cluster,
        cluster_is_first: row.cluster_first == id,
        cluster_size: row.cluster_size,
        edited: row.edited || row.post.edited_at.is_some(),
        matched_at: row.matched_at,
        time_zone: zone,
    };
    event::mention(endpoint, kind, &view)
}

fn delivery(
    endpoint: &str,
    id: PostId,
    row: &MentionRow,
    rendered: RenderedEvent,
    queries: Vec<String>,
) -> NewDelivery {
    let deleted = row.state == MentionState::Deleted;
    NewDelivery {
        endpoint: endpoint.to_owned(),
        id: rendered.id,
        event: rendered.event,
        mention: Some(id),
        thread: Some(row.post.thread.id),
        author: (!deleted).then_some(row.post.author.id),
        queries,
        created_at: row.matched_at,
        arrived_at: if deleted { row.matched_at } else { row.post.fetched_at },
        body: rendered.body,
    }
}

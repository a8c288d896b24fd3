//! Matching replies with what the posts say that they answer: known only once the store was asked.
//! Unaware of what becomes of a match.

use crate::language;
use crate::matcher::Scratch;
use crate::model::{Post, PostEvent, PostId};
use crate::projects::Live;
use crate::query::{Around, Said};
use crate::store::{ReadError, Store};

use super::knowledge::{Knowledge, Overlay, Relative};
use super::sighting::Sighting;

/// Matches again each reply of a batch, among the posts that are stored, decided, or earlier in the batch.
pub(super) fn match_among(
    store: &Store,
    overlay: &Overlay,
    sightings: &mut [Sighting],
    live: &Live,
) -> Result<(), ReadError> {
    let relatives = |post: &Post| [post.thread.parent, post.thread.root];
    let ids: Vec<PostId> = sightings.iter().filter_map(upserted).flat_map(relatives).flatten().collect();
    if ids.is_empty() {
        return Ok(());
    }
    let mut knowledge = Knowledge::of_relatives(store, overlay, &ids)?;
    let mut scratch = Scratch::default();
    for sighting in sightings {
        match &sighting.event {
            PostEvent::Upsert { post, .. } => {
                if relatives(post).iter().any(Option::is_some) {
                    let around = around(post, &knowledge);
                    let verdict = std::cell::OnceCell::new();
                    let detect = || *verdict.get_or_init(|| language::detect(post.language_text(), &post.langs));
                    sighting.matches = live.matcher.scan_among(post, &around, &detect, &mut scratch);
                    sighting.verdict = (!sighting.matches.is_empty()).then(detect);
                }
                knowledge.note_relative(post.id, || Relative::Here(post.clone()));
            }
            PostEvent::Delete { id, .. } | PostEvent::Erase { id } => {
                knowledge.note_relative(*id, || Relative::Gone);
            }
            PostEvent::Account { .. } | PostEvent::Gap { .. } => {}
        }
    }
    Ok(())
}

fn upserted(sighting: &Sighting) -> Option<&Post> {
    match &sighting.event {
        PostEvent::Upsert { post, .. } => Some(post),
        _ => None,
    }
}

fn around<'a>(post: &Post, knowledge: &'a Knowledge) -> Around<'a> {
    let said = |id: Option<PostId>, otherwise| {
        let excerpt = id.and_then(|id| knowledge.relatives.get(&id)).and_then(Relative::excerpt);
        excerpt.map_or(otherwise, Said::Text)
    };
    let own = Around::of(post);
    Around { parent: said(post.thread.parent, own.parent), root: said(post.thread.root, own.root), quoted: own.quoted }
}

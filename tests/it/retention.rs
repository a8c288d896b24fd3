//! Retention: mentions and posts go by age and by bytes; what waits stays, and search hears of everything that went.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use earful::clock;
use earful::model::{Outcome, PostId};
use earful::store::{Family, MentionState, RetainPass, RetainSettings, Settle, retain};

use crate::turn::{Stage, account, delete, eventually, id_of, skeet, skeet_id, upsert};

const KEEP_ALL: RetainSettings = RetainSettings {
    period_s: 1,
    posts_age_max_h: 0,
    posts_bytes_max_mb: 0,
    mentions_age_max_h: 0,
    mentions_bytes_max_mb: 0,
    dead_age_max_h: 0,
};
const AN_HOUR: RetainSettings = RetainSettings { posts_age_max_h: 1, mentions_age_max_h: 1, ..KEEP_ALL };

/// More than are looked at together.
const MENTIONS: usize = 2_500;

/// One pass, two hours from now. `indexed` as `RetainPass::indexed`.
async fn pass(stage: &Stage, settings: &RetainSettings, indexed: u64) -> (u64, u64) {
    let (store, writer, settings) = (stage.store.clone(), stage.writer.clone(), settings.clone());
    let pass = RetainPass { now: clock::now().plus(Duration::from_hours(2)), indexed };
    let passed = tokio::task::spawn_blocking(move || retain(&store, &writer, &settings, pass)).await.unwrap().unwrap();
    stage.writer.until_written().await.unwrap();
    passed
}

/// Every delivery of an endpoint but those of one mention is delivered.
async fn deliver_all_but(stage: &Stage, endpoint: &str, kept: Option<PostId>) {
    let rows = stage.store.outbox(endpoint, 0, 100_000).unwrap();
    let settles = rows.into_iter().filter(|(_, row)| kept.is_none() || row.mention != kept);
    let settles = settles.map(|(position, _)| Settle::Delivered { endpoint: endpoint.to_owned(), position });
    stage.writer.settle(settles.collect()).await.unwrap();
    stage.writer.until_written().await.unwrap();
}

fn log(stage: &Stage) -> Vec<(u64, PostId)> {
    stage.store.mention_log(0, 100_000).unwrap()
}

fn mentions(stage: &Stage) -> usize {
    let mut count = 0;
    stage
        .store
        .each_mention(|_, _| {
            count += 1;
            true
        })
        .unwrap();
    count
}

#[tokio::test]
async fn one_pass_drops_all_old_mentions_but_those_that_wait_and_search_hears_of_each() {
    let mut stage = Stage::open(100);
    let lines: Vec<Value> = (0..MENTIONS).map(|n| upsert(&n.to_string(), 1, &format!("acme {n}"))).collect();
    for lines in lines.chunks(500) {
        stage.push(lines).await;
    }
    let waits = id_of("0");
    deliver_all_but(&stage, "crm", Some(waits)).await;
    let made = MENTIONS as u64;
    assert_eq!(log(&stage).len(), MENTIONS);

    assert_eq!(pass(&stage, &KEEP_ALL, made).await, (0, 0));
    // The posts are as old as their arrival says; the mentions as their match.
    assert_eq!(pass(&stage, &AN_HOUR, made).await, (made, made - 1));
    assert_eq!((mentions(&stage), stage.texts().len()), (1, 0));
    let left = log(&stage);
    assert_eq!((left[0].1, left.len()), (waits, MENTIONS), "the one that waits, and a row for each that went");

    // Search has heard of the first hundred that went.
    assert_eq!(pass(&stage, &AN_HOUR, made + 100).await, (0, 0));
    assert_eq!(log(&stage).len(), MENTIONS - 100);
    assert_eq!(pass(&stage, &AN_HOUR, made * 2).await, (0, 0));
    assert_eq!(log(&stage), [left[0]]);

    deliver_all_but(&stage, "crm", None).await;
    assert_eq!(pass(&stage, &AN_HOUR, made * 2).await, (0, 1));
    assert_eq!(mentions(&stage), 0);
}

#[tokio::test]
async fn what_is_young_stays_and_superseded_rows_of_the_log_go() {
    let mut stage = Stage::open(100);
    stage.push(&[upsert("1", 1, "acme 1")]).await;
    stage.push(&[upsert("1", 2, "acme 2"), upsert("2", 1, "acme")]).await;
    stage.push(&[delete("2", 2)]).await;
    deliver_all_but(&stage, "crm", None).await;
    assert_eq!(log(&stage).len(), 4);
    let a_day = RetainSettings { mentions_age_max_h: 24, ..KEEP_ALL };
    assert_eq!(pass(&stage, &a_day, 4).await, (0, 0));
    // The first row was superseded; the walk ends at the first mention that is young.
    assert_eq!(log(&stage).iter().map(|(_, id)| *id).collect::<Vec<_>>(), [id_of("1"), id_of("2"), id_of("2")]);
    assert_eq!(mentions(&stage), 2);
}

#[tokio::test]
async fn over_its_bytes_the_oldest_of_a_family_go_and_the_rest_stays() {
    const POSTS: usize = 300;
    let mut stage = Stage::open(100);
    let mut rng = StdRng::seed_from_u64(7);
    for n in 0..POSTS {
        let noise: String = (0..60_000).map(|_| char::from(rng.random_range(b'a'..=b'z'))).collect();
        stage.push(&[upsert(&n.to_string(), 1, &format!("acme {noise}"))]).await;
    }
    deliver_all_but(&stage, "crm", None).await;
    let bounds = RetainSettings { posts_bytes_max_mb: 4, mentions_bytes_max_mb: 3, ..KEEP_ALL };
    let before = (stage.store.family_bytes(Family::Post), stage.store.family_bytes(Family::Mention));
    assert!(before.0 > 4 << 20 && before.1 > 3 << 20, "the test is over its bounds: {before:?}");
    // What lies in memory is not measured: a second pass finds what the first one's compaction has written.
    let mut dropped = (0, 0);
    for _ in 0..3 {
        let (posts, mentions) = pass(&stage, &bounds, u64::MAX).await;
        dropped = (dropped.0 + posts, dropped.1 + mentions);
    }
    let after = (stage.store.family_bytes(Family::Post), stage.store.family_bytes(Family::Mention));
    assert!(after.0 <= 4 << 20 && after.1 <= 3 << 20, "{after:?}");
    let left = (stage.texts().len(), mentions(&stage));
    assert_eq!((left.0 as u64 + dropped.0, left.1 as u64 + dropped.1), (POSTS as u64, POSTS as u64));
    assert!(left.0 >= 40 && left.1 >= 30, "no more than is needed goes: {left:?}");
    assert!(stage.store.mention(id_of(&(POSTS - 1).to_string())).unwrap().is_some(), "the newest stays");
    assert!(stage.store.mention(id_of("0")).unwrap().is_none(), "the oldest goes");
}

#[tokio::test]
async fn what_retention_dropped_is_no_news_when_it_comes_again() {
    let mut stage = Stage::open(100);
    stage.push(&[upsert("1", 1, "acme"), upsert("2", 1, "nothing")]).await;
    deliver_all_but(&stage, "crm", None).await;
    assert_eq!(pass(&stage, &AN_HOUR, 1).await, (2, 1));
    stage.store.compact_all();
    assert_eq!(stage.push(&[upsert("1", 1, "acme")]).await, [Outcome::Unchanged]);
    assert_eq!(stage.store.outbox("crm", 0, 10).unwrap(), []);
    // What nobody was told of may be seen for the first time again.
    assert_eq!(stage.push(&[upsert("2", 1, "nothing")]).await, [Outcome::Created]);
    assert_eq!(stage.push(&[upsert("1", 2, "acme again")]).await, [Outcome::Edited]);
    assert_eq!(stage.store.outbox("crm", 0, 10).unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_that_is_deleted_takes_mentions_with_it_whose_posts_have_left_before() {
    let mut stage = Stage::open(100);
    let did = "did:plc:gone";
    stage.stream(&skeet(did, "a", 1_000_000, "acme")).await;
    stage.stream(&skeet(did, "b", 1_000_001, "nothing")).await;
    deliver_all_but(&stage, "crm", None).await;
    let posts_only = RetainSettings { posts_age_max_h: 1, ..KEEP_ALL };
    assert_eq!(pass(&stage, &posts_only, 1).await, (2, 0));
    stage.store.compact_all();
    stage.stream(&account(did, 2_000_000, false, "deleted")).await;
    let store = stage.store.clone();
    eventually("the erasure ends", || store.erasures().unwrap().is_empty()).await;
    let told = stage.store.outbox("crm", 0, 10).unwrap();
    assert_eq!(told.iter().map(|(_, row)| row.event.as_str()).collect::<Vec<_>>(), ["mention.deleted"]);
    let mention = stage.store.mention(skeet_id(did, "a")).unwrap().unwrap();
    assert_eq!((mention.state, mention.post.text.as_str()), (MentionState::Deleted, ""));
}

#[tokio::test]
async fn an_edit_and_a_drop_that_the_writer_takes_together_do_not_lose_the_edit() {
    for round in 0..20_u64 {
        let mut stage = Stage::open(100);
        stage.push(&[upsert("1", 1, "acme")]).await;
        deliver_all_but(&stage, "crm", None).await;
        let edited = [upsert("1", 2, &format!("acme {round}"))];
        let (store, writer) = (stage.store.clone(), stage.writer.clone());
        let pass = RetainPass { now: clock::now().plus(Duration::from_hours(2)), indexed: 1 };
        let mentions_only = RetainSettings { mentions_age_max_h: 1, ..KEEP_ALL };
        let dropped = tokio::task::spawn_blocking(move || retain(&store, &writer, &mentions_only, pass).unwrap());
        stage.push(&edited).await;
        dropped.await.unwrap();
        stage.writer.until_written().await.unwrap();
        let row = stage.store.mention(id_of("1")).unwrap().expect("the edit came after the drop, or before it");
        assert_eq!(row.post.text, format!("acme {round}"));
        let known = stage.store.known(&[id_of("1")]).unwrap().pop().unwrap().unwrap();
        assert!(known.mentioned && stage.store.post(known.seq).unwrap().is_some());
    }
}

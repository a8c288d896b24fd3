//! Recordings written and played.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::inlet::{Inbox, Inlet};
use crate::model::{Arrival, Cursor, Timestamp, Wire};

use super::super::{Ended, Source};
use super::*;

fn settings(file: &Path, pace: Pace) -> RecordingSettings {
    RecordingSettings { file: file.to_owned(), pace, factor: 1.0 }
}

fn arrival(n: i64, wire: Wire, body: &[u8]) -> Arrival {
    Arrival {
        source: "any".into(),
        wire,
        body: body.to_vec(),
        fetched_at: Timestamp::from_millis(1_795_165_200_000 + n),
        cursor: None,
    }
}

fn taken(inbox: &mut Inbox) -> Vec<Arrival> {
    std::iter::from_fn(|| inbox.take()).map(|waiting| waiting.arrival).collect()
}

fn inlet() -> (Inlet, Inbox) {
    Inlet::new(Arc::new(Notify::new()))
}

async fn play(file: &Path, resume: Vec<Cursor>) -> (Ended, Vec<Arrival>) {
    let (inlet, mut inbox) = inlet();
    let mut recording = Recording::new("tape".into(), settings(file, Pace::Fast));
    let ended = recording.run(resume, &inlet, &CancellationToken::new()).await;
    (ended, taken(&mut inbox))
}

#[tokio::test]
async fn what_is_recorded_is_played_packed_or_not() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["tape.ndjson", "tape.ndjson.zst"] {
        let file = directory.path().join(name);
        let recorder = Recorder::create(&file).unwrap();
        let bodies: [(Wire, &[u8]); 5] = [
            (Wire::Jetstream, br#"{"did":"did:plc:a","time_us":1779719009157119}"#),
            (Wire::JetstreamV2, br#"{"cut":"#),
            (Wire::Push, b"{\"id\":1}\n{\"id\":2}\n"),
            (Wire::Feed, b"\xff\x00"),
            (Wire::Notice, br#"{"gap":{"from":"a","to":"b","why":"c"}}"#),
        ];
        for (n, (wire, body)) in bodies.iter().enumerate() {
            recorder.record(&arrival(n as i64 * 40, *wire, body));
        }
        drop(recorder);
        let (ended, played) = play(&file, Vec::new()).await;
        assert_eq!(ended, Ended::Finished);
        let heard: Vec<(Wire, &[u8])> = played.iter().map(|arrival| (arrival.wire, &arrival.body[..])).collect();
        assert_eq!(heard, bodies);
        assert!(played.iter().all(|arrival| &*arrival.source == "tape"));
    }
    let plain = std::fs::read_to_string(directory.path().join("tape.ndjson")).unwrap();
    assert!(plain.lines().last().unwrap().starts_with(r#"{"at_ms":160,"wire":"notice","body":{"gap""#), "{plain}");
}

#[tokio::test]
async fn a_recording_goes_on_at_its_cursor() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tape.ndjson");
    let lines: String =
        (1..=6).map(|n| format!("{{\"at_ms\":{n},\"wire\":\"jetstream\",\"body\":{{\"n\":{n}}}}}\n")).collect();
    std::fs::write(&file, lines.replace("{\"at_ms\":3", "\n{\"at_ms\":3")).unwrap();
    let (_, all) = play(&file, Vec::new()).await;
    assert_eq!(all.len(), 6);
    // The empty line counts, so that the number is that of an editor.
    assert_eq!(all[2].cursor.as_ref().unwrap().value, b"5");
    let (ended, rest) = play(&file, vec![all[2].cursor.clone().unwrap()]).await;
    assert_eq!((ended, rest.len(), &rest[0].body[..]), (Ended::Finished, 3, &br#"{"n":4}"#[..]));
    let (ended, none) = play(&file, vec![all[5].cursor.clone().unwrap()]).await;
    assert_eq!((ended, none.len()), (Ended::Finished, 0));
}

#[tokio::test]
async fn a_bad_line_is_named_and_nothing_before_it_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tape.ndjson");
    std::fs::write(
        &file,
        "{\"at_ms\":0,\"wire\":\"push\",\"body\":{}}\n{\"at_ms\":1,\"wire\":\"push\",\"body\":{\"cut\n",
    )
    .unwrap();
    let (ended, played) = play(&file, Vec::new()).await;
    assert_eq!(played.len(), 1);
    let Ended::Fatal { cause } = ended else { panic!("{ended:?}") };
    assert!(cause.contains("tape.ndjson:2: "), "{cause}");
    let (ended, _) = play(&directory.path().join("absent.ndjson"), Vec::new()).await;
    assert!(matches!(ended, Ended::Fatal { cause } if cause.contains("absent.ndjson: ")));
    let (ended, _) = play(&file, vec![Cursor { part: String::new(), value: b"x".to_vec() }]).await;
    assert!(matches!(ended, Ended::Fatal { cause } if cause.contains("no line number: x")));
}

#[tokio::test]
async fn a_stop_ends_a_recording_between_two_lines() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tape.ndjson");
    std::fs::write(
        &file,
        "{\"at_ms\":0,\"wire\":\"push\",\"body\":{}}\n{\"at_ms\":9999999,\"wire\":\"push\",\"body\":{}}\n",
    )
    .unwrap();
    let arrived = Arc::new(Notify::new());
    let (inlet, mut inbox) = Inlet::new(arrived.clone());
    let mut recording = Recording::new("tape".into(), settings(&file, Pace::Own));
    let stop = CancellationToken::new();
    let mut run = std::pin::pin!(recording.run(Vec::new(), &inlet, &stop));
    tokio::select! { ended = &mut run => panic!("{ended:?}"), () = arrived.notified() => stop.cancel() }
    assert_eq!(timeout(Duration::from_secs(1), run).await, Ok(Ended::Stopped));
    assert_eq!(taken(&mut inbox).len(), 1);
}

#[test]
fn a_recording_is_written_from_many_threads_and_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tape.ndjson");
    let recorder = Recorder::create(&file).unwrap();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let recorder = &recorder;
            scope.spawn(move || (0..250).for_each(|m| recorder.record(&arrival(n * 250 + m, Wire::Push, b"{}"))));
        }
    });
    assert_eq!(Recorder::create(&file).map(|_| ()).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    drop(recorder);
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 1000);
}

#[test]
fn wrong_settings_are_named() {
    let wrong = RecordingSettings { file: PathBuf::new(), pace: Pace::Own, factor: f64::NAN };
    let keys: Vec<&str> = wrong.check().iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, ["file", "factor"]);
    assert_eq!(settings(Path::new("tape.ndjson"), Pace::Fast).check(), []);
}

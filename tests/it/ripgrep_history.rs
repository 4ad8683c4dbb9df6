//! Real data: ten years of a public repository as 7,612 events, imported with their ids and both of their times; then
//! questions about them, answered from the store alone and held against answers computed from the repository itself.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use annals::{
    CodecId, Durability, Encoding, EventId, ExpectedVersion, Filter, Json, NewEvent, Options, Outcome,
    Position, Shape, Store, Timestamp, Version,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{count, to_usize};

const DAY: i64 = 86_400_000_000;

/// One line of the source.
#[derive(Deserialize)]
struct Line {
    stream: String,
    r#type: String,
    id: String,
    occurred_at: String,
    recorded_at: String,
    batch: usize,
    data: Box<serde_json::value::RawValue>,
}

/// What happened, as far as the questions need it.
#[derive(Debug, Serialize, Deserialize)]
enum Change {
    CommitRecorded { author: String },
    FileAdded(File),
    FileModified(File),
    FileDeleted {},
}

#[derive(Debug, Serialize, Deserialize)]
struct File {
    blob: String,
    /// Not there: not a change of content. `null`: not a text.
    #[serde(default, deserialize_with = "present")]
    add: Option<Option<i64>>,
    del: Option<i64>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

struct History {
    _dir: TempDir,
    store: Store,
    lines: Vec<Line>,
    answers: Value,
    /// Where each batch ends.
    ends: Vec<Position>,
    held: usize,
}

fn source() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/gitlog-ripgrep");
    if dir.is_dir() {
        return Some(dir);
    }
    println!("SKIPPED: the history is not there: {}", dir.display());
    None
}

fn time(text: &str) -> Timestamp {
    let time: jiff::Timestamp = text.parse().expect("RFC 3339");
    Timestamp::from_micros(time.as_microsecond())
}

fn event(line: &Line) -> NewEvent {
    let encoding = Encoding { codec: CodecId::JSON, shape: Shape::Struct, fields: 0, schema_version: 1 };
    NewEvent::new(line.r#type.clone(), line.data.get().as_bytes())
        .expect("type")
        .id(line.id.parse::<EventId>().expect("id"))
        .occurred_at(time(&line.occurred_at))
        .encoding(encoding)
}

fn append(store: &Store, lines: &[Line]) -> annals::BatchReceipt {
    let batch = lines.iter().fold(store.batch(), |batch, line| {
        batch.append_raw(&line.stream, ExpectedVersion::Any, [event(line)])
    });
    batch.recorded_at(time(&lines[0].recorded_at)).commit().expect("commit")
}

impl History {
    /// Imports the history and opens the store again.
    fn import() -> Option<Self> {
        let source = source()?;
        let text = fs::read_to_string(source.join("events.jsonl")).expect("events");
        let lines: Vec<Line> =
            text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
        let answers = fs::read_to_string(source.join("answers.json")).expect("answers");
        let answers = serde_json::from_str(&answers).expect("answers");
        let dir = tempfile::tempdir().expect("temporary directory");
        let options =
            Options::new().durability(Durability::Buffered).journal_file_bytes(256 << 10).recent_bytes_max(0);
        let store = options.clone().open(dir.path().join("history")).expect("open");
        let (mut ends, mut held) = (Vec::new(), 0);
        for batch in lines.chunk_by(|a, b| a.batch == b.batch) {
            let receipt = append(&store, batch);
            assert_eq!(receipt.outcome(), Outcome::Appended);
            held += usize::from(receipt.recorded_at_was_held());
            ends.push(Position::new(store.head().as_u64() - 1));
        }
        store.close().expect("close");
        let store = options.open(dir.path().join("history")).expect("open again");
        Some(Self { _dir: dir, store, lines, answers, ends, held })
    }

    fn answer(&self, name: &str) -> &Value {
        &self.answers[name]
    }

    /// The commits' two times, in order: when each was made and when it was recorded.
    fn commits(&self) -> Vec<(i64, i64)> {
        let times = |event: annals::Result<annals::RecordedEvent>| {
            let event = event.expect("every event can be read");
            (event.occurred_at().as_micros(), event.recorded_at().as_micros())
        };
        self.store.stream("commits").expect("name").read().iter().map(times).collect()
    }
}

/// SHA-256 over the lines `key TAB value LF`, keys in byte order.
fn table_hash(table: &BTreeMap<String, impl std::fmt::Display>) -> String {
    let text: String = table.iter().map(|(key, value)| format!("{key}\t{value}\n")).collect();
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn counts_by_stream_and_type_are_those_of_the_source() {
    let Some(history) = History::import() else { return };
    let streams = history.store.streams().expect("streams");
    let counts: BTreeMap<String, u64> =
        streams.iter().map(|info| (info.name.as_str().to_owned(), info.events)).collect();
    assert_eq!(json!(history.store.head().as_u64()), *history.answer("events"));
    assert_eq!(json!(streams.len()), *history.answer("streams"));
    assert_eq!(json!(table_hash(&counts)), *history.answer("per_stream_count_sha256"));
    let mut longest: Vec<_> = counts.iter().collect();
    longest.sort_by_key(|(name, count)| (u64::MAX - **count, (*name).clone()));
    assert_eq!(json!(longest[..15].iter().collect::<Vec<_>>()), *history.answer("longest_streams"));
    for (name, wanted) in history.answer("types").as_object().expect("types") {
        let filter = Filter::new().event_types([name.clone()]);
        assert_eq!(json!(count(history.store.read().filter(filter))), *wanted, "{name}");
    }
    assert_eq!(json!(history.commits().len()), *history.answer("batches"));
    assert_eq!(json!(history.store.stats().expect("stats").commits), *history.answer("batches"));
    let sizes = history.ends.iter().scan(0, |from, end| {
        let size = end.as_u64() + 1 - *from;
        *from = end.as_u64() + 1;
        Some(size)
    });
    assert_eq!(json!(sizes.max()), *history.answer("largest_batch_events"));
    let author = |authors: HashSet<String>, change: Change| match change {
        Change::CommitRecorded { author } => authors.into_iter().chain([author]).collect(),
        _ => authors,
    };
    let first_hundred = history.store.stream("commits").expect("name").with_codec::<Json>();
    let authors = first_hundred.as_of(Version::new(99)).fold(HashSet::new(), author).expect("fold");
    assert!(authors.contains("p0"));
}

#[test]
fn the_file_tree_as_of_every_checkpoint_is_that_of_the_repository() {
    let Some(history) = History::import() else { return };
    let files = Filter::new().stream_prefix("file/");
    for checkpoint in history.answer("checkpoints").as_array().expect("checkpoints") {
        let batch = checkpoint["after_batch"].as_u64().expect("batch");
        let read = history.store.read().as_of(history.ends[to_usize(batch)]).filter(files.clone());
        let mut tree: BTreeMap<String, String> = BTreeMap::new();
        for typed in read.typed::<Change>() {
            let (event, change) = typed.expect("typed");
            let path = event.stream()["file/".len()..].to_owned();
            match change {
                Change::FileAdded(file) | Change::FileModified(file) => drop(tree.insert(path, file.blob)),
                Change::FileDeleted {} | Change::CommitRecorded { .. } => drop(tree.remove(&path)),
            }
        }
        assert_eq!(json!(tree.len()), checkpoint["live_files"], "after batch {batch}");
        assert_eq!(json!(table_hash(&tree)), checkpoint["tree_sha256"], "after batch {batch}");
    }
}

#[test]
fn lines_at_head_folded_file_by_file_are_those_of_the_repository() {
    let Some(history) = History::import() else { return };
    let mut lines: Vec<i64> = Vec::new();
    for info in history.store.streams_where(&Filter::new().stream_prefix("file/")).expect("streams") {
        let stream = history.store.stream(&info.name).expect("name");
        // None: no file. Some(None): not a text.
        let folded = stream.fold(None, |lines: Option<Option<i64>>, change| match change {
            Change::FileAdded(file) | Change::FileModified(file) => {
                match (file.add, lines.unwrap_or(Some(0))) {
                    (None, _) => lines,
                    (Some(None), _) | (_, None) => Some(None),
                    (Some(Some(add)), Some(lines)) => Some(Some(lines + add - file.del.unwrap_or(0))),
                }
            }
            Change::FileDeleted {} | Change::CommitRecorded { .. } => None,
        });
        lines.extend(folded.expect("fold").flatten());
    }
    let wanted = history.answer("lines_at_head");
    assert_eq!(json!({"text_files": lines.len(), "total": lines.iter().sum::<i64>()}), *wanted);
}

#[test]
fn a_file_at_a_version_is_what_it_was_in_the_repository() {
    let Some(history) = History::import() else { return };
    let questions = history.answer("state_at_version").as_array().expect("questions");
    for question in questions {
        let stream = history.store.stream(question["stream"].as_str().expect("stream")).expect("name");
        let version = Version::new(question["version"].as_u64().expect("version"));
        let state = stream.as_of(version).fold(None, |_, change| match change {
            Change::FileAdded(file) | Change::FileModified(file) => Some(file.blob),
            Change::FileDeleted {} | Change::CommitRecorded { .. } => None,
        });
        let blob = state.expect("fold");
        assert_eq!(
            (json!(blob.is_some()), json!(blob)),
            (question["exists"].clone(), question["blob"].clone())
        );
        let last = stream.as_of(version).backward().iter().next().expect("an event").expect("event");
        assert_eq!(last.version(), version);
    }
    assert_eq!(questions.len(), 20);
}

#[test]
fn late_arrivals_are_found_by_the_two_times_of_the_commits() {
    let Some(history) = History::import() else { return };
    let commits = history.commits();
    let before: Vec<usize> = (1..commits.len()).filter(|at| commits[*at].0 < commits[*at - 1].0).collect();
    let mut watermark = commits[0].0;
    let mut below: Vec<usize> = Vec::new();
    for (at, (occurred, _)) in commits.iter().enumerate().skip(1) {
        if *occurred < watermark {
            below.push(at);
        }
        watermark = watermark.max(*occurred);
    }
    let mut lags: Vec<i64> =
        commits.iter().map(|(occurred, recorded)| (recorded - occurred) / 1_000_000).collect();
    lags.sort_unstable();
    let over = |seconds: i64| lags.iter().filter(|lag| **lag > seconds).count();
    let found = json!({
        "author_time_before_previous_commits": before.len(),
        "first_such_batches": before[..20],
        "author_time_below_watermark": below.len(),
        "first_below_watermark_batches": below[..20],
        // The store held the one that went back, and told.
        "recorded_at_goes_back": history.held,
        "lag_over_1h": over(3_600),
        "lag_over_1d": over(86_400),
        "lag_over_7d": over(604_800),
        "lag_over_30d": over(2_592_000),
        "lag_negative": lags.iter().filter(|lag| **lag < 0).count(),
        "lag_max_seconds": lags.last(),
        "lag_median_seconds": lags[lags.len() / 2],
    });
    assert_eq!(found, *history.answer("late"));
    assert!(commits.windows(2).all(|pair| pair[0].1 <= pair[1].1), "recorded_at never runs backwards");
}

fn date(day: i64) -> String {
    let midnight = jiff::Timestamp::from_microsecond(day * DAY).expect("in range");
    midnight.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

#[test]
fn days_as_known_that_evening_and_as_known_now_are_told_apart() {
    let Some(history) = History::import() else { return };
    let mut days: BTreeMap<i64, [u64; 3]> = BTreeMap::new();
    for (occurred, recorded) in history.commits() {
        days.entry(recorded.div_euclid(DAY)).or_default()[0] += 1;
        let day = occurred.div_euclid(DAY);
        let of_day = days.entry(day).or_default();
        of_day[1] += 1;
        of_day[2] += u64::from(recorded < (day + 1) * DAY);
    }
    let rows: Vec<_> = days.iter().map(|(day, [by, of, known])| json!([date(*day), by, of, known])).collect();
    assert_eq!(json!(rows), history.answer("days")["rows"]);
    let revised = days.values().filter(|[_, of, known]| of != known).count();
    assert_eq!(json!(revised), history.answer("days")["revised_days"]);
    // One evening, asked of the store itself.
    let (day, [_, of, known]) = days.iter().find(|(_, [_, of, known])| of != known).expect("a revised day");
    let commits = history.store.stream("commits").expect("name");
    let that_day = Timestamp::from_micros(day * DAY)..Timestamp::from_micros((day + 1) * DAY);
    let read = commits.read().filter(Filter::new().occurred(that_day));
    assert_eq!(count(&read) as u64, *of);
    let evening = Timestamp::from_micros((day + 1) * DAY - 1);
    assert_eq!(count(read.as_of(evening)) as u64, *known);
}

#[test]
fn month_closings_and_their_later_corrections_add_up() {
    let Some(history) = History::import() else { return };
    let month = |micros: i64| date(micros.div_euclid(DAY))[..7].to_owned();
    let mut months: BTreeMap<String, (u64, u64, BTreeMap<String, u64>)> = BTreeMap::new();
    for (occurred, recorded) in history.commits() {
        let of = months.entry(month(occurred)).or_default();
        of.0 += 1;
        if month(recorded) <= month(occurred) {
            of.1 += 1;
        } else {
            *of.2.entry(month(recorded)).or_default() += 1;
        }
    }
    let rows = months.into_iter().map(|(month, (last, known, corrections))| {
        json!({"month": month, "final": last, "known_at_close": known, "corrections": corrections})
    });
    assert_eq!(Value::from_iter(rows), *history.answer("month_closing"));
}

#[test]
fn what_had_occurred_by_a_time_and_what_was_known_by_then_are_two_questions() {
    let Some(history) = History::import() else { return };
    let commits = history.store.stream("commits").expect("name");
    let questions = history.answer("bitemporal").as_array().expect("questions");
    for question in questions {
        let at = time(question["at"].as_str().expect("time"));
        let occurred = || Filter::new().occurred(..=at);
        let both = count(commits.as_of(at).filter(occurred()));
        assert_eq!(json!(both), question["occurred_by_then_and_known_by_then"]);
        assert_eq!(
            json!(count(commits.read().filter(occurred()))),
            question["occurred_by_then_all_knowledge"]
        );
        assert_eq!(json!(count(commits.as_of(at))), question["known_by_then"]);
        let filtered = count(commits.read().filter(Filter::new().recorded(..=at)));
        assert_eq!(json!(filtered), question["known_by_then"]);
    }
    assert_eq!(questions.len(), 4);
}

#[test]
fn importing_the_history_again_changes_nothing() {
    let Some(history) = History::import() else { return };
    let head = history.store.head();
    let mut end = history.ends.iter();
    for batch in history.lines.chunk_by(|a, b| a.batch == b.batch) {
        let receipt = append(&history.store, batch);
        assert_eq!(receipt.outcome(), Outcome::AlreadyAppended);
        let last = receipt.receipts().iter().flat_map(annals::Receipt::positions).max();
        assert_eq!(last.as_ref(), end.next());
    }
    assert_eq!(history.store.head(), head);
    for (event, line) in history.store.read().iter().zip(&history.lines) {
        let event = event.expect("every event can be read");
        assert_eq!((event.stream(), event.event_type()), (line.stream.as_str(), line.r#type.as_str()));
        assert_eq!(event.id().to_string(), line.id);
        assert_eq!(event.payload(), line.data.get().as_bytes());
        assert_eq!(event.occurred_at(), time(&line.occurred_at));
    }
}

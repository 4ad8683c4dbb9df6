//! The JSON lines of the command line: a line that is an event is, once stored and exported, a line of the same event.
#![no_main]
#![expect(dead_code, unused_imports, reason = "of the command line's files, the target uses the lines")]

#[path = "../../../src/bin/annals/event_line/mod.rs"]
mod event_line;
#[path = "../../../src/bin/annals/time.rs"]
mod time;

use annals::{ExpectedVersion, NewEvent, Timestamp};
use libfuzzer_sys::fuzz_target;

use event_line::{EventLine, OutgoingLine, batch_of_bad_line};

fuzz_target!(|line: &str| {
    let parsed = match EventLine::parse(line) {
        Ok(parsed) => parsed,
        Err(bad) => {
            assert!(bad.column.is_none_or(|column| column <= line.len() + 1), "column {:?}", bad.column);
            assert!(!bad.what.is_empty());
            let _ = batch_of_bad_line(line);
            return;
        }
    };
    let store = fuzz_support::new_store();
    // The clock of the store stands at 0, and what is imported is held at the store's last time.
    let recorded_at = parsed.recorded_at.unwrap_or(Timestamp::EPOCH);
    let batch = store.batch().recorded_at(recorded_at);
    batch.append_raw(&parsed.stream, ExpectedVersion::Any, [parsed.event.clone()]).commit().expect("commit");
    let recorded = store.read().iter().next().expect("an event").expect("it can be read");
    let out = serde_json::to_string(&OutgoingLine::new(&recorded)).expect("a line");
    assert!(!out.contains(['\n', '\r']), "{out}");
    let again = EventLine::parse(&out).unwrap_or_else(|bad| panic!("{}: {out}", bad.what));
    assert_eq!(again.stream, parsed.stream);
    assert_eq!(again.recorded_at, Some(recorded.recorded_at()));
    let wanted = NewEvent {
        id: Some(recorded.id()),
        occurred_at: Some(recorded.occurred_at()),
        ..parsed.event.clone()
    };
    assert!(parsed.event.id.is_none_or(|id| id == recorded.id()));
    assert!(parsed.event.occurred_at.is_none_or(|time| time == recorded.occurred_at()));
    // A metadata of `null` is none.
    let is_null = parsed.event.metadata == b"null";
    let wanted = if is_null { NewEvent { metadata: again.event.metadata.clone(), ..wanted } } else { wanted };
    assert_eq!(again.event, wanted, "{out}");
});

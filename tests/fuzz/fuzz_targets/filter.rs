//! Subject patterns and filters: a pattern is told as it was given, matches what a plain definition of matching says, and
//! a filtered read yields what filtering the whole yields.
#![no_main]

use annals::{ExpectedVersion, Filter, NewEvent, SubjectPattern};
use fuzz_support::new_store;
use libfuzzer_sys::fuzz_target;

/// The definition, word for word: `*` is one token, a final `>` is one or more.
fn matches(pattern: &[&str], name: &[&str]) -> bool {
    match (pattern, name) {
        ([">"], [_, ..]) => true,
        ([], []) => true,
        ([wanted, pattern @ ..], [token, name @ ..]) => {
            (*wanted == "*" || wanted == token) && matches(pattern, name)
        }
        _ => false,
    }
}

fuzz_target!(|input: (&str, &str, &str, Vec<&str>)| {
    let (pattern, category, prefix, names) = input;
    let parsed = pattern.parse::<SubjectPattern>();
    let tokens: Vec<&str> = pattern.split('.').collect();
    let is_pattern = pattern.len() <= 512
        && tokens.len() <= 64
        && !tokens.iter().any(|token| token.is_empty())
        && !tokens[..tokens.len() - 1].contains(&">");
    assert_eq!(parsed.is_ok(), is_pattern, "{pattern:?}");
    let Ok(parsed) = parsed else { return };
    assert_eq!(parsed.to_string(), pattern);

    let filters = [
        Filter::new().subject(parsed.clone()),
        Filter::new().subject(parsed.clone()).category(category).stream_prefix(prefix),
        Filter::new().category(category).event_types(["a"]),
    ];
    let store = new_store();
    for name in names.iter().take(8) {
        assert_eq!(
            parsed.matches(name),
            matches(&tokens, &name.split('.').collect::<Vec<_>>()),
            "{pattern:?} {name:?}"
        );
        let both =
            parsed.matches(name) && name.split('-').next() == Some(category) && name.starts_with(prefix);
        assert_eq!(filters[1].admits_stream(name), both, "{pattern:?} {category:?} {prefix:?} {name:?}");
        if let Ok(stream) = store.stream(name) {
            let event_type = if name.len() % 2 == 0 { "a" } else { "b" };
            let event = NewEvent::new(event_type, *name).expect("an event");
            stream.append_raw(ExpectedVersion::Any, [event]).expect("append");
        }
    }
    let all: Vec<_> = store.read().iter().collect::<annals::Result<_>>().expect("read");
    for filter in filters {
        let admitted: Vec<_> = all.iter().filter(|event| filter.admits(event)).cloned().collect();
        let forward: Vec<_> =
            store.read().filter(filter.clone()).iter().collect::<annals::Result<_>>().expect("read");
        assert!(forward == admitted);
        let mut backward: Vec<_> =
            store.read().backward().filter(filter).iter().collect::<annals::Result<_>>().expect("read");
        backward.reverse();
        assert!(backward == admitted);
    }
});

//! The events of a data set: those of a web shop, the same for every engine. Field names repeat, values vary, nothing is
//! there to fill up.

use std::fmt::Write as _;

use crate::model::{Commit, NewEvent, Request};
use crate::random::Random;

/// Events in streams, round robin: event n is in stream n modulo `streams`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) name: &'static str,
    pub(crate) events: u64,
    pub(crate) streams: u64,
    /// About how many bytes a payload has.
    pub(crate) payload_bytes: usize,
}

/// When the first event occurred: a day in November 2023, in microseconds since 1970.
const FIRST_OCCURRED_AT: i64 = 1_700_000_000_000_000;

const TYPES: [&str; 6] =
    ["OrderPlaced", "ItemAdded", "ItemRemoved", "PaymentAuthorized", "OrderPacked", "OrderShipped"];
const CURRENCIES: [&str; 5] = ["EUR", "USD", "GBP", "SEK", "JPY"];
const WAREHOUSES: [&str; 6] = ["fra-2", "lhr-1", "ams-4", "osl-1", "mad-3", "waw-2"];
const PREFIXES: [&str; 10] = ["KT", "LP", "SH", "BL", "CH", "KN", "MG", "MT", "FR", "BX"];
const NAMES: [&str; 12] = [
    "Ada", "Grace", "Edsger", "Barbara", "Donald", "Leslie", "Niklaus", "Radia", "Tony", "Frances", "Alan",
    "Joan",
];
const STREETS: [&str; 8] = [
    "Harbour Lane",
    "Mill Road",
    "Station Street",
    "Kirchgasse",
    "Rue du Lac",
    "Linden Avenue",
    "Via Roma",
    "Old Bridge",
];
const PRODUCTS: [&str; 10] = [
    "kettle",
    "desk lamp",
    "oak shelf",
    "wool blanket",
    "garden chair",
    "bread knife",
    "enamel mug",
    "door mat",
    "picture frame",
    "storage box",
];

/// The sets measured. The first is for `--quick`.
pub(crate) const SETS: [Set; 5] = [
    Set { name: "100k-128", events: 100_000, streams: 1_000, payload_bytes: 128 },
    Set { name: "1m-128", events: 1_000_000, streams: 10_000, payload_bytes: 128 },
    Set { name: "1m-1k", events: 1_000_000, streams: 10_000, payload_bytes: 1024 },
    Set { name: "10m-128", events: 10_000_000, streams: 1_000_000, payload_bytes: 128 },
    Set { name: "20k-1k", events: 20_000, streams: 200, payload_bytes: 1024 },
];

/// The name of a stream.
pub(crate) fn stream_name(number: u64) -> String {
    format!("order-{number:08}")
}

impl Set {
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        SETS.into_iter().find(|set| set.name == name)
    }

    pub(crate) fn events_a_stream(&self) -> u64 {
        self.events / self.streams
    }

    /// Events `from` and those after it, each a request of its own, in order; `count` of them at most.
    pub(crate) fn requests(&self, from: u64, count: u64) -> Vec<Request> {
        (from..self.events.min(from + count))
            .map(|number| {
                let stream = stream_name(number % self.streams);
                vec![Commit {
                    stream,
                    expected: number / self.streams,
                    events: vec![event(number, self.payload_bytes)],
                }]
            })
            .collect()
    }
}

/// Event number `number`, always the same.
pub(crate) fn event(number: u64, payload_bytes: usize) -> NewEvent {
    let mut random = Random::new(number ^ 0x616e_6e61_6c73);
    let event_type = pick(&mut random, &TYPES);
    let occurred_at = FIRST_OCCURRED_AT
        .saturating_add_unsigned(number.saturating_mul(1_000))
        .saturating_sub_unsigned(random.below(900_000));
    let mut json = String::with_capacity(payload_bytes + 96);
    if payload_bytes < 512 {
        small(&mut json, &mut random)
    } else {
        large(&mut json, &mut random, payload_bytes)
    }
    NewEvent { id: None, event_type, occurred_at, payload: json.into_bytes() }
}

fn pick(random: &mut Random, among: &[&'static str]) -> &'static str {
    let at = usize::try_from(random.below(among.len() as u64)).unwrap_or(0);
    among.get(at).copied().unwrap_or("none")
}

/// One line of an order: 128 bytes on average.
fn small(json: &mut String, random: &mut Random) {
    let _ = write!(
        json,
        r#"{{"order":"{:08x}","line":{},"sku":"{}-{:04}","quantity":{},"unit_price":{},"currency":"{}","warehouse":"{}","by":"{}"}}"#,
        random.next() & 0xffff_ffff,
        1 + random.below(8),
        pick(random, &PREFIXES),
        random.below(10_000),
        1 + random.below(12),
        100 + random.below(20_000),
        pick(random, &CURRENCIES),
        pick(random, &WAREHOUSES),
        pick(random, &NAMES),
    );
}

/// A whole order, with as many lines as it takes.
fn large(json: &mut String, random: &mut Random, bytes: usize) {
    let _ = write!(
        json,
        r#"{{"order":"{:016x}","customer":{{"name":"{} {}","email":"{}{}@example.org","since":{}}},"ship_to":{{"street":"{} {}","postcode":"{:05}","country":"{}"}},"currency":"{}","lines":["#,
        random.next(),
        pick(random, &NAMES),
        pick(random, &NAMES),
        pick(random, &NAMES).to_ascii_lowercase(),
        random.below(10_000),
        2001 + random.below(24),
        pick(random, &STREETS),
        1 + random.below(200),
        random.below(100_000),
        pick(random, &["DE", "GB", "FR", "NO", "ES", "PL", "US"]),
        pick(random, &CURRENCIES),
    );
    let mut total = 0;
    while json.len() + 120 < bytes {
        let (quantity, price) = (1 + random.below(9), 100 + random.below(30_000));
        total += quantity * price;
        let _ = write!(
            json,
            r#"{{"sku":"{:08x}","name":"{}","quantity":{quantity},"unit_price":{price},"warehouse":"{}"}},"#,
            random.next() & 0xffff_ffff,
            pick(random, &PRODUCTS),
            pick(random, &WAREHOUSES),
        );
    }
    if json.ends_with(',') {
        json.pop();
    }
    let _ = write!(json, r#"],"total":{total},"trace":"{:032x}"}}"#, u128::from(random.next()));
}

#[cfg(test)]
mod tests {
    use super::event;

    #[test]
    fn payloads_are_json_of_about_the_size_asked_for() {
        for (asked, range) in [(128, 118..138), (1024, 900..1100)] {
            let mut bytes = 0;
            for number in 0..1000 {
                let payload = event(number, asked).payload;
                let parsed: Result<serde_json::Value, _> = serde_json::from_slice(&payload);
                assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(&payload));
                bytes += payload.len();
            }
            assert!(range.contains(&(bytes / 1000)), "{} for {asked}", bytes / 1000);
        }
    }
}

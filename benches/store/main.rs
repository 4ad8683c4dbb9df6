//! What annals costs beside the floor, the least that any store must do for the same work. Each pair is measured in turn,
//! A B A B, and the table at the end holds the ratios: the floor's time by that of annals, 1.00 being as fast as the floor.
#![expect(clippy::cast_possible_truncation, reason = "sizes here are small, and the machine has 64 bits")]

mod append;
mod floor;
mod pair;
mod read;

use std::time::Duration;

use criterion::Criterion;

/// A payload such as an event of a web shop has.
const PAYLOAD: &[u8] = br#"{"order":"7f3c1a52","sku":"KT-2231-B","quantity":3,"unit_price":1995,"currency":"EUR","warehouse":"fra-2","note":"gift"}"#;

/// Bytes of a frame that holds one such event of a stream such as `order-00000`.
const FRAME_BYTES: usize = 280;

fn event() -> annals::NewEvent {
    annals::NewEvent::new("ItemAdded", PAYLOAD).expect("event")
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut ratios = pair::Ratios::default();
    append::all(&mut criterion, &mut ratios);
    read::all(&mut criterion, &mut ratios);
    criterion.final_summary();
    ratios.print();
}

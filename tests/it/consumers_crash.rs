//! Power cuts at every call that consumers make to the disk.

use std::time::Duration;

use annals::{AckDurability, ExpectedVersion, Maintenance, Options, Store};

use crate::support::consuming::Consuming;
use crate::support::{Keep, ManualClock, Rng, SimDisk, event};

const ANY: ExpectedVersion = ExpectedVersion::Any;

fn open(disk: &SimDisk) -> annals::Result<Store> {
    let options = Options::new().disk(disk.clone()).clock(ManualClock::at(1_000));
    options.maintenance(Maintenance::Inline).journal_file_bytes(64 << 10).open("/shop")
}

#[test]
fn what_a_consumer_appends_is_there_once_and_in_order_whenever_the_power_goes() {
    let mut rng = Rng::printed("consumers", 83);
    let mut states = 0;
    for history in 0..8 {
        let program = if history == 0 { Consuming::fixed() } else { Consuming::random(&mut rng) };
        let calls = program.calls();
        for call in 0..=calls {
            for keep in [Keep::Nothing, Keep::Everything, Keep::Some(Rng::new(rng.next()))] {
                let what = format!("{program:?}, power cut at call {call} of {calls}, {keep:?}");
                program.cut(call, keep).unwrap_or_else(|fault| panic!("{what}: {fault}"));
                states += 1;
            }
        }
    }
    println!("{states} crash states");
    assert!(states > 3_000, "{states}");
}

#[test]
fn an_acknowledgement_that_was_answered_holds_whenever_the_power_goes() {
    let run = |disk: &SimDisk, acked: &mut Vec<u8>, at: &mut Option<u8>| -> annals::Result<()> {
        let store = open(disk)?;
        let mailer = store.consumer("mailer").unordered().start()?;
        for number in 0..20_u8 {
            store.stream("a")?.append_raw(ANY, [event([number])])?;
            if let Some(delivery) = mailer.next(Duration::ZERO)? {
                let payload = delivery.event().payload()[0];
                match number % 4 {
                    3 => delivery.nak()?,
                    _ => {
                        *at = Some(payload);
                        delivery.ack()?;
                        acked.push(payload);
                    }
                }
            }
        }
        Ok(())
    };
    let sound = SimDisk::new();
    run(&sound, &mut Vec::new(), &mut None).expect("no fault");
    let mut rng = Rng::printed("acknowledgements", 89);
    for call in 0..=sound.calls() {
        let (disk, mut acked, mut at) = (SimDisk::new(), Vec::new(), None);
        disk.dies_at(call);
        drop(run(&disk, &mut acked, &mut at));
        for keep in [Keep::Nothing, Keep::Some(Rng::new(rng.next()))] {
            let store = open(&disk.crash(keep)).expect("open");
            let grouped = AckDurability::Grouped(100);
            let mailer = store.consumer("mailer").unordered().ack_durability(grouped).start().expect("start");
            let mut left = Vec::new();
            while let Some(delivery) = mailer.next(Duration::ZERO).expect("next") {
                left.push(delivery.event().payload()[0]);
                delivery.ack().expect("ack");
            }
            assert!(left.iter().all(|payload| !acked.contains(payload)), "call {call}: {acked:?}, {left:?}");
            // And nothing is lost: each is done, or comes. The one that was being acknowledged may be either.
            let events = u8::try_from(store.head().as_u64()).expect("few");
            let mut missing =
                (0..events).filter(|payload| !acked.contains(payload) && !left.contains(payload));
            assert!(
                missing.all(|payload| Some(payload) == at),
                "call {call}: {acked:?}, {left:?} of {events}"
            );
        }
    }
}

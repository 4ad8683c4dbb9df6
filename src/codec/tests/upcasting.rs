//! Old events are read as new ones.

use serde::{Deserialize, Serialize};

use super::under_each_codec;
use crate::codec::{Codec, CodecError, Encoded, Upcast, Upcasted, Upcasters, decode_content};
use crate::types::limits::UPCAST_STEPS_MAX;

#[derive(Serialize)]
enum Old {
    Deposited { cents: i64 },
    Moved(i64, String),
    Held(DepositedV1),
    Closed,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct DepositedV1 {
    cents: i64,
}

#[derive(Serialize, Deserialize)]
struct DepositedV2 {
    currency: String,
    cents: i64,
}

#[derive(Serialize, Deserialize)]
struct PaidV3 {
    amount: (i64, String),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum New {
    Paid { amount: (i64, String) },
}

fn upcasters<C: Codec>() -> Result<Upcasters, CodecError> {
    Upcasters::new()
        .step::<C, _, _>("Deposited", 1, |old: DepositedV1| DepositedV2 {
            currency: "EUR".into(),
            cents: old.cents,
        })?
        .step_into::<C, _, _>("Deposited", 2, "Paid", 3, |old: DepositedV2| PaidV3 {
            amount: (old.cents, old.currency),
        })
}

fn deposited<C: Codec>(schema_version: u32) -> Result<Encoded, CodecError> {
    let mut encoded = match schema_version {
        2 => {
            let new = DepositedV2 { currency: "USD".into(), cents: 7 };
            let event_type = C::encode_event(&Old::Deposited { cents: 7 })?.event_type;
            Encoded { event_type, ..C::encode_event(&new)? }
        }
        _ => C::encode_event(&Old::Deposited { cents: 5 })?,
    };
    encoded.encoding.schema_version = schema_version;
    Ok(encoded)
}

fn a_chain_of_steps_leads_to_the_newest<C: Codec>() -> Result<(), CodecError> {
    let upcasters = upcasters::<C>()?;
    for (version, cents, currency) in [(1, 5, "EUR"), (2, 7, "USD")] {
        let encoded = deposited::<C>(version)?;
        let new = upcasters.apply(encoded.as_stored())?;
        assert_eq!((new.as_stored().event_type, new.as_stored().encoding.schema_version), ("Paid", 3));
        assert_eq!(C::decode_event::<New>(new.as_stored())?, New::Paid { amount: (cents, currency.into()) });
    }
    Ok(())
}

fn what_needs_no_step_is_not_copied<C: Codec>() -> Result<(), CodecError> {
    let mut current = C::encode_event(&New::Paid { amount: (1, "EUR".into()) })?;
    current.encoding.schema_version = 3;
    let other = C::encode_event(&Old::Closed)?;
    for event in [current.as_stored(), other.as_stored()] {
        assert_eq!(upcasters::<C>()?.apply(event)?, Upcasted::AsStored(event));
    }
    assert_eq!(Upcasters::new().apply(other.as_stored())?, Upcasted::AsStored(other.as_stored()));
    Ok(())
}

fn an_event_newer_than_the_program_is_an_error<C: Codec>() -> Result<(), CodecError> {
    let newer = deposited::<C>(4)?;
    for upcasters in [upcasters::<C>()?, Upcasters::new()] {
        let error = upcasters.apply(newer.as_stored()).expect_err("newer").to_string();
        assert!(error.contains("this program is older than the data"), "{error}");
    }
    Ok(())
}

fn a_gap_in_the_chain_is_an_error<C: Codec>() -> Result<(), CodecError> {
    let upcasters = Upcasters::new().step::<C, DepositedV2, DepositedV2>("Deposited", 2, |old| old)?;
    let error = upcasters.apply(deposited::<C>(1)?.as_stored()).expect_err("a gap").to_string();
    assert!(error.contains("no upcaster leads there from 1"), "{error}");
    Ok(())
}

fn a_step_that_cannot_read_the_event_says_which_it_was<C: Codec>() -> Result<(), CodecError> {
    let upcasters = Upcasters::new().step::<C, PaidV3, PaidV3>("Closed", 1, |old| old)?;
    let error =
        upcasters.apply(C::encode_event(&Old::Closed)?.as_stored()).expect_err("no content").to_string();
    assert!(error.starts_with(r#"upcasting "Closed" from version 1: "#), "{error}");
    Ok(())
}

fn content_is_read_whatever_the_event_is_called<C: Codec>() -> Result<(), CodecError> {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Unit;
    #[derive(Debug, PartialEq, Deserialize)]
    struct Moved(i64, String);

    let content = C::encode_event(&Old::Deposited { cents: 5 })?;
    assert_eq!(decode_content::<C, DepositedV1>(content.as_stored())?, DepositedV1 { cents: 5 });
    let content = C::encode_event(&Old::Held(DepositedV1 { cents: 5 }))?;
    assert_eq!(decode_content::<C, DepositedV1>(content.as_stored())?, DepositedV1 { cents: 5 });
    let content = C::encode_event(&Old::Moved(1, "there".into()))?;
    assert_eq!(decode_content::<C, Moved>(content.as_stored())?, Moved(1, "there".into()));
    let content = C::encode_event(&Old::Closed)?;
    assert_eq!(decode_content::<C, Unit>(content.as_stored())?, Unit);
    Ok(())
}

fn tuple_and_newtype_and_unit_structs_may_be_the_new_content<C: Codec>() -> Result<(), CodecError> {
    #[derive(Serialize)]
    struct Moved(i64, String);
    #[derive(Serialize)]
    struct Held(DepositedV1);
    #[derive(Serialize)]
    struct Closed;
    #[derive(Debug, PartialEq, Deserialize)]
    enum Event {
        Moved(i64, String),
        Held(DepositedV1),
        Closed,
    }
    let upcasters = Upcasters::new()
        .step_into::<C, _, _>("Deposited", 1, "Moved", 1, |old: DepositedV1| Moved(old.cents, "here".into()))?
        .step_into::<C, _, _>("Deposited", 2, "Held", 1, |old: DepositedV2| {
            Held(DepositedV1 { cents: old.cents })
        })?
        .step_into::<C, _, _>("Deposited", 3, "Closed", 1, |_: DepositedV1| Closed)?;
    let read = |version| {
        let encoded = deposited::<C>(version)?;
        let new = upcasters.apply(encoded.as_stored())?;
        C::decode_event::<Event>(new.as_stored())
    };
    assert_eq!(read(1)?, Event::Moved(5, "here".into()));
    assert_eq!(read(2)?, Event::Held(DepositedV1 { cents: 7 }));
    assert_eq!(read(3)?, Event::Closed);
    Ok(())
}

fn a_form_newer_than_the_step_reads_is_refused_and_loses_no_field<C: Codec>() -> Result<(), CodecError> {
    #[derive(Serialize)]
    enum Newer {
        Deposited { cents: i64, currency: String },
    }
    // Written by a program that did not have the upcasters, and so marked as version 1.
    let written = C::encode_event(&Newer::Deposited { cents: 5, currency: "EUR".into() })?;
    let told = upcasters::<C>()?.apply(written.as_stored()).map(drop);
    let told = told.expect_err("a field would be lost").to_string();
    assert!(told.contains("has 2 fields") && told.contains("reads 1"), "{told}");
    Ok(())
}

under_each_codec! {
    a_form_newer_than_the_step_reads_is_refused_and_loses_no_field
    a_chain_of_steps_leads_to_the_newest
    what_needs_no_step_is_not_copied
    an_event_newer_than_the_program_is_an_error
    a_gap_in_the_chain_is_an_error
    a_step_that_cannot_read_the_event_says_which_it_was
    content_is_read_whatever_the_event_is_called
    tuple_and_newtype_and_unit_structs_may_be_the_new_content
}

fn raw(event_type: &str, schema_version: u32) -> Upcast {
    let encoding = crate::types::Encoding { schema_version, ..crate::types::Encoding::RAW };
    Upcast { event_type: event_type.into(), encoding, payload: b"5".to_vec() }
}

#[test]
fn raw_steps_change_bytes_and_may_choose_the_type() -> Result<(), CodecError> {
    let upcasters = Upcasters::new()
        .raw_step("Moved", 1, |mut event| {
            event.payload.push(b'0');
            Ok(event)
        })?
        .raw_step("Moved", 2, |mut event| {
            event.event_type = if event.payload == b"50" { "Shipped".into() } else { "Carried".into() };
            event.encoding.schema_version = 1;
            Ok(event)
        })?;
    assert_eq!(upcasters.current_version("Moved"), 3);
    let stored = raw("Moved", 1);
    let Upcasted::Changed(new) = upcasters.apply(stored.as_stored())? else { panic!("it has steps") };
    assert_eq!(
        (new.event_type.as_str(), new.encoding.schema_version, new.payload),
        ("Shipped", 1, b"50".to_vec())
    );
    Ok(())
}

#[test]
fn steps_that_cannot_be_right_are_refused_when_they_are_added() {
    fn refused(add: impl Fn(Upcasters) -> Result<Upcasters, CodecError>) -> String {
        add(Upcasters::new()).expect_err("refused").to_string()
    }
    assert!(
        refused(|new| new.raw_step("A", 1, Ok)?.raw_step("A", 1, Ok))
            .contains("two upcasters from version 1")
    );
    assert!(refused(|new| new.raw_step("A", 0, Ok)).contains("count from 1"));
    assert!(refused(|new| new.raw_step("A", u32::MAX, Ok)).contains("no version after"));
    assert!(refused(|new| new.raw_step("", 1, Ok)).contains("empty"));
    #[cfg(feature = "bincode")]
    for into in [1, 2] {
        use crate::codec::Bincode;
        let back =
            refused(|new| new.step_into::<Bincode, DepositedV1, DepositedV1>("A", 2, "A", into, |old| old));
        assert!(back.contains("goes backwards, from version 2"), "{back}");
    }
}

#[test]
fn a_raw_step_that_goes_backwards_is_an_error() -> Result<(), CodecError> {
    let upcasters = Upcasters::new().raw_step("A", 2, |mut event| {
        event.encoding.schema_version = 2;
        Ok(event)
    })?;
    let error = upcasters.apply(raw("A", 2).as_stored()).expect_err("backwards").to_string();
    assert!(error.contains("goes backwards"), "{error}");
    Ok(())
}

#[test]
fn steps_are_taken_up_to_their_limit_and_circles_end() -> Result<(), CodecError> {
    let limit = u32::try_from(UPCAST_STEPS_MAX).expect("a small number");
    let chain = (1..=limit).try_fold(Upcasters::new(), |chain, version| chain.raw_step("A", version, Ok))?;
    let stored = raw("A", 1);
    assert_eq!(chain.apply(stored.as_stored())?.as_stored().encoding.schema_version, limit + 1);
    let longer = chain.raw_step("A", limit + 1, Ok)?;
    assert!(
        longer
            .apply(stored.as_stored())
            .expect_err("one more")
            .to_string()
            .contains("more than 64 upcasters")
    );

    let rename = |to: &'static str| {
        move |mut event: Upcast| {
            event.event_type = to.into();
            event.encoding.schema_version = 1;
            Ok(event)
        }
    };
    let circle = Upcasters::new().raw_step("A", 1, rename("B"))?.raw_step("B", 1, rename("A"))?;
    assert!(circle.apply(stored.as_stored()).expect_err("a circle").to_string().contains("in a circle"));
    Ok(())
}

#[cfg(feature = "bincode")]
#[test]
fn new_events_get_the_current_version() -> Result<(), CodecError> {
    let upcasters = upcasters::<crate::codec::Bincode>()?;
    assert_eq!(["Deposited", "Paid", "Else"].map(|name| upcasters.current_version(name)), [2, 3, 1]);
    assert_eq!(format!("{upcasters:?}"), r#"Upcasters {"Deposited": 2, "Paid": 3}"#);
    Ok(())
}

#[cfg(all(feature = "bincode", feature = "json"))]
#[test]
fn a_step_reads_what_another_codec_wrote() -> Result<(), CodecError> {
    use crate::codec::{Bincode, Json};
    let written = deposited::<Json>(1)?;
    let upcasters = upcasters::<Bincode>()?;
    let new = upcasters.apply(written.as_stored())?;
    let encoding = new.as_stored().encoding;
    assert_eq!(encoding.codec, Bincode::ID);
    assert_eq!(Bincode::decode_event::<New>(new.as_stored())?, New::Paid { amount: (5, "EUR".into()) });
    Ok(())
}

//! Every form of event comes back as it was, and its header says what it is.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::under_each_codec;
use crate::codec::{Codec, CodecError, decode_any, encode_checked};
use crate::types::{CodecId, NewEvent, Shape};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Nested<T> {
    Nothing,
    One(T),
    Pair(T, Option<Box<Nested<T>>>),
    Named { value: T },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Details {
    owner: String,
    limits: BTreeMap<String, i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum AccountEvent {
    Frozen,
    Named(String),
    Described(Details),
    Moved(i64, Vec<u8>),
    Opened { owner: String, nested: Nested<u32> },
    Emptied {},
    Touched(()),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(u64);
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(Newtype);
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tuple(u64, char, f64);

fn details() -> Details {
    Details { owner: "Ada".into(), limits: BTreeMap::from([("day".into(), 500), ("month".into(), -1)]) }
}

fn every_shape_comes_back<C: Codec>() -> Result<(), CodecError> {
    let nested = Nested::Pair(1, Some(Box::new(Nested::Named { value: 2 })));
    let events = [
        (AccountEvent::Frozen, "Frozen", Shape::Unit, 0),
        (AccountEvent::Named("Ada".into()), "Named", Shape::Newtype, 1),
        (AccountEvent::Described(details()), "Described", Shape::Newtype, 2),
        (AccountEvent::Moved(-5, vec![0, 255]), "Moved", Shape::Tuple, 2),
        (AccountEvent::Opened { owner: String::new(), nested }, "Opened", Shape::Struct, 2),
        (AccountEvent::Emptied {}, "Emptied", Shape::Struct, 0),
        (AccountEvent::Touched(()), "Touched", Shape::Newtype, 0),
    ];
    for (event, event_type, shape, fields) in events {
        let encoded = encode_checked::<C, _>(&event)?;
        assert_eq!(encoded.event_type.as_str(), event_type);
        assert_eq!((encoded.encoding.shape, encoded.encoding.fields), (shape, fields), "{event_type}");
        assert_eq!((encoded.encoding.codec, encoded.encoding.schema_version), (C::ID, 1));
        assert_eq!(decode_any::<C, AccountEvent>(encoded.as_stored())?, event);
    }
    Ok(())
}

fn content_of_unknown_shape_is_what_the_reader_wants<C: Codec>() -> Result<(), CodecError> {
    let frozen = AccountEvent::Frozen;
    for event in [
        frozen,
        AccountEvent::Described(details()),
        AccountEvent::Moved(1, vec![2]),
        AccountEvent::Emptied {},
    ] {
        let mut encoded = C::encode_event(&event)?;
        (encoded.encoding.shape, encoded.encoding.fields) = (Shape::Opaque, 0);
        assert_eq!(C::decode_event::<AccountEvent>(encoded.as_stored())?, event);
    }
    Ok(())
}

fn structs_are_events_under_their_name<C: Codec>() -> Result<(), CodecError> {
    let unit = encode_checked::<C, _>(&Unit)?;
    assert_eq!((unit.event_type.as_str(), unit.encoding.shape), ("Unit", Shape::Unit));
    let newtype = encode_checked::<C, _>(&Newtype(7))?;
    assert_eq!((newtype.event_type.as_str(), newtype.encoding.shape), ("Newtype", Shape::Newtype));
    assert_eq!(C::decode_event::<Newtype>(newtype.as_stored())?, Newtype(7));
    let wrapped = encode_checked::<C, _>(&Wrapped(Newtype(7)))?;
    assert_eq!((wrapped.encoding.shape, wrapped.encoding.fields), (Shape::Newtype, 1));
    let tuple = encode_checked::<C, _>(&Tuple(1, 'é', 0.5))?;
    assert_eq!((tuple.event_type.as_str(), tuple.encoding.fields), ("Tuple", 3));
    let details = encode_checked::<C, _>(&details())?;
    assert_eq!((details.event_type.as_str(), details.encoding.shape), ("Details", Shape::Struct));
    assert_eq!(NewEvent::from(details.clone()).encoding, details.encoding);
    Ok(())
}

fn hash_maps_pass_the_check_in_whatever_order<C: Codec>() -> Result<(), CodecError> {
    #[derive(Serialize, Deserialize)]
    enum Event {
        Counted { words: HashMap<String, u32>, seen: HashSet<u64> },
    }
    for round in 0..20 {
        let words = (0..50).map(|number| (format!("word {number}"), number * round)).collect();
        encode_checked::<C, _>(&Event::Counted { words, seen: (0..300).collect() })?;
    }
    Ok(())
}

fn values_come_back_whole_and_nothing_follows_them<C: Codec>() -> Result<(), CodecError> {
    let value = (details(), Some(Nested::One(3_u8)), [1_i8, -1]);
    let mut bytes = C::encode_value(&value)?;
    assert_eq!(C::decode_value::<(Details, Option<Nested<u8>>, [i8; 2])>(&bytes)?, value);
    bytes.push(b'0');
    assert!(C::decode_value::<(Details, Option<Nested<u8>>, [i8; 2])>(&bytes).is_err());
    Ok(())
}

fn borders_of_numbers_come_back<C: Codec>() -> Result<(), CodecError> {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Numbers(u64, i64, u128, i128, f64, f64);
    let numbers = Numbers(u64::MAX, i64::MIN, u128::MAX, i128::MIN, f64::MIN_POSITIVE, 0.1 + 0.2);
    let encoded = encode_checked::<C, _>(&numbers)?;
    assert_eq!(C::decode_event::<Numbers>(encoded.as_stored())?, numbers);
    Ok(())
}

fn many_small_numbers_are_within_the_limit<C: Codec>() -> Result<(), CodecError> {
    #[derive(Serialize, Deserialize)]
    struct Samples(Vec<u64>);
    // As many as would be over 16 MiB if each took its eight bytes.
    let samples = Samples(vec![7; (2 << 20) + 1]);
    let encoded = C::encode_event(&samples)?;
    assert_eq!(C::decode_event::<Samples>(encoded.as_stored())?.0.len(), samples.0.len());
    Ok(())
}

under_each_codec! {
    every_finite_float_comes_back
    every_shape_comes_back
    content_of_unknown_shape_is_what_the_reader_wants
    structs_are_events_under_their_name
    hash_maps_pass_the_check_in_whatever_order
    values_come_back_whole_and_nothing_follows_them
    borders_of_numbers_come_back
    many_small_numbers_are_within_the_limit
}

fn every_finite_float_comes_back<C: Codec>() -> Result<(), CodecError> {
    #[derive(Serialize, Deserialize)]
    struct Measured(f64);
    // A multiplicative generator modulo 2^64: the same numbers each time.
    let bits = std::iter::successors(Some(1_u64), |bits| Some(bits.wrapping_mul(6_364_136_223_846_793_005)));
    for number in bits.take(10_000).map(f64::from_bits).filter(|number| number.is_finite()) {
        encode_checked::<C, _>(&Measured(number))?;
    }
    Ok(())
}

#[cfg(feature = "bincode")]
#[test]
fn bincode_payload_is_the_content_alone() -> Result<(), CodecError> {
    let payload = |event| crate::codec::Bincode::encode_event(&event).map(|encoded| encoded.payload);
    assert_eq!(payload(AccountEvent::Frozen)?, b"");
    assert_eq!(payload(AccountEvent::Named("Ada".into()))?, b"\x03Ada");
    assert_eq!(payload(AccountEvent::Moved(-1, vec![9]))?, b"\x01\x01\x09");
    Ok(())
}

#[cfg(feature = "json")]
#[test]
fn json_payload_is_a_document_of_the_content() -> Result<(), CodecError> {
    let payload = |event| crate::codec::Json::encode_event(&event).map(|encoded| encoded.payload);
    assert_eq!(payload(AccountEvent::Frozen)?, b"null");
    assert_eq!(payload(AccountEvent::Named("Ada".into()))?, br#""Ada""#);
    assert_eq!(payload(AccountEvent::Moved(-1, vec![9]))?, b"[-1,[9]]");
    assert_eq!(payload(AccountEvent::Emptied {})?, b"{}");
    Ok(())
}

#[cfg(feature = "json")]
#[test]
fn json_events_may_flatten_what_their_variants_hold() -> Result<(), CodecError> {
    #[derive(Serialize, Deserialize)]
    enum Event {
        Opened {
            id: u8,
            #[serde(flatten)]
            details: Details,
        },
        Noted(serde_json::Value),
        Raw(Box<serde_json::value::RawValue>),
    }
    encode_checked::<crate::codec::Json, _>(&Event::Opened { id: 1, details: details() })?;
    encode_checked::<crate::codec::Json, _>(&Event::Noted(serde_json::json!({"any": [1, null]})))?;
    let raw = serde_json::value::RawValue::from_string("{ \"kept\":  1 }".into()).expect("JSON");
    assert_eq!(encode_checked::<crate::codec::Json, _>(&Event::Raw(raw))?.payload, b"{ \"kept\":  1 }");
    Ok(())
}

#[cfg(all(feature = "bincode", feature = "json"))]
#[test]
fn an_event_is_read_by_the_codec_that_wrote_it() -> Result<(), CodecError> {
    use crate::codec::{Bincode, Json};
    let event = AccountEvent::Moved(1, vec![2]);
    let (bincode, json) = (Bincode::encode_event(&event)?, Json::encode_event(&event)?);
    assert_eq!(decode_any::<Json, AccountEvent>(bincode.as_stored())?, event);
    assert_eq!(decode_any::<Bincode, AccountEvent>(json.as_stored())?, event);
    Ok(())
}

#[cfg(feature = "bincode")]
#[test]
fn raw_events_and_unknown_codecs_are_told_apart() -> Result<(), CodecError> {
    use crate::codec::Bincode;
    let mut encoded = Bincode::encode_event(&AccountEvent::Frozen)?;
    let mut message = |codec| {
        encoded.encoding.codec = codec;
        decode_any::<Bincode, AccountEvent>(encoded.as_stored()).expect_err("refused").to_string()
    };
    assert!(message(CodecId::RAW).contains("raw bytes"));
    assert!(message(CodecId::new(7)).contains("codec 7 is not known here"));
    Ok(())
}

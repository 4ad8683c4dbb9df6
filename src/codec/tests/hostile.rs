//! Damaged and hostile payloads end in a value or an error: no panic, no full memory, no endless loop, no overflown
//! stack.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::under_each_codec;
use crate::codec::{Codec, CodecError, Encoded, Stored};
use crate::types::{Encoding, Shape};

#[derive(Debug, Serialize, Deserialize)]
enum Event {
    Everything {
        text: String,
        bytes: Vec<u8>,
        map: HashMap<String, Option<i64>>,
        tree: Tree,
        character: char,
        truth: bool,
        number: u128,
        real: f64,
        nothing: Vec<()>,
    },
    Recursive(Tree),
    Text(String),
    Nothings(Vec<Vec<()>>),
}

#[derive(Debug, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Node(Box<Tree>, Box<Tree>),
    Chain(Option<Box<Tree>>),
}

fn everything<C: Codec>() -> Result<Encoded, CodecError> {
    C::encode_event(&Event::Everything {
        text: "Grüße".into(),
        bytes: vec![0, 1, 255],
        map: HashMap::from([("a".into(), None), ("b".into(), Some(i64::MIN))]),
        tree: Tree::Node(Box::new(Tree::Leaf), Box::new(Tree::Chain(Some(Box::new(Tree::Leaf))))),
        character: '史',
        truth: true,
        number: u128::MAX,
        real: 0.5,
        nothing: vec![(); 3],
    })
}

fn decode<C: Codec>(encoded: &Encoded, payload: &[u8]) -> Result<Event, CodecError> {
    C::decode_event(Stored { payload, ..encoded.as_stored() })
}

fn every_cut_is_an_error<C: Codec>() -> Result<(), CodecError> {
    let encoded = everything::<C>()?;
    for (cut, _) in encoded.payload.iter().enumerate() {
        assert!(decode::<C>(&encoded, &encoded.payload[..cut]).is_err(), "cut at {cut}");
    }
    Ok(())
}

fn every_flipped_bit_is_a_value_or_an_error<C: Codec>() -> Result<(), CodecError> {
    let encoded = everything::<C>()?;
    for index in 0..encoded.payload.len() {
        for bit in 0..8 {
            let mut payload = encoded.payload.clone();
            payload[index] ^= 1 << bit;
            drop(decode::<C>(&encoded, &payload));
        }
    }
    Ok(())
}

fn every_byte_anywhere_is_a_value_or_an_error<C: Codec>() -> Result<(), CodecError> {
    let encoded = everything::<C>()?;
    for index in 0..encoded.payload.len() {
        for byte in 0..=u8::MAX {
            let mut payload = encoded.payload.clone();
            payload[index] = byte;
            drop(decode::<C>(&encoded, &payload));
        }
    }
    Ok(())
}

fn every_wrong_header_is_a_value_or_an_error<C: Codec>() -> Result<(), CodecError> {
    let encoded = everything::<C>()?;
    for number in 0..=4 {
        let shape = Shape::from_u8(number).expect("shapes are 0 to 4");
        for fields in [0, 1, 8, 9, 10, u16::MAX] {
            for event_type in ["Everything", "Recursive", "Text", "Nothings", "Else", ""] {
                let encoding = Encoding { shape, fields, ..encoded.encoding };
                drop(C::decode_event::<Event>(Stored { event_type, encoding, payload: &encoded.payload }));
            }
        }
    }
    Ok(())
}

fn bytes_after_the_value_are_an_error<C: Codec>() -> Result<(), CodecError> {
    let encoded = everything::<C>()?;
    let mut payload = encoded.payload.clone();
    payload.push(b'0');
    assert!(decode::<C>(&encoded, &payload).is_err());
    Ok(())
}

fn nesting_beyond_the_limit_is_refused_on_both_ways<C: Codec>() -> Result<(), CodecError> {
    let chain = |links| {
        let tree = (0..links).fold(Tree::Leaf, |tree, _| Tree::Chain(Some(Box::new(tree))));
        C::encode_event(&Event::Recursive(tree))
    };
    let encoded = chain(40)?;
    decode::<C>(&encoded, &encoded.payload)?;
    let refused = chain(200).and_then(|encoded| decode::<C>(&encoded, &encoded.payload));
    assert!(refused.is_err());
    Ok(())
}

under_each_codec! {
    every_cut_is_an_error
    every_flipped_bit_is_a_value_or_an_error
    every_byte_anywhere_is_a_value_or_an_error
    every_wrong_header_is_a_value_or_an_error
    bytes_after_the_value_are_an_error
    nesting_beyond_the_limit_is_refused_on_both_ways
}

#[cfg(feature = "bincode")]
mod lengths {
    use super::*;
    use crate::codec::{Bincode, ReadBudget, encode_checked};

    /// A bincode length: 64 bits wide.
    fn length(number: u64) -> Vec<u8> {
        [&[253_u8][..], &number.to_le_bytes()].concat()
    }

    fn stored<'a>(event_type: &'a str, payload: &'a [u8]) -> Stored<'a> {
        let encoding = Encoding { codec: Bincode::ID, shape: Shape::Newtype, fields: 1, schema_version: 1 };
        Stored { event_type, encoding, payload }
    }

    #[test]
    fn a_length_beyond_the_payload_is_an_error_before_anything_is_allocated() {
        // 2^60 bytes could not be allocated: the test would abort.
        for number in [3, 1 << 20, 1 << 40, 1 << 60, u64::MAX] {
            let payload = [length(number), b"ab".to_vec()].concat();
            assert!(Bincode::decode_event::<Event>(stored("Text", &payload)).is_err());
            assert!(Bincode::decode_value::<Vec<u8>>(&payload).is_err());
            assert!(Bincode::decode_value::<Vec<[u64; 32]>>(&payload).is_err());
            assert!(Bincode::decode_value::<HashMap<String, String>>(&payload).is_err());
        }
    }

    #[test]
    fn elements_without_bytes_are_taken_up_to_their_limit() -> Result<(), CodecError> {
        let within = length(ReadBudget::BYTELESS_ELEMENTS_MAX as u64 + 9);
        assert_eq!(Bincode::decode_value::<Vec<()>>(&within)?.len(), ReadBudget::BYTELESS_ELEMENTS_MAX + 9);
        for number in [ReadBudget::BYTELESS_ELEMENTS_MAX as u64 + 10, u64::MAX] {
            assert!(Bincode::decode_value::<Vec<()>>(&length(number)).is_err());
        }
        encode_checked::<Bincode, _>(&Event::Nothings(vec![vec![(); 1_000]; 60]))?;
        assert!(encode_checked::<Bincode, _>(&Event::Nothings(vec![vec![(); 1_000]; 70])).is_err());
        Ok(())
    }

    #[test]
    fn bytes_that_ask_for_endless_nesting_are_an_error() {
        // Each byte pair is one more `Node` or `Chain`: a decoder without a limit overflows its stack.
        for bytes in [[1_u8, 1], [2, 1]] {
            let payload = bytes.repeat(1 << 20);
            let error = Bincode::decode_event::<Event>(stored("Recursive", &payload)).expect_err("too deep");
            assert!(error.to_string().contains("nested more than 128 deep"), "{error}");
        }
    }

    #[test]
    fn depth_is_taken_up_to_its_limit() -> Result<(), CodecError> {
        #[derive(Serialize, Deserialize)]
        struct List(Option<Box<List>>);
        let list = |links| (0..links).fold(List(None), |list, _| List(Some(Box::new(list))));
        // Each link is two values deep, the option and the list.
        let bytes = Bincode::encode_value(&list(63))?;
        Bincode::decode_value::<List>(&bytes)?;
        assert!(Bincode::encode_value(&list(64)).is_err());
        Ok(())
    }
}

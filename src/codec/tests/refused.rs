//! What cannot be an event, or would not come back as it was, is refused before it is stored.

use serde::ser::SerializeTupleStruct;
use serde::{Deserialize, Serialize};

use super::under_each_codec;
use crate::codec::{Codec, CodecError, encode_checked};
use crate::types::limits::{EVENT_TYPE_BYTES_MAX, PAYLOAD_BYTES_MAX};

fn refusal<C: Codec, E: Serialize + for<'de> Deserialize<'de>>(event: &E) -> String {
    encode_checked::<C, E>(event).expect_err("it must be refused").to_string()
}

fn values_without_a_name_are_no_events<C: Codec>() -> Result<(), CodecError> {
    let refusals = [
        refusal::<C, _>(&5_u64),
        refusal::<C, _>(&"text".to_owned()),
        refusal::<C, _>(&()),
        refusal::<C, _>(&Some(1_u8)),
        refusal::<C, _>(&None::<u8>),
        refusal::<C, _>(&vec![1_u8]),
        refusal::<C, _>(&(1_u8, 2_u8)),
        refusal::<C, _>(&std::collections::BTreeMap::from([(1_u8, 2_u8)])),
    ];
    for refusal in refusals {
        assert!(refusal.contains("an event is an enum or a struct with a name, not a"), "{refusal}");
    }
    Ok(())
}

fn enums_that_keep_their_tag_inside_are_no_events<C: Codec>() -> Result<(), CodecError> {
    #[derive(Serialize, Deserialize)]
    struct Data {
        cents: i64,
    }
    #[derive(Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Internal {
        Unit,
        Held(Data),
        Named { cents: i64 },
    }
    #[derive(Serialize, Deserialize)]
    #[serde(tag = "type", content = "content")]
    enum Adjacent {
        Unit,
        Held(Data),
        Named { cents: i64 },
    }
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Held(Data),
        Named { other: i64 },
    }
    let cents = 1;
    let refusals = [
        refusal::<C, _>(&Internal::Unit),
        refusal::<C, _>(&Internal::Held(Data { cents })),
        refusal::<C, _>(&Internal::Named { cents }),
        refusal::<C, _>(&Adjacent::Unit),
        refusal::<C, _>(&Adjacent::Held(Data { cents })),
        refusal::<C, _>(&Adjacent::Named { cents }),
        refusal::<C, _>(&Untagged::Held(Data { cents })),
        refusal::<C, _>(&Untagged::Named { other: 1 }),
    ];
    for refusal in refusals {
        assert!(refusal.contains("`untagged`"), "{refusal}");
    }
    Ok(())
}

fn a_struct_of_two_fields_is_not_taken_for_a_tagged_enum<C: Codec>() -> Result<(), CodecError> {
    #[derive(Serialize, Deserialize)]
    struct Adjacently {
        tag: String,
        content: u8,
    }
    encode_checked::<C, _>(&Adjacently { tag: "tag".into(), content: 1 })?;
    Ok(())
}

fn what_is_read_under_another_name_is_refused<C: Codec>() -> Result<(), CodecError> {
    #[derive(Serialize, Deserialize)]
    enum Event {
        #[serde(rename(serialize = "Paid"))]
        Deposited { cents: i64 },
    }
    let refusal = refusal::<C, _>(&Event::Deposited { cents: 1 });
    assert!(refusal.contains(r#"event "Paid" cannot be read back"#), "{refusal}");
    Ok(())
}

fn what_comes_back_as_another_value_is_refused<C: Codec>() -> Result<(), CodecError> {
    fn halved<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        u32::deserialize(deserializer).map(|number| number / 2)
    }
    #[derive(Serialize, Deserialize)]
    enum Event {
        Counted {
            #[serde(deserialize_with = "halved")]
            number: u32,
        },
    }
    let refusal = refusal::<C, _>(&Event::Counted { number: 8 });
    assert!(refusal.contains(r#"event "Counted" would be read back as another value"#), "{refusal}");
    encode_checked::<C, _>(&Event::Counted { number: 0 })?;
    Ok(())
}

fn payloads_are_taken_up_to_their_limit<C: Codec>() -> Result<(), CodecError> {
    #[derive(Serialize, Deserialize)]
    struct Text(String);
    let length_of =
        |characters| C::encode_event(&Text("a".repeat(characters))).map(|encoded| encoded.payload.len());
    // The bytes that a text of this size takes beside its own.
    let around = length_of(PAYLOAD_BYTES_MAX / 2)? - PAYLOAD_BYTES_MAX / 2;
    let fits = encode_checked::<C, _>(&Text("a".repeat(PAYLOAD_BYTES_MAX - around)))?;
    assert_eq!(fits.payload.len(), PAYLOAD_BYTES_MAX);
    let error = length_of(PAYLOAD_BYTES_MAX - around + 1).expect_err("one byte too many").to_string();
    assert!(error.contains("the limit is 16777216"), "{error}");
    Ok(())
}

fn names_are_taken_up_to_their_limit<C: Codec>() -> Result<(), CodecError> {
    struct Named(&'static str);
    impl Serialize for Named {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_unit_struct(self.0)
        }
    }
    let longest: &'static str = "n".repeat(EVENT_TYPE_BYTES_MAX).leak();
    let too_long: &'static str = "n".repeat(EVENT_TYPE_BYTES_MAX + 1).leak();
    assert_eq!(C::encode_event(&Named(longest))?.event_type.as_str(), longest);
    assert!(C::encode_event(&Named(too_long)).is_err());
    assert!(C::encode_event(&Named("")).is_err());
    Ok(())
}

fn fields_are_taken_up_to_their_limit<C: Codec>() -> Result<(), CodecError> {
    struct Wide(usize);
    impl Serialize for Wide {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut fields = serializer.serialize_tuple_struct("Wide", self.0)?;
            (0..self.0).try_for_each(|_| fields.serialize_field(&1_u8))?;
            fields.end()
        }
    }
    let fields_max = usize::from(u16::MAX);
    assert_eq!(C::encode_event(&Wide(fields_max))?.encoding.fields, u16::MAX);
    let error = C::encode_event(&Wide(fields_max + 1)).expect_err("one field too many").to_string();
    assert!(error.contains("more than 65535 fields"), "{error}");
    Ok(())
}

under_each_codec! {
    values_without_a_name_are_no_events
    enums_that_keep_their_tag_inside_are_no_events
    a_struct_of_two_fields_is_not_taken_for_a_tagged_enum
    what_is_read_under_another_name_is_refused
    what_comes_back_as_another_value_is_refused
    payloads_are_taken_up_to_their_limit
    names_are_taken_up_to_their_limit
    fields_are_taken_up_to_their_limit
}

#[cfg(feature = "bincode")]
mod positional {
    use super::*;
    use crate::codec::Bincode;

    #[derive(Serialize, Deserialize)]
    struct Skipping {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        note: Option<String>,
        cents: i64,
    }

    #[derive(Serialize, Deserialize)]
    enum Event {
        Direct {
            #[serde(skip_serializing_if = "Option::is_none", default)]
            note: Option<String>,
        },
        Deep(Vec<Option<(u8, Skipping)>>),
    }

    #[test]
    fn a_skipped_field_is_refused_at_any_depth_and_only_when_it_is_skipped() -> Result<(), CodecError> {
        let deep = |note| Event::Deep(vec![None, Some((1, Skipping { note, cents: 5 }))]);
        for refusal in
            [refusal::<Bincode, _>(&Event::Direct { note: None }), refusal::<Bincode, _>(&deep(None))]
        {
            assert!(refusal.contains("field `note` is skipped"), "{refusal}");
        }
        assert!(Bincode::encode_value(&Skipping { note: None, cents: 5 }).is_err());
        encode_checked::<Bincode, _>(&Event::Direct { note: Some("rent".into()) })?;
        encode_checked::<Bincode, _>(&deep(Some("rent".into())))?;
        Ok(())
    }

    #[test]
    fn an_untagged_enum_inside_is_refused_when_it_is_there() -> Result<(), CodecError> {
        #[derive(Serialize, Deserialize)]
        #[serde(untagged)]
        enum Amount {
            Whole(i64),
            Text(String),
        }
        #[derive(Serialize, Deserialize)]
        struct Deposited {
            amount: Option<Amount>,
        }
        encode_checked::<Bincode, _>(&Deposited { amount: None })?;
        for amount in [Amount::Whole(1), Amount::Text("one".into())] {
            let refusal = refusal::<Bincode, _>(&Deposited { amount: Some(amount) });
            assert!(refusal.contains("keeps no field names"), "{refusal}");
        }
        Ok(())
    }

    #[test]
    fn a_field_that_is_only_read_is_refused() {
        #[derive(Serialize, Deserialize)]
        enum Event {
            Deposited {
                #[serde(skip_serializing)]
                note: String,
                cents: i64,
            },
        }
        let refusal = refusal::<Bincode, _>(&Event::Deposited { note: "rent".into(), cents: 5 });
        assert!(refusal.contains("`skip_serializing`"), "{refusal}");
    }

    #[test]
    fn flatten_is_refused() {
        #[derive(Serialize, Deserialize)]
        struct Inner {
            cents: i64,
        }
        #[derive(Serialize, Deserialize)]
        enum Event {
            Deposited {
                #[serde(flatten)]
                inner: Inner,
            },
        }
        let refusal = refusal::<Bincode, _>(&Event::Deposited { inner: Inner { cents: 1 } });
        assert!(refusal.contains("`flatten`"), "{refusal}");
    }
}

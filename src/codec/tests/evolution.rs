//! What may change in an event type after events of it were stored.

use serde::{Deserialize, Serialize};

use super::{reread, under_each_codec};
use crate::codec::{Codec, CodecError};

#[derive(Serialize)]
enum Old {
    Opened { owner: String },
    Deposited { cents: i64, note: String },
    Moved(i64, String),
    Held(OldHeld),
    Closed,
}

#[derive(Serialize)]
struct OldHeld {
    cents: i64,
    note: String,
}

fn deposited() -> Old {
    Old::Deposited { cents: 500, note: "rent".into() }
}

fn held() -> Old {
    Old::Held(OldHeld { cents: 500, note: "rent".into() })
}

fn variants_may_be_reordered_and_renamed_with_alias<C: Codec>() -> Result<(), CodecError> {
    #[derive(Debug, PartialEq, Deserialize)]
    enum New {
        Closed,
        #[serde(alias = "Deposited")]
        PaidIn {
            cents: i64,
            note: String,
        },
        Opened {
            #[serde(alias = "owner")]
            holder: String,
        },
    }
    assert_eq!(reread::<C, _, New>(&Old::Closed)?, New::Closed);
    assert_eq!(reread::<C, _, New>(&deposited())?, New::PaidIn { cents: 500, note: "rent".into() });
    assert_eq!(
        reread::<C, _, New>(&Old::Opened { owner: "Ada".into() })?,
        New::Opened { holder: "Ada".into() }
    );
    Ok(())
}

fn unknown_variants_go_to_other_whatever_they_hold<C: Codec>() -> Result<(), CodecError> {
    #[derive(Debug, PartialEq, Deserialize)]
    enum New {
        Closed,
        #[serde(other)]
        Unknown,
    }
    for old in [Old::Opened { owner: "Ada".into() }, deposited(), Old::Moved(1, "there".into()), held()] {
        assert_eq!(reread::<C, _, New>(&old)?, New::Unknown);
    }
    assert_eq!(reread::<C, _, New>(&Old::Closed)?, New::Closed);
    Ok(())
}

fn unknown_variants_without_other_are_an_error_that_names_all<C: Codec>() -> Result<(), CodecError> {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its variants' names are read")]
    enum New {
        Closed,
        Renamed { cents: i64 },
    }
    let error = reread::<C, _, New>(&deposited()).expect_err("no such variant");
    assert!(error.is_unknown_type());
    assert_eq!(error.to_string(), r#"event type "Deposited" is not known: the enum has "Closed", "Renamed""#);
    Ok(())
}

fn trailing_fields_may_be_added_with_default<C: Codec>() -> Result<(), CodecError> {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Held {
        cents: i64,
        note: String,
        #[serde(default)]
        tags: Vec<String>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    enum New {
        Deposited {
            #[serde(alias = "amount")]
            cents: i64,
            note: String,
            #[serde(default)]
            currency: Option<String>,
            #[serde(default)]
            fee: u64,
        },
        Moved(i64, String, #[serde(default)] u8),
        Held(Held),
        Closed {
            #[serde(default)]
            reason: String,
        },
    }
    let (note, currency, fee) = ("rent".to_owned(), None, 0);
    assert_eq!(
        reread::<C, _, New>(&deposited())?,
        New::Deposited { cents: 500, note: note.clone(), currency, fee }
    );
    assert_eq!(reread::<C, _, New>(&Old::Moved(1, "there".into()))?, New::Moved(1, "there".into(), 0));
    assert_eq!(reread::<C, _, New>(&held())?, New::Held(Held { cents: 500, note, tags: vec![] }));
    assert_eq!(reread::<C, _, New>(&Old::Closed)?, New::Closed { reason: String::new() });
    Ok(())
}

fn trailing_fields_may_be_dropped<C: Codec>() -> Result<(), CodecError> {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Held {
        cents: i64,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    enum New {
        Opened,
        Deposited { cents: i64 },
        Moved(i64),
        Held(Held),
    }
    assert_eq!(reread::<C, _, New>(&Old::Opened { owner: "Ada".into() })?, New::Opened);
    assert_eq!(reread::<C, _, New>(&deposited())?, New::Deposited { cents: 500 });
    assert_eq!(reread::<C, _, New>(&held())?, New::Held(Held { cents: 500 }));
    Ok(())
}

fn tuples_may_lose_their_last_fields<C: Codec>() -> Result<(), CodecError> {
    #[derive(Serialize)]
    enum Wide {
        Moved(i64, String, Vec<u8>),
    }
    #[derive(Debug, PartialEq, Deserialize)]
    enum New {
        Moved(i64, String),
    }
    assert_eq!(
        reread::<C, _, New>(&Wide::Moved(1, "there".into(), vec![1, 2]))?,
        New::Moved(1, "there".into())
    );
    Ok(())
}

fn a_required_field_that_was_not_written_is_an_error<C: Codec>() -> Result<(), CodecError> {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is never read")]
    enum New {
        Deposited { cents: i64, note: String, currency: String },
    }
    assert!(reread::<C, _, New>(&deposited()).is_err());
    Ok(())
}

fn a_struct_in_a_newtype_may_be_written_out_and_back<C: Codec>() -> Result<(), CodecError> {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Data {
        cents: i64,
        note: String,
        #[serde(default)]
        fee: u64,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    enum New {
        Deposited(Data),
        Held {
            cents: i64,
            note: String,
            #[serde(default)]
            fee: u64,
        },
    }
    let note = "rent".to_owned();
    assert_eq!(
        reread::<C, _, New>(&deposited())?,
        New::Deposited(Data { cents: 500, note: note.clone(), fee: 0 })
    );
    assert_eq!(reread::<C, _, New>(&held())?, New::Held { cents: 500, note, fee: 0 });
    Ok(())
}

fn named_fields_are_not_read_as_positional_ones<C: Codec>() -> Result<(), CodecError> {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is never read")]
    enum New {
        Deposited(i64, String),
        Moved { cents: i64, to: String },
    }
    let error = reread::<C, _, New>(&deposited()).expect_err("named fields").to_string();
    assert!(error.contains("written as a Struct and is read as a tuple"), "{error}");
    let error =
        reread::<C, _, New>(&Old::Moved(1, "there".into())).expect_err("positional fields").to_string();
    assert!(error.contains("written as a Tuple and is read as a struct"), "{error}");
    Ok(())
}

fn structs_grow_and_shrink_like_variants<C: Codec>() -> Result<(), CodecError> {
    mod old {
        #[derive(serde::Serialize)]
        pub(super) struct Deposited {
            pub(super) cents: i64,
            pub(super) note: String,
        }
    }
    mod longer {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        pub(super) struct Deposited {
            pub(super) cents: i64,
            pub(super) note: String,
            #[serde(default)]
            pub(super) fee: u8,
        }
    }
    mod shorter {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        pub(super) struct Deposited {
            pub(super) cents: i64,
        }
    }
    let old = old::Deposited { cents: 5, note: "rent".into() };
    let longer = longer::Deposited { cents: 5, note: "rent".into(), fee: 0 };
    assert_eq!(reread::<C, _, longer::Deposited>(&old)?, longer);
    assert_eq!(reread::<C, _, shorter::Deposited>(&old)?, shorter::Deposited { cents: 5 });
    Ok(())
}

fn a_struct_of_another_name_is_an_error_that_names_both<C: Codec>() -> Result<(), CodecError> {
    #[derive(Serialize)]
    struct Deposited(u8);
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is never read")]
    struct Withdrawn(u8);
    let error = reread::<C, _, Withdrawn>(&Deposited(1)).expect_err("another struct").to_string();
    assert_eq!(error, r#"event of type "Deposited" is read as struct "Withdrawn""#);
    Ok(())
}

under_each_codec! {
    variants_may_be_reordered_and_renamed_with_alias
    unknown_variants_go_to_other_whatever_they_hold
    unknown_variants_without_other_are_an_error_that_names_all
    trailing_fields_may_be_added_with_default
    trailing_fields_may_be_dropped
    tuples_may_lose_their_last_fields
    a_required_field_that_was_not_written_is_an_error
    a_struct_in_a_newtype_may_be_written_out_and_back
    named_fields_are_not_read_as_positional_ones
    structs_grow_and_shrink_like_variants
    a_struct_of_another_name_is_an_error_that_names_both
}

#[cfg(feature = "bincode")]
#[test]
fn a_newtype_may_become_a_tuple_whatever_it_holds() -> Result<(), CodecError> {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Data {
        cents: i64,
        note: String,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    enum New {
        Held(Data, #[serde(default)] u8),
    }
    let held = reread::<crate::codec::Bincode, _, New>(&held())?;
    assert_eq!(held, New::Held(Data { cents: 500, note: "rent".into() }, 0));
    Ok(())
}

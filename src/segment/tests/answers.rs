//! Every answer that a segment gives, so that a damaged one can be held against a sound one.

use std::sync::Arc;

use super::made::id_of;
use crate::error::{ErrorKind, Result};
use crate::segment::{Segment, StreamRun};
use crate::state::StateTable;
use crate::types::{Extension, RecordedEvent};

/// What one call answered.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Events(Vec<RecordedEvent>),
    Extension(Extension),
    Run(Option<StreamRun>),
    Streams(Vec<(String, StreamRun)>),
    Ordinal(Option<u32>),
    MayHold(bool),
    States(StateTable),
}

/// What a segment answers to everything that it can be asked, for these streams; each question by itself.
pub(super) fn answers(segment: &Arc<Segment>, streams: &[&str]) -> Vec<Result<Answer>> {
    let mut answers = Vec::new();
    for name in streams {
        let run = segment.find_stream(name);
        if let Ok(Some(run)) = &run {
            let ids = [segment.positions().start, segment.positions().end - 1, 5].map(id_of);
            answers.extend(ids.map(|id| segment.find_id(run, id).map(Answer::Ordinal)));
            let blocks: Result<Vec<_>> = segment.blocks(run.ordinals.clone()).collect();
            answers.push(blocks.map(|blocks| {
                let held = blocks.iter().flat_map(|block| block.ordinals().map(|at| (at, block.event(at))));
                let held = held.filter(|(at, _)| run.ordinals.contains(at));
                Answer::Events(held.map(|(_, event)| event).collect())
            }));
        }
        answers.push(run.map(Answer::Run));
    }
    for prefix in ["", "account-1"] {
        let found: Result<Vec<_>> = segment.streams_from(prefix).collect();
        answers.push(found.map(|found| {
            Answer::Streams(found.into_iter().map(|(name, run)| (name.to_string(), run)).collect())
        }));
    }
    for ordinal in 0..segment.events() {
        let block = segment.block_holding(ordinal);
        answers.push(
            block.as_ref().map(|block| Answer::Events(vec![block.event(ordinal)])).map_err(Clone::clone),
        );
        answers.push(block.map(|block| Answer::Extension(block.extension(ordinal))));
    }
    answers.extend(
        segment.positions().map(|position| segment.ordinal(position).map(|at| Answer::Ordinal(Some(at)))),
    );
    for event_type in ["Deposited", "Nothing"] {
        answers.push(segment.may_hold_type_of(&[event_type.to_owned()]).map(Answer::MayHold));
    }
    answers.push(segment.states().map(Answer::States));
    answers
}

/// Fails when an answer is neither the right one nor an error about the file.
pub(super) fn assert_right_or_refused(told: &[Result<Answer>], right: &[Result<Answer>], what: &str) {
    let mut right = right.iter();
    for answer in told {
        // Who cannot find a stream is not asked for its events.
        match answer {
            Ok(answer) => {
                let found = right.any(|right| right.as_ref().is_ok_and(|right| right == answer));
                assert!(found, "{what}: {answer:?}");
            }
            Err(error) => {
                let is_about_the_file = error.kind() == ErrorKind::Corrupt && error.place().is_some();
                assert!(
                    is_about_the_file || error.kind() == ErrorKind::UnsupportedVersion,
                    "{what}: {error:?}"
                );
            }
        }
    }
}

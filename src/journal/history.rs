//! Which of the frames that were found make one history. A pure decision over values.
//!
//! Frames that follow each other, each naming the header of the one before it, are a run. A sound journal is one run; each
//! damage to a commit cuts it in two. A frame that stands there twice counts once. Runs that contradict each other, as
//! after an older copy of a file was put beside a newer one, cannot both be true: the longer one is taken.

use std::collections::BTreeMap;

use super::search::FoundFrame;

/// A history, and what contradicts it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct History {
    /// In ascending order of n and of positions.
    pub(crate) frames: Vec<FoundFrame>,
    /// Sound in themselves, but the others say otherwise.
    pub(crate) left_out: Vec<FoundFrame>,
}

/// Where a frame stands among those before it.
#[derive(Debug, Clone, Copy)]
struct Link {
    /// The frame that it follows.
    before: Option<usize>,
    /// How many frames there are from the start of its run to it.
    length: usize,
    taken: bool,
}

/// Puts frames in order.
pub(crate) fn history(mut found: Vec<FoundFrame>) -> History {
    found.sort_by_key(|frame| (frame.n, frame.header_crc, frame.file, frame.offset));
    found.dedup_by_key(|frame| (frame.n, frame.header_crc));
    let mut links = links(&found);
    // The longest runs first; of two that are as long, the one that goes on longer by n.
    let mut ends: Vec<usize> = (0..found.len()).collect();
    ends.sort_by_key(|end| std::cmp::Reverse((links.get(*end).map_or(0, |link| link.length), *end)));
    let mut runs: BTreeMap<u64, Vec<FoundFrame>> = BTreeMap::new();
    let mut left_out = Vec::new();
    for end in ends {
        let run = take_run(&found, &mut links, end);
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let before = runs.range(..first.n).next_back().and_then(|(_, run)| run.last());
        let after = runs.range(first.n..).next().and_then(|(_, run)| run.first());
        let fits = before
            .is_none_or(|before| before.n < first.n && before.end_position <= first.first_position)
            && after.is_none_or(|after| last.n < after.n && last.end_position <= after.first_position);
        if fits {
            runs.insert(first.n, run);
        } else {
            left_out.extend(run);
        }
    }
    left_out.sort_by_key(|frame| (frame.file, frame.offset));
    History { frames: runs.into_values().flatten().collect(), left_out }
}

/// For every frame, in order of n, the one it follows and how long its run is up to it.
fn links(found: &[FoundFrame]) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::with_capacity(found.len());
    for frame in found {
        let from = found.partition_point(|other| other.n < frame.n.saturating_sub(1));
        let candidates = found.iter().enumerate().skip(from).take_while(|(_, other)| other.n < frame.n);
        let before = { candidates }
            .find(|(_, other)| {
                other.header_crc == frame.prev_header_crc && other.end_position == frame.first_position
            })
            .map(|(at, _)| at);
        let length = before.and_then(|before| links.get(before)).map_or(0, |link| link.length) + 1;
        links.push(Link { before, length, taken: false });
    }
    links
}

/// Takes the frames up to `end` back to the start of the run, or to where another run has taken them.
fn take_run(found: &[FoundFrame], links: &mut [Link], end: usize) -> Vec<FoundFrame> {
    let mut run = Vec::new();
    let mut at = Some(end);
    while let Some((link, frame)) = at.and_then(|at| Some((links.get_mut(at)?, found.get(at)?))) {
        if link.taken {
            break;
        }
        link.taken = true;
        run.push(*frame);
        at = link.before;
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::search::tests::frame;

    /// The sequences of a history's frames, and of those left out.
    fn sequences(found: Vec<FoundFrame>) -> (Vec<u64>, Vec<u64>) {
        let History { frames, left_out } = history(found);
        let n = |frames: Vec<FoundFrame>| frames.iter().map(|frame| frame.n).collect();
        (n(frames), n(left_out))
    }

    /// Frames `from..to` of one event each, told apart from those of other rows by `row`; the first follows `before`.
    fn row(row: u32, from: u64, to: u64, before: u32) -> Vec<FoundFrame> {
        let crc = |n: u64| row * 1000 + u32::try_from(n).expect("small");
        (from..to).map(|n| frame(n, n - 1, crc(n), if n == from { before } else { crc(n - 1) })).collect()
    }

    #[test]
    fn frames_in_any_order_and_doubled_are_one_row() {
        let sound = row(1, 1, 8, 0);
        assert_eq!(sequences(sound.clone()), ((1..8).collect(), vec![]));
        let mixed = sound.iter().rev().chain(&sound).copied().collect();
        assert_eq!(sequences(mixed), ((1..8).collect(), vec![]));
        assert_eq!(sequences(Vec::new()), (vec![], vec![]));
    }

    #[test]
    fn rows_with_gaps_between_them_are_one_history() {
        let mut found = row(1, 1, 20, 0);
        found.retain(|frame| ![1, 5, 6, 19].contains(&frame.n));
        let left: Vec<u64> = (2..5).chain(7..19).collect();
        assert_eq!(sequences(found), (left, vec![]));
    }

    #[test]
    fn of_two_rows_that_contradict_each_other_the_longer_is_taken() {
        // They part after frame 3.
        let shared = row(1, 1, 4, 0);
        for (longer, shorter) in [(9, 6), (60, 50)] {
            for (ours, theirs) in [(longer, shorter), (shorter, longer)] {
                let found =
                    { shared.iter().copied() }.chain(row(2, 4, ours, 1003)).chain(row(3, 4, theirs, 1003));
                let wanted = ((1..longer).collect(), (4..shorter).collect());
                assert_eq!(sequences(found.collect()), wanted);
            }
        }
    }

    #[test]
    fn two_frames_of_one_number_are_never_both_taken() {
        // The second row begins with the number that the first one ends with, at positions behind it; and the other way.
        let mut found = row(1, 1, 6, 0);
        found.extend([frame(5, 100, 77, 78), frame(6, 101, 79, 77)]);
        assert_eq!(sequences(found), ((1..6).collect(), vec![5, 6]));
        let mut found = row(1, 5, 12, 0);
        found.extend([frame(4, 1, 77, 78), frame(5, 2, 79, 77)]);
        assert_eq!(sequences(found), ((5..12).collect(), vec![4, 5]));
        // And one does not follow the other, though its checksum and position are those that the other names.
        assert_eq!(sequences(vec![frame(5, 4, 77, 0), frame(5, 5, 78, 77)]), (vec![5], vec![5]));
    }

    #[test]
    fn a_stray_frame_that_fits_nowhere_does_not_displace_a_row() {
        let mut found = row(1, 1, 10, 0);
        found.push(frame(5, 1_000_000, 77, 78));
        assert_eq!(sequences(found), ((1..10).collect(), vec![5]));
        let mut found = row(1, 1, 10, 0);
        found.push(frame(12, 3, 77, 78));
        assert_eq!(
            sequences(found),
            ((1..10).collect(), vec![12]),
            "a later one, at a position that is taken"
        );
    }
}

//! Damage to whole sectors, pages, frames and files, and to the files that are caches or copies: the answer is an error or
//! exactly what was there. What may be cut is judged by `Image::judge`.

use crate::support::image::{self, Answer, FRAMES_AT, Files, Image};
use crate::support::images;

/// Judges a damaged copy of an image; how it answered.
fn judge(base: &Image, files: &Files, what: &str) -> Answer {
    let (_disk, opened) = image::open(files);
    let answer = base.judge(files, &opened).unwrap_or_else(|fault| panic!("{}: {what}: {fault}", base.name));
    if let (Ok(store), true) = (&opened, answer != Answer::Refused) {
        images::judge_accounts(store).unwrap_or_else(|fault| panic!("{}: {what}: {fault}", base.name));
    }
    answer
}

fn holds_events(path: &std::path::Path) -> bool {
    path.parent().is_some_and(|dir| dir.ends_with("journal") || dir.ends_with("segments"))
}

fn bases() -> [Image; 5] {
    [images::closed(), images::unmarked(), images::torn(), images::sealed(), images::sealed_and_killed()]
}

#[test]
fn any_sector_and_any_page_that_is_zeros_or_garbage_is_an_error_or_changes_no_answer() {
    let mut answers = [0_u32; 3];
    for base in bases() {
        for (path, bytes) in &base.files {
            for size in [512, 4096] {
                for start in (0..bytes.len()).step_by(size) {
                    for fill in [0, 0xff] {
                        let mut files = base.files.clone();
                        let end = (start + size).min(bytes.len());
                        files.get_mut(path).expect("file")[start..end].fill(fill);
                        let what = format!("{size} bytes of {fill:#x} at {start} of {}", path.display());
                        answers[judge(&base, &files, &what) as usize] += 1;
                    }
                }
            }
        }
    }
    assert!(answers.iter().all(|count| *count > 0), "{answers:?}");
}

#[test]
fn a_file_of_any_length_is_an_error_or_changes_no_answer() {
    for base in [images::closed(), images::torn(), images::sealed()] {
        for (path, bytes) in &base.files {
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            // Every length near the ends of frames, of which some are in the middle of nothing.
            let step = if used > 10_000 { 509 } else { 7 };
            let ends: Vec<usize> =
                base.frames().iter().filter(|frame| frame.path == *path).map(|frame| frame.end).collect();
            let near_end = |length: &usize| ends.iter().any(|end| matches!(length.abs_diff(*end), 0 | 1 | 8));
            let lengths =
                (0..=used).filter(|length| length % step == 0 || near_end(length) || *length == FRAMES_AT);
            for length in
                lengths.chain([bytes.len() - bytes.len().min(1), bytes.len() + 1, bytes.len() + 4096])
            {
                let mut files = base.files.clone();
                files.get_mut(path).expect("file").resize(length, 0);
                judge(&base, &files, &format!("{} with {length} bytes", path.display()));
            }
        }
    }
}

#[test]
fn frames_dropped_doubled_or_swapped_with_any_other_are_an_error_or_an_end_that_nobody_vouches_for() {
    for base in bases() {
        let frames = base.frames();
        for (at, frame) in frames.iter().enumerate() {
            let change = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
                let mut files = base.files.clone();
                change(files.get_mut(&frame.path).expect("file"));
                judge(&base, &files, &format!("frame {} {what}", frame.n))
            };
            change("zeroed", &|bytes| bytes[frame.start..frame.end].fill(0));
            change("and all behind it zeroed", &|bytes| bytes[frame.start..].fill(0));
            change("closed up", &|bytes| drop(bytes.drain(frame.start..frame.end)));
            change("doubled", &|bytes| {
                let copy = bytes[frame.start..frame.end].to_vec();
                bytes.splice(frame.end..frame.end, copy);
            });
            for other in frames.iter().skip(at + 1).filter(|other| other.path == frame.path) {
                let swapped = change("swapped", &|bytes| {
                    let parts = [other.start..other.end, frame.end..other.start, frame.start..frame.end];
                    let parts: Vec<u8> = parts.into_iter().flat_map(|part| bytes[part].to_vec()).collect();
                    bytes[frame.start..other.end].copy_from_slice(&parts);
                });
                assert_eq!(swapped, Answer::Refused, "frames {} and {}", frame.n, other.n);
            }
        }
    }
}

#[test]
fn what_is_in_the_lock_file_in_quarantine_and_in_snapshots_changes_no_answer() {
    let mut seen = 0;
    for base in bases() {
        let (disk, opened) = image::open(&base.files);
        drop(opened.expect("it opens"));
        // As it is after an opening: with what the torn tail left in quarantine.
        let after = disk.files();
        for (path, bytes) in
            after.iter().filter(|(path, _)| !holds_events(path) && **path != image::manifest())
        {
            seen += 1;
            for content in
                [&b""[..], b"x", &[0; 5_000], &bytes[..bytes.len() / 2], &base.files[&image::manifest()]]
            {
                let mut files = after.clone();
                files.insert(path.clone(), content.to_vec());
                let (_disk, opened) = image::open(&files);
                let store = opened.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                assert_eq!(crate::support::all(&store), base.events, "{}", path.display());
                images::judge_accounts(&store).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
            }
        }
    }
    assert!(seen >= 7, "{seen} files: lock, snapshots, and a copy in quarantine");
}

#[test]
fn a_file_put_in_place_of_any_other_or_taken_from_an_older_or_another_store_is_never_taken_for_it() {
    let (older, other) = (images::older(), images::of_another_store());
    let sealed_by_another = images::sealed().files;
    for base in bases() {
        for path in base.files.keys() {
            let strange =
                [&older, &other, &sealed_by_another].into_iter().filter_map(|files| files.get(path));
            for source in base.files.values().chain(strange) {
                let mut files = base.files.clone();
                files.insert(path.clone(), source.clone());
                judge(&base, &files, &format!("another file as {}", path.display()));
            }
            let mut files = base.files.clone();
            let bytes = files.remove(path).expect("file");
            judge(&base, &files, &format!("without {}", path.display()));
            for name in ["00000009", "00000001.tmp", "journal"] {
                let mut files = files.clone();
                files.insert(path.with_file_name(name), bytes.clone());
                judge(&base, &files, &format!("{} under the name {name}", path.display()));
            }
        }
    }
}

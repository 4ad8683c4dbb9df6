//! The cache of blocks: loaded once, counted, never past its limit.

use std::sync::{Arc, Barrier};

use super::damage::Sound;
use super::made::{CACHE_BYTES, Made, history, open, segment};
use crate::segment::block_cache::BlockCacheStats;
use crate::types::Chain;
use crate::types::Compression;

#[test]
fn a_block_is_read_once_and_then_found() {
    let sound = Sound::new(Compression::Lz4);
    let segment = open(sound.dir.path(), CACHE_BYTES).expect("opened");
    assert_eq!(segment.cache.stats(), BlockCacheStats::default());
    for _ in 0..3 {
        segment.find_stream("long").expect("read").expect("there");
    }
    let BlockCacheStats { hits, misses, bytes } = segment.cache.stats();
    assert_eq!((hits, misses), (6, 3), "filter, directory and one block of streams");
    assert!(bytes > 0);
    let blocks = segment.blocks(0..segment.events()).count();
    assert!(blocks > 1);
    assert_eq!(segment.cache.stats().misses, 3, "a replay leaves the cache alone");
}

#[test]
fn who_misses_a_block_at_the_same_time_waits_for_the_one_who_loads_it() {
    let sound = Sound::new(Compression::Lz4);
    for _ in 0..20 {
        let segment = open(sound.dir.path(), CACHE_BYTES).expect("opened");
        let barrier = Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    segment.block_holding(0).map(drop).expect("read");
                });
            }
        });
        assert_eq!(segment.cache.stats().misses, 2, "the directory and the block");
    }
}

#[test]
fn the_cache_stays_within_its_limit_and_every_answer_is_right_whatever_it_is() {
    let made: Vec<Made> = (0..4_000_u32)
        .map(|at| Made::new(&format!("account-{}", at % 300), &at.to_le_bytes().repeat(20)))
        .collect();
    let history = history(&made, Chain::START, 0);
    let (dir, _) = segment(&history, Compression::Lz4);
    for limit in [0, 1, 3_000, 30_000, 200_000, 100 << 20, u64::MAX] {
        let segment = open(dir.path(), limit).expect("opened");
        for (at, sealed) in history.sorted.iter().enumerate().step_by(7) {
            let ordinal = u32::try_from(at).expect("few");
            assert_eq!(segment.block_holding(ordinal).expect("read").event(ordinal), sealed.event);
        }
        let stats = segment.cache.stats();
        assert!(stats.bytes <= limit, "{stats:?} of {limit}");
        assert_eq!(stats.bytes == 0, limit <= 1, "{stats:?} of {limit}");
    }
    let shared = Arc::new(open(dir.path(), 1 << 20).expect("opened"));
    assert!(format!("{:?}", shared.cache).contains("hits"));
}

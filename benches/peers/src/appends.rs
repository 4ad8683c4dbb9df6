//! The work that appends. It keeps how many events each stream has, as a program that has just loaded it would know.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use anyhow::{Result, bail, ensure};

use crate::clock::nanos;
use crate::data::{self, Set};
use crate::engine::Engine;
use crate::model::{Answer, Commit, Request};
use crate::protocol::{Done, Work};
use crate::random::Random;

/// A refused append is too short to be timed alone.
const REFUSED_A_SAMPLE: usize = 100;

/// So that what waits to be taken in needs little memory.
const TAKEN_IN_AT_ONCE: u64 = 10_000;

/// Streams and their lengths.
pub(crate) struct Appender {
    /// How many events the streams have that were appended to since the set was filled in.
    lengths: Vec<u64>,
    names: Vec<String>,
    payload_bytes: usize,
    next_event: u64,
}

impl Appender {
    /// For a store that holds the set, and nothing else, or nothing. Streams of a store that holds anything else are new.
    pub(crate) fn new(events: u64, set: Set) -> Self {
        let (length, prefix) = match events {
            0 => (0, ""),
            events if events == set.events => (set.events_a_stream(), ""),
            _ => (0, "later-"),
        };
        let name = |number| match prefix {
            "" => data::stream_name(number),
            prefix => format!("{prefix}{events}-{number}"),
        };
        let names: Vec<String> = (0..set.streams).map(name).collect();
        Self {
            lengths: vec![length; names.len()],
            names,
            payload_bytes: set.payload_bytes,
            next_event: events,
        }
    }

    pub(crate) fn work(&mut self, store: &dyn Engine, work: Work) -> Result<Done> {
        match work {
            Work::Append { threads, count, seed } => self.append(store, threads, count, seed),
            Work::AppendBehind { events, count, seed } => {
                self.take_in(store, events, seed)?;
                self.append(store, 1, count, seed + 1)
            }
            Work::Batches { events, count, seed } => self.batches(store, events, count, seed),
            Work::Refused { count, seed } => self.refused(store, count, seed),
            Work::KeepAppending => loop {
                self.append(store, 1, 1_000, self.next_event)?;
            },
            other => bail!("{other:?} appends nothing"),
        }
    }

    /// An append of `count` events to a random stream of those whose number is `part` modulo `parts`.
    fn request(&mut self, random: &mut Random, part: usize, parts: usize, count: u64) -> Result<Request> {
        let among = (self.names.len() - part).div_ceil(parts) as u64;
        let number = part + parts * usize::try_from(random.below(among))?;
        let (Some(name), Some(length)) = (self.names.get(number), self.lengths.get_mut(number)) else {
            bail!("no stream {number}");
        };
        let from = self.next_event;
        self.next_event += count;
        let events = (from..from + count).map(|number| data::event(number, self.payload_bytes)).collect();
        let commit = Commit { stream: name.clone(), expected: *length, events };
        *length += count;
        Ok(vec![commit])
    }

    /// Each thread has streams of its own. What is appended is made before the clock starts.
    fn append(&mut self, store: &dyn Engine, threads: usize, count: usize, seed: u64) -> Result<Done> {
        let mut random = Random::new(seed);
        let mut shares = vec![Vec::new(); threads];
        for number in 0..count {
            let request = self.request(&mut random, number % threads, threads, 1)?;
            if let Some(share) = shares.get_mut(number % threads) {
                share.push(request);
            }
        }
        let samples = Mutex::new(Vec::with_capacity(count));
        let started = Instant::now();
        let ended: Vec<Result<()>> = std::thread::scope(|scope| {
            let work = |share: Vec<Request>| {
                let own = appended(store, share)?;
                samples.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
                Ok(())
            };
            let mut shares = shares.into_iter();
            let first = shares.next().unwrap_or_default();
            let threads: Vec<_> = shares.map(|share| scope.spawn(move || work(share))).collect();
            let mut ended = vec![work(first)];
            ended.extend(threads.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("an appending thread panicked")))
            }));
            ended
        });
        let wall = nanos(started);
        ended.into_iter().collect::<Result<()>>()?;
        let samples = samples.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Done { samples, wall, events: count as u64, ..Done::default() })
    }

    /// Appends events to random streams in the engine's fastest way.
    fn take_in(&mut self, store: &dyn Engine, events: u64, seed: u64) -> Result<()> {
        let mut random = Random::new(seed);
        for _ in 0..events / TAKEN_IN_AT_ONCE {
            let requests = (0..TAKEN_IN_AT_ONCE).map(|_| self.request(&mut random, 0, 1, 1));
            store.appends().fill(requests.collect::<Result<_>>()?)?;
        }
        Ok(())
    }

    fn batches(&mut self, store: &dyn Engine, events: u64, count: usize, seed: u64) -> Result<Done> {
        let mut random = Random::new(seed);
        let requests: Result<Vec<_>> = (0..count).map(|_| self.request(&mut random, 0, 1, events)).collect();
        let samples = appended(store, requests?)?;
        Ok(Done { wall: samples.iter().sum(), samples, events: events * count as u64, ..Done::default() })
    }

    /// The writer believes the stream to be one event longer than it is: whoever lost a race and went on without noticing.
    fn refused(&mut self, store: &dyn Engine, count: usize, seed: u64) -> Result<Done> {
        let mut random = Random::new(seed);
        let mut samples = Vec::with_capacity(count / REFUSED_A_SAMPLE);
        for _ in 0..count / REFUSED_A_SAMPLE {
            let mut requests = Vec::with_capacity(REFUSED_A_SAMPLE);
            for _ in 0..REFUSED_A_SAMPLE {
                let mut request = self.request(&mut random, 0, 1, 0)?;
                for commit in &mut request {
                    commit.expected += 1;
                    commit.events.push(data::event(self.next_event, self.payload_bytes));
                }
                requests.push(request);
            }
            let started = Instant::now();
            for request in requests {
                ensure!(store.appends().append(request)? == Answer::Stale, "a stale append was not refused");
            }
            samples.push(nanos(started) / REFUSED_A_SAMPLE as f64);
        }
        Ok(Done { wall: samples.iter().sum(), samples, ..Done::default() })
    }
}

/// Appends one after another, a sample each.
fn appended(store: &dyn Engine, requests: Vec<Request>) -> Result<Vec<f64>> {
    let mut samples = Vec::with_capacity(requests.len());
    for request in requests {
        let started = Instant::now();
        let answer = store.appends().append(request)?;
        samples.push(nanos(started));
        ensure!(answer == Answer::Appended, "an append with the right version was refused");
    }
    Ok(samples)
}

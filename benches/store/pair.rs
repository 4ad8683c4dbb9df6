//! Two ways of doing the same work, measured in turn, A B A B, so that the machine's moods hit both. Criterion gets the
//! time of each; the ratio of every turn is kept, and the median is printed at the end.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};

/// Turns that one sample is divided into.
const TURNS: u64 = 8;

/// Ratios seen, for the table at the end.
#[derive(Default)]
pub(super) struct Ratios {
    rows: Vec<(String, Vec<f64>, Option<f64>)>,
}

impl Ratios {
    /// Measures `annals` and `floor`, each of which does the work so many times. `goal` is the ratio to reach.
    pub(super) fn pair(
        &mut self,
        criterion: &mut Criterion,
        name: &str,
        elements: u64,
        goal: Option<f64>,
        annals: impl FnMut(u64),
        floor: impl FnMut(u64),
    ) {
        let both = RefCell::new((annals, floor));
        let mut ratios = Vec::new();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(elements));
        for measured in ["annals", "floor"] {
            bench(&mut group, measured, &both, &mut ratios);
        }
        group.finish();
        self.rows.push((name.to_owned(), ratios, goal));
    }

    /// Prints the table.
    pub(super) fn print(&self) {
        println!(
            "\n{:<24} {:>8} {:>8} {:>8} {:>8}",
            "floor time / annals time", "median", "p10", "p90", "to reach"
        );
        for (name, ratios, goal) in &self.rows {
            let mut sorted = ratios.clone();
            sorted.sort_by(f64::total_cmp);
            let at = |part: usize| {
                sorted.get((sorted.len().saturating_sub(1)) * part / 10).copied().unwrap_or(f64::NAN)
            };
            let goal = goal.map_or("-".to_owned(), |goal| format!("{goal:.2}"));
            if ratios.is_empty() {
                continue;
            }
            println!("{name:<24} {:>8.2} {:>8.2} {:>8.2} {goal:>8}", at(5), at(1), at(9));
        }
    }
}

fn bench<A: FnMut(u64), F: FnMut(u64)>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    measured: &str,
    both: &RefCell<(A, F)>,
    ratios: &mut Vec<f64>,
) {
    group.bench_function(measured, |bencher| {
        bencher.iter_custom(|count| {
            let (annals, floor) = &mut *both.borrow_mut();
            let mut total = [Duration::ZERO; 2];
            let turns = TURNS.min(count);
            for turn in 0..turns {
                let share = count / turns + u64::from(turn < count % turns);
                let times = [timed(&mut *annals, share), timed(&mut *floor, share)];
                ratios.push(times[1].as_secs_f64() / times[0].as_secs_f64());
                total = [total[0] + times[0], total[1] + times[1]];
            }
            if measured == "annals" { total[0] } else { total[1] }
        });
    });
}

fn timed(work: &mut impl FnMut(u64), count: u64) -> Duration {
    let started = Instant::now();
    work(count);
    started.elapsed()
}

//! `Filter`: which events a read is about. A value; it decides, it reads nothing.

use std::ops::{Bound, RangeBounds};

use super::stream_name::category_of;
use super::{RecordedEvent, SubjectPattern, Timestamp};

/// Which events a read yields: all conditions must hold; within one kind of condition, one of the values.
///
/// ```
/// use annals::{Filter, Timestamp};
/// let filter = Filter::new()
///     .category("account")
///     .event_types(["Deposited", "Withdrawn"])
///     .occurred(Timestamp::EPOCH..);
/// assert!(filter.admits_stream("account-1"));
/// assert!(!filter.admits_stream("customer-1"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    categories: Vec<String>,
    prefixes: Vec<String>,
    subjects: Vec<SubjectPattern>,
    event_types: Vec<String>,
    recorded: Option<TimeRange>,
    occurred: Option<TimeRange>,
}

/// A range of times with its two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeRange {
    from: Bound<Timestamp>,
    to: Bound<Timestamp>,
}

impl TimeRange {
    pub(crate) fn contains(&self, time: Timestamp) -> bool {
        (self.from, self.to).contains(&time)
    }

    /// Whether `time` lies before the range begins.
    pub(crate) fn is_after(&self, time: Timestamp) -> bool {
        !(self.from, Bound::Unbounded).contains(&time)
    }

    /// Whether `time` lies before the range's end, or in no range at all.
    pub(crate) fn ends_after(&self, time: Timestamp) -> bool {
        (Bound::Unbounded, self.to).contains(&time)
    }
}

impl Filter {
    /// A filter that admits everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only streams of this category: all of the name before its first `-`. Again for a further category.
    #[must_use]
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.categories.push(category.into());
        self
    }

    /// Only streams whose name starts with this. Again for a further prefix.
    #[must_use]
    pub fn stream_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefixes.push(prefix.into());
        self
    }

    /// Only streams whose dot-separated name the pattern covers. Again for a further pattern.
    #[must_use]
    pub fn subject(mut self, pattern: SubjectPattern) -> Self {
        self.subjects.push(pattern);
        self
    }

    /// Only events of these types, as stored. Again for further types.
    #[must_use]
    pub fn event_types<T: Into<String>>(mut self, event_types: impl IntoIterator<Item = T>) -> Self {
        self.event_types.extend(event_types.into_iter().map(Into::into));
        self
    }

    /// Only events recorded in this range of times.
    #[must_use]
    pub fn recorded(mut self, range: impl RangeBounds<Timestamp>) -> Self {
        self.recorded = Some(time_range(&range));
        self
    }

    /// Only events that occurred in this range of times.
    #[must_use]
    pub fn occurred(mut self, range: impl RangeBounds<Timestamp>) -> Self {
        self.occurred = Some(time_range(&range));
        self
    }

    /// Whether the conditions on streams hold for this name.
    #[must_use]
    pub fn admits_stream(&self, name: &str) -> bool {
        let one_of = |empty: bool, any: bool| empty || any;
        one_of(
            self.categories.is_empty(),
            self.categories.iter().any(|category| category == category_of(name)),
        ) && one_of(self.prefixes.is_empty(), self.prefixes.iter().any(|prefix| name.starts_with(prefix)))
            && one_of(self.subjects.is_empty(), self.subjects.iter().any(|pattern| pattern.matches(name)))
    }

    /// Whether all conditions hold for this event.
    #[must_use]
    pub fn admits(&self, event: &RecordedEvent) -> bool {
        self.admits_stream(event.stream()) && self.admits_within_stream(event)
    }

    /// Whether the conditions other than those on streams hold for this event.
    pub(crate) fn admits_within_stream(&self, event: &RecordedEvent) -> bool {
        self.admits_type(event.event_type())
            && self.recorded.is_none_or(|range| range.contains(event.recorded_at()))
            && self.occurred.is_none_or(|range| range.contains(event.occurred_at()))
    }

    /// Whether the conditions on types hold for this one.
    pub(crate) fn admits_type(&self, event_type: &str) -> bool {
        self.event_types.is_empty() || self.event_types.iter().any(|wanted| wanted == event_type)
    }

    /// Whether there are no conditions other than those on streams.
    pub(crate) fn admits_all_within_stream(&self) -> bool {
        self.event_types.is_empty() && self.recorded.is_none() && self.occurred.is_none()
    }

    /// Whether no stream is ruled out.
    pub(crate) fn admits_all_streams(&self) -> bool {
        self.categories.is_empty() && self.prefixes.is_empty() && self.subjects.is_empty()
    }

    /// The names of all admitted streams start with one of these; no name does with two of them. In ascending order.
    pub(crate) fn stream_prefixes(&self) -> Vec<String> {
        let mut prefixes: Vec<String> = if !self.prefixes.is_empty() {
            self.prefixes.clone()
        } else if !self.categories.is_empty() {
            self.categories.clone()
        } else if !self.subjects.is_empty() {
            self.subjects.iter().map(|subject| subject.literal_start().to_owned()).collect()
        } else {
            vec![String::new()]
        };
        prefixes.sort_unstable();
        prefixes.dedup_by(|longer, shorter| longer.starts_with(shorter.as_str()));
        prefixes
    }

    /// The types that are admitted; all when there are none.
    pub(crate) fn types(&self) -> &[String] {
        &self.event_types
    }

    /// Whether an event that occurred from `first` to `last` may be admitted.
    pub(crate) fn may_have_occurred(&self, first: Timestamp, last: Timestamp) -> bool {
        self.occurred.is_none_or(|range| !range.is_after(last) && range.ends_after(first))
    }

    pub(crate) fn recorded_range(&self) -> Option<TimeRange> {
        self.recorded
    }
}

fn time_range(range: &impl RangeBounds<Timestamp>) -> TimeRange {
    TimeRange { from: range.start_bound().cloned(), to: range.end_bound().cloned() }
}

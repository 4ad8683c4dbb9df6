//! `EventBlock`: events of a segment, taken apart once, so that each is handed out without parsing or copying.
//!
//! A block's bytes, decompressed; numbers are varints unless a width is given:
//!
//! ```text
//! count of runs, then of each: name_len, name, version of its first event here, count of its events here
//! count of kinds, then of each: type_len, type, codec 1 byte, shape 1 byte, fields, schema version, flags
//! bytes of each of the eight columns that follow
//! column 1  of each event: its kind, as a place in the list
//!        2  position: the first of a run as it is, then how much more than the one before
//!        3  how many events of its commit come before it
//!        4  recorded_at: how much later than the event before it in the block, signed
//!        5  occurred_at: how much later than its recorded_at, signed
//!        6  bytes of metadata
//!        7  bytes of payload
//!        8  bytes of extension
//! ids, 16 bytes each
//! extension, metadata, payload of each event
//! ```
//! A run is what a block holds of one stream; runs are in the order of the names' bytes. Like lies beside like, for the
//! compressor. Differences of times wrap around at the ends of 64 bits. The extension is what a journal record's header held
//! beyond the fields that this version knows.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use crate::disk::Varints;
use crate::types::limits::{
    COMMIT_EVENTS_MAX, EVENT_TYPE_BYTES_MAX, METADATA_BYTES_MAX, PAYLOAD_BYTES_MAX, STREAM_NAME_BYTES_MAX,
};
use crate::types::{
    CodecId, Encoding, EventId, EventTable, EventTableBuilder, Extension, Facts, Names, Parts, Position,
    RecordedEvent, Row, Shape, Timestamp, Version,
};

pub(super) const COLUMNS: usize = 8;
const ID_BYTES: usize = 16;
const EXTENSION_BYTES_MAX: usize = 65_535;
/// The largest block: one event as large as an event may be.
pub(super) const RAW_BYTES_MAX: usize =
    PAYLOAD_BYTES_MAX + METADATA_BYTES_MAX + EXTENSION_BYTES_MAX + (64 << 10);

/// What the events of a segment lie within.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) positions: Range<u64>,
    pub(super) recorded: RangeInclusive<Timestamp>,
    pub(super) occurred: RangeInclusive<Timestamp>,
}

/// Events that follow each other in a segment, all checked when this was made.
#[derive(Debug)]
pub(crate) struct EventBlock {
    table: Arc<EventTable>,
    /// Ordinal of the first event.
    first: u32,
    /// Of the few events that have one, by place in the block.
    extensions: Vec<(u32, Extension)>,
}

const PAST_THE_BLOCK: &str = "only events of a block are asked of it";

impl EventBlock {
    /// The ordinals of its events.
    pub(crate) fn ordinals(&self) -> Range<u32> {
        self.first..self.first + u32::try_from(self.table.rows().len()).unwrap_or(u32::MAX - self.first)
    }

    /// The event with this ordinal, which must be one of the block's.
    #[inline]
    pub(crate) fn event(&self, ordinal: u32) -> RecordedEvent {
        self.table.event(self.row_at(ordinal))
    }

    /// The position of the event with this ordinal, which must be one of the block's.
    #[inline]
    pub(crate) fn position(&self, ordinal: u32) -> u64 {
        self.row(ordinal).facts.position.as_u64()
    }

    /// Its events, and which of them have these ordinals, which must be of the block.
    pub(crate) fn events(&self, ordinals: Range<u32>) -> (Arc<EventTable>, Range<usize>) {
        let rows = self.row_at(ordinals.start)..self.row_at(ordinals.end);
        (Arc::clone(&self.table), rows)
    }

    /// What the event with this ordinal, which must be one of the block's, has beyond what this version knows.
    pub(crate) fn extension(&self, ordinal: u32) -> Extension {
        let place = self.place(ordinal);
        let found = self.extensions.binary_search_by_key(&place, |(at, _)| *at).ok();
        let found = found.and_then(|at| self.extensions.get(at));
        found.map(|(_, extension)| extension.clone()).unwrap_or_default()
    }

    /// The id of the event with this ordinal, which must be one of the block's.
    pub(super) fn id(&self, ordinal: u32) -> EventId {
        self.row(ordinal).facts.id
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let extensions =
            self.extensions.iter().map(|(_, extension)| extension.bytes.len() + 32).sum::<usize>();
        self.table.memory_bytes() + extensions + size_of::<Self>()
    }

    #[inline]
    fn place(&self, ordinal: u32) -> u32 {
        ordinal.checked_sub(self.first).unwrap_or_else(|| unreachable!("{PAST_THE_BLOCK}"))
    }

    #[inline]
    fn row_at(&self, ordinal: u32) -> usize {
        usize::try_from(self.place(ordinal)).unwrap_or(usize::MAX)
    }

    #[inline]
    fn row(&self, ordinal: u32) -> &Row {
        let row = self.table.rows().get(self.row_at(ordinal));
        row.unwrap_or_else(|| unreachable!("{PAST_THE_BLOCK}"))
    }

    /// Takes apart the bytes of a block of `count` events, the first of them with ordinal `first`.
    pub(super) fn decode(raw: &[u8], first: u32, count: u32, bounds: &Bounds) -> Result<Self, &'static str> {
        let mut table = EventTableBuilder::default();
        let extensions = take_apart(raw, count, bounds, &mut table)?;
        Ok(Self { table: table.exact(), first, extensions })
    }
}

/// Takes apart the bytes of a block of `count` events and puts them behind others. If it cannot be done, some of it may have
/// been put there.
pub(super) fn take_apart(
    raw: &[u8],
    count: u32,
    bounds: &Bounds,
    table: &mut EventTableBuilder,
) -> Result<Vec<(u32, Extension)>, &'static str> {
    let many = usize::try_from(count).unwrap_or(usize::MAX);
    let mut rest = Varints::new(raw);
    let runs = read_runs(&mut rest, count, table)?;
    let kinds = read_kinds(&mut rest, many, table)?;
    let columns = Columns::read(&mut rest)?;
    let ids = many.checked_mul(ID_BYTES).and_then(|bytes| rest.bytes(bytes));
    let (ids, _) = ids.ok_or("block of events is cut before its ids end")?.as_chunks::<ID_BYTES>();
    // Only what events are made of is kept.
    let heap = table.push_bytes(raw.get(raw.len() - rest.remaining()..).unwrap_or_default());
    table.reserve(many, 0);
    let first_row = table.rows().len();
    let mut reader = EventsReader {
        kinds,
        columns,
        heap: heap.start,
        heap_end: heap.end,
        first_row,
        bounds,
        recorded_at: 0,
        extensions: Vec::new(),
    };
    let mut ids = ids.iter();
    for run in &runs {
        reader.run(run, &mut ids, table)?;
    }
    if reader.heap != heap.end || !reader.columns.are_at_their_end() {
        return Err("block of events is longer than its events");
    }
    Ok(take_extensions(table.bytes(), table.rows().get(first_row..).unwrap_or_default(), reader.extensions))
}

/// What a block holds of one stream.
struct Run {
    name: u32,
    name_len: u16,
    first_version: u64,
    events: u32,
}

/// What events of one type and encoding share.
struct Kind {
    name: u32,
    name_len: u16,
    encoding: Encoding,
    flags: u16,
}

/// Reads a text of 1 to `most` bytes.
fn read_text<'a>(rest: &mut Varints<'a>, most: usize) -> Option<&'a str> {
    let length = rest.u16().map(usize::from).filter(|length| *length > 0 && *length <= most)?;
    std::str::from_utf8(rest.bytes(length)?).ok()
}

fn read_runs(
    rest: &mut Varints<'_>,
    count: u32,
    table: &mut EventTableBuilder,
) -> Result<Vec<Run>, &'static str> {
    const CUT: &str = "run of a stream is cut or past a limit";
    let run_count = rest.u32().ok_or(CUT)?;
    // Each takes bytes, so what is kept of them is bounded by the block.
    let mut runs = Vec::new();
    let (mut before, mut events_before) = ("", 0_u32);
    for _ in 0..run_count {
        let text = read_text(rest, STREAM_NAME_BYTES_MAX).ok_or(CUT)?;
        let first_version = rest.number().ok_or(CUT)?;
        let events = rest.u32().filter(|events| *events > 0).ok_or(CUT)?;
        if text <= before {
            return Err("streams are out of order");
        }
        if first_version.checked_add(u64::from(events) - 1).is_none() {
            return Err("version is past the end of u64");
        }
        events_before = events_before.checked_add(events).ok_or("block has another count of events")?;
        before = text;
        let (name, name_len) = table.push_name(text).ok_or(CUT)?;
        runs.push(Run { name, name_len, first_version, events });
    }
    if events_before == count { Ok(runs) } else { Err("block has another count of events") }
}

fn read_kinds(
    rest: &mut Varints<'_>,
    count: usize,
    table: &mut EventTableBuilder,
) -> Result<Vec<Kind>, &'static str> {
    const CUT: &str = "kind of events is cut or past a limit";
    let kind_count = rest.u32().ok_or(CUT)?;
    if usize::try_from(kind_count).is_ok_and(|kinds| kinds > count) {
        return Err("block has more kinds than events");
    }
    let mut kinds = Vec::new();
    for _ in 0..kind_count {
        let text = read_text(rest, EVENT_TYPE_BYTES_MAX).ok_or(CUT)?;
        let (name, name_len) = table.push_name(text).ok_or(CUT)?;
        let codec = CodecId::new(rest.u8().ok_or(CUT)?);
        let shape = Shape::from_u8(rest.u8().ok_or(CUT)?);
        let fields = rest.u16().ok_or(CUT)?;
        let schema_version = rest.u32().ok_or(CUT)?;
        let flags = rest.u16().ok_or(CUT)?;
        let shape = shape.filter(|_| flags & 0xff == 0);
        let shape = shape.ok_or("event has flags or a shape that this version does not know")?;
        kinds.push(Kind {
            name,
            name_len,
            encoding: Encoding { codec, shape, fields, schema_version },
            flags,
        });
    }
    Ok(kinds)
}

/// The columns, each read from its start.
struct Columns<'a> {
    kind: Varints<'a>,
    position: Varints<'a>,
    number: Varints<'a>,
    recorded_at: Varints<'a>,
    occurred_at: Varints<'a>,
    metadata: Varints<'a>,
    payload: Varints<'a>,
    extension: Varints<'a>,
}

impl<'a> Columns<'a> {
    fn read(rest: &mut Varints<'a>) -> Result<Self, &'static str> {
        const CUT: &str = "column is cut";
        let mut lengths = [0; COLUMNS];
        for length in &mut lengths {
            *length = rest.u32().and_then(|length| usize::try_from(length).ok()).ok_or(CUT)?;
        }
        let mut columns = [Varints::new(&[]); COLUMNS];
        for (column, length) in columns.iter_mut().zip(lengths) {
            *column = Varints::new(rest.bytes(length).ok_or(CUT)?);
        }
        let [kind, position, number, recorded_at, occurred_at, metadata, payload, extension] = columns;
        Ok(Self { kind, position, number, recorded_at, occurred_at, metadata, payload, extension })
    }

    fn are_at_their_end(&self) -> bool {
        let Self { kind, position, number, recorded_at, occurred_at, metadata, payload, extension } = self;
        [kind, position, number, recorded_at, occurred_at, metadata, payload, extension]
            .iter()
            .all(|column| column.remaining() == 0)
    }
}

/// Reads events one behind another.
struct EventsReader<'a> {
    kinds: Vec<Kind>,
    columns: Columns<'a>,
    /// Where the next event's extension begins.
    heap: usize,
    /// Where the last event ends.
    heap_end: usize,
    /// Which row the block's first event gets.
    first_row: usize,
    bounds: &'a Bounds,
    /// Of the event before.
    recorded_at: i64,
    /// Place in the block, flags and bytes of those that are there.
    extensions: Vec<(u32, u16, u16)>,
}

impl EventsReader<'_> {
    fn run<'a>(
        &mut self,
        run: &Run,
        ids: &mut impl Iterator<Item = &'a [u8; ID_BYTES]>,
        table: &mut EventTableBuilder,
    ) -> Result<(), &'static str> {
        let (mut version, mut before) = (run.first_version, None);
        // As many as there are ids for: the runs' events add up to the block's count.
        for id in ids.take(usize::try_from(run.events).unwrap_or(usize::MAX)) {
            let place = table.rows().len() - self.first_row;
            let (event_type, type_len, encoding) = self.kind(place)?;
            let (position, number) = self.position(before)?;
            let (recorded_at, occurred_at) = self.times()?;
            let parts = self.parts(place)?;
            let names = Names { stream: run.name, stream_len: run.name_len, event_type, type_len };
            let facts = Facts {
                id: EventId::from_bytes(*id),
                version: Version::new(version),
                position: Position::new(position),
                number,
                occurred_at,
                recorded_at,
                encoding,
            };
            table.push_row(Row { names, parts, facts });
            // Checked with the run: only behind the last event it may wrap.
            version = version.wrapping_add(1);
            before = Some(position);
        }
        Ok(())
    }

    #[inline]
    fn kind(&mut self, place: usize) -> Result<(u32, u16, Encoding), &'static str> {
        let at = self.columns.kind.number().and_then(|at| usize::try_from(at).ok());
        let Some(kind) = at.and_then(|at| self.kinds.get(at)) else {
            return Err("event is of a kind that its block does not have");
        };
        if kind.flags != 0 {
            self.extensions.push((u32::try_from(place).unwrap_or(u32::MAX), kind.flags, 0));
        }
        Ok((kind.name, kind.name_len, kind.encoding))
    }

    /// The position of the next event, and how many events of its commit come before it.
    #[inline]
    fn position(&mut self, before: Option<u64>) -> Result<(u64, u32), &'static str> {
        const WRONG: &str = "event's position is not one of the segment's, or out of order";
        let told = self.columns.position.number().ok_or(WRONG)?;
        let position = match before {
            None => told,
            Some(before) => before.checked_add(told).filter(|_| told > 0).ok_or(WRONG)?,
        };
        if !self.bounds.positions.contains(&position) {
            return Err(WRONG);
        }
        // A commit lies in one journal file, so in one segment.
        let most = (position - self.bounds.positions.start).min(COMMIT_EVENTS_MAX as u64 - 1);
        let number = self.columns.number.number().filter(|number| *number <= most);
        let number = number.and_then(|number| u32::try_from(number).ok());
        Ok((position, number.ok_or("event's place in its commit is past the commit")?))
    }

    /// recorded_at and occurred_at of the next event.
    #[inline]
    fn times(&mut self) -> Result<(Timestamp, Timestamp), &'static str> {
        const CUT: &str = "event's times are cut";
        self.recorded_at = self.recorded_at.wrapping_add(self.columns.recorded_at.signed().ok_or(CUT)?);
        let occurred_at = self.recorded_at.wrapping_add(self.columns.occurred_at.signed().ok_or(CUT)?);
        let recorded_at = Timestamp::from_micros(self.recorded_at);
        let occurred_at = Timestamp::from_micros(occurred_at);
        let is_within =
            self.bounds.recorded.contains(&recorded_at) && self.bounds.occurred.contains(&occurred_at);
        if is_within { Ok((recorded_at, occurred_at)) } else { Err("event's times are not the segment's") }
    }

    /// Where metadata and payload of the next event begin, and where the payload ends.
    #[inline]
    fn parts(&mut self, place: usize) -> Result<Parts, &'static str> {
        const LIMIT: &str = "event has a length past its limit";
        let length = |column: &mut Varints<'_>, most: usize| {
            let length = column.number().and_then(|length| usize::try_from(length).ok());
            length.filter(|length| *length <= most).ok_or(LIMIT)
        };
        let extension = length(&mut self.columns.extension, EXTENSION_BYTES_MAX)?;
        if extension > 0 {
            let (place, bytes) =
                (u32::try_from(place).unwrap_or(u32::MAX), u16::try_from(extension).unwrap_or(0));
            match self.extensions.last_mut().filter(|(at, ..)| *at == place) {
                Some((_, _, length)) => *length = bytes,
                None => self.extensions.push((place, 0, bytes)),
            }
        }
        let metadata = self.heap + extension;
        let payload = metadata + length(&mut self.columns.metadata, METADATA_BYTES_MAX)?;
        let end = payload + length(&mut self.columns.payload, PAYLOAD_BYTES_MAX)?;
        if end > self.heap_end {
            return Err("block of events is cut before its last event ends");
        }
        self.heap = end;
        let [metadata, payload, end] = [metadata, payload, end].map(u32::try_from);
        match (metadata, payload, end) {
            (Ok(metadata), Ok(payload), Ok(end)) => Ok(Parts { metadata, payload, end }),
            _ => Err(LIMIT),
        }
    }
}

/// Copies the extensions out of the heap, each right before its event's metadata.
fn take_extensions(heap: &[u8], rows: &[Row], told: Vec<(u32, u16, u16)>) -> Vec<(u32, Extension)> {
    let taken = told.into_iter().map(|(place, flags, length)| {
        let row = usize::try_from(place).ok().and_then(|at| rows.get(at));
        let end = row.and_then(|row| usize::try_from(row.parts.metadata).ok()).unwrap_or(0);
        let bytes = heap.get(end.saturating_sub(usize::from(length))..end).unwrap_or_default();
        (place, Extension { flags, bytes: bytes.into() })
    });
    taken.collect()
}

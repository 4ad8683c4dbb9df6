//! What the command line takes, and its help.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Bring events in and out of an annals store, look at it, verify it, salvage it
///
/// A store is a directory. All commands but `import` only look: they change nothing, and work beside
/// a program that has the store open; they see what is on disk then. `import` opens the store as a
/// program would: one that another process has open is refused, and one that was not closed cleanly
/// is recovered first. Only `import` makes a store where there is none.
///
/// Times are RFC 3339 in UTC with as many digits of a second as needed (2016-02-27T16:07:26Z). A
/// time that RFC 3339 cannot show, before year 0 or after year 9999, is an integer: microseconds
/// since 1970-01-01T00:00:00Z.
///
/// Exit codes: 0 done, 1 failed or wrong usage, 2 damage found by `verify` or `inspect`, events lost in
/// `salvage`.
#[derive(Debug, Parser)]
#[command(name = "annals", version, verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Import(Import),
    Export(Export),
    Streams(Streams),
    Read(Read),
    Stats(Stats),
    Consumers(Consumers),
    Verify(Verify),
    Salvage(Salvage),
    Inspect(Inspect),
}

/// Append events from JSON lines
///
/// One line is one event:
///
///   {"stream":"account-1","type":"Deposited","id":"e943cf21-8b81-5239-a92e-3c0008de8bfe",
///    "occurred_at":"2016-02-27T11:07:26-05:00","recorded_at":"2016-02-27T16:07:30Z","batch":7,
///    "metadata":{"by":"ada"},"data":{"cents":500}}
///
/// stream, type and data are required, all else may be left out or null. Any other field is
/// refused.
///
/// id: a UUID. With ids an import may be repeated: what is there already is left alone and counted.
/// Without, the store makes one, and the same line imported again is another event.
///
/// occurred_at, recorded_at: RFC 3339 with any offset, or an integer of microseconds since 1970;
/// digits below a microsecond are cut off. recorded_at never runs backwards: one that does is held
/// at the last one, and counted. Left out it is the time of the import. occurred_at may be any time;
/// left out it is recorded_at.
///
/// batch: a text or an integer. Consecutive lines of the same batch are one commit, all or nothing;
/// they must agree in recorded_at. A line without one is a commit of its own.
///
/// data: the payload is its JSON text to the byte. data_base64 instead: any bytes. So with metadata
/// and metadata_base64.
///
/// encoding: {"codec","shape","fields","schema_version"}, how the payload was made. Left out it is
/// JSON for data and raw bytes for data_base64. The lines of `export` can be imported as they are;
/// their version and position are ignored, since the store counts anew.
///
/// Blank lines are skipped. A line may have up to 64 MiB.
///
/// A bad line ends the import with its number on standard error and exit code 1. Nothing of its
/// batch is written, and all before it is kept. (If a line is so bad that its batch cannot be told,
/// the batch before it is not written either: the line may belong to it.)
///
/// Commits are handed to the operating system one by one and made durable together, at the end or
/// at the bad line, before the last line of standard output tells what was done:
///
///   imported 7612 events in 2215 commits, 0 already there, 1 recorded_at held
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Import {
    /// The store's directory; made if it is not there and the first batch is sound
    pub(crate) store: PathBuf,
    /// The file of JSON lines; - is standard input
    pub(crate) file: PathBuf,
}

/// Print events as JSON lines, in the order of the store
///
/// The lines are those that `import` takes. Imported into an empty store they give the same events
/// in the same commits: ids, times, payloads and metadata to the byte, and how payloads were made.
/// What is JSON on one line is printed as data, other payloads as data_base64. `batch` is the
/// position of the first event of the commit.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Export {
    /// The store's directory
    pub(crate) store: PathBuf,
    /// Only streams of this category: all of a stream's name before its first -
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// Only this stream
    #[arg(long, conflicts_with = "category")]
    pub(crate) stream: Option<String>,
}

/// List the streams, sorted by name
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Streams {
    /// The store's directory
    pub(crate) store: PathBuf,
    /// Only streams of this category: all of a stream's name before its first -
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// Print JSON lines instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print the events of one stream as JSON lines
///
/// The lines are those of `export`. A stream that has no events prints none.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Read {
    /// The store's directory
    pub(crate) store: PathBuf,
    /// The stream's name
    pub(crate) stream: String,
    /// Start at this version, in the direction of the read
    #[arg(long, value_name = "VERSION")]
    pub(crate) from: Option<u64>,
    /// Newest first
    #[arg(long)]
    pub(crate) backward: bool,
    /// Print at most so many events
    #[arg(long, value_name = "EVENTS")]
    pub(crate) limit: Option<usize>,
}

/// Print figures about the store
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Stats {
    /// The store's directory
    pub(crate) store: PathBuf,
    /// Print a JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// List the consumers and how far each has come, sorted by name
///
/// As they are on disk: a program that has a consumer open may be further. `floor` is the position up to
/// which all is done or parked, `lag` how many positions there are from there to the head, `open` how
/// many events were read and are not done, `parked` how many were put aside.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Consumers {
    /// The store's directory
    pub(crate) store: PathBuf,
    /// Print JSON lines instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// Check every byte of the store and list all damage
///
/// Changes nothing and takes no lock. Exit code 0: sound. 2: damaged, one line for each damage with
/// file and offset; a manifest that is missing is damage too. 1: it could not be looked at, as when
/// there is no such directory.
///
/// Snapshots are looked at too. What is bad there is told as `cache` and is no damage: they are made
/// anew.
///
/// An unfinished write at the end, as a crash leaves it, is told and is no damage: the next opening
/// cuts it off. Beside a program that is just writing to the store, its last write may show as one.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Verify {
    /// The store's directory
    pub(crate) store: PathBuf,
    /// The head as it was kept elsewhere: an end before it is damage
    #[arg(long, value_name = "POSITION")]
    pub(crate) head: Option<u64>,
}

/// Print the structure of one file of a store
///
/// The manifest, LOCK, a journal file, a segment, a tier or a pack of snapshots: a line for each part
/// with offset, length, what it is and what it says, to be read beside docs/format.md. Times are
/// microseconds since 1970. The file alone is looked at; whether the store is sound is for `verify`
/// to say. Exit code 2: a part is damaged.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Inspect {
    /// The file
    pub(crate) file: PathBuf,
    /// Print a JSON object for each part
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write all sound events of a damaged store into a new one and list what is lost
///
/// The old store is only read. It needs neither manifest nor file headers: every commit that is
/// sound in itself is found. Nobody should have it open. Commits keep their order, events their ids,
/// times, types, payloads and metadata; positions and versions are counted anew.
///
/// Standard output has a line for each damage, one for each range of positions and of versions (as
/// the old store counted them) that is lost, and a summary:
///
///   damage: "bank/journal/00000001" at offset 4456: frame body's checksum differs
///   lost: positions 5 to 7
///   lost: version 3 of stream "account-1"
///   salvaged 17 events in 9 commits, 3 events lost, 1 of them of known streams; ...
///
/// Events that a stream lost at its end leave no gap in its versions: they are told by position
/// alone.
///
/// Exit code 0: nothing is lost. 2: something is. 1: it failed; what there is of the new store is
/// then not complete, remove it and start again.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Salvage {
    /// The damaged store's directory
    pub(crate) store: PathBuf,
    /// The directory of the new store; must not be there, or be empty
    pub(crate) new: PathBuf,
}

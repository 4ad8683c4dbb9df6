//! `annals read`: the events of one stream as JSON lines.

use annals::Version;

use crate::args;
use crate::export::{print, stream};
use crate::failure::Failure;
use crate::open::open_existing;

pub(crate) fn run(args: &args::Read) -> Result<(), Failure> {
    let store = open_existing(&args.store)?;
    let mut read = stream(&store, &args.stream)?.read();
    if let Some(version) = args.from {
        read = read.from(Version::new(version));
    }
    if args.backward {
        read = read.backward();
    }
    print(read.iter(), args.limit.unwrap_or(usize::MAX), &args.store)
}

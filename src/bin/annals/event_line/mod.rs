//! An event as a line of JSON: what `export` and `read` print and `import` takes.

mod batch_name;
mod encoding_words;
mod incoming;
mod outgoing;

pub(crate) use batch_name::{BatchName, batch_of_bad_line};
pub(crate) use incoming::{BadLine, EventLine};
pub(crate) use outgoing::OutgoingLine;

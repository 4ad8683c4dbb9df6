//! The command line.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use lexopt::{Arg, Parser, ValueExt as _};

use crate::data::{SETS, Set};
use crate::kind::Kind;

const HELP: &str = "\
Measures annals beside SQLite, redb, fjall, LMDB and a raw floor, and prints one table.

  --quick          ends within two minutes: fewer events, fewer turns, the set 100k-128 and some of 20k-1k
  --only ROW       only rows whose name contains ROW
  --json FILE      writes the figures to FILE
  --dir DIR        where the stores lie while they are measured (default: the system's temporary directory)
  --engines A,B    only these engines: floor, annals, sqlite, redb, fjall, lmdb, and with payloads by stream
                   sqlite-s, redb-s, fjall-s, lmdb-s
  --sets A,B       only these data sets: 100k-128, 20k-1k, 1m-128, 1m-1k, 10m-128
                   (default: 1m-128, 1m-1k, 10m-128; the largest takes some 40 GB of disk)
";

/// What is to be measured.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) is_quick: bool,
    pub(crate) only: Option<String>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) dir: PathBuf,
    pub(crate) engines: Vec<Kind>,
    pub(crate) sets: Vec<Set>,
}

impl Args {
    /// What the command line says; `None` when it asks for help, which is printed.
    pub(crate) fn parse(mut parser: Parser) -> Result<Option<Self>> {
        let (mut is_quick, mut only, mut json, mut dir) = (false, None, None, std::env::temp_dir());
        let (mut engines, mut sets) = (None, None);
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("quick") => is_quick = true,
                Arg::Long("only") => only = Some(parser.value()?.string()?),
                Arg::Long("json") => json = Some(parser.value()?.into()),
                Arg::Long("dir") => dir = parser.value()?.into(),
                Arg::Long("engines") => engines = Some(list(&mut parser, "engine", Kind::by_name)?),
                Arg::Long("sets") => sets = Some(list(&mut parser, "set", Set::by_name)?),
                Arg::Short('h') | Arg::Long("help") => {
                    print!("{HELP}");
                    return Ok(None);
                }
                other => bail!(other.unexpected()),
            }
        }
        let engines = engines.unwrap_or_else(|| Kind::ALL.to_vec());
        ensure!(engines.contains(&Kind::Annals), "without annals there is nothing to compare with");
        let named = |names: &[&str]| SETS.into_iter().filter(|set| names.contains(&set.name)).collect();
        let default_sets: &[&str] =
            if is_quick { &["100k-128", "20k-1k"] } else { &["1m-128", "1m-1k", "10m-128"] };
        let sets = sets.unwrap_or_else(|| named(default_sets));
        Ok(Some(Self { is_quick, only, json, dir, engines, sets }))
    }

    /// Whether a row is asked for.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.only.as_ref().is_none_or(|only| row.contains(only.as_str()))
    }
}

fn list<T>(parser: &mut Parser, what: &str, by_name: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
    let names = parser.value()?.string()?;
    names.split(',').map(|name| by_name(name).with_context(|| format!("no {what} {name:?}"))).collect()
}

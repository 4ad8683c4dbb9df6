//! The CSV import of the bank ledger: a text is booked up to its first bad row, and again books nothing more.
#![no_main]
#![expect(dead_code, reason = "of the example's files, the target uses the import")]

#[path = "../../../examples/bank_ledger/account.rs"]
mod account;
#[path = "../../../examples/bank_ledger/bank.rs"]
mod bank;
#[path = "../../../examples/bank_ledger/csv.rs"]
mod csv;
#[path = "../../../examples/bank_ledger/failure.rs"]
mod failure;
#[path = "../../../examples/bank_ledger/ids.rs"]
mod ids;
#[path = "../../../examples/bank_ledger/import.rs"]
mod import;
#[path = "../../../examples/bank_ledger/money.rs"]
mod money;
#[path = "../../../examples/bank_ledger/time.rs"]
mod time;
#[path = "../../../examples/bank_ledger/words.rs"]
mod words;

/// What `failure.rs` asks of the arguments.
mod args {
    pub(crate) const USAGE: &str = "";
}

use libfuzzer_sys::fuzz_target;

use bank::Bank;
use import::{Report, import_text};

/// Fields in quotes, as the records say.
fn written(records: &[csv::Record]) -> String {
    let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
    records
        .iter()
        .map(|record| record.fields.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n")
        .collect()
}

fuzz_target!(|text: &str| {
    let records: Vec<csv::Record> = csv::records(text).map_while(Result::ok).collect();
    let again: Vec<csv::Record> =
        csv::records(&written(&records)).collect::<Result<_, _>>().expect("it is CSV");
    let fields =
        |records: &[csv::Record]| records.iter().map(|record| record.fields.clone()).collect::<Vec<_>>();
    assert_eq!(fields(&again), fields(&records), "written and read again");

    let text = format!("date,account,kind,amount,memo\n{text}");
    let bank = Bank::new(fuzz_support::new_store());
    let (mut first, mut second) = (Report::default(), Report::default());
    let line = import_text(&bank, &text, &mut first).map_err(|(line, _)| line);
    let head = bank.store().head();
    let line_again = import_text(&bank, &text, &mut second).map_err(|(line, _)| line);
    assert_eq!(line, line_again, "the same row is the bad one");
    assert_eq!(bank.store().head(), head, "nothing is booked twice");
    assert_eq!(second.booked, 0);
    assert_eq!(second.there_already, first.booked + first.there_already);
    for stream in bank.store().streams().expect("streams") {
        bank.store()
            .stream(stream.name)
            .expect("name")
            .fold(0, |count, _: account::AccountEvent| count + 1)
            .expect("fold");
    }
});

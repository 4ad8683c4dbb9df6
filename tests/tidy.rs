//! The house rules that a program can check (`docs/style.md`): floors, sizes, heads of files, what source may not say,
//! who may name which crate. It reads the source as text that rustfmt has laid out; it parses no Rust.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 400;
/// The tests of one subject may be longer than what they test.
const TEST_FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// The floor of each module: it imports from lower floors only. A new module is given one here.
const FLOORS: [(&str, u32); 20] = [
    ("types", 0),
    ("error", 10),
    ("disk", 20),
    ("codec", 20),
    ("state", 25),
    ("journal", 30),
    ("segment", 30),
    ("manifest", 30),
    ("index", 40),
    ("commit", 50),
    ("reader", 50),
    ("snapshot", 50),
    ("store", 60),
    ("subscription", 70),
    ("consumer", 80),
    ("projection", 80),
    ("temporal", 80),
    ("aggregate", 90),
    ("testing", 90),
    ("lib", 100),
];

/// Which files may name a crate, or a part of std that is a door to the outside.
const NAMED_ONLY_IN: [(&str, &[&str]); 15] = [
    ("bincode", &["src/codec/bincode.rs"]),
    ("serde_json", &["src/codec/json.rs", "src/bin/"]),
    ("crc32fast", &["src/disk/checksum.rs"]),
    ("fs2", &["src/disk/real_disk.rs"]),
    ("futures_core", &["src/subscription/as_stream.rs"]),
    ("lz4_flex", &["src/segment/compress.rs"]),
    ("zstd", &["src/segment/compress.rs"]),
    ("quick_cache", &["src/index/tails.rs", "src/segment/block_cache.rs"]),
    ("twox_hash", &["src/segment/stable_hash.rs"]),
    ("xorf", &["src/segment/filter.rs"]),
    ("clap", &["src/bin/"]),
    ("comfy_table", &["src/bin/"]),
    ("indicatif", &["src/bin/"]),
    ("jiff", &["src/bin/"]),
    ("base64", &["src/bin/"]),
];

/// What only some modules need.
const LOCKS_ONLY_IN: [&str; 7] = [
    "src/journal/",
    "src/index/",
    "src/commit/",
    "src/store/",
    "src/snapshot/",
    "src/consumer/",
    "src/aggregate/",
];

/// A line of code: comments and blank lines are none.
struct Code {
    number: usize,
    text: String,
}

/// A file of source.
struct Source {
    /// From the project's root, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The lines of code, without what stands behind `#[cfg(test)]` at the end of the file.
    fn code(&self) -> Vec<Code> {
        let lines = self.text.lines().enumerate();
        let before_tests = lines.take_while(|(_, line)| *line != "#[cfg(test)]" || self.is_mod());
        before_tests
            .filter(|(_, line)| is_code(line))
            .map(|(at, line)| Code { number: at + 1, text: without_comment_and_texts(line) })
            .collect()
    }

    fn is_mod(&self) -> bool {
        self.path.ends_with("/mod.rs")
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    fn is_library(&self) -> bool {
        self.path.starts_with("src/") && !self.path.starts_with("src/bin/") && !self.is_test()
    }

    /// The module of the library that the file belongs to: the first part of its path below `src`.
    fn module(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        below.split(['/', '.']).next().unwrap_or(below)
    }
}

fn is_code(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with("//")
}

/// A line with its texts emptied and what follows `//` cut off.
fn without_comment_and_texts(line: &str) -> String {
    let mut kept = String::new();
    let mut characters = line.chars().peekable();
    let mut in_text = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' if in_text => drop(characters.next()),
            '"' if !kept.ends_with('\'') => {
                in_text = !in_text;
                kept.push('"');
            }
            '/' if !in_text && characters.peek() == Some(&'/') => break,
            _ if in_text => {}
            other => kept.push(other),
        }
    }
    kept
}

fn root() -> PathBuf {
    // As cargo says when it runs the test.
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// All source files below these folders of the project.
fn sources(folders: &[&str]) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    for folder in folders {
        collect(&root, &root.join(folder), &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty());
    found
}

fn collect(root: &Path, dir: &Path, found: &mut Vec<Source>) {
    // A folder that the project does not have yet.
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            // What a package of its own builds lies beside its sources.
            if path.file_name().is_some_and(|name| name != "target") {
                collect(root, &path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("source is UTF-8");
            let path = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
            found.push(Source { path, text });
        }
    }
}

fn all_sources() -> Vec<Source> {
    sources(&["src", "tests", "examples", "benches"])
}

fn library() -> Vec<Source> {
    let found: Vec<_> = sources(&["src"]).into_iter().filter(Source::is_library).collect();
    assert!(found.len() > 80, "{} files: the library is not where it was", found.len());
    found
}

/// Fails with all that was found, not the first.
fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

fn floor(module: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// The modules that a line names as `crate::module`; items that `lib.rs` re-exports start with a capital letter.
fn imported(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").filter_map(|(at, start)| {
        let rest = &line[at + start.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        Some(&rest[..end]).filter(|name| name.starts_with(char::is_lowercase))
    })
}

#[test]
fn modules_import_from_lower_floors_only() {
    let mut found = Vec::new();
    for source in library() {
        let module = source.module().to_owned();
        let own = floor(&module).unwrap_or_else(|| panic!("{}: module {module} has no floor", source.path));
        for line in source.code() {
            for other in imported(&line.text).filter(|other| *other != module) {
                match floor(other) {
                    Some(below) if below < own => {}
                    Some(_) => {
                        found.push(format!("{}:{}: {module} imports {other}", source.path, line.number))
                    }
                    None => found.push(format!("{}:{}: {other} has no floor", source.path, line.number)),
                }
            }
            // What lib.rs re-exports comes from any floor.
            if module != "lib" && line.text.contains("use crate::{") {
                found.push(format!("{}:{}: imports from the crate's root", source.path, line.number));
            }
        }
    }
    assert_none("imports that go up or sideways", &found);
}

/// A way from a module back to itself along the imports.
fn cycle(imports: &BTreeMap<String, Vec<String>>, path: &mut Vec<String>) -> bool {
    let last = path.last().expect("a start").clone();
    for next in imports.get(&last).into_iter().flatten() {
        let seen = path.contains(next);
        path.push(next.clone());
        if seen || cycle(imports, path) {
            return true;
        }
        path.pop();
    }
    false
}

#[test]
fn modules_do_not_import_each_other_in_circles() {
    let mut imports: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in library() {
        let module = source.module().to_owned();
        for line in source.code() {
            let others = imported(&line.text).filter(|other| *other != module).map(str::to_owned);
            imports.entry(module.clone()).or_default().extend(others);
        }
    }
    imports.values_mut().for_each(|others| {
        others.sort();
        others.dedup();
    });
    for module in imports.keys() {
        let mut path = vec![module.clone()];
        assert!(!cycle(&imports, &mut path), "a circle of imports: {}", path.join(" -> "));
    }
}

#[test]
fn every_file_opens_with_what_it_is_about() {
    let headless = all_sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    assert_none("files without a `//!` head", &headless.map(|source| source.path).collect::<Vec<_>>());
}

#[test]
fn files_have_up_to_400_lines_of_code() {
    let long = all_sources().into_iter().filter_map(|source| {
        let lines = source.code().len();
        let most = if source.is_test() { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
        (lines > most).then(|| format!("{}: {lines} lines", source.path))
    });
    assert_none("files that are too long", &long.collect::<Vec<_>>());
}

/// The functions of a file: name, line, lines of code from signature to closing brace.
fn functions(source: &Source) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let Some((before, after)) = line.split_once("fn ") else { continue };
        let words = before.split_whitespace();
        if !is_code(line)
            || !words.clone().all(|word| word.starts_with("pub") || word == "const" || word == "in")
        {
            continue;
        }
        let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let body = &lines[at..];
        let end =
            body.iter().position(|line| line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('}')));
        let semicolon = body
            .iter()
            .position(|line| line.ends_with(';') && !line[indent.len().min(line.len())..].starts_with(' '));
        let one_line = line.ends_with('}') || line.ends_with(';');
        let end = if one_line { 0 } else { end.into_iter().chain(semicolon).min().unwrap_or(body.len() - 1) };
        found.push((name, at + 1, body[..=end].iter().filter(|line| is_code(line)).count()));
    }
    found
}

#[test]
fn functions_have_up_to_70_lines_of_code() {
    let (mut count, mut found) = (0, Vec::new());
    for source in all_sources() {
        for (name, line, lines) in functions(&source) {
            count += 1;
            if lines > FUNCTION_LINES_MAX {
                found.push(format!("{}:{line}: {name} has {lines} lines", source.path));
            }
        }
    }
    assert!(count > 800, "{count} functions: they are not found any more");
    assert_none("functions that are too long", &found);
}

#[test]
fn the_library_says_nothing_that_may_panic_or_print() {
    const FORBIDDEN: [&str; 12] = [
        ".unwrap()",
        ".expect(",
        ".unwrap_err()",
        ".expect_err(",
        "panic!(",
        "todo!(",
        "unimplemented!(",
        "println!(",
        "print!(",
        "dbg!(",
        "process::exit",
        "unsafe ",
    ];
    // A scenario is a test's assertion: it panics as `assert!` does.
    const SCENARIO: &str = "src/aggregate/scenario.rs";
    let mut found = Vec::new();
    for source in library() {
        for line in source.code() {
            let bad = FORBIDDEN.iter().filter(|word| line.text.contains(**word));
            let bad = bad.filter(|word| !(**word == "panic!(" && source.path == SCENARIO));
            found.extend(bad.map(|word| format!("{}:{}: {word}", source.path, line.number)));
        }
    }
    assert_none("words that the library may not say", &found);
}

/// Whether a line takes an element or a slice by index: a bracket behind a name, a call or another bracket.
fn indexes(line: &str) -> bool {
    let mut before = ' ';
    for (at, character) in line.char_indices() {
        // A slice of the whole cannot be out of range.
        let is_whole = line[at..].starts_with("[..]");
        if character == '[' && !is_whole && (before.is_alphanumeric() || matches!(before, '_' | ')' | ']')) {
            return true;
        }
        before = character;
    }
    false
}

#[test]
fn the_library_indexes_nothing() {
    assert!(indexes("let x = bytes[3];") && indexes("f()[0]") && !indexes("let x: [u8; 4] = vec![0; 4];"));
    let lines = library().into_iter().flat_map(|source| {
        let path = source.path.clone();
        source.code().into_iter().map(move |line| (path.clone(), line))
    });
    let found = lines.filter(|(_, line)| indexes(&line.text));
    let found: Vec<_> = found.map(|(path, line)| format!("{path}:{}: {}", line.number, line.text)).collect();
    assert_none("an index out of range panics: use `get`", &found);
}

#[test]
fn lints_are_never_silenced_without_a_reason() {
    let mut found = Vec::new();
    for source in all_sources() {
        let lines: Vec<Code> = source.code();
        for (at, line) in lines.iter().enumerate() {
            let allows = line.text.contains("#[allow") || line.text.contains("#![allow");
            let expects = line.text.contains("#[expect(") || line.text.contains("#![expect(");
            let attribute = lines[at..].iter().take(6).map(|line| line.text.as_str()).collect::<String>();
            let has_reason =
                attribute.split(']').next().is_some_and(|attribute| attribute.contains("reason ="));
            if allows || (expects && !has_reason) {
                found.push(format!("{}:{}: {}", source.path, line.number, line.text));
            }
        }
    }
    assert_none("silenced lints", &found);
}

#[test]
fn mod_files_only_declare_and_re_export() {
    let mut found = Vec::new();
    for source in library().into_iter().filter(Source::is_mod) {
        let mut in_list = false;
        for line in source.code() {
            let text = line.text.trim();
            let word = text
                .trim_start_matches("pub(crate) ")
                .trim_start_matches("pub(super) ")
                .trim_start_matches("pub ");
            let is_item = ["mod ", "use ", "#["].iter().any(|start| word.starts_with(start));
            if !is_item && !in_list {
                found.push(format!("{}:{}: {text}", source.path, line.number));
            }
            in_list = (in_list || word.starts_with("use ")) && !text.ends_with(';');
        }
    }
    assert_none("more than `mod` and `use` in a mod.rs", &found);
}

/// Whether a line names a crate: the name by itself, before `::`, or behind `use`.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        let before =
            before.strip_suffix("::").filter(|start| start.ends_with([' ', '(', '<', '&'])).unwrap_or(before);
        let starts = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let is_path =
            after.starts_with("::") || (before.trim_end().ends_with("use") && after.starts_with([';', ' ']));
        starts && is_path
    })
}

#[test]
fn crates_and_the_doors_of_std_are_named_only_where_they_belong() {
    let sources: Vec<Source> = sources(&["src"]).into_iter().filter(|source| !source.is_test()).collect();
    let mut found = Vec::new();
    for source in &sources {
        for line in source.code() {
            for (name, files) in NAMED_ONLY_IN {
                if names(&line.text, name) && !files.iter().any(|file| source.path.starts_with(file)) {
                    found.push(format!("{}:{}: {name}", source.path, line.number));
                }
            }
            let is_bin = source.path.starts_with("src/bin/");
            if names(&line.text, "parking_lot")
                && !LOCKS_ONLY_IN.iter().any(|dir| source.path.starts_with(dir))
            {
                found.push(format!("{}:{}: parking_lot", source.path, line.number));
            }
            let opens_files = ["std::fs", "std::net", " File::open", "OpenOptions"]
                .iter()
                .any(|door| line.text.contains(door));
            if opens_files && !is_bin && source.path != "src/disk/real_disk.rs" {
                found.push(format!("{}:{}: files belong to the real disk", source.path, line.number));
            }
            let tells_time = ["SystemTime::now", "Utc::now"].iter().any(|clock| line.text.contains(clock));
            if tells_time && !is_bin && source.path != "src/disk/clock.rs" {
                found.push(format!("{}:{}: the time comes from the clock", source.path, line.number));
            }
        }
    }
    assert_none("named where it does not belong", &found);
    for (name, files) in NAMED_ONLY_IN {
        let is_used = sources.iter().any(|source| source.code().iter().any(|line| names(&line.text, name)));
        let is_there = sources.iter().any(|source| files.iter().any(|file| source.path.starts_with(file)));
        assert!(
            !is_there || is_used || files == ["src/bin/"],
            "{name} is named nowhere: the rule is out of date"
        );
    }
}

#[test]
fn tests_neither_sleep_nor_are_ignored() {
    let mut found = Vec::new();
    for source in all_sources() {
        for (at, line) in source.text.lines().enumerate().filter(|(_, line)| is_code(line)) {
            let text = without_comment_and_texts(line);
            if text.contains("thread::sleep") || text.contains("#[ignore") {
                found.push(format!("{}:{}: {}", source.path, at + 1, text.trim()));
            }
        }
    }
    assert_none("sleeps and ignored tests", &found);
}

#[test]
fn the_first_program_is_one_in_readme_quickstart_and_crate_docs() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("a file of the project");
    let readme = read("README.md");
    let program = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    let program = program.expect("README.md shows a program").trim();

    let quickstart = read("examples/quickstart.rs");
    let code: Vec<&str> = quickstart.lines().skip_while(|line| line.starts_with("//!")).collect();
    assert_eq!(code.join("\n").trim(), program, "examples/quickstart.rs");

    let lib = read("src/lib.rs");
    let docs: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    let docs: Vec<&str> = docs.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let shown = docs.join("\n");
    let shown = shown.split("```\n").nth(1).expect("the crate's documentation shows a program");
    assert_eq!(shown.trim(), program, "src/lib.rs");
}

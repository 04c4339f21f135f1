//! Which tests there are, as the sources say.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{read, root};

/// The files below `directory` whose names end so.
pub(super) fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root().join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.to_str().is_some_and(|path| path.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found
}

/// The module that a file of `base` is.
fn module(base: &str, file: &Path) -> Vec<String> {
    let path = file.strip_prefix(root().join(base)).expect("a file of its own");
    let path = path.with_extension("");
    let names = path
        .iter()
        .map(|name| name.to_str().expect("a name of text").to_owned());
    let mut names: Vec<String> = names.collect();
    if ["mod", "lib", "main"].contains(&names[names.len() - 1].as_str()) {
        names.pop();
    }
    names
}

/// The tests of the library, as `cargo test` names them.
pub(super) fn unit_tests() -> BTreeSet<String> {
    tests_below("src")
}

/// The scenarios of this binary, by their names without that of an engine, and its other tests.
pub(super) fn api_tests() -> BTreeSet<String> {
    // What the macros in `support` are made of is no test.
    let tests = tests_below("tests/api").into_iter();
    tests.filter(|test| !test.starts_with("support::")).collect()
}

fn tests_below(base: &str) -> BTreeSet<String> {
    let files = files(base, ".rs").into_iter();
    files
        .flat_map(|file| {
            let module = module(base, &file);
            let names = rust_tests(&read(&file)).into_iter();
            let full = names.map(move |name| [module.as_slice(), &[name]].concat().join("::"));
            full.collect::<Vec<_>>()
        })
        .collect()
}

/// The tests of a source, by their path in it. Formatted as all are here: what stands at the margin is of the file, and what
/// does not, of the module that was opened there.
fn rust_tests(source: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let (mut inside, mut is_test, mut in_list) = (None, false, false);
    for line in source.lines() {
        let text = line.trim();
        if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
            inside = Some(name);
        } else if line == "}" {
            inside = None;
        }
        let place = |name: &str| inside.map_or_else(|| name.to_owned(), |module| format!("{module}::{name}"));
        if text.starts_with("#[test]") || text.starts_with("#[tokio::test") {
            is_test = true;
        } else if is_test && !text.starts_with("#[") {
            let name = text.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
            let (name, _) = name.unwrap_or_else(|| panic!("a test that is no function: {text}"));
            tests.push(place(name));
            is_test = false;
        }
        let listed = if in_list {
            Some(text)
        } else {
            ["both_engines![", "one_engine!["]
                .iter()
                .find_map(|start| text.strip_prefix(start))
        };
        if let Some(listed) = listed {
            in_list = !listed.contains(']');
            let names = listed.trim_end_matches([']', ';', ' ']).split(',').map(str::trim);
            tests.extend(names.filter(|name| !name.is_empty() && !name.contains(':')).map(place));
        }
    }
    tests
}

/// The tests in a browser: the file and the title.
pub(super) fn browser_tests() -> BTreeSet<String> {
    let files = files("end2end/specs", ".spec.ts").into_iter();
    files
        .flat_map(|file| {
            let name = file
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name")
                .to_owned();
            let titles = playwright_titles(&read(&file)).into_iter();
            titles.map(move |title| format!("{name} › {title}")).collect::<Vec<_>>()
        })
        .collect()
}

/// The titles that are written out whole.
fn playwright_titles(source: &str) -> Vec<String> {
    let mut titles = Vec::new();
    let calls = source.match_indices("test(").filter(|(start, _)| {
        let before = source[..*start].chars().next_back();
        !before.is_some_and(|char| char.is_alphanumeric() || "._$".contains(char))
    });
    for (start, call) in calls {
        let rest = source[start + call.len()..].trim_start();
        let Some(quote) = rest.chars().next().filter(|char| "'\"`".contains(*char)) else {
            continue;
        };
        let mut title = String::new();
        let mut chars = rest.chars().skip(1);
        while let Some(char) = chars.next().filter(|char| *char != quote) {
            title.push(if char == '\\' {
                chars.next().unwrap_or(char)
            } else {
                char
            });
        }
        if !title.contains("${") {
            titles.push(title);
        }
    }
    titles
}

/// What this binary itself says it has.
#[test]
fn the_tests_that_are_read_from_sources_are_those_that_run() {
    let listed = std::process::Command::new(std::env::current_exe().expect("this binary"))
        .arg("--list")
        .output()
        .expect("it runs");
    let listed = String::from_utf8(listed.stdout).expect("text");
    let run: BTreeSet<String> = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        // As little as what `api_tests` leaves out.
        .filter(|name| !name.starts_with("support::"))
        .map(|name| {
            let engines = ["::sqlite", "::postgres"];
            let scenario = engines.iter().find_map(|engine| name.strip_suffix(engine));
            scenario.unwrap_or(name).to_owned()
        })
        .collect();
    let found = api_tests();
    let either: Vec<&String> = found.symmetric_difference(&run).collect();
    assert!(
        either.is_empty(),
        "either found and not run, or run and not found: {either:?}"
    );
}

#[test]
fn tests_are_found_in_sources() {
    // Not at the margin, so that none of it is taken for a test of this file.
    let source = "
> both_engines![a_scenario];
> one_engine![sqlite: Sqlite, another];
> one_engine![
>     postgres: Postgres,
>     a_third,
>     a_fourth,
> ];
> fn helper() {}
> #[tokio::test]
> #[cfg(unix)]
> async fn at_the_margin() {}
> mod tests {
>     one_engine![sqlite: Sqlite, listed_inside];
>     fn helper() {}
>     #[test]
>     fn inside() {
>         \"fn no_test()\"
>     }
> }
> #[test]
> fn after() {}
";
    let found = rust_tests(&source.replace("\n> ", "\n"));
    let expected = [
        "a_scenario",
        "another",
        "a_third",
        "a_fourth",
        "at_the_margin",
        "tests::listed_inside",
        "tests::inside",
        "after",
    ];
    assert_eq!(found, expected);
    let script = "
test('one', async () => {});
  test(
    \"some\\\"body's\", async () => {});
test.describe('a group', () => {});
latest('no test');
for (const name of names) test(`${name} is made`, async () => {});
test(title, async () => {});
";
    assert_eq!(playwright_titles(script), ["one", "some\"body's"]);
}

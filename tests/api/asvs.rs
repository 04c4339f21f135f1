//! The table of OWASP ASVS in `docs/asvs.md` is held to the standard's own list, and each row to what it names: a test, a
//! file, or a chapter of a document that is not there is found out, so that the table does not outlive what it tells of.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const TABLE: &str = "docs/asvs.md";
const REQUIREMENTS: &str = include_str!("asvs.txt");

/// The documents whose links are followed.
const DOCUMENTS: [&str; 4] = ["README.md", "SECURITY.md", "docs/security.md", TABLE];

/// How many columns a row has in each part of the table. The last but one tells where, the last what shows it; what does
/// not apply has a reason in their place.
const PARTS: [(&str, usize); 3] = [("Met", 4), ("Not met, or in part", 4), ("Does not apply", 3)];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The level of each requirement.
fn requirements() -> BTreeMap<&'static str, u8> {
    let lines = REQUIREMENTS.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (id, level) = line.split_once(' ').expect("an id and a level");
            (id, level.parse().expect("a level"))
        })
        .collect()
}

/// What the rows may name.
struct House {
    tests: BTreeSet<String>,
    /// Whether a link from the table leads to something.
    leads_somewhere: fn(&str) -> bool,
    /// Whether there is such a file or directory.
    exists: fn(&str) -> bool,
}

impl House {
    fn as_it_stands() -> Self {
        let tests = [unit_tests(), api_tests(), browser_tests()];
        Self {
            tests: tests.into_iter().flatten().collect(),
            leads_somewhere: |link| leads_somewhere(TABLE, link),
            exists: |path| root().join(path).exists(),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    level: u8,
    part: &'a str,
    id: &'a str,
    cells: Vec<&'a str>,
}

/// The rows of every part of every level.
fn rows(table: &str) -> Vec<Row<'_>> {
    let (mut level, mut part) = (0, "");
    let mut rows = Vec::new();
    for line in table.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            level = heading
                .strip_prefix("Level ")
                .and_then(|level| level.parse().ok())
                .unwrap_or(0);
        } else if let Some(heading) = line.strip_prefix("### ") {
            part = heading;
        } else if line.starts_with("| V") {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            rows.push(Row {
                level,
                part,
                id: cells[0],
                cells,
            });
        }
    }
    rows
}

/// The texts between backticks.
fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Where the links of a text lead.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link)
}

/// `V1.10.2` after `V1.9.3`.
fn order(id: &str) -> Vec<u32> {
    let numbers = id.trim_start_matches('V').split('.');
    numbers.map(|number| number.parse().unwrap_or(u32::MAX)).collect()
}

/// All that is wrong with the table.
fn complaints(table: &str, required: &BTreeMap<&str, u8>, house: &House) -> Vec<String> {
    let rows = rows(table);
    let mut complaints: Vec<String> = rows
        .iter()
        .flat_map(|row| complaints_of(row, required, house))
        .collect();
    let mut seen = BTreeSet::new();
    for row in &rows {
        if !seen.insert(row.id) {
            complaints.push(format!("{} is there twice", row.id));
        }
    }
    for (id, level) in required {
        if *level < 3 && !seen.contains(id) {
            complaints.push(format!("{id} of level {level} is missing"));
        }
    }
    for pair in rows.windows(2) {
        let [one, next] = pair else { continue };
        let is_later = (next.level, next.part) != (one.level, one.part) || order(next.id) > order(one.id);
        if next.level < one.level || !is_later {
            complaints.push(format!("{} comes after {}", next.id, one.id));
        }
    }
    complaints.extend(miscounts(table, &rows));
    complaints
}

fn complaints_of(row: &Row<'_>, required: &BTreeMap<&str, u8>, house: &House) -> Vec<String> {
    let Row { level, part, id, cells } = row;
    let mut complaints = Vec::new();
    match required.get(id) {
        None => complaints.push(format!("{id} is no requirement")),
        Some(is) if is != level => complaints.push(format!("{id} is of level {is}, not {level}")),
        Some(_) => {}
    }
    let columns = PARTS.iter().find(|(name, _)| name == part).map(|(_, columns)| *columns);
    if columns != Some(cells.len()) || cells.iter().any(|cell| cell.is_empty()) {
        complaints.push(format!("{id} has {} cells under {part:?}: {cells:?}", cells.len()));
        return complaints;
    }
    let paths = cells
        .iter()
        .copied()
        .flat_map(code)
        .filter(|text| text.starts_with("src/"));
    let gone = paths.filter(|path| !(house.exists)(path));
    complaints.extend(gone.map(|path| format!("{id}: there is no {path}")));
    let astray = cells
        .iter()
        .copied()
        .flat_map(links)
        .filter(|link| !(house.leads_somewhere)(link));
    complaints.extend(astray.map(|link| format!("{id}: {link} leads nowhere")));
    if *part != "Does not apply" {
        let shown_by = cells[cells.len() - 1];
        let made_up = code(shown_by).filter(|test| !house.tests.contains(*test));
        complaints.extend(made_up.map(|test| format!("{id}: there is no test {test}")));
        if *part == "Met" && code(shown_by).next().is_none() && links(shown_by).next().is_none() {
            complaints.push(format!("{id} is shown by nothing"));
        }
    }
    complaints
}

/// The summary at the head of the table.
fn miscounts(table: &str, rows: &[Row<'_>]) -> Vec<String> {
    let count = |level, part| rows.iter().filter(|row| row.level == level && row.part == part).count();
    let lines = (1..=3).map(|level| {
        let counts = PARTS.map(|(part, _)| count(level, part));
        let all: usize = counts.iter().sum();
        let [met, not, apart] = counts;
        format!("| {level} | {all} | {met} | {not} | {apart} |")
    });
    let wrong = lines.filter(|line| !table.lines().any(|found| found == line));
    wrong.map(|line| format!("the summary lacks {line}")).collect()
}

/// Whether a link in `document` leads to a file that is there, and to a heading in it. Other sites are taken for granted.
fn leads_somewhere(document: &str, link: &str) -> bool {
    if link.starts_with("https://") || link.starts_with("http://") {
        return true;
    }
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let document = root().join(document);
    let file = if path.is_empty() {
        document
    } else {
        document.with_file_name(path)
    };
    if heading.is_empty() {
        return file.exists();
    }
    fs::read_to_string(file).is_ok_and(|text| headings(&text).contains(heading))
}

/// The names under which links lead to the headings of a document.
fn headings(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words
                .chars()
                .filter(|char| char.is_alphanumeric() || " -_".contains(*char));
            kept.map(|char| if char == ' ' { '-' } else { char }).collect()
        })
        .collect()
}

/// The files below `directory` whose names end so.
fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
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
fn unit_tests() -> BTreeSet<String> {
    tests_below("src")
}

/// The scenarios of this binary, by their names without that of an engine, and its other tests.
fn api_tests() -> BTreeSet<String> {
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
fn browser_tests() -> BTreeSet<String> {
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

#[test]
fn the_table_names_every_requirement_once_and_only_tests_that_there_are() {
    let complaints = complaints(&read(TABLE), &requirements(), &House::as_it_stands());
    assert!(complaints.is_empty(), "{TABLE}:\n{}", complaints.join("\n"));
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    for document in DOCUMENTS {
        for link in links(&read(document)) {
            assert!(leads_somewhere(document, link), "{document}: {link}");
        }
    }
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
fn the_server_starts_no_other_program() {
    for file in files("src", ".rs") {
        let source = read(&file);
        for word in ["process::Command", "tokio::process", "posix_spawn", "libc::system"] {
            assert!(!source.contains(word), "{}: {word}", file.display());
        }
    }
}

/// A package of the same name elsewhere, or another under this name, is not built in unnoticed.
#[test]
fn every_component_is_from_its_registry_and_known_by_its_checksum() {
    let lock = read("Cargo.lock");
    let packages: Vec<&str> = lock.split("[[package]]").skip(1).collect();
    assert!(packages.len() > 100, "{}", packages.len());
    for package in packages
        .iter()
        .filter(|package| !package.contains("name = \"vestibule\""))
    {
        let registry = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        assert!(
            package.contains(registry) && package.contains("checksum = \""),
            "{package}"
        );
    }
    let lock: serde_json::Value = serde_json::from_str(&read("end2end/package-lock.json")).expect("JSON");
    let packages = lock["packages"].as_object().expect("packages");
    assert!(packages.len() > 1);
    for (path, package) in packages.iter().filter(|(path, _)| !path.is_empty()) {
        // None is named where it is the usual registry.
        let is_expected = package.get("resolved").is_none() && package.get("link").is_none();
        assert!(is_expected && package["integrity"].is_string(), "{path}: {package}");
    }
}

const SAMPLE: &str = "
| 1 | 2 | 1 | 0 | 1 |
| 2 | 1 | 0 | 1 | 0 |
| 3 | 0 | 0 | 0 | 0 |
## Level 1
### Met
| V1.1.1 | asks | `src/web` | `log_in::it_works` |
### Does not apply
| V1.9.1 | asks | there is none |
## Level 2
### Not met, or in part
| V1.10.1 | asks | not done | – |
";

fn complaints_of_sample(change: impl Fn(&str) -> String) -> Vec<String> {
    let required = BTreeMap::from([("V1.1.1", 1), ("V1.9.1", 1), ("V1.10.1", 2), ("V1.11.1", 3)]);
    let house = House {
        tests: BTreeSet::from(["log_in::it_works".to_owned()]),
        leads_somewhere: |link| link == "there.md",
        exists: |path| path == "src/web",
    };
    complaints(&change(SAMPLE), &required, &house)
}

#[test]
fn a_sound_table_is_not_complained_of() {
    assert_eq!(complaints_of_sample(str::to_owned), [""; 0]);
    let by_document = |sample: &str| sample.replace("`log_in::it_works`", "[there](there.md)");
    assert_eq!(complaints_of_sample(by_document), [""; 0]);
}

#[test]
fn a_table_that_is_not_sound_is_found_out() {
    let met = "| V1.1.1 | asks | `src/web` | `log_in::it_works` |\n";
    for (old, new, complaint) in [
        (
            "it_works",
            "it_never_worked",
            "V1.1.1: there is no test log_in::it_never_worked",
        ),
        ("`log_in::it_works`", "believe me", "V1.1.1 is shown by nothing"),
        (
            "`log_in::it_works`",
            "[there](gone.md)",
            "V1.1.1: gone.md leads nowhere",
        ),
        ("src/web", "src/attic", "V1.1.1: there is no src/attic"),
        (met, "", "V1.1.1 of level 1 is missing"),
        (met, &met.repeat(2), "V1.1.1 is there twice"),
        ("V1.9.1", "V1.9.2", "V1.9.2 is no requirement"),
        ("V1.9.1", "V1.11.1", "V1.11.1 is of level 3, not 1"),
        ("there is none", "", "V1.9.1 has 3 cells"),
        ("| asks | there is none", "| there is none", "V1.9.1 has 2 cells"),
        ("### Met", "### Nearly met", "V1.1.1 has 4 cells under \"Nearly met\""),
        (
            "| 1 | 2 | 1 | 0 | 1 |",
            "| 1 | 2 | 2 | 0 | 0 |",
            "the summary lacks | 1 | 2 | 1 | 0 | 1 |",
        ),
        (
            met,
            &format!("| V1.9.1 | asks | a | [b](there.md) |\n{met}"),
            "V1.1.1 comes after V1.9.1",
        ),
        ("## Level 1", "## Level 3", "V1.10.1 comes after V1.9.1"),
    ] {
        let complaints = complaints_of_sample(|sample| sample.replacen(old, new, 1));
        assert!(
            complaints.iter().any(|found| found.starts_with(complaint)),
            "{complaint}: {complaints:?}"
        );
    }
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

#[test]
fn headings_are_named_as_links_name_them() {
    let names = headings("# Who attacks, and with what\ntext\n## Two  `words`\n");
    assert!(names.contains("who-attacks-and-with-what"), "{names:?}");
}

//! The table of OWASP ASVS in `docs/asvs.md` is held to the standard's own list, and each row to what it names: a test, a
//! file, or a chapter of a document that is not there is found out, so that the table does not outlive what it tells of.

mod sources;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use self::sources::{api_tests, browser_tests, files, unit_tests};

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
fn headings_are_named_as_links_name_them() {
    let names = headings("# Who attacks, and with what\ntext\n## Two  `words`\n");
    assert!(names.contains("who-attacks-and-with-what"), "{names:?}");
}

//! What the repository says of itself: every path that its papers name is there, and every variable that its deployments
//! set is known.

use std::{collections::BTreeSet, fs, path::Path};

use crate::support::{Place, one_engine};

one_engine![
    sqlite: Sqlite,
    the_paths_that_the_papers_name_are_there,
    what_the_papers_link_to_is_there,
    the_variables_that_deployments_set_are_known,
    the_image_is_built_of_what_there_is,
];

const PAPERS: [&str; 4] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/proxy/README.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

async fn the_paths_that_the_papers_name_are_there(_: Place) {
    const PLACES: [&str; 10] = [
        "src/",
        "tests/",
        "migrations/",
        "style/",
        "public/",
        "end2end/",
        "benches/",
        "docs/",
        "deploy/",
        "scripts/",
    ];
    let mut named = 0;
    for paper in PAPERS {
        let text = read(paper);
        let words = text.split(|character: char| character.is_whitespace() || "`()<>\"|,:".contains(character));
        for word in words.filter(|word| PLACES.iter().any(|place| word.starts_with(place))) {
            let path = word.split('#').next().unwrap_or_default().trim_end_matches('.');
            assert!(root().join(path).exists(), "{paper} names {path}");
            named += 1;
        }
    }
    assert!(named > 60, "{named}");
}

async fn what_the_papers_link_to_is_there(_: Place) {
    for paper in PAPERS {
        let text = read(paper);
        let here = root().join(paper);
        let headings: BTreeSet<String> = text.lines().filter(|line| line.starts_with('#')).map(anchor).collect();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            assert!(
                path.is_empty() || here.with_file_name(path).exists(),
                "{paper} links to {link}"
            );
            if path.is_empty() {
                assert!(headings.contains(fragment), "{paper} links to {link}");
            }
        }
    }
}

/// How a heading is linked to.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|character| character.is_alphanumeric() || "- ".contains(*character));
    kept.map(|character| if character == ' ' { '-' } else { character })
        .collect()
}

/// The names at the beginnings of lines that set a variable with `separator`.
fn set(lines: impl IntoIterator<Item = impl AsRef<str>>, separator: char) -> BTreeSet<String> {
    let name_of = |line: &str| {
        let (name, _) = line.trim_start_matches(['#', ' ']).split_once(separator)?;
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|character| character.is_ascii_uppercase() || character == '_');
        is_name.then(|| name.to_owned())
    };
    lines.into_iter().filter_map(|line| name_of(line.as_ref())).collect()
}

async fn the_variables_that_deployments_set_are_known(place: Place) {
    let help = place.vestibule(&["--help"]).await.expect_success().stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    // A secret has no flag of its own, but one for its file.
    let is_known =
        |name: &str| help.contains(&format!("[env: {name}]")) || help.contains(&format!("[env: {name}_FILE]"));

    let compose = read("compose.yaml");
    let (service, database) = compose.split_once("\n  database:\n").expect("a database");
    let of_compose = set(service.lines(), ':');
    assert!(
        of_compose.len() >= 6 && database.contains("postgres:"),
        "{of_compose:?}"
    );
    // All others; but the address that the ports and the health check go by is the image's.
    assert!(service.contains("\n    env_file: .env\n"), "{service}");
    for name in ["HOST", "PORT", "DATA_DIR"] {
        assert!(of_compose.contains(name), "{of_compose:?}");
    }
    let dockerfile = read("Dockerfile");
    let of_image = set(dockerfile.lines().filter_map(|line| line.strip_prefix("ENV ")), '=');
    assert_eq!(of_image.len(), 3);
    let mut all = of_compose;
    all.extend(of_image);
    for paper in [
        "docs/proxy/README.md",
        "docs/proxy/nginx.conf",
        "docs/proxy/Caddyfile",
        "docs/proxy/traefik.yaml",
    ] {
        let of_paper = set(read(paper).lines(), '=');
        assert_eq!(of_paper.len(), 4, "{paper}");
        all.extend(of_paper);
    }
    for name in all {
        assert!(is_known(&name), "{name} is set and not known");
    }
}

async fn the_image_is_built_of_what_there_is(_: Place) {
    let dockerfile = read("Dockerfile");
    let ignored = read(".dockerignore");
    let lines = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY "));
    let mut copied = BTreeSet::new();
    for line in lines.filter(|line| !line.contains("--from")) {
        let mut words: Vec<&str> = line.split(' ').collect();
        words.pop();
        copied.extend(words);
    }
    for path in &copied {
        assert!(root().join(path).exists(), "{path}");
        assert!(
            ignored.lines().any(|line| line == format!("!{path}")),
            "{path} is left out"
        );
    }
    // What Cargo looks for, and what is compiled in.
    for needed in [
        "Cargo.toml",
        "Cargo.lock",
        "build.rs",
        "src",
        "migrations",
        "public",
        "style",
        "benches",
        "tests",
    ] {
        assert!(copied.contains(needed), "{needed}");
    }
    let unit = read("deploy/vestibule.service");
    assert!(unit.contains("\nExecStart=/usr/local/bin/vestibule\n"), "{unit}");
    let version = read("Cargo.toml");
    let version = version
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \""))
        .unwrap();
    let least: u32 = version
        .trim_end_matches('"')
        .split('.')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let image = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("FROM rust:1."))
        .unwrap();
    let image: u32 = image.split('-').next().unwrap().parse().unwrap();
    assert!(image >= least, "the image has Rust 1.{image}");
}

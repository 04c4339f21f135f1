//! `make bench`: what the server costs over what its work costs at least.
//!
//! A rate by itself says little, as it is mostly the machine's. So each operation is measured beside a floor: a program
//! that does only what the operation cannot do without, on the same machine, with the same client, in turns, so that
//! whatever else the machine is busy with takes from both. What is printed is the share of the floor that is reached.
//!
//! This is no test: an aim that is missed is printed as such, and that is all. Only what does not work at all fails.

mod client;
mod comparison;
mod flood;
mod floors;
mod growth;
mod import;
mod measure;
mod process;
mod report;
mod site;

use std::{env, fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::{bail, ensure};
use tokio::runtime::{Builder, Runtime};
use vestibule::token::Algorithm;

use self::{
    comparison::{Comparison, Stage},
    flood::Flood,
    floors::Rotation,
    growth::{Grown, Size},
    measure::Window,
    process::{Directory, Process, VESTIBULE},
    report::Report,
    site::Site,
};

/// How many clients there are at a time, each with an account and a connection of its own.
const CLIENTS: usize = 8;

/// What a database that has not grown holds.
const SMALL: Size = Size { users: 1000 };

/// HS256 has to be given a secret. This one guards nothing.
const HS256: [(&str, &str); 2] = [
    ("ALGORITHM", "HS256"),
    ("SECRET_KEY", "a-secret-of-the-bench-that-lives-no-longer-than-it-does"),
];

const MAX_MEMORY_BEFORE_LOG_IN: u64 = 20 << 20;
const MAX_TIME_TO_FIRST_ANSWER: Duration = Duration::from_millis(60);

/// 100,000 users in a minute.
const MIN_IMPORT_RATE: f64 = 100_000.0 / 60.0;

/// How often and for how long to measure.
#[derive(Clone, Copy)]
struct Plan {
    rounds: usize,
    starts: usize,
    window: Window,
    /// Log-ins are counted in tens a second, not in thousands.
    log_in_window: Window,
    /// How much there is in the database that has grown.
    grown: Size,
    /// How many users move in.
    imported: u32,
}

impl Plan {
    const FULL: Self = Self {
        rounds: 5,
        starts: 15,
        window: Window::of_millis(2000),
        log_in_window: Window::of_millis(4000),
        grown: Size { users: 1_000_000 },
        imported: 100_000,
    };
    const QUICK: Self = Self {
        rounds: 1,
        starts: 2,
        window: Window::of_millis(300),
        log_in_window: Window::of_millis(500),
        grown: Size { users: 2_000 },
        imported: 1_000,
    };
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [floors::ARGUMENT, address, directory] => serve_floors(address.parse()?, Path::new(directory)),
        ["--bench"] => bench(Plan::FULL, ""),
        ["--quick", "--bench"] => bench(Plan::QUICK, ""),
        [part, "--bench"] if !part.starts_with('-') => bench(Plan::FULL, part),
        // As `cargo test --all-targets` runs it: there is nothing to test.
        [] => Ok(()),
        _ => bail!("usage: cargo bench --bench vestibule [-- --quick | -- PART-OF-A-NAME]"),
    }
}

fn serve_floors(address: SocketAddr, directory: &Path) -> anyhow::Result<()> {
    server_runtime()?.block_on(floors::serve(address, directory))
}

/// A runtime like the server's.
fn server_runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build()
}

/// Measures, of the operations, those whose names contain `part`.
fn bench(plan: Plan, part: &str) -> anyhow::Result<()> {
    let directory = Directory::create()?;
    let stage = Stage {
        // One thread for all clients, so that the rest of the machine is left to the servers.
        clients: Builder::new_current_thread().enable_all().build()?,
        rotations: server_runtime()?,
    };
    let (eddsa, hs256, floors) = stage.clients.block_on(start(plan, &directory))?;
    let rotations = stage.rotations.block_on(Rotation::of_rows(CLIENTS, directory.path()))?;
    let read = |algorithm, site| stage.clients.block_on(Comparison::read(algorithm, &floors, site));
    let mut before_log_in = vec![
        read(Algorithm::EdDsa, &eddsa)?,
        read(Algorithm::Hs256, &hs256)?,
        Comparison::refresh(rotations, &eddsa),
        Comparison::page(&floors, &eddsa),
    ];
    let mut log_in = vec![Comparison::log_in(&eddsa)];
    for comparisons in [&mut before_log_in, &mut log_in] {
        comparisons.retain(|comparison| comparison.ours.name.contains(part));
    }

    let mut memory_in_use = None;
    for round in 0..plan.rounds {
        for comparison in &mut before_log_in {
            comparison.measure(&stage, round, plan.window)?;
        }
        memory_in_use = memory_in_use.or_else(|| eddsa.process.resident_memory());
        for comparison in &mut log_in {
            comparison.measure(&stage, round, plan.log_in_window)?;
        }
    }

    let mut report = Report::new();
    report.conditions(CLIENTS, plan.rounds, plan.window)?;
    for comparison in before_log_in.iter().chain(&log_in) {
        report.comparison(comparison)?;
    }
    report_resources(&mut report, &eddsa, memory_in_use)?;
    if "flood".contains(part) {
        measure_floods(plan, &stage, &directory, &eddsa, &mut report)?;
    }
    if "growth".contains(part) {
        measure_growth(plan, &stage, &directory, &mut report)?;
    }
    if "import".contains(part) {
        let rate = import::users_a_second(&directory.path().join("import"), plan.imported)?;
        report.rate("users imported a second", rate, MIN_IMPORT_RATE)?;
    }
    stage.clients.block_on(async {
        eddsa.process.stop().await?;
        hs256.process.stop().await?;
        floors.stop().await
    })
}

/// A flood that everything is done for that can be, and one that is refused as by default.
fn measure_floods(
    plan: Plan,
    stage: &Stage,
    directory: &Directory,
    unlimited: &Site,
    report: &mut Report,
) -> anyhow::Result<()> {
    let clients = &stage.clients;
    let of_limited = directory.path().join("limited");
    let limited = clients.block_on(Site::open(&of_limited, &[("RATE_LIMITS", "on")], 1))?;
    for (limits, site) in [
        ("without limits", unlimited),
        ("with the limits of the defaults", &limited),
    ] {
        let flood = clients.block_on(Flood::measure(site, plan.log_in_window))?;
        report.flood(limits, &flood)?;
        ensure!(
            flood.is_answered(),
            "{limits} tries were answered otherwise: {:?}",
            flood.statuses
        );
    }
    clients.block_on(limited.process.stop())
}

/// The same operations with little and with much in the database.
fn measure_growth(plan: Plan, stage: &Stage, directory: &Directory, report: &mut Report) -> anyhow::Result<()> {
    let open = |name: &str, size| stage.clients.block_on(Grown::open(&directory.path().join(name), size));
    let (small, small_process) = open("small", SMALL)?;
    let (grown, grown_process) = open("grown", plan.grown)?;
    for mut comparison in Comparison::grown(small, grown) {
        for round in 0..plan.rounds {
            comparison.measure(stage, round, plan.window)?;
        }
        report.comparison(&comparison)?;
    }
    stage.clients.block_on(async {
        small_process.stop().await?;
        grown_process.stop().await
    })
}

/// What the server takes. `memory_in_use` is what it had taken when it had served everything but log-ins.
fn report_resources(report: &mut Report, site: &Site, memory_in_use: Option<u64>) -> anyhow::Result<()> {
    let limit = Some(MAX_MEMORY_BEFORE_LOG_IN);
    let program = fs::metadata(VESTIBULE)?.len();
    let to_answer = site.time_to_first_answer;
    report.memory("resident at the first answer", site.memory_at_start, limit)?;
    report.memory("resident before the first log-in, in use", memory_in_use, limit)?;
    report.memory("resident after the log-ins", site.process.resident_memory(), None)?;
    report.time("from start to first answer", to_answer, MAX_TIME_TO_FIRST_ANSWER)?;
    report.memory("size of the program", Some(program), None)?;
    Ok(())
}

/// Vestibule with a key pair, Vestibule with a shared secret, and the floors.
async fn start(plan: Plan, directory: &Directory) -> anyhow::Result<(Site, Site, Process)> {
    let eddsa = Site::open(&directory.path().join("eddsa"), &[], plan.starts).await?;
    let hs256 = Site::open(&directory.path().join("hs256"), &HS256, 1).await?;
    let of_floors = directory.path().join("floors");
    fs::create_dir_all(&of_floors)?;
    fs::write(of_floors.join(floors::PAGE), site::page(&eddsa.process).await?)?;
    let mut floors = Process::floors(&of_floors)?;
    floors.first_answer(&floors::token_path(Algorithm::EdDsa)).await?;
    Ok((eddsa, hs256, floors))
}

//! An operation beside its floors.

use anyhow::Context;
use tokio::runtime::Runtime;
use vestibule::token::Algorithm;

use crate::{
    CLIENTS,
    client::{Connection, Visitor, get},
    floors::{self, Rotation},
    growth::Grown,
    measure::{self, Round, Window, median},
    process::Process,
    site::{self, Site},
};

/// Where the work is done.
pub(crate) struct Stage {
    /// Clients of the servers.
    pub(crate) clients: Runtime,
    /// The floor that needs no server.
    pub(crate) rotations: Runtime,
}

/// One thing that is measured.
pub(crate) struct Measurement {
    pub(crate) name: String,
    pub(crate) rounds: Vec<Round>,
    load: Load,
}

enum Load {
    Visit(Vec<Visitor>),
    Rotate(Vec<Rotation>),
    Hash,
}

impl Measurement {
    fn new(name: impl Into<String>, load: Load) -> Self {
        Self {
            name: name.into(),
            rounds: Vec::new(),
            load,
        }
    }

    fn measure(&mut self, stage: &Stage, window: Window) -> anyhow::Result<()> {
        let round = match &mut self.load {
            Load::Visit(visitors) => stage.clients.block_on(measure::run(visitors, window)),
            Load::Rotate(rotations) => stage.rotations.block_on(measure::run(rotations, window)),
            Load::Hash => floors::hash_passwords(window),
        };
        self.rounds.push(round.with_context(|| self.name.clone())?);
        Ok(())
    }
}

/// An operation, its floors, and how close to the last of them it should come.
pub(crate) struct Comparison {
    pub(crate) floors: Vec<Measurement>,
    pub(crate) ours: Measurement,
    /// The share of the last floor's rate to be reached.
    pub(crate) aim: f64,
}

impl Comparison {
    /// Floors 1 and 2, and asking who is signed in.
    pub(crate) async fn read(algorithm: Algorithm, floors: &Process, site: &Site) -> anyhow::Result<Self> {
        let address = floors.address();
        let mut connection = Connection::open(address).await?;
        let answer = connection.exchange(&get(&floors::token_path(algorithm), None)).await?;
        let token = str::from_utf8(answer.success()?)?;
        let floor = |path: &str| {
            let visit = |_| Visitor::sending(address, vec![get(path, Some(token))]);
            Load::Visit((0..CLIENTS).map(visit).collect())
        };
        let users = site.sessions.iter().map(|session| {
            let request = get("/users/me", Some(&session.access_token));
            Visitor::sending(site.process.address(), vec![request])
        });
        Ok(Self {
            floors: vec![
                Measurement::new(
                    format!("floor 1: a token verified, {algorithm}"),
                    floor(&floors::verify_path(algorithm)),
                ),
                Measurement::new("floor 2: and one row read", floor(&floors::read_path(algorithm))),
            ],
            ours: Measurement::new(format!("GET /users/me, {algorithm}"), Load::Visit(users.collect())),
            aim: 0.9,
        })
    }

    /// The page that most people see, and the same bytes from memory.
    pub(crate) fn page(floors: &Process, site: &Site) -> Self {
        let visitors = |address, path: &str| {
            let visit = |_| Visitor::sending(address, vec![get(path, None)]);
            Load::Visit((0..CLIENTS).map(visit).collect())
        };
        Self {
            floors: vec![Measurement::new(
                "floor 5: the bytes of a page from memory",
                visitors(floors.address(), floors::PAGE_PATH),
            )],
            ours: Measurement::new("GET /login", visitors(site.process.address(), site::PAGE)),
            aim: 0.25,
        }
    }

    /// Floor 3, and refreshing. Each client goes on with the token that it was given last.
    pub(crate) fn refresh(rotations: Vec<Rotation>, site: &Site) -> Self {
        let address = site.process.address();
        let sessions = site.sessions.iter();
        let refreshing = sessions.map(|session| Visitor::refreshing(address, vec![session.refresh_token.clone()]));
        Self {
            floors: vec![Measurement::new(
                "floor 3: one row rotated durably, without HTTP",
                Load::Rotate(rotations),
            )],
            ours: Measurement::new("POST /api/auth/refresh", Load::Visit(refreshing.collect())),
            aim: 0.7,
        }
    }

    /// Floor 4, and logging in.
    pub(crate) fn log_in(site: &Site) -> Self {
        let address = site.process.address();
        let visitors = (0..CLIENTS).map(|number| Visitor::sending(address, vec![site::log_in(number)]));
        Self {
            floors: vec![Measurement::new(
                "floor 4: argon2id on every core, without HTTP",
                Load::Hash,
            )],
            ours: Measurement::new("POST /api/auth/login", Load::Visit(visitors.collect())),
            aim: 0.95,
        }
    }

    /// The same with little and with much in the database. Growth may cost a sixth.
    pub(crate) fn grown(small: Grown, grown: Grown) -> [Self; 3] {
        let (small_size, grown_size) = (small.size, grown.size);
        let compare = |what: &str, small, grown| Self {
            floors: vec![Measurement::new(format!("{what}, {small_size}"), Load::Visit(small))],
            ours: Measurement::new(format!("{what}, {grown_size}"), Load::Visit(grown)),
            aim: 1.0 / 1.2,
        };
        [
            compare("GET /users/me", small.reading, grown.reading),
            compare("refresh", small.refreshing, grown.refreshing),
            compare("log-in", small.logging_in, grown.logging_in),
        ]
    }

    /// Measures everything once, in turns: each round the other way round, so that nothing always comes after the same.
    pub(crate) fn measure(&mut self, stage: &Stage, round: usize, window: Window) -> anyhow::Result<()> {
        let mut turns: Vec<_> = self.floors.iter_mut().chain([&mut self.ours]).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        turns.into_iter().try_for_each(|turn| turn.measure(stage, window))
    }

    /// The share of the last floor's rate that was reached: the median over the rounds, each compared with the floor's
    /// measurement beside it, so that a slow minute of the machine counts for both.
    pub(crate) fn share(&self) -> Option<f64> {
        let floor = self.floors.last()?.rounds.iter();
        median(
            self.ours
                .rounds
                .iter()
                .zip(floor)
                .map(|(ours, floor)| ours.rate / floor.rate),
        )
    }
}

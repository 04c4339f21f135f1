//! What was acknowledged holds, however often the server is killed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Actor, Anonymous, Engine, NEW_PASSWORD, PASSWORD, Place, Process, Reply, Request, both_engines};

both_engines![what_was_acknowledged_holds_though_the_server_is_killed_again_and_again];

const ROUNDS: u16 = 6;
const CLIENTS: usize = 5;

/// The replay window, less what the clocks of two processes may differ in by rounding.
const RETRY_WINDOW: Duration = Duration::from_secs(8);

/// A server with what is least to be hashed. Its origin is the same each time, as its tokens name it.
async fn start(place: &Place) -> Process {
    Process::start_bare(place, &[("ARGON2_MEMORY_KIB", "7168"), ("ARGON2_PASSES", "5")]).await
}

/// What was asked and acknowledged, in all.
#[derive(Default)]
struct Counts {
    sign_ups: AtomicUsize,
    log_ins: AtomicUsize,
    refreshes: AtomicUsize,
    password_changes: AtomicUsize,
    log_outs: AtomicUsize,
    /// What was asked last, and not answered.
    in_doubt: AtomicUsize,
}

impl Counts {
    fn acknowledged(&self) -> usize {
        let all = [
            &self.sign_ups,
            &self.log_ins,
            &self.refreshes,
            &self.password_changes,
            &self.log_outs,
        ];
        all.map(get).iter().sum()
    }
}

fn get(count: &AtomicUsize) -> usize {
    count.load(Ordering::Relaxed)
}

fn add(count: &AtomicUsize) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// What somebody knows of their account.
struct Person {
    email: String,
    /// One of these is the password; of none there may be no account.
    passwords: Vec<&'static str>,
    devices: Vec<Device>,
}

struct Device {
    access: String,
    refresh: String,
    known: Known,
}

#[derive(Clone, Copy)]
enum Known {
    /// The refresh token is the successor that was given last.
    SignedIn,
    /// The refresh token was shown at this time, and no answer came.
    Shown(Instant),
    /// It asked to be signed out.
    Leaving,
    /// And was.
    SignedOut,
}

/// An acknowledgement, if one came; anything else than that is wrong.
async fn acknowledged(request: Request, status: u16) -> Option<Reply> {
    Some(request.answer().await?.expect(status))
}

fn log_in(anonymous: &Anonymous, email: &str, password: &str) -> Request {
    let body = json!({"email": email, "password": password});
    anonymous.post("/api/auth/login").json(body)
}

impl Device {
    fn of(reply: &Reply) -> Self {
        let mut device = Self {
            access: String::new(),
            refresh: String::new(),
            known: Known::SignedIn,
        };
        device.take(reply);
        device
    }

    fn take(&mut self, reply: &Reply) {
        let tokens = reply.json();
        let token = |name: &str| tokens[name].as_str().expect("a token").to_owned();
        (self.access, self.refresh) = (token("access_token"), token("refresh_token"));
        self.known = Known::SignedIn;
    }

    fn show(&self, anonymous: &Anonymous) -> Request {
        anonymous.post("/api/auth/refresh").bearer(&self.refresh)
    }

    async fn refresh(&mut self, anonymous: &Anonymous, counts: &Counts) -> Option<()> {
        self.known = Known::Shown(Instant::now());
        let reply = acknowledged(self.show(anonymous), 200).await?;
        self.take(&reply);
        add(&counts.refreshes);
        Some(())
    }

    async fn log_out(&mut self, anonymous: &Anonymous, counts: &Counts) -> Option<()> {
        self.known = Known::Leaving;
        acknowledged(anonymous.post("/api/auth/logout").bearer(&self.access), 200).await?;
        self.known = Known::SignedOut;
        add(&counts.log_outs);
        Some(())
    }

    /// Does what a client does whose answer was lost: it asks again, and gets the same successor.
    async fn ask_again(&mut self, anonymous: &Anonymous) {
        let Known::Shown(first) = self.known else { return };
        let reply = self.show(anonymous).await;
        if reply.status == 200 {
            self.take(&reply);
            return;
        }
        reply.expect_problem(401, "refresh_token_reused");
        assert!(first.elapsed() > RETRY_WINDOW, "a retry was taken for a theft");
        self.known = Known::SignedOut;
    }

    async fn check(&self, anonymous: &Anonymous) {
        let reply = self.show(anonymous).await;
        match self.known {
            Known::SignedIn => drop(reply.expect(200)),
            Known::SignedOut => {
                reply.expect_problem(401, "refresh_token_invalid");
                let reply = anonymous.get("/api/auth/me").bearer(&self.access).await;
                reply.expect_problem(401, "session_ended");
            }
            Known::Leaving | Known::Shown(_) => assert!([200, 401].contains(&reply.status), "{reply:?}"),
        }
    }
}

impl Person {
    fn new(email: String) -> Self {
        Self {
            email,
            passwords: Vec::new(),
            devices: Vec::new(),
        }
    }

    /// Does all that can be done to an account, until no answer comes.
    async fn live(&mut self, anonymous: &Anonymous, counts: &Counts) -> Option<()> {
        let body = json!({"email": self.email, "password": PASSWORD});
        acknowledged(anonymous.post("/api/auth/register").json(body), 201).await?;
        self.passwords = vec![PASSWORD];
        add(&counts.sign_ups);
        for _ in 0..2 {
            let reply = acknowledged(log_in(anonymous, &self.email, PASSWORD), 200).await?;
            self.devices.push(Device::of(&reply));
            add(&counts.log_ins);
        }
        self.devices[0].refresh(anonymous, counts).await?;
        self.devices[1].refresh(anonymous, counts).await?;
        self.devices[1].log_out(anonymous, counts).await?;
        let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
        let change = anonymous.post("/api/auth/me/password").json(body);
        self.passwords.push(NEW_PASSWORD);
        change_acknowledged(change.bearer(&self.devices[0].access)).await?;
        self.passwords = vec![NEW_PASSWORD];
        add(&counts.password_changes);
        self.devices[0].refresh(anonymous, counts).await?;
        self.devices[0].refresh(anonymous, counts).await
    }

    async fn check(&self, anonymous: &Anonymous) {
        if self.passwords.is_empty() {
            // The account is there, whole, or it is not there.
            let body = json!({"email": self.email, "password": PASSWORD});
            let again = anonymous.post("/api/auth/register").json(body).await;
            assert!([201, 409].contains(&again.status), "{again:?}");
            log_in(anonymous, &self.email, PASSWORD).await.expect(200);
        }
        let mut good = 0;
        for password in &self.passwords {
            let reply = log_in(anonymous, &self.email, password).await;
            assert!([200, 401].contains(&reply.status), "{reply:?}");
            good += usize::from(reply.status == 200);
        }
        assert_eq!(
            good,
            self.passwords.len().min(1),
            "{}: {:?}",
            self.email,
            self.passwords
        );
        for device in &self.devices {
            device.check(anonymous).await;
        }
    }
}

async fn change_acknowledged(request: Request) -> Option<Reply> {
    Some(request.answer().await?.expect_success())
}

/// One person after the other, until the server is no more.
async fn client(anonymous: Anonymous, name: String, counts: Arc<Counts>) -> Vec<Person> {
    let mut people = Vec::new();
    loop {
        let mut person = Person::new(format!("{name}.{}@example.com", people.len()));
        let goes_on = person.live(&anonymous, &counts).await.is_some();
        people.push(person);
        if !goes_on {
            add(&counts.in_doubt);
            return people;
        }
    }
}

/// Lets clients at the server, kills it when they are at it, and gives what they know.
async fn round(place: &Place, number: u16, before: &mut [Person], counts: &Arc<Counts>) -> Vec<Person> {
    let process = start(place).await;
    let anonymous = process.anonymous();
    for person in before {
        for device in &mut person.devices {
            device.ask_again(&anonymous).await;
        }
    }
    let goal = counts.acknowledged() + 25 + 7 * usize::from(number);
    let mut clients = JoinSet::new();
    for client_number in 0..CLIENTS {
        let name = format!("round{number}.client{client_number}");
        clients.spawn(client(anonymous.clone(), name, Arc::clone(counts)));
    }
    let deadline = Instant::now() + Duration::from_mins(1);
    while counts.acknowledged() < goal {
        assert!(Instant::now() < deadline, "{} of {goal}", counts.acknowledged());
        tokio::time::sleep(Duration::from_millis(1)).await;
        if let Some(ended) = clients.try_join_next() {
            ended.expect("every answer is right");
            panic!("a server that runs does not answer");
        }
    }
    // At another moment each time.
    tokio::time::sleep(Duration::from_millis(3) * u32::from(number)).await;
    process.kill();
    clients.join_all().await.into_iter().flatten().collect()
}

async fn what_was_acknowledged_holds_though_the_server_is_killed_again_and_again(place: Place) {
    let counts = Arc::new(Counts::default());
    let mut people: Vec<Person> = Vec::new();
    let mut last = 0;
    for number in 0..ROUNDS {
        let new = round(&place, number, &mut people[last..], &counts).await;
        last = people.len();
        people.extend(new);
    }
    let process = start(&place).await;
    let mut checks = JoinSet::new();
    for person in people {
        let anonymous = process.anonymous();
        checks.spawn(async move { person.check(&anonymous).await });
    }
    while let Some(checked) = checks.join_next().await {
        checked.expect("what was acknowledged holds");
    }
    process.kill();
    nothing_is_torn(&place).await;
    eprintln!(
        "{:?}: {ROUNDS} kills; acknowledged: {} sign-ups, {} log-ins, {} refreshes, {} password changes, {} log-outs; \
         {} in doubt",
        place.engine(),
        get(&counts.sign_ups),
        get(&counts.log_ins),
        get(&counts.refreshes),
        get(&counts.password_changes),
        get(&counts.log_outs),
        get(&counts.in_doubt),
    );
}

/// What is written together is there together.
async fn nothing_is_torn(place: &Place) {
    const HALVES: [(&str, &str); 4] = [
        (
            "live sessions that have not one refresh token to show",
            "SELECT COUNT(*) FROM sessions s WHERE (SELECT COUNT(*) FROM refresh_tokens t WHERE t.session_id = s.id \
             AND t.used_at IS NULL) <> 1 AND s.expires_at > 0",
        ),
        (
            "users to whom nothing was written",
            "SELECT COUNT(*) FROM users u WHERE NOT EXISTS (SELECT 1 FROM outbox o WHERE o.user_id = u.id)",
        ),
        (
            "users whose sign-up was not recorded",
            "SELECT COUNT(*) FROM users u WHERE NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.user_id = u.id \
             AND e.event = 'sign_up')",
        ),
        (
            "sessions whose log-in was not recorded",
            "SELECT COUNT(*) FROM sessions s WHERE NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.session_id = s.id \
             AND e.event = 'log_in')",
        ),
    ];
    sqlx::any::install_default_drivers();
    let database = sqlx::AnyPool::connect(place.database_url())
        .await
        .expect("the database");
    for (what, sql) in HALVES {
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&database).await.expect("a count");
        assert_eq!(count, 0, "{what}");
    }
    if place.engine() == Engine::Sqlite {
        let verdict: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&database)
            .await
            .expect("a verdict");
        assert_eq!(verdict, "ok");
    }
    database.close().await;
}

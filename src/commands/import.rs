//! `vestibule user import`: the users of another application.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::Serialize;
use vestibule::{
    app,
    auth::{
        Actor, Auth, Client, Error, ForeignRow, ImportCounts, ImportOutcome, ImportRun, ImportUsers, UNNAMED_SOURCE,
    },
    config::{Config, DatabaseUrl},
    import::{Field, Format, Mapping, Source},
};

use super::Unfinished;

/// How many users are written at once.
const BATCH: usize = 500;

/// What a running server gets between two batches, to write itself.
const PAUSE: Duration = Duration::from_millis(5);

/// How many rows are told of on the screen.
const TOLD: usize = 20;

#[derive(Args)]
#[command(group = ArgGroup::new("users").required(true).args(["file", "from"]))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, not the states of anything"
)]
pub(crate) struct Import {
    /// A file of JSON Lines (.jsonl, .ndjson, .json) or comma-separated values (.csv)
    file: Option<PathBuf>,
    #[arg(
        long,
        value_name = "URL",
        help = "Read a table of the application's database, which is not changed: sqlite:///./auth.db, or \
                postgres://user@host/name; its password is better given as PGPASSWORD, since everybody can read the \
                arguments of a machine's processes"
    )]
    from: Option<String>,
    /// The table, or a view, that holds the users
    #[arg(long, value_name = "NAME", default_value = "users", conflicts_with = "file")]
    table: String,
    /// What the file is, where its name does not tell
    #[arg(long, value_parser = ["jsonl", "csv"], conflicts_with = "from")]
    format: Option<String>,
    #[arg(
        long = "map",
        value_name = "FIELD=COLUMN",
        value_parser = mapped,
        help = "Take a field from this column; without a column, from none. Fields: id, email, username, name, \
                hashed_password, is_active, disabled, email_verified, role, is_superuser, created_at"
    )]
    mapped: Vec<(Field, String)>,
    #[arg(
        long,
        value_name = "NAME",
        help = format!(
            "The application's name, where users of more than one are imported: ids of one are not those of another \
             [default: {UNNAMED_SOURCE}, unless the first users have ids that others were imported with]"
        )
    )]
    source: Option<String>,
    /// Count addresses as verified where the application does not say
    #[arg(long)]
    verified: bool,
    /// Bring roles over, but for admin
    #[arg(long)]
    keep_roles: bool,
    /// Make admins of this server of those who have the role admin, or are superusers
    #[arg(long)]
    keep_admins: bool,
    /// Bring users over whose password cannot be verified here, or who have none: they choose one with "forgot password"
    #[arg(long)]
    without_passwords: bool,
    /// Import users again who were imported before and have been deleted here since
    #[arg(long)]
    bring_back: bool,
    /// Check everything and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write what was skipped, and why, into a new file, a JSON object a line
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn mapped(text: &str) -> Result<(Field, String), String> {
    let (field, column) = text.split_once('=').ok_or("write FIELD=COLUMN")?;
    let found = Field::ALL.into_iter().find(|other| other.name() == field);
    let names = || Field::ALL.map(Field::name).join(", ");
    let field = found.ok_or_else(|| format!("{field} is no field; there are {}", names()))?;
    Ok((field, column.to_owned()))
}

pub(crate) async fn run(import: &Import, config: &Config) -> anyhow::Result<()> {
    let mut run = ImportRun::new(import.options()).map_err(super::user::in_words)?;
    let mut source = import.open(config).await?;
    let new_database = if import.dry_run {
        None
    } else {
        super::missing_database(config).await?
    };
    let mut report = Report::open(import)?;
    super::say(format_args!("Reading {}", source.describe()))?;
    let work = async |auth: &Auth| {
        let done = copy(auth, &mut run, &mut source, &mut report).await;
        if done.is_err() && has_not_begun(&run) {
            return done.context("nothing was imported");
        }
        let told = report.end(run.counts(), config);
        // What broke the import off is more to know than that it cannot be told what came of it.
        done.context(if import.dry_run {
            "the dry run broke off"
        } else {
            "the import broke off; what was imported stays, and the next run goes on from there"
        })?;
        told
    };
    let done = if import.dry_run {
        super::with_auth_to_look(config, work).await
    } else {
        super::with_new_auth(config, work).await
    };
    if done.is_err() && has_not_begun(&run) {
        report.discard();
    }
    done?;
    if let Some(name) = new_database {
        super::say(format_args!("in a new database, {name}"))?;
    }
    let counts = run.counts();
    if counts.skipped + counts.incomplete > 0 {
        let left = [
            (counts.skipped, "skipped"),
            (counts.incomplete, "imported without all that they had"),
        ];
        let left = left.into_iter().filter(|(count, _)| *count > 0);
        let left: Vec<String> = left.map(|(count, what)| format!("{} {what}", users(count))).collect();
        return Err(Unfinished(left.join(", ")).into());
    }
    Ok(())
}

/// Whether there is nothing to tell of any row.
fn has_not_begun(run: &ImportRun) -> bool {
    run.counts() == ImportCounts::default()
}

impl Import {
    fn options(&self) -> ImportUsers {
        ImportUsers {
            source: self.source.clone(),
            verified: self.verified,
            keep_roles: self.keep_roles,
            keep_admins: self.keep_admins,
            without_passwords: self.without_passwords,
            bring_back: self.bring_back,
            dry_run: self.dry_run,
        }
    }

    async fn open(&self, config: &Config) -> anyhow::Result<Source> {
        let mapping = Mapping {
            columns: self.mapped.clone(),
            without_passwords: self.without_passwords,
        };
        if let Some(path) = &self.file {
            return Ok(Source::of_file(path, self.format_of(path)?, &mapping)?);
        }
        let from = self.from.as_deref().unwrap_or_default();
        let database = DatabaseUrl::parse(from).map_err(|message| anyhow::anyhow!("--from {message}"))?;
        let location = app::location(&database);
        // A table in another schema there is another application's.
        if !self.table.contains('.') && location.is_same(&app::location(&config.database)) {
            bail!(
                "--from names the database into which users are imported: name the application's, and Vestibule's own, \
                 another, in DATABASE_URL"
            );
        }
        Ok(Source::of_table(&location, &self.table, &mapping).await?)
    }

    fn format_of(&self, path: &Path) -> anyhow::Result<Format> {
        let format = match self.format.as_deref() {
            Some("csv") => Some(Format::Csv),
            Some(_) => Some(Format::JsonLines),
            None => Format::of(path),
        };
        if format.is_none() && is_sqlite(path) {
            bail!(
                "{0} is a SQLite database: vestibule user import --from sqlite:{0} --table users",
                path.display()
            );
        }
        format.with_context(|| {
            format!(
                "the name of {} does not tell what it is: add --format jsonl or csv",
                path.display()
            )
        })
    }
}

/// By its first bytes (<https://www.sqlite.org/fileformat.html>, section 1.3).
fn is_sqlite(path: &Path) -> bool {
    let mut header = [0; 16];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header == *b"SQLite format 3\0"
}

/// What cannot be asked of an import, in words.
fn refused(error: Error) -> anyhow::Error {
    match error {
        Error::InvalidFields(faults) => {
            let messages: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
            anyhow::anyhow!(messages.join("; "))
        }
        other => other.into(),
    }
}

async fn copy(auth: &Auth, run: &mut ImportRun, source: &mut Source, report: &mut Report) -> anyhow::Result<()> {
    let bar = progress(source.rows());
    loop {
        let rows = source.next_batch(BATCH).await?;
        if rows.is_empty() {
            break;
        }
        let described: Vec<Described> = rows.iter().map(Described::of).collect();
        let outcomes = auth
            .import_users(&Actor::Operator, run, rows, &Client::default())
            .await
            .map_err(refused)?;
        for (row, outcome) in described.iter().zip(&outcomes) {
            report.add(row, outcome)?;
        }
        bar.inc(outcomes.len() as u64);
        tokio::time::sleep(PAUSE).await;
    }
    // It stays, and says by that that all was read.
    bar.finish();
    Ok(())
}

/// A bar for whoever watches, and nothing in a log.
fn progress(rows: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} users, {speed}, {eta} left");
    ProgressBar::with_draw_target(Some(rows), ProgressDrawTarget::stderr()).with_style(
        style
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("speed", speed),
    )
}

/// Whole users a second: the library's own has four decimals.
fn speed(state: &ProgressState, text: &mut dyn std::fmt::Write) {
    // A bar that cannot be drawn is nobody's loss.
    let _ = write!(text, "{:.0}/s", state.per_sec());
}

/// What a report says of a row besides what became of it.
#[derive(Serialize)]
struct Described {
    row: u64,
    id: Option<String>,
    email: Option<String>,
}

impl Described {
    fn of(row: &ForeignRow) -> Self {
        let user = row.user.as_ref().ok();
        Self {
            row: row.number,
            id: user.and_then(|user| user.external_id.clone()),
            email: user.map(|user| user.email.clone()),
        }
    }

    /// For a terminal, which must not be told by somebody's address what to do.
    fn in_words(&self) -> String {
        let email = self.email.as_deref().unwrap_or_default();
        let email: String = email.chars().take(80).collect();
        if email.is_empty() {
            format!("row {}", self.row)
        } else {
            format!("row {} ({})", self.row, email.escape_debug())
        }
    }
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    row: &'a Described,
    outcome: &'a str,
    reasons: &'a [String],
}

/// What there is to tell of an import: the first of it on the screen, all of it in a file.
struct Report {
    path: Option<PathBuf>,
    file: Option<BufWriter<File>>,
    told: Vec<String>,
    untold: u64,
    dry_run: bool,
    keeps_roles: bool,
}

impl Report {
    fn open(import: &Import) -> anyhow::Result<Self> {
        let file = import.report.as_ref().map(|path| {
            let mut options = OpenOptions::new();
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let created = options.write(true).create_new(true).open(path);
            created.map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => anyhow::anyhow!(
                    "{} exists already, and is not overwritten; give the report another name",
                    path.display()
                ),
                _ => anyhow::Error::new(error).context(format!("cannot make the report {}", path.display())),
            })
        });
        Ok(Self {
            path: import.report.clone(),
            file: file.transpose()?.map(BufWriter::new),
            told: Vec::new(),
            untold: 0,
            dry_run: import.dry_run,
            keeps_roles: import.keep_roles,
        })
    }

    /// Takes the file away again, which there is nothing to write into and which would be in the way of the next run's.
    fn discard(&mut self) {
        self.file = None;
        if let Some(path) = &self.path {
            // Where that fails, the next run says that it is there.
            let _ = fs::remove_file(path);
        }
    }

    fn add(&mut self, row: &Described, outcome: &ImportOutcome) -> anyhow::Result<()> {
        let (outcome, reasons) = match outcome {
            ImportOutcome::Skipped { reason } => ("skipped", std::slice::from_ref(reason)),
            ImportOutcome::Imported { without } if !without.is_empty() => ("imported without", without.as_slice()),
            ImportOutcome::Imported { .. } | ImportOutcome::Unchanged => return Ok(()),
        };
        if self.told.len() < TOLD {
            self.told
                .push(format!("  {} {outcome}: {}", row.in_words(), reasons.join("; ")));
        } else {
            self.untold += 1;
        }
        if let Some(file) = &mut self.file {
            serde_json::to_writer(&mut *file, &Entry { row, outcome, reasons }).context("cannot write the report")?;
            file.write_all(b"\n").context("cannot write the report")?;
        }
        Ok(())
    }

    fn end(&mut self, counts: ImportCounts, config: &Config) -> anyhow::Result<()> {
        if let Some(file) = &mut self.file {
            file.flush().context("cannot write the report")?;
        }
        for line in &self.told {
            super::say(line)?;
        }
        if self.untold > 0 {
            let more = self.untold;
            let rest = if self.file.is_some() {
                "the report has them"
            } else {
                "--report FILE writes them all"
            };
            super::say(format_args!("  and {more} more; {rest}"))?;
        }
        let verb = if self.dry_run {
            "Dry run, nothing was written: would import"
        } else {
            "Imported"
        };
        let here = counts.unchanged - counts.deleted;
        let were = if here == 1 { "was" } else { "were" };
        super::say(format_args!(
            "{verb} {}, {here} {were} here already, {} skipped",
            users(counts.imported),
            counts.skipped
        ))?;
        for remark in self.remarks(counts, config) {
            super::say(remark)?;
        }
        Ok(())
    }

    /// What is to be known of those who were imported.
    fn remarks(&self, counts: ImportCounts, config: &Config) -> Vec<String> {
        let mut remarks = Vec::new();
        if counts.deleted > 0 {
            let deleted = users(counts.deleted);
            remarks.push(format!(
                "Left out: {deleted} imported before and deleted here since; --bring-back imports them again"
            ));
        }
        if counts.roles_left > 0 {
            let (roles, admins) = (users(counts.roles_left), counts.admins_left);
            let flag = if self.keeps_roles {
                "--keep-admins"
            } else {
                "--keep-roles, --keep-admins"
            };
            remarks.push(format!(
                "Roles of {roles} were left behind, {admins} of them admins; see {flag}"
            ));
        }
        if counts.unverified > 0 && config.require_verified_email {
            let unverified = users(counts.unverified);
            remarks.push(format!(
                "{unverified} must verify their address before they can log in, as REQUIRE_VERIFIED_EMAIL says"
            ));
        }
        remarks
    }
}

fn users(count: u64) -> String {
    if count == 1 {
        "1 user".to_owned()
    } else {
        format!("{count} users")
    }
}

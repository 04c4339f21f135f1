//! A link's token is in its letter and nowhere else: neither in the database nor in a copy of it, at any moment.

use std::{collections::BTreeMap, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sqlx::{AssertSqlSafe, Row};

use crate::support::{Engine, MailServer, Place, Security, Server, Step, Trick, both_engines};

both_engines![no_copy_of_the_database_ever_holds_a_link_or_a_letter];

/// Everything that could be stolen with a disk or a backup, by its name.
type Copies = BTreeMap<String, Vec<u8>>;

/// With SQLite the bytes of its files, as they lie there, and of a backup; with PostgreSQL, every row of every table.
async fn copy(server: &Server, moment: &str) -> Copies {
    match server.place.engine() {
        Engine::Sqlite => {
            let backup = server.place.directory().join(format!("backup-{moment}.db"));
            let vacuum = format!("VACUUM INTO '{}'", backup.display());
            let vacuum = sqlx::raw_sql(AssertSqlSafe(vacuum)).execute(server.database()).await;
            vacuum.expect("a backup");
            let files = std::fs::read_dir(server.place.directory()).expect("a directory");
            let files = files.map(|file| file.expect("a file").path());
            let files = files.filter(|path| path.is_file() && !path.ends_with("mail-server.pem"));
            let name = |path: &Path| format!("{} {moment}", path.display());
            let files = files.map(|path| (name(&path), std::fs::read(&path).expect("its bytes")));
            files.collect()
        }
        Engine::Postgres => {
            let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
            let tables: Vec<String> = sqlx::query_scalar(tables)
                .fetch_all(server.database())
                .await
                .expect("tables");
            let mut copies = Copies::new();
            for table in tables {
                let rows = sqlx::raw_sql(AssertSqlSafe(format!("SELECT t::text AS line FROM {table} t")))
                    .fetch_all(server.database())
                    .await
                    .expect("rows");
                let lines: Vec<String> = rows.iter().map(|row| row.get("line")).collect();
                copies.insert(format!("{table} {moment}"), lines.join("\n").into_bytes());
            }
            copies
        }
    }
}

/// In which copies `what` stands.
fn holders<'a>(copies: &'a Copies, what: &str) -> Vec<&'a str> {
    let holds = |bytes: &[u8]| bytes.windows(what.len()).any(|window| window == what.as_bytes());
    let found = copies.iter().filter(|(_, bytes)| holds(bytes));
    found.map(|(name, _)| name.as_str()).collect()
}

async fn no_copy_of_the_database_ever_holds_a_link_or_a_letter(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    let variables = [
        ("SMTP_URL", mail.url("")),
        ("MAIL_FROM", "no-reply@acme.example".to_owned()),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let server = place.start_with(&variables).await;
    let mut copies = Copies::new();

    // A first try that comes to nothing, and then one that is stopped at every step.
    mail.play(Step::Content, Trick::Die);
    server.sign_up("ann@example.com").await;
    server.message_is("ann@example.com", "waiting", 1).await;
    copies.extend(copy(&server, "put-off").await);
    let steps = [
        Step::Greeting,
        Step::Ehlo,
        Step::Mail,
        Step::Rcpt,
        Step::Data,
        Step::Content,
        Step::End,
    ];
    for step in steps {
        mail.play(step, Trick::Hold);
    }
    server.advance_mail(10);
    for (number, step) in steps.into_iter().enumerate() {
        mail.holds(number + 1).await;
        copies.extend(copy(&server, &format!("{step:?}")).await);
        mail.release();
    }
    server.message_is("ann@example.com", "sent", 2).await;
    copies.extend(copy(&server, "sent").await);

    let letter = mail.letters("ann@example.com", 1).await.remove(0);
    let token = letter.mail().link_token("/verify-email").expect("a link");
    for secret in [token.as_str(), "vst_lt_", "<html", "text/html"] {
        let found = holders(&copies, secret);
        assert!(found.is_empty(), "{secret} is in {found:?}");
    }
    // The search finds what there is: the token's hash, ever since its letter left.
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    let found = holders(&copies, &URL_SAFE_NO_PAD.encode(digest));
    assert!(found.len() >= steps.len(), "{found:?}");
    // And it would find the token.
    sqlx::query("UPDATE outbox SET parameters = $1")
        .bind(&token)
        .execute(server.database())
        .await
        .expect("a row");
    assert!(!holders(&copy(&server, "on-purpose").await, &token).is_empty());
}

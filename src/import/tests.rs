use std::{fs, sync::Arc};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    app::Services,
    auth::{Actor, Client, ForeignUser, ImportCounts, ImportRun, ImportUsers},
    clock::{ManualClock, Timestamp},
    config::Config,
    password::PasswordHash,
    store::UserFilter,
};

const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuumiB0ODioEy5xUwpPgdnn8nHWZjVqatm";

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(work)
}

struct File {
    directory: TempDir,
    path: PathBuf,
    format: Format,
}

fn file(name: &str, content: impl AsRef<[u8]>) -> File {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    let format = Format::of(&path).unwrap();
    File {
        directory,
        path,
        format,
    }
}

impl File {
    fn open(&self, mapping: &Mapping) -> Result<Source, SourceError> {
        assert!(self.directory.path().is_dir());
        Source::of_file(&self.path, self.format, mapping)
    }

    fn rows(&self) -> Vec<ForeignRow> {
        rows(&mut self.open(&Mapping::default()).unwrap())
    }

    fn users(&self) -> Vec<ForeignUser> {
        let rows = self.rows().into_iter();
        rows.map(|row| row.user.unwrap()).collect()
    }
}

fn rows(source: &mut Source) -> Vec<ForeignRow> {
    let mut all = Vec::new();
    loop {
        // Batches of an odd size, none of which is the whole.
        let batch = block_on(source.next_batch(3)).unwrap();
        if batch.is_empty() {
            assert_eq!(all.len() as u64, source.rows());
            return all;
        }
        all.extend(batch);
    }
}

#[test]
fn json_lines_are_read_with_their_types() {
    let file = file(
        "users.jsonl",
        format!(
            "\u{feff}{{\"id\": 7, \"email\": \"ann@example.com\", \"hashedPassword\": \"{BCRYPT}\", \"isActive\": true, \
             \"roles\": [\"Admin\", \"editor\"], \"full_name\": \"Ann\", \"created_at\": \"2024-05-01T10:00:00Z\"}}\n\n\
             {{\"email\": \"bob@example.com\", \"hashedPassword\": null, \"isActive\": false, \"disabled\": 0}}"
        ),
    );
    let rows = file.rows();
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 3]);
    let users = file.users();
    let (ann, bob) = (&users[0], &users[1]);
    assert_eq!(ann.external_id.as_deref(), Some("7"));
    assert_eq!(
        (ann.email.as_str(), ann.name.as_deref()),
        ("ann@example.com", Some("Ann"))
    );
    assert_eq!(ann.password_hash.as_str(), BCRYPT);
    assert!(ann.is_active && !bob.is_active);
    assert_eq!(ann.roles, ["admin", "editor"]);
    assert_eq!(ann.created_at, Some(Timestamp::from_unix_seconds(1_714_557_600)));
    assert_eq!((bob.external_id.as_deref(), bob.password_hash.as_str()), (None, ""));
    assert_eq!(bob.email_verified, None);
}

#[test]
fn csv_is_read_with_its_quotes() {
    let file = file(
        "users.CSV",
        "\u{feff}email,full_name,hashed_password,disabled,is_verified\r\n\
         ann@example.com,\"Smith, \"\"Ann\"\"\",hash,,1\r\n\
         bob@example.com,\"Bob\nBuilder\",hash,true,\r\n\
         cleo@example.com,Cleo,hash,false,0",
    );
    let rows = file.rows();
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 3, 4]);
    let users = file.users();
    assert_eq!(users[0].name.as_deref(), Some("Smith, \"Ann\""));
    assert_eq!(
        users.iter().map(|user| user.is_active).collect::<Vec<_>>(),
        [true, false, true]
    );
    let verified: Vec<_> = users.iter().map(|user| user.email_verified).collect();
    assert_eq!(verified, [Some(true), Some(false), Some(false)]);
}

#[test]
fn a_row_that_cannot_be_read_does_not_stop_the_others_and_is_not_quoted() {
    let lines = file(
        "users.jsonl",
        b"{\"email\": \"ann@example.com\", \"password\": \"x\"}\n{\"email\": hunter2}\n\"hunter2\"\n\xff\n\
          {\"email\": \"bob@example.com\", \"password\": \"x\", \"is_active\": \"hunter2\"}\n"
            .as_slice(),
    );
    let csv = file(
        "users.csv",
        b"email,password,is_active\nann@example.com,x,1\nhunter2\na,hunter2,1,1\n\xff,x,1\nbob@example.com,x,hunter2\n"
            .as_slice(),
    );
    for file in [lines, csv] {
        let rows = file.rows();
        assert_eq!(rows.len(), 5);
        assert!(rows[0].user.is_ok());
        for row in &rows[1..] {
            let reason = row.user.as_ref().unwrap_err();
            assert!(!reason.contains("hunter2"), "{reason}");
        }
        assert_eq!(rows[4].user.as_ref().unwrap_err(), "is_active says neither yes nor no");
    }
    let rows = file("users.csv", b"email,password\nann@example.com\n".as_slice()).rows();
    assert_eq!(rows[0].user.as_ref().unwrap_err(), "it has 1 cell under 2 columns");
}

#[test]
fn a_source_that_cannot_be_read_to_its_end_is_refused_at_once() {
    let endless = "x".repeat(3 << 20);
    let header = "email,password\n";
    for (name, content, said) in [
        ("users.csv", format!("{header}a@b.example,hash\n\"{endless}"), "row 3"),
        ("users.csv", endless.clone(), "row 1"),
        ("users.jsonl", format!("{{}}\n{endless}"), "row 2"),
        ("users.jsonl", "[{\"email\": \"a@b.example\"}]".to_owned(), "jq"),
        ("users.csv", String::new(), "must name the columns"),
        ("users.csv", "email,email,password\n".to_owned(), "same name"),
        (
            "users.csv",
            "name;password\n".to_owned(),
            "no column for email; the names in the first line are separated by ';', and must be by commas",
        ),
        (
            "users.csv",
            "name,password\n".to_owned(),
            "no column for email; name it with --map email=COLUMN",
        ),
        ("users.jsonl", String::new(), "there are no columns at all"),
        (
            "users.jsonl",
            "{\"email\": \"a\"}".to_owned(),
            "no column for hashed_password",
        ),
    ] {
        let told = file(name, content).open(&Mapping::default()).unwrap_err().to_string();
        assert!(told.contains(said), "no {said} in {told}");
    }
    let told = Source::of_file(Path::new("/dev/null"), Format::Csv, &Mapping::default());
    assert!(matches!(told, Err(SourceError::NotAFile { .. })), "{told:?}");
}

#[test]
fn columns_are_mapped_by_hand() {
    let file = file(
        "users.csv",
        "mail_1,secret,name,username,phone\nann@example.com,hash,ann,Ann,1\n",
    );
    let map = |columns: &[(Field, &str)]| Mapping {
        columns: columns
            .iter()
            .map(|(field, name)| (*field, (*name).to_owned()))
            .collect(),
        without_passwords: false,
    };
    let needed = [(Field::Email, "mail_1"), (Field::HashedPassword, "secret")];
    let mut source = file
        .open(&map(
            &[&needed[..], &[(Field::Username, "name"), (Field::Name, "")]].concat()
        ))
        .unwrap();
    assert_eq!(
        source.describe(),
        "email from mail_1, username from name, hashed_password from secret; not read: username, phone"
    );
    let user = rows(&mut source).remove(0).user.unwrap();
    assert_eq!((user.username.as_deref(), user.name), (Some("ann"), None));
    let told = file.open(&map(&[(Field::Email, "mail_2")])).unwrap_err().to_string();
    assert_eq!(
        told,
        "there is no column mail_2; there are mail_1, secret, name, username, phone"
    );
}

#[test]
fn the_columns_of_django_are_known() {
    let file = file(
        "users.csv",
        "id,password,last_login,is_superuser,username,first_name,last_name,email,is_staff,is_active,date_joined\n\
         3,hash,,1,ann,Ann,Smith,ann@example.com,1,1,2024-05-01 10:00:00.123456\n",
    );
    let ann = file.users().remove(0);
    assert_eq!(ann.name.as_deref(), Some("Ann Smith"));
    assert_eq!(ann.roles, ["admin"]);
    assert!(ann.created_at.is_some());
}

/// A house with an empty database of its own.
async fn house(directory: &TempDir) -> Services {
    let mut config = Config::from_variables([("DATA_DIR", directory.path().to_str().unwrap())]).unwrap();
    (config.argon2_memory_kib, config.argon2_passes) = (8, 1);
    let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(1_772_366_400)));
    Services::open(&config, clock).await.unwrap()
}

/// Imports a file, and says what became of it; nothing where it cannot be read.
async fn import_into(services: &Services, file: &File) -> Result<Option<ImportCounts>, TestCaseError> {
    let options = ImportUsers {
        source: Some("test".to_owned()),
        verified: false,
        keep_roles: true,
        keep_admins: false,
        without_passwords: true,
        bring_back: false,
        dry_run: false,
    };
    let mut run = ImportRun::new(options).unwrap();
    let mapping = Mapping {
        without_passwords: true,
        ..Mapping::default()
    };
    let Ok(mut source) = file.open(&mapping) else {
        return Ok(None);
    };
    loop {
        let batch = source.next_batch(2).await.unwrap();
        if batch.is_empty() {
            return Ok(Some(run.counts()));
        }
        let rows = batch.len();
        let outcomes = services
            .auth
            .import_users(&Actor::Operator, &mut run, batch, &Client::default())
            .await;
        prop_assert_eq!(outcomes.unwrap().len(), rows);
    }
}

/// Every user of a file is whole, or is not there, and is known again.
async fn import(file: &File) -> Result<(), TestCaseError> {
    let directory = tempfile::tempdir().unwrap();
    let services = house(&directory).await;
    let imported = import_into(&services, file).await?.map_or(0, |counts| counts.imported);
    let all = UserFilter {
        limit: i64::MAX,
        ..UserFilter::default()
    };
    let users = services.store().list_users(&all).await.unwrap();
    prop_assert_eq!(users.len() as u64, imported);
    for user in users {
        prop_assert!(!user.email_key.is_empty());
        let hash = PasswordHash::from_stored(user.password_hash.clone());
        prop_assert!(!user.has_password() || hash.check().is_ok());
        prop_assert_eq!(user.username.is_some(), user.username_key.is_some());
    }
    let again = import_into(&services, file).await?.map_or(0, |counts| counts.imported);
    prop_assert_eq!(again, 0);
    services.close().await;
    Ok(())
}

/// A cell that is often what a parser has trouble with.
fn cell_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(BCRYPT.to_owned()),
        "[a-c]@[a-c]\\.example",
        "[aA-]{1,3}",
        "[\",\n\r;{}\\[\\]: ]{0,4}",
        "\\PC{0,12}",
        Just("true".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_rows_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..400), csv in any::<bool>()) {
        let header: &[u8] = if csv { b"email,password\n" } else { b"{\"email\":1,\"password\":2}\n" };
        let name = if csv { "users.csv" } else { "users.jsonl" };
        for content in [bytes.clone(), [header, &bytes].concat()] {
            if let Ok(mut source) = file(name, content).open(&Mapping::default()) {
                rows(&mut source);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_a_file_holds_its_users_are_imported_whole_or_not_at_all(
        table in proptest::collection::vec(proptest::collection::vec(cell_text(), 4), 0..12),
        quoted in any::<bool>(),
        json in any::<bool>(),
    ) {
        let columns = ["id", "email", "username", "hashed_password"];
        let mut content = if json { String::new() } else { columns.join(",") + "\n" };
        for row in &table {
            if json {
                let object: serde_json::Map<String, serde_json::Value> =
                    columns.iter().zip(row).map(|(column, cell)| ((*column).to_owned(), cell.clone().into())).collect();
                content += &serde_json::Value::from(object).to_string();
            } else if quoted {
                let cells: Vec<String> = row.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
                content += &cells.join(",");
            } else {
                content += &row.join(",");
            }
            content.push('\n');
        }
        let name = if json { "users.jsonl" } else { "users.csv" };
        block_on(import(&file(name, content)))?;
    }
}

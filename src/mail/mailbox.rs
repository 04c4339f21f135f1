//! The built-in mailbox: where mail goes while there is no server to send it.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::letter::Letter;
use crate::{id::MessageId, private_file};

/// How many letters are kept: enough for a day of development, and for a test to find its own among others'.
const KEPT: usize = 500;

/// The built-in mailbox: a directory where letters go while no server is set to send them.
///
/// Each letter is two files of one name. The `.eml` is the message to the byte, for a mail program to open; the `.json`
/// is what the mailbox's pages show. It is written last, so that a letter is listed only when both are whole, and so
/// that nothing here has to read MIME.
#[derive(Clone, Debug)]
pub struct Mailbox {
    directory: Arc<Path>,
}

/// A letter in the mailbox, as `/dev/mail.json` shows it. Holds the link, so it has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Delivered {
    /// Its name in the mailbox; in the order of delivery.
    pub id: Uuid,
    /// The address, as its owner wrote it.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// When it was delivered, in RFC 3339.
    pub created_at: String,
}

impl Mailbox {
    /// The mailbox in `directory`, which is made when missing, for its owner only.
    pub fn open(directory: &Path) -> io::Result<Self> {
        private_file::create_directory(directory)?;
        Ok(Self {
            directory: directory.into(),
        })
    }

    /// Where the letters lie.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// All letters, newest first.
    pub async fn list(&self) -> io::Result<Vec<Delivered>> {
        self.on_a_thread(|mailbox| {
            let ids = mailbox.ids()?;
            ids.into_iter().filter_map(|id| mailbox.read(id).transpose()).collect()
        })
        .await
    }

    /// The letter of that name.
    pub async fn find(&self, id: Uuid) -> io::Result<Option<Delivered>> {
        self.on_a_thread(move |mailbox| mailbox.read(id)).await
    }

    /// Puts `letter` on top, and takes away the oldest when there are too many.
    pub(super) async fn put(&self, letter: &Letter) -> io::Result<()> {
        // A name of its own, not the outbox row's: a message that is delivered twice is two letters.
        let id = MessageId::new(letter.at).uuid();
        let email = letter.email.formatted();
        let delivered = serde_json::to_vec(&Delivered {
            id,
            to: letter.to.clone(),
            subject: letter.rendered.subject.clone(),
            text: letter.rendered.text.clone(),
            html: letter.rendered.html.clone(),
            created_at: letter.at.to_string(),
        })?;
        self.on_a_thread(move |mailbox| {
            mailbox.write(id, "eml", &email)?;
            mailbox.write(id, "json", &delivered)?;
            mailbox.prune()
        })
        .await
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let mailbox = self.clone();
        tokio::task::spawn_blocking(move || work(&mailbox))
            .await
            .map_err(io::Error::other)?
    }

    fn path(&self, id: Uuid, extension: &str) -> PathBuf {
        self.directory.join(format!("{id}.{extension}"))
    }

    /// The names of all letters, newest first: version 7 UUIDs sort by time.
    fn ids(&self) -> io::Result<Vec<Uuid>> {
        let mut ids: Vec<Uuid> = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
            ids.extend(id.and_then(|id| id.parse::<Uuid>().ok()));
        }
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ids)
    }

    /// `None` when there is no such letter, which may have been taken away just now, or when it cannot be read.
    fn read(&self, id: Uuid) -> io::Result<Option<Delivered>> {
        let content = match fs::read(self.path(id, "json")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            content => content?,
        };
        match serde_json::from_slice(&content) {
            Ok(delivered) => Ok(Some(delivered)),
            Err(error) => {
                tracing::warn!(%id, %error, "a file in the built-in mailbox is not a letter");
                Ok(None)
            }
        }
    }

    /// Writes a file that is there whole or not at all, and that only its owner reads: it holds a link.
    fn write(&self, id: Uuid, extension: &str, content: &[u8]) -> io::Result<()> {
        let draft = self.path(id, &format!("{extension}.draft"));
        let created = private_file::options().write(true).create_new(true).open(&draft);
        let written = created.and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        });
        written
            .and_then(|()| fs::rename(&draft, self.path(id, extension)))
            .inspect_err(|_| {
                let _ = fs::remove_file(&draft);
            })
    }

    fn prune(&self) -> io::Result<()> {
        for id in self.ids()?.into_iter().skip(KEPT) {
            for extension in ["json", "eml"] {
                match fs::remove_file(self.path(id, extension)) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{clock::Timestamp, mail::templates::Rendered};

    fn letter(number: usize, at: Timestamp) -> Letter {
        let rendered = Rendered {
            subject: format!("Grüße {number} 🎉"),
            text: String::from("Öffne https://example.com/?token=vst_lt_x\n"),
            html: String::from("<p>Öffne „das“</p>"),
        };
        Letter::new(
            MessageId::new(at),
            "no-reply@example.com",
            "zoë@bücher.example",
            rendered,
            at,
        )
        .unwrap()
    }

    #[tokio::test]
    async fn what_goes_in_comes_out_newest_first() {
        let directory = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::open(&directory.path().join("deep/mail")).unwrap();
        assert!(mailbox.list().await.unwrap().is_empty());

        let now = Timestamp::from_unix_seconds(1_700_000_000);
        mailbox.put(&letter(1, now)).await.unwrap();
        mailbox.put(&letter(2, now)).await.unwrap();
        mailbox.put(&letter(3, now.plus(Duration::from_secs(1)))).await.unwrap();

        let list = mailbox.list().await.unwrap();
        let subjects: Vec<&str> = list.iter().map(|delivered| delivered.subject.as_str()).collect();
        assert_eq!(subjects, ["Grüße 3 🎉", "Grüße 2 🎉", "Grüße 1 🎉"]);
        assert_eq!(list[2].to, "zoë@bücher.example");
        assert_eq!(list[2].text, "Öffne https://example.com/?token=vst_lt_x\n");
        assert_eq!(list[2].html, "<p>Öffne „das“</p>");
        assert_eq!(list[2].created_at, "2023-11-14T22:13:20Z");

        let found = mailbox.find(list[1].id).await.unwrap().unwrap();
        assert_eq!(found.subject, "Grüße 2 🎉");
        assert!(mailbox.find(Uuid::nil()).await.unwrap().is_none());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_reads_the_files_and_each_letter_is_also_an_eml() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::open(&directory.path().join("mail")).unwrap();
        mailbox.put(&letter(1, Timestamp::from_unix_seconds(0))).await.unwrap();

        assert_eq!(
            fs::metadata(mailbox.directory()).unwrap().permissions().mode() & 0o777,
            0o700
        );
        let id = mailbox.list().await.unwrap()[0].id;
        let files: Vec<_> = fs::read_dir(mailbox.directory())
            .unwrap()
            .map(|entry| entry.unwrap())
            .collect();
        assert_eq!(files.len(), 2);
        for file in &files {
            assert_eq!(
                file.metadata().unwrap().permissions().mode() & 0o777,
                0o600,
                "{:?}",
                file.path()
            );
        }
        let email = fs::read_to_string(mailbox.path(id, "eml")).unwrap();
        assert!(email.contains("multipart/alternative"), "{email}");
    }

    #[tokio::test]
    async fn a_file_that_is_no_letter_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::open(directory.path()).unwrap();
        mailbox.put(&letter(1, Timestamp::from_unix_seconds(0))).await.unwrap();
        fs::write(directory.path().join("notes.json"), "{}").unwrap();
        fs::write(mailbox.path(Uuid::max(), "json"), "{\"id\":").unwrap();
        fs::write(mailbox.path(Uuid::max(), "json.draft"), "{").unwrap();
        assert_eq!(mailbox.list().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn the_oldest_letters_make_room() {
        let directory = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::open(directory.path()).unwrap();
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        for number in 0..KEPT {
            let id = MessageId::new(now).uuid();
            fs::write(mailbox.path(id, "json"), format!("{number}")).unwrap();
            fs::write(mailbox.path(id, "eml"), "").unwrap();
        }
        let oldest = *mailbox.ids().unwrap().last().unwrap();
        mailbox.put(&letter(1, now)).await.unwrap();
        let ids = mailbox.ids().unwrap();
        assert_eq!(ids.len(), KEPT);
        assert!(!ids.contains(&oldest));
        assert!(!mailbox.path(oldest, "eml").exists());
    }
}

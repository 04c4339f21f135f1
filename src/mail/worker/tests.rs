use std::fs;

use tempfile::TempDir;

use super::*;
use crate::{
    clock::ManualClock,
    config::Config,
    id::{MessageId, UserId},
    mail::{Circumstances, Mailbox, message_row},
    store::Location,
};

/// A worker's desk on a database of its own, with a user to write to.
struct Office {
    desk: Desk,
    clock: Arc<ManualClock>,
    mailbox: Mailbox,
    user: UserRow,
    directory: TempDir,
}

const HOUR: Duration = Duration::from_hours(1);

impl Office {
    async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(directory.path().join("vestibule.db")))
            .await
            .unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(1_700_000_000)));
        let mailbox = Mailbox::open(&directory.path().join("mail")).unwrap();
        let user = user_row(clock.now());
        let mut tx = store.begin().await.unwrap();
        tx.insert_user(&user).await.unwrap();
        tx.commit().await.unwrap();
        let desk = Desk {
            store,
            clock: clock.clone(),
            transport: Transport::Mailbox(mailbox.clone()),
            settings: settings(),
            last_delivery: AtomicU64::default(),
        };
        Self {
            desk,
            clock,
            mailbox,
            user,
            directory,
        }
    }

    fn told(&self) -> Circumstances {
        Circumstances::new(self.clock.now(), None, None)
    }

    async fn write_to(&self, address: &str, user: Option<UserId>, message: &Message) -> MessageId {
        let row = message_row(message, user, address, self.clock.now());
        let mut tx = self.desk.store.begin().await.unwrap();
        tx.insert_message(&row).await.unwrap();
        tx.commit().await.unwrap();
        row.id
    }

    async fn write(&self, message: &Message) -> MessageId {
        self.write_to(&self.user.email, Some(self.user.id), message).await
    }

    async fn write_reset(&self) -> MessageId {
        self.write(&Message::ResetPassword(self.told())).await
    }

    async fn next(&self) -> Option<Outcome> {
        self.desk.send_next().await.unwrap()
    }

    async fn message(&self, id: MessageId) -> MessageRow {
        self.desk.store.find_message(id).await.unwrap().unwrap()
    }

    /// The tokens in the mailbox, the newest first.
    async fn tokens(&self) -> Vec<LinkToken> {
        let letters = self.mailbox.list().await.unwrap();
        letters
            .iter()
            .filter_map(|letter| LinkToken::parse(letter.text.split_once("?token=")?.1.lines().next()?))
            .collect()
    }

    async fn consume(&self, token: &LinkToken, kind: LinkKind) -> Option<LinkTokenRow> {
        let mut tx = self.desk.store.begin().await.unwrap();
        let now = self.clock.now();
        let link = tx
            .consume_link_token(token.hash().as_str(), kind.as_str(), now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        link
    }

    fn break_transport(&self) {
        fs::remove_dir_all(self.mailbox.directory()).unwrap();
    }

    fn repair_transport(&self) {
        Mailbox::open(self.mailbox.directory()).unwrap();
    }
}

pub(super) fn user_row(now: Timestamp) -> UserRow {
    UserRow {
        id: UserId::new(now),
        email: String::from("Ada@example.com"),
        email_key: String::from("ada@example.com"),
        username: None,
        username_key: None,
        name: None,
        password_hash: String::from("-"),
        roles: Vec::new(),
        email_verified_at: None,
        disabled_at: None,
        external_id: None,
        last_login_at: None,
        created_at: now,
        updated_at: now,
    }
}

fn settings() -> MailSettings {
    let config = Config::from_variables([("PUBLIC_URL", "http://localhost:8000")]).unwrap();
    MailSettings {
        public_url: config.public_url,
        site_name: String::from("Acme"),
        mail_from: String::from("Acme <no-reply@localhost>"),
        accent: None,
        templates: Templates::built_in(),
        reset_life: Duration::from_mins(10),
        verify_life: 24 * HOUR,
        invitation_life: 7 * 24 * HOUR,
    }
}

#[tokio::test]
async fn a_message_is_delivered_once_with_a_link_that_works_once() {
    let office = Office::open().await;
    let id = office.write_reset().await;
    assert_eq!(office.next().await, Some(Outcome::Sent));
    assert_eq!(office.next().await, None);

    let message = office.message(id).await;
    assert_eq!(message.state, MessageState::Sent);
    assert_eq!(message.finished_at, Some(office.clock.now()));
    let letters = office.mailbox.list().await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to, "Ada@example.com");
    assert!(
        letters[0].text.contains("http://localhost:8000/reset-password?token="),
        "{}",
        letters[0].text
    );

    let token = office.tokens().await.remove(0);
    assert!(office.consume(&token, LinkKind::VerifyEmail).await.is_none());
    let link = office.consume(&token, LinkKind::ResetPassword).await.unwrap();
    assert_eq!(link.user_id, office.user.id);
    assert_eq!(link.email, "Ada@example.com");
    assert!(office.consume(&token, LinkKind::ResetPassword).await.is_none());
}

#[tokio::test]
async fn a_links_life_starts_when_it_leaves() {
    let office = Office::open().await;
    office.write_reset().await;
    office.clock.advance(3 * HOUR);
    assert_eq!(office.next().await, Some(Outcome::Sent));
    office.clock.advance(Duration::from_secs(599));
    let token = office.tokens().await.remove(0);
    assert!(office.consume(&token, LinkKind::ResetPassword).await.is_some());

    office.write_reset().await;
    assert_eq!(office.next().await, Some(Outcome::Sent));
    office.clock.advance(Duration::from_mins(10));
    let token = office.tokens().await.remove(0);
    assert!(office.consume(&token, LinkKind::ResetPassword).await.is_none());
}

#[tokio::test]
async fn links_that_left_earlier_stay_good() {
    let office = Office::open().await;
    office.write_reset().await;
    office.write_reset().await;
    assert_eq!(office.next().await, Some(Outcome::Sent));
    assert_eq!(office.next().await, Some(Outcome::Sent));
    for token in office.tokens().await {
        assert!(office.consume(&token, LinkKind::ResetPassword).await.is_some());
    }
}

#[tokio::test]
async fn a_verification_is_good_for_longer_than_a_reset() {
    let office = Office::open().await;
    office.write(&Message::VerifyEmail(office.told())).await;
    assert_eq!(office.next().await, Some(Outcome::Sent));
    office.clock.advance(23 * HOUR);
    let token = office.tokens().await.remove(0);
    assert!(office.consume(&token, LinkKind::VerifyEmail).await.is_some());
}

#[tokio::test]
async fn the_database_holds_neither_the_token_nor_the_letter() {
    let office = Office::open().await;
    office.write_reset().await;
    assert_eq!(office.next().await, Some(Outcome::Sent));
    let token = office.tokens().await.remove(0);
    for file in ["vestibule.db", "vestibule.db-wal"] {
        let content = fs::read(office.directory.path().join(file)).unwrap_or_default();
        for secret in [token.expose(), "A new password was asked for"] {
            assert!(
                !content.windows(secret.len()).any(|window| window == secret.as_bytes()),
                "{secret} is in {file}"
            );
        }
    }
}

#[tokio::test]
async fn a_message_that_nobody_is_to_get_is_dropped() {
    let office = Office::open().await;
    let reset = Message::ResetPassword(office.told());
    let to_nobody = office.write_to("", None, &reset).await;
    let to_an_old_address = office.write_to("old@example.com", Some(office.user.id), &reset).await;
    assert_eq!(office.next().await, Some(Outcome::Dropped(Reason::NoAccount)));
    assert_eq!(office.next().await, Some(Outcome::Dropped(Reason::AddressNotCurrent)));
    assert_eq!(office.next().await, None);

    for (id, reason) in [
        (to_nobody, "there is no such account"),
        (to_an_old_address, "the account has another address now"),
    ] {
        let message = office.message(id).await;
        assert_eq!(message.state, MessageState::Dropped);
        assert_eq!(message.last_error.as_deref(), Some(reason));
    }
    assert!(office.mailbox.list().await.unwrap().is_empty());
    assert!(
        office
            .desk
            .store
            .list_link_tokens_of(office.user.id)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_message_whose_account_is_gone_is_dropped_with_that_reason_and_says_no_more_whose_it_was() {
    let office = Office::open().await;
    let sent = office.write_reset().await;
    assert_eq!(office.next().await, Some(Outcome::Sent));
    let erased = office.write_reset().await;
    let mut tx = office.desk.store.begin().await.unwrap();
    tx.erase_messages_of(office.user.id, "the account was deleted", office.clock.now())
        .await
        .unwrap();
    // Written while the account was being deleted.
    let missed = message_row(
        &Message::ResetPassword(office.told()),
        Some(office.user.id),
        &office.user.email,
        office.clock.now(),
    );
    tx.insert_message(&missed).await.unwrap();
    tx.delete_user(office.user.id).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(office.next().await, Some(Outcome::Dropped(Reason::NoAccount)));
    assert_eq!(office.next().await, None);
    for (id, state, reason) in [
        (sent, MessageState::Sent, None),
        (erased, MessageState::Dropped, Some("the account was deleted")),
        (missed.id, MessageState::Dropped, Some("there is no such account")),
    ] {
        let message = office.message(id).await;
        assert_eq!((message.state, message.last_error.as_deref()), (state, reason));
        assert_eq!(
            (message.user_id, message.address.as_str(), message.parameters.as_str()),
            (None, "", "{}")
        );
    }
    // Nobody sends one again: there is nobody to send it to.
    let mut tx = office.desk.store.begin().await.unwrap();
    assert!(!tx.requeue_message(erased, office.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(office.next().await, None);
    assert_eq!(office.mailbox.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_reset_that_waited_past_the_change_of_the_password_is_dropped() {
    let office = Office::open().await;
    office.write_reset().await;
    office
        .write_to(
            "new@example.com",
            Some(office.user.id),
            &Message::VerifyNewEmail {
                asked: office.told(),
                taken: false,
            },
        )
        .await;
    office.write(&Message::PasswordChanged(office.told())).await;
    office.write_reset().await;
    let mut outcomes = Vec::new();
    while let Some(outcome) = office.next().await {
        outcomes.push(outcome);
    }
    let sent = outcomes.iter().filter(|outcome| **outcome == Outcome::Sent).count();
    let outdone = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Dropped(Reason::Outdone))
        .count();
    assert_eq!((sent, outdone), (2, 2), "{outcomes:?}");
}

#[tokio::test]
async fn only_the_last_wish_for_a_new_address_is_granted() {
    let office = Office::open().await;
    let wish = Message::VerifyNewEmail {
        asked: office.told(),
        taken: false,
    };
    let first = office.write_to("typo@example.com", Some(office.user.id), &wish).await;
    let last = office.write_to("new@example.com", Some(office.user.id), &wish).await;
    while office.next().await.is_some() {}
    assert_eq!(office.message(first).await.state, MessageState::Dropped);
    assert_eq!(office.message(last).await.state, MessageState::Sent);
    let token = office.tokens().await.remove(0);
    assert_eq!(
        office.consume(&token, LinkKind::VerifyNewEmail).await.unwrap().email,
        "new@example.com"
    );
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_with_a_link_that_works() {
    let office = Office::open().await;
    let id = office.write_reset().await;
    office.break_transport();
    assert_eq!(office.next().await, Some(Outcome::Postponed));
    let message = office.message(id).await;
    assert_eq!(message.state, MessageState::Waiting);
    assert_eq!(message.due_at, office.clock.now().plus(DELAYS[0]));
    assert!(message.last_error.unwrap().contains("cannot be written"));
    assert_eq!(office.next().await, None);

    office.repair_transport();
    office.clock.advance(DELAYS[0]);
    assert_eq!(office.next().await, Some(Outcome::Sent));
    let message = office.message(id).await;
    assert_eq!((message.state, message.last_error), (MessageState::Sent, None));
    let token = office.tokens().await.remove(0);
    assert!(office.consume(&token, LinkKind::ResetPassword).await.is_some());
}

#[tokio::test]
async fn a_delivery_that_fails_for_a_day_has_failed_until_it_is_asked_for_again() {
    let office = Office::open().await;
    let id = office.write(&Message::VerifyEmail(office.told())).await;
    office.break_transport();
    let began = office.clock.now();
    for delay in DELAYS {
        assert_eq!(office.next().await, Some(Outcome::Postponed));
        office.clock.advance(delay);
    }
    assert_eq!(office.next().await, Some(Outcome::Failed));
    assert_eq!(office.next().await, None);
    assert_eq!(office.message(id).await.state, MessageState::Failed);
    let tried_for = office.clock.now().since(began);
    assert!((23 * HOUR..=25 * HOUR).contains(&tried_for), "{tried_for:?}");

    office.repair_transport();
    let mut tx = office.desk.store.begin().await.unwrap();
    assert!(tx.requeue_message(id, office.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(office.next().await, Some(Outcome::Sent));
}

#[tokio::test]
async fn an_address_that_cannot_be_written_to_fails_at_once() {
    let office = Office::open().await;
    let message = Message::VerifyNewEmail {
        asked: office.told(),
        taken: false,
    };
    let id = office
        .write_to(
            "ada@example.com\r\nBcc: all@example.com",
            Some(office.user.id),
            &message,
        )
        .await;
    assert_eq!(office.next().await, Some(Outcome::Failed));
    assert_eq!(office.message(id).await.state, MessageState::Failed);
}

#[tokio::test]
async fn a_message_that_only_a_newer_version_knows_waits_for_it() {
    let office = Office::open().await;
    let told = Message::ResetPassword(office.told());
    let mut row = message_row(&told, None, "guest@example.com", office.clock.now());
    row.kind = String::from("greeting");
    let mut tx = office.desk.store.begin().await.unwrap();
    tx.insert_message(&row).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(office.next().await, Some(Outcome::Postponed));
}

#[tokio::test]
async fn a_worker_that_died_gives_its_message_back() {
    let office = Office::open().await;
    office.write_reset().await;
    let now = office.clock.now();
    let mut tx = office.desk.store.begin().await.unwrap();
    assert!(tx.claim_message(now, now.plus(LEASE)).await.unwrap().is_some());
    tx.commit().await.unwrap();

    assert_eq!(office.next().await, None);
    office.clock.advance(LEASE);
    assert_eq!(office.next().await, Some(Outcome::Sent));
}

#[tokio::test]
async fn the_task_sends_what_it_is_woken_for_and_stops() {
    let office = Office::open().await;
    let waker = Waker::default();
    let transport = Transport::Mailbox(office.mailbox.clone());
    let worker = Worker::start(
        office.desk.store.clone(),
        office.clock.clone(),
        waker.clone(),
        transport,
        settings(),
    );
    office.write_reset().await;
    waker.wake();
    tokio::time::timeout(Duration::from_secs(30), async {
        while office.mailbox.list().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    worker.stop().await;

    office.write_reset().await;
    waker.wake();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(office.mailbox.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_to_nobody_holds_up_the_next_as_a_letter_does() {
    const SLOW: Duration = Duration::from_millis(300);
    let office = Office::open().await;
    let slow = u64::try_from(SLOW.as_micros()).unwrap();
    office.desk.last_delivery.store(slow, Ordering::Relaxed);
    let asked = Message::ResetPassword(office.told());
    office.write_to("", None, &asked).await;
    let began = Instant::now();
    let outcome = office.desk.send_next().await.unwrap();
    assert_eq!(outcome, Some(Outcome::Dropped(Reason::NoAccount)));
    assert!(began.elapsed() >= SLOW, "{:?}", began.elapsed());
    // It is no delivery itself.
    assert_eq!(office.desk.last_delivery.load(Ordering::Relaxed), slow);
}

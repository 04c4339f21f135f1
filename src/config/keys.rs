//! What access tokens are signed with, and what protects the keys that are stored.

use super::{
    DatabaseUrl, Secret,
    reader::{Reader, Reported},
    secret::HOW_TO_MAKE_ONE,
};
use crate::token::Algorithm;

/// How access tokens are signed.
#[derive(Clone, Debug)]
pub enum Signing {
    /// With generated Ed25519 keys.
    EdDsa,
    /// With generated P-256 keys.
    Es256,
    /// With the secret that is shared with every service that verifies: `SECRET_KEY`, which does nothing else.
    Hs256(Secret),
}

type Keys = (Result<Signing, Reported>, Result<Option<Secret>, Reported>);

pub(super) fn read(reader: &mut Reader, database: Result<&DatabaseUrl, &Reported>) -> Keys {
    let secret_key = reader.secret("SECRET_KEY", "SECRET_KEY_FILE");
    let sealing_key = reader.secret("SEALING_KEY", "SEALING_KEY_FILE");
    if let (Ok(Some(shared)), Ok(Some(own))) = (&secret_key, &sealing_key)
        && shared.expose() == own.expose()
    {
        reader.report(
            "SEALING_KEY",
            "must differ from SECRET_KEY, which the services that verify tokens know",
        );
    }
    (
        signing(reader, secret_key),
        checked_sealing_key(reader, sealing_key, database),
    )
}

fn signing(reader: &mut Reader, secret_key: Result<Option<Secret>, Reported>) -> Result<Signing, Reported> {
    let algorithm = reader.optional("ALGORITHM", algorithm);
    // Also where it is not used: it would be on the day that ALGORITHM is changed.
    let secret_key =
        secret_key.and_then(|secret| secret.map(|secret| strong(reader, "SECRET_KEY", secret)).transpose());
    match algorithm?.unwrap_or(Algorithm::EdDsa) {
        Algorithm::EdDsa => Ok(Signing::EdDsa),
        Algorithm::Es256 => Ok(Signing::Es256),
        Algorithm::Hs256 => match secret_key? {
            Some(secret) => Ok(Signing::Hs256(secret)),
            None => Err(reader.report(
                "SECRET_KEY",
                format!("is required with ALGORITHM=HS256; {HOW_TO_MAKE_ONE}"),
            )),
        },
    }
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::ALL
        .into_iter()
        .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| format!("must be EdDSA, ES256 or HS256, not {text:?}"))
}

fn checked_sealing_key(
    reader: &mut Reader,
    sealing_key: Result<Option<Secret>, Reported>,
    database: Result<&DatabaseUrl, &Reported>,
) -> Result<Option<Secret>, Reported> {
    match (sealing_key?, database) {
        (Some(secret), _) => strong(reader, "SEALING_KEY", secret).map(Some),
        // Several servers may share the database: each would make a key of its own that the others cannot open.
        (None, Ok(DatabaseUrl::Postgres(_))) => {
            Err(reader.report("SEALING_KEY", format!("is required with PostgreSQL; {HOW_TO_MAKE_ONE}")))
        }
        (None, _) => Ok(None),
    }
}

fn strong(reader: &mut Reader, name: &'static str, secret: Secret) -> Result<Secret, Reported> {
    match secret.weakness() {
        None => Ok(secret),
        Some(complaint) => Err(reader.report(name, complaint)),
    }
}

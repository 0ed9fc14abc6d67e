//! Keys of the interface. A key is `rs_ID_SECRET`; of the secret only its SHA-256 is kept, which is enough for 256 random
//! bits.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use subtle::ConstantTimeEq as _;
use utoipa::ToSchema;

use super::{State, StateError, hex, instant, now};

/// What a key allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// New scans, cancelling, feedback.
    Scan,
    /// Jobs, reports, feedback.
    Read,
    /// Keys, the audit log, metrics, and all else.
    Admin,
}

impl Scope {
    /// Its word, the same as in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// From its word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Scan, Self::Read, Self::Admin]
            .into_iter()
            .find(|s| s.word() == word)
    }
}

/// A key without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// Its id, a part of the key.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Whose jobs and reports it sees.
    pub owner: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// Requests a minute; null for the setting's bound.
    pub rate: Option<u32>,
    /// When it was made.
    pub created: String,
    /// When it stops to work.
    pub expires: Option<String>,
    /// When it was revoked.
    pub revoked: Option<String>,
    /// When it was last used, to the minute.
    pub used: Option<String>,
}

/// What a new key shall be.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Name for people.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub name: String,
    /// Whose jobs and reports it sees; left out, its own.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub owner: Option<String>,
    /// What it allows.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// Requests a minute; left out, the setting's bound.
    #[serde(default)]
    #[schema(maximum = 1_000_000)]
    pub rate: Option<u32>,
    /// Days after which it stops to work.
    #[serde(default)]
    #[schema(exclusive_minimum = 0)]
    pub expires_days: Option<f64>,
}

/// Highest rate of a key, in requests a minute.
const MOST_A_MINUTE: u32 = 1_000_000;

impl NewKey {
    /// What is wrong with it.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self) -> Result<(), String> {
        let fits =
            |t: &str| (1..=64).contains(&t.chars().count()) && !t.chars().any(char::is_control);
        if !fits(&self.name) || self.owner.as_deref().is_some_and(|o| !fits(o)) {
            return Err("`name` and `owner` have 1 to 64 characters".into());
        }
        if self.scopes.is_empty() {
            return Err("`scopes` has at least one of `scan`, `read` and `admin`".into());
        }
        if self.rate.is_some_and(|r| r > MOST_A_MINUTE) {
            return Err(format!("`rate` is at most {MOST_A_MINUTE} a minute"));
        }
        if self
            .expires_days
            .is_some_and(|d| !(d.is_finite() && d > 0.0))
        {
            return Err("`expires_days` is positive".into());
        }
        Ok(())
    }
}

/// A key in use.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) rate: Option<u32>,
}

fn scopes(text: &str) -> Vec<Scope> {
    text.split(',').filter_map(Scope::of).collect()
}

fn words(scopes: &[Scope]) -> String {
    let words: Vec<&str> = scopes.iter().map(|s| s.word()).collect();
    words.join(",")
}

fn rate(row: &AnyRow) -> Result<Option<u32>, sqlx::Error> {
    Ok(row
        .try_get::<Option<i64>, _>("rate")?
        .and_then(|r| u32::try_from(r).ok()))
}

fn view(row: &AnyRow) -> Result<KeyView, sqlx::Error> {
    let at = |name: &str| row.try_get::<Option<i64>, _>(name).map(|v| v.map(instant));
    Ok(KeyView {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        owner: row.try_get("owner")?,
        scopes: scopes(&row.try_get::<String, _>("scopes")?),
        rate: rate(row)?,
        created: instant(row.try_get("created")?),
        expires: at("expires")?,
        revoked: at("revoked")?,
        used: at("used")?,
    })
}

/// A new secret for an id: the key as its user has it, and what is kept of it.
fn secret(id: &str) -> (String, String) {
    use rand::RngCore as _;
    let mut random = [0; 32];
    rand::rng().fill_bytes(&mut random);
    let key = format!("rs_{id}_{}", URL_SAFE_NO_PAD.encode(random));
    let hash = hash(&key);
    (key, hash)
}

fn hash(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes()))
}

impl State {
    /// Makes a key; its text is given once.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn add_key(&self, wanted: &NewKey) -> Result<(String, KeyView), StateError> {
        use rand::RngCore as _;
        let mut random = [0; 6];
        rand::rng().fill_bytes(&mut random);
        let id = hex(&random);
        let (key, hash) = secret(&id);
        let at = now();
        let day = 86_400_000.0;
        let expires = wanted
            .expires_days
            .map(|d| at.saturating_add((d.max(0.0) * day) as i64));
        let row = sqlx::query(
            "INSERT INTO api_keys (id, name, owner, hash, scopes, rate, created, expires) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *",
        )
        .bind(&id)
        .bind(&wanted.name)
        .bind(wanted.owner.as_ref().unwrap_or(&id))
        .bind(hash)
        .bind(words(&wanted.scopes))
        .bind(wanted.rate.map(i64::from))
        .bind(at)
        .bind(expires)
        .fetch_one(&self.pool)
        .await?;
        Ok((key, view(&row)?))
    }

    /// All keys, the oldest first.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn keys(&self) -> Result<Vec<KeyView>, StateError> {
        let rows = sqlx::query("SELECT * FROM api_keys ORDER BY created, id")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(view).collect::<Result<_, _>>()?)
    }

    /// Whether any key was ever made: then none is needed no longer.
    pub(crate) async fn closed(&self) -> Result<bool, StateError> {
        Ok(sqlx::query("SELECT 1 FROM api_keys LIMIT 1")
            .fetch_optional(&self.pool)
            .await?
            .is_some())
    }

    /// Takes a key out of use; `false` where there is none or it was done.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn revoke_key(&self, id: &str) -> Result<bool, StateError> {
        let done =
            sqlx::query("UPDATE api_keys SET revoked = $1 WHERE id = $2 AND revoked IS NULL")
                .bind(now())
                .bind(id)
                .execute(&self.pool)
                .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives a key a new secret, shown once; the former one stops to work.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn rotate_key(&self, id: &str) -> Result<Option<(String, KeyView)>, StateError> {
        let (key, hash) = secret(id);
        let row = sqlx::query(
            "UPDATE api_keys SET hash = $1 WHERE id = $2 AND revoked IS NULL RETURNING *",
        )
        .bind(hash)
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|r| view(&r)).transpose()?.map(|view| (key, view)))
    }

    /// The key with this text, where it works now.
    pub(crate) async fn key(&self, text: &str) -> Result<Option<Key>, StateError> {
        let Some((id, _)) = text
            .strip_prefix("rs_")
            .and_then(|rest| rest.split_once('_'))
        else {
            return Ok(None);
        };
        let row = sqlx::query("SELECT * FROM api_keys WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let kept: String = row.try_get("hash")?;
        let same = bool::from(kept.as_bytes().ct_eq(hash(text).as_bytes()));
        let revoked: Option<i64> = row.try_get("revoked")?;
        let expires: Option<i64> = row.try_get("expires")?;
        let at = now();
        if !same || revoked.is_some() || expires.is_some_and(|e| e <= at) {
            return Ok(None);
        }
        let used: Option<i64> = row.try_get("used")?;
        if used.is_none_or(|u| u < at - 60_000) {
            sqlx::query("UPDATE api_keys SET used = $1 WHERE id = $2")
                .bind(at)
                .bind(id)
                .execute(&self.pool)
                .await?;
        }
        Ok(Some(Key {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            owner: row.try_get("owner")?,
            scopes: scopes(&row.try_get::<String, _>("scopes")?),
            rate: rate(&row)?,
        }))
    }
}

//! Remarks on verdicts: "this is wrong".

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::{State, StateError, instant};

/// What somebody says that a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// It is authentic.
    Authentic,
    /// It was generated.
    Generated,
    /// Parts of it were.
    Manipulated,
}

impl Says {
    /// Its word, the same as in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Authentic => "authentic",
            Self::Generated => "generated",
            Self::Manipulated => "manipulated",
        }
    }
}

/// A remark on a verdict.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Remark {
    /// Its id.
    pub id: String,
    /// The report that it speaks of.
    pub report: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Name of the file.
    pub name: String,
    /// What the report says.
    pub verdict: Option<String>,
    /// Its probability.
    pub probability: Option<f64>,
    /// What the file is said to be: `authentic`, `generated` or `manipulated`.
    pub says: String,
    /// Why, in words.
    pub note: String,
    /// When it was made.
    pub created: String,
}

fn remark(row: &AnyRow) -> Result<Remark, sqlx::Error> {
    Ok(Remark {
        id: row.try_get("id")?,
        report: row.try_get("report")?,
        sha256: row.try_get("sha256")?,
        name: row.try_get("name")?,
        verdict: row.try_get("verdict")?,
        probability: row.try_get("probability")?,
        says: row.try_get("says")?,
        note: row.try_get("note")?,
        created: instant(row.try_get("created")?),
    })
}

impl State {
    /// Keeps a remark.
    pub(crate) async fn add_remark(
        &self,
        owner: &str,
        remark: &Remark,
        at: i64,
    ) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO feedback (id, owner, report, sha256, name, verdict, probability, says, note, created) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(&remark.id)
        .bind(owner)
        .bind(&remark.report)
        .bind(&remark.sha256)
        .bind(&remark.name)
        .bind(&remark.verdict)
        .bind(remark.probability)
        .bind(&remark.says)
        .bind(&remark.note)
        .bind(at)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Remarks of an owner, or of all, the oldest first.
    pub(crate) async fn remarks(&self, owner: Option<&str>) -> Result<Vec<Remark>, StateError> {
        let all = "SELECT * FROM feedback ORDER BY id";
        let own = "SELECT * FROM feedback WHERE owner = $1 ORDER BY id";
        let rows = match owner {
            None => sqlx::query(all).fetch_all(&self.pool).await?,
            Some(owner) => sqlx::query(own).bind(owner).fetch_all(&self.pool).await?,
        };
        Ok(rows.iter().map(remark).collect::<Result<_, _>>()?)
    }

    /// Takes a remark back; the hash of the file that it spoke of.
    pub(crate) async fn drop_remark(
        &self,
        id: &str,
        owner: &str,
    ) -> Result<Option<String>, StateError> {
        let row = sqlx::query("DELETE FROM feedback WHERE id = $1 AND owner = $2 RETURNING sha256")
            .bind(id)
            .bind(owner)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|r| r.try_get("sha256")).transpose()?)
    }
}

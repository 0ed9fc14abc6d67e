//! A list of authorities whose signatures on content credentials are trusted.

use serde::{Deserialize, Serialize};

/// Authorities and, apart from them, single signers that are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchors {
    /// Certificates in PEM.
    pub certificates: String,
    /// SHA-256 of single signers' certificates in Base64, one a line.
    pub allowed: String,
}

/// A trust list without a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the trust list has no certificate in PEM and no SHA-256 of one in Base64")]
pub struct NoAnchor;

impl Anchors {
    /// Reads a trust list: certificates in PEM with any text between them, as the C2PA trust list has it, or lines with
    /// the SHA-256 of a signer's certificate in Base64.
    ///
    /// # Errors
    /// [`NoAnchor`]: an empty list would distrust everybody without a word.
    pub fn parse(list: &str) -> Result<Self, NoAnchor> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        const END: &str = "-----END CERTIFICATE-----";
        // Lists that travelled through JSON have their line breaks escaped.
        let list = list.replace("\\n", "\n").replace('\r', "");
        let mut out = Self::default();
        let mut block: Option<String> = None;
        for line in list.lines().map(str::trim) {
            match (line, &mut block) {
                (BEGIN, _) => block = Some(String::new()),
                (END, Some(body)) => {
                    if !body.is_empty() {
                        out.certificates
                            .push_str(&format!("{BEGIN}\n{body}{END}\n"));
                    }
                    block = None;
                }
                (line, Some(body)) => {
                    body.push_str(line);
                    body.push('\n');
                }
                (line, None) if is_hash(line) => {
                    out.allowed.push_str(line);
                    out.allowed.push('\n');
                }
                _ => {}
            }
        }
        if out == Self::default() {
            return Err(NoAnchor);
        }
        Ok(out)
    }

    /// Both lists.
    #[must_use]
    pub fn joined(mut self, other: &Self) -> Self {
        self.certificates.push_str(&other.certificates);
        self.allowed.push_str(&other.allowed);
        self
    }
}

/// 32 bytes in Base64.
fn is_hash(line: &str) -> bool {
    line.len() == 44
        && line.ends_with('=')
        && line[..43]
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_around_certificates_is_passed_over() {
        let list = "# C2PA trust list\nSubject: CN=Root\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\nValidity\n";
        let anchors = Anchors::parse(list).unwrap();
        assert_eq!(
            anchors.certificates,
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        );
        let escaped = list.replace('\n', "\\n");
        assert_eq!(Anchors::parse(&escaped), Ok(anchors));
        let hash = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU=";
        assert_eq!(Anchors::parse(hash).unwrap().allowed.trim(), hash);
        assert_eq!(Anchors::parse("no list at all"), Err(NoAnchor));
    }
}

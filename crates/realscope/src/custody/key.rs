//! Keys of reports: Ed25519 (RFC 8032), private keys in PKCS#8 and public keys in SPKI, both in PEM, as
//! `openssl genpkey -algorithm ed25519` writes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes,
};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use realscope_detectors::network::sha256;

/// Why a key is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is none that signs.
    #[error("no private Ed25519 key in PEM (PKCS#8, without a password): {0}")]
    NotPrivate(String),
    /// It is none that checks signatures.
    #[error("no public Ed25519 key in PEM (SPKI): {0}")]
    NotPublic(String),
    /// The system gives no randomness.
    #[error("no random numbers: {0}")]
    NoRandomness(String),
}

/// A private key.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn generate() -> Result<Self, KeyError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|e| KeyError::NoRandomness(e.to_string()))?;
        Ok(Self(SigningKey::from_bytes(&secret)))
    }

    /// From PEM.
    ///
    /// # Errors
    /// [`KeyError::NotPrivate`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = SigningKey::from_pkcs8_pem(pem.trim());
        key.map(Self)
            .map_err(|e| KeyError::NotPrivate(e.to_string()))
    }

    /// As PEM.
    ///
    /// # Errors
    /// [`KeyError::NotPrivate`] where it cannot be encoded.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        // The first version of the format: not every OpenSSL reads the second, which holds the public key too.
        let bytes = KeypairBytes {
            secret_key: self.0.to_bytes(),
            public_key: None,
        };
        let pem = bytes.to_pkcs8_pem(LineEnding::LF);
        pem.map(|p| p.to_string())
            .map_err(|e| KeyError::NotPrivate(e.to_string()))
    }

    /// The public key that belongs to it.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// A signature, 64 bytes.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).to_bytes().to_vec()
    }
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From PEM.
    ///
    /// # Errors
    /// [`KeyError::NotPublic`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_public_key_pem(pem.trim());
        key.map(Self)
            .map_err(|e| KeyError::NotPublic(e.to_string()))
    }

    /// As PEM.
    ///
    /// # Errors
    /// [`KeyError::NotPublic`] where it cannot be encoded.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let pem = self.0.to_public_key_pem(LineEnding::LF);
        pem.map_err(|e| KeyError::NotPublic(e.to_string()))
    }

    /// From its 32 bytes in Base64.
    pub(super) fn from_base64(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = STANDARD.decode(text).ok()?.try_into().ok()?;
        VerifyingKey::from_bytes(&bytes).ok().map(Self)
    }

    /// Its 32 bytes in Base64.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0.as_bytes())
    }

    /// SHA-256 of its 32 bytes: the name by which people compare keys.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        sha256(self.0.as_bytes())
    }

    /// Whether a signature of `message` is this key's. Keys and signatures of small order are refused.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|s| self.0.verify_strict(message, &s).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_travel_as_pem() {
        let key = PrivateKey::generate().unwrap();
        let again = PrivateKey::from_pem(&key.to_pem().unwrap()).unwrap();
        assert_eq!(again.public(), key.public());
        let public = PublicKey::from_pem(&key.public().to_pem().unwrap()).unwrap();
        assert!(public.signed(b"words", &again.sign(b"words")));
        assert!(!public.signed(b"other words", &again.sign(b"words")));
        assert_eq!(
            PublicKey::from_base64(&public.to_base64()),
            Some(public.clone())
        );
        assert!(PrivateKey::generate().unwrap().public() != public);
        assert!(matches!(
            PrivateKey::from_pem("no key"),
            Err(KeyError::NotPrivate(_))
        ));
        assert!(matches!(
            PublicKey::from_pem("no key"),
            Err(KeyError::NotPublic(_))
        ));
    }

    #[test]
    fn a_key_that_openssl_made() {
        // openssl genpkey -algorithm ed25519; openssl pkey -pubout. The seed is that of RFC 8410, section 10.3.
        let private = "-----BEGIN PRIVATE KEY-----\n\
                       MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                       -----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\n\
                      MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                      -----END PUBLIC KEY-----\n";
        let key = PrivateKey::from_pem(private).unwrap();
        assert_eq!(key.public(), PublicKey::from_pem(public).unwrap());
        assert_eq!(key.public().to_pem().unwrap(), public);
    }
}

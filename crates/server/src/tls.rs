//! TLS, where no proxy does it.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::settings::Settings;

/// What accepts TLS; nothing where the settings name no certificate.
///
/// # Errors
/// A sentence.
pub(crate) fn acceptor(settings: &Settings) -> Result<Option<TlsAcceptor>, String> {
    let (certificate, key) = (&settings.tls_certificate, &settings.tls_key);
    if certificate.as_os_str().is_empty() {
        return Ok(None);
    }
    let fault =
        |path: &std::path::Path, e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|e| fault(certificate, &e))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| fault(key, &e))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|e| fault(certificate, &e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

//! TLS of the clients that lamina makes. The system's certificate authorities are read once in a
//! process, not for each client, and not before somebody needs them: reading them takes longer than
//! everything else at start. Nobody else is trusted; certificates are checked as
//! `rustls-platform-verifier` does.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// The authorities, or why there are none, for as long as the process lives.
static AUTHORITIES: OnceLock<Result<Verifier, Error>> = OnceLock::new();

/// Settings of a client that trusts the system's certificate authorities. What protocols it offers
/// (ALPN) is the caller's.
///
/// # Errors
/// When the crypto provider does not know TLS 1.2 and 1.3, which the built-in one does.
pub(crate) fn client_config() -> Result<ClientConfig, Error> {
    let provider = provider();
    let checks = Arc::new(SystemAuthorities(Arc::clone(&provider)));
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(checks)
        .with_no_client_auth())
}

/// Reads the authorities now, so that the first connection need not, and says so when there are
/// none. Blocks for tens of milliseconds.
pub(crate) fn read_authorities() {
    if let Err(error) = authorities(&provider()) {
        tracing::error!(%error, "no https address can be opened: install the package ca-certificates, or its like");
    }
}

fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
}

fn authorities(provider: &Arc<CryptoProvider>) -> Result<&'static Verifier, Error> {
    AUTHORITIES
        .get_or_init(|| Verifier::new(Arc::clone(provider)))
        .as_ref()
        .map_err(Clone::clone)
}

/// Checks certificates against the system's authorities, which are read when it is first asked.
#[derive(Debug)]
struct SystemAuthorities(Arc<CryptoProvider>);

impl ServerCertVerifier for SystemAuthorities {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        authorities(&self.0)?.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        authorities(&self.0)?.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        authorities(&self.0)?.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        // Asked when a connection is begun; the authorities have no part in it.
        let algorithms = self.0.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

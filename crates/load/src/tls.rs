//! TLS towards one server.

use crate::LoadError;
use crate::target::Target;
use crate::tcp::StampedTcp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whom to trust beside the system's roots.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// Certificates in PEM that are trusted as roots.
    pub extra_roots_pem: Option<Vec<u8>>,
}

/// TLS towards one server; HTTP/1.1 is what we offer.
#[derive(Clone)]
pub(crate) struct TlsSetup {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl TlsSetup {
    pub(crate) fn new(target: &Target, options: &TlsOptions) -> Result<Self, LoadError> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        if let Some(pem) = &options.extra_roots_pem {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| LoadError::BadCertificate {
                    cause: error.to_string(),
                })?;
                roots
                    .add(certificate)
                    .map_err(|error| LoadError::BadCertificate {
                        cause: error.to_string(),
                    })?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| LoadError::BadCertificate {
                cause: error.to_string(),
            })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = ServerName::try_from(target.host.clone()).map_err(|_| LoadError::BadUrl {
            url: target.url(),
            why: "its host is not a name that a certificate can carry",
        })?;
        Ok(TlsSetup {
            connector: TlsConnector::from(Arc::new(config)),
            name,
        })
    }

    pub(crate) async fn connect(&self, stream: StampedTcp) -> io::Result<TlsStream<StampedTcp>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}

/// What is wrong with a TLS connection, and the way out; `None` of other errors.
pub(crate) fn words(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(why) => certificate(why),
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
            "it does not speak TLS: write http:// in front of its address".to_owned()
        }
        rustls::Error::AlertReceived(alert) => {
            format!("it ended the TLS handshake with the alert {alert:?}")
        }
        rustls::Error::NoApplicationProtocol => "it speaks no HTTP/1.1 over TLS".to_owned(),
        other => format!("TLS failed: {other}"),
    })
}

fn certificate(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => {
            "its certificate is of an authority that is not trusted here: give that one's certificate with --ca-cert FILE"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: is this machine's clock right?".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name than the one in the address".to_owned()
        }
        CertificateError::Revoked => "its certificate was revoked".to_owned(),
        CertificateError::BadEncoding => "its certificate cannot be read".to_owned(),
        // The library has no case of its own for it.
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "its certificate is an authority's own (CA:TRUE), which a server must not show: have it sign one for the server, \
             and give the authority's with --ca-cert FILE"
                .to_owned()
        }
        other => format!("its certificate is refused: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::words;
    use rustls::{CertificateError, Error, InvalidMessage};
    use std::io;

    fn said(error: Error) -> String {
        words(&io::Error::other(error)).unwrap()
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_said_in_words() {
        let unknown = said(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        assert!(unknown.contains("--ca-cert"), "{unknown}");
        let plain = said(Error::InvalidMessage(InvalidMessage::InvalidContentType));
        assert!(plain.contains("does not speak TLS"), "{plain}");
        assert_eq!(words(&io::Error::other("x")), None);
        assert_eq!(words(&io::ErrorKind::TimedOut.into()), None);
    }
}

use crate::LoadError;
use crate::target::Target;
use crate::tcp::StampedTcp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
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

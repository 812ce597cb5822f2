//! TLS: whom the client believes, and what it says to the others.

use crate::process::{Ended, run, tokenomics};
use crate::{Provider, counts, quick, read_json};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use tempfile::tempdir;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// A certificate for `name` that signs itself.
fn self_signed(
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    change(&mut params);
    (params.self_signed(&key).unwrap(), key)
}

/// Speaks TLS with that certificate in front of `backend`, for as long as the test process lives.
fn speak_tls(backend: SocketAddr, certificate: &rcgen::Certificate, key: &KeyPair) -> u16 {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let serve = async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(socket).await else {
                    return;
                };
                let mut plain = TcpStream::connect(backend).await.unwrap();
                let _ = copy_bidirectional(&mut tls, &mut plain).await;
            });
        }
    };
    std::thread::spawn(move || runtime.block_on(serve));
    port
}

fn measure(folder: &Path, port: u16, more: &[&str]) -> Ended {
    let url = format!("https://localhost:{port}/v1");
    let mut arguments = vec![
        "chat",
        "--api-base",
        &url,
        "--batch-sizes",
        "2",
        "--max-tokens",
        "4",
    ];
    arguments.extend(["--results-file", "r.json"]);
    arguments.extend(more);
    run(tokenomics(folder, &arguments))
}

#[test]
fn fault_25_a_certificate_of_nobody_we_know_is_refused_and_accepted_when_we_are_told() {
    let folder = tempdir().unwrap();
    let provider = Provider::start(quick());
    let (certificate, key) = self_signed("localhost", |_| {});
    let port = speak_tls(provider.mock.addr(), &certificate, &key);
    for more in [&[][..], &["--model", "mock"]] {
        let ended = measure(folder.path(), port, more);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("certificate"), "{}", ended.stderr);
        assert!(ended.stderr.contains("UnknownIssuer"), "{}", ended.stderr);
        let address = format!("localhost:{port}");
        assert!(
            ended.stderr.contains(&address),
            "{more:?}: {}",
            ended.stderr
        );
    }
    std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
    let ended = measure(folder.path(), port, &["--ca-cert", "ca.pem"]);
    assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
    let [_, issued, complete, ..] = counts(&read_json(&folder.path().join("r.json")), "2");
    assert_eq!((issued, complete), (6, 6));
    // The six, and the warm-up; nothing of those who did not trust the server.
    assert_eq!(provider.requests(), 8);
}

#[test]
fn fault_25_a_certificate_for_another_name_or_another_time_is_refused_with_the_reason() {
    let folder = tempdir().unwrap();
    let provider = Provider::start(quick());
    let other_name = self_signed("elsewhere.example", |_| {});
    let expired = self_signed("localhost", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    for ((certificate, key), reason) in [(other_name, "not valid for name"), (expired, "expired")] {
        let port = speak_tls(provider.mock.addr(), &certificate, &key);
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        let ended = measure(folder.path(), port, &["--ca-cert", "ca.pem"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    }
    assert_eq!(provider.requests(), 0);
}

//! TLS at both ends: what is trusted, what is refused, and what is said about it.

#![cfg(feature = "tls")]

mod support;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;
use support::certificates::{Authority, Identity};
use support::{dialer, echo, exchange, in_environment, listen};
use tidewire::dial::{DialError, DialInfo, Phase, Stream};
use tidewire::tls::{CertificateProblem, Pem, TlsError, TlsOptions, accept, server_config};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;

/// Dials `host` at a server with `config`; the server echoes, or gives its error back.
async fn dial(
    host: &str,
    config: Arc<ServerConfig>,
    options: TlsOptions,
) -> (Result<(Stream, DialInfo), DialError>, JoinHandle<Result<(), TlsError>>) {
    let (listener, address) = listen("127.0.0.1").await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        echo(&mut accept(config, stream).await?).await;
        Ok(())
    });
    let known = move |_, _| std::future::ready(Ok(vec![address]));
    let dialer = dialer().resolver(known).tls(options);
    (dialer.dial(host, address.port(), true).await, server)
}

type IsIt = fn(&CertificateProblem) -> bool;

fn problem(error: &DialError) -> &CertificateProblem {
    match error {
        DialError::Tls(TlsError::Certificate { problem, .. }) => problem,
        other => panic!("not about the certificate: {other:?}"),
    }
}

/// edge 10: the certificate of an address is checked against the address.
#[tokio::test]
async fn names_and_addresses() {
    let authority = Authority::new("ours");
    for host in ["name.test", "127.0.0.1"] {
        let (dialled, server) = dial(host, authority.issue(&[host]).server(), authority.options()).await;
        let (stream, info) = dialled.unwrap();
        let agreed = info.tls_info.unwrap();
        assert_eq!((&agreed.version[..], agreed.alpn.as_deref()), ("TLSv1.3", Some("http/1.1")));
        assert!(agreed.cipher_suite.contains("TLS13_"), "{}", agreed.cipher_suite);
        assert!(stream.is_tls() && stream.tcp().unwrap().nodelay().unwrap());
        exchange(stream).await;
        server.await.unwrap().unwrap();
    }
}

/// edge 10: no brackets reach the check of the certificate.
#[tokio::test]
async fn an_ipv6_address_without_its_brackets() {
    let authority = Authority::new("ours");
    let config = authority.issue(&["::1"]).server();
    let (listener, address) = listen("::1").await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        echo(&mut accept(config, stream).await.unwrap()).await;
    });
    let (stream, _) = dialer().tls(authority.options()).dial("[::1]", address.port(), true).await.unwrap();
    exchange(stream).await;
    server.await.unwrap();
}

#[tokio::test]
async fn certificates_that_do_not_hold_are_told_apart() {
    let authority = Authority::new("ours");
    let host = "name.test";
    let expired = authority.issue_with(&[host], |params| params.not_after = rcgen::date_time_ymd(2001, 1, 1));
    let future = authority.issue_with(&[host], |params| params.not_before = rcgen::date_time_ymd(4000, 1, 1));
    let other = authority.issue(&["other.test", "*.name.test"]);
    let stranger = Authority::new("a stranger").issue(&[host]);
    let namesake = Authority::new("ours").issue(&[host]);
    let own = authority.issue_with(&[host], |params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    let cases: [(Identity, IsIt, &str); 6] = [
        (expired, |is| matches!(is, CertificateProblem::Expired(Some(9000..))), "days ago"),
        (future, |is| *is == CertificateProblem::NotYetValid, "clock"),
        (other, |is| matches!(is, CertificateProblem::WrongName(names) if names.len() == 2), "*.name.test"),
        (stranger, |is| *is == CertificateProblem::UnknownIssuer, "add its CA certificate"),
        (namesake, |is| *is == CertificateProblem::BadSignature, "of the same name"),
        (own, |is| *is == CertificateProblem::Authority, "CA:FALSE"),
    ];
    for (identity, is_it, says) in cases {
        let (dialled, server) = dial(host, identity.server(), authority.options()).await;
        let error = dialled.unwrap_err();
        assert!(is_it(problem(&error)), "{error:?}");
        assert_eq!(error.phase(), Phase::Tls);
        let text = error.to_string();
        assert!(text.contains(says) && text.contains(host), "{text}");
        assert!(matches!(server.await.unwrap(), Err(TlsError::Alert { .. })));
        let (dialled, server) = dial(host, identity.server(), TlsOptions::new().insecure(true)).await;
        exchange(dialled.unwrap().0).await;
        server.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_server_without_tls_and_a_client_without_tls() {
    let (listener, address) = listen("127.0.0.1").await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.ok();
    });
    let insecure = dialer().tls(TlsOptions::new().insecure(true));
    let error = insecure.dial("127.0.0.1", address.port(), true).await.unwrap_err();
    assert!(error.to_string().contains("does not speak TLS on this port"), "{error}");
    server.await.unwrap();

    let config = Authority::new("ours").issue(&["x"]).server();
    let (listener, address) = listen("127.0.0.1").await;
    let server = tokio::spawn(async move { accept(config, listener.accept().await.unwrap().0).await });
    let (mut plain, _) = dialer().dial("127.0.0.1", address.port(), false).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let error = server.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("the client does not speak TLS"), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_up_or_says_nothing() {
    let (listener, address) = listen("127.0.0.1").await;
    let server = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        let mut hello = [0; 5];
        first.read_exact(&mut hello).await.unwrap();
        first.shutdown().await.unwrap();
        let mut rest = Vec::new();
        first.read_to_end(&mut rest).await.unwrap();
        listener.accept().await.unwrap()
    });
    let insecure = dialer().tls(TlsOptions::new().insecure(true));
    let error = insecure.dial("127.0.0.1", address.port(), true).await.unwrap_err();
    assert!(matches!(&error, DialError::Tls(TlsError::Closed(_))), "{error:?}");
    let hasty = insecure.timeout(std::time::Duration::from_millis(100));
    let error = hasty.dial("127.0.0.1", address.port(), true).await.unwrap_err();
    assert!(error.is_timeout() && error.phase() == Phase::Tls, "{error:?}");
    server.await.unwrap();
}

/// edge 42: an end of TCP without `close_notify` is an end, at both ends.
#[tokio::test]
async fn a_missing_close_notify_is_a_plain_end() {
    let authority = Authority::new("ours");
    for client_leaves in [true, false] {
        let config = authority.issue(&["127.0.0.1"]).server();
        let (listener, address) = listen("127.0.0.1").await;
        let server =
            tokio::spawn(async move { accept(config, listener.accept().await.unwrap().0).await.unwrap() });
        let dialer = dialer().tls(authority.options());
        let (client, _) = dialer.dial("127.0.0.1", address.port(), true).await.unwrap();
        let server = server.await.unwrap();
        let (mut leaves, mut stays) = if client_leaves { (client, server) } else { (server, client) };
        leaves.write_all(b"bye").await.unwrap();
        leaves.flush().await.unwrap();
        let mut bytes = [0; 3];
        stays.read_exact(&mut bytes).await.unwrap();
        // With all read on the side that leaves, the kernel ends the connection in order, without a reset.
        stays.write_all(b"ok").await.unwrap();
        stays.flush().await.unwrap();
        leaves.read_exact(&mut bytes[..2]).await.unwrap();
        drop(leaves);
        let mut rest = Vec::new();
        stays.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"");
        assert_eq!(stays.read(&mut bytes).await.unwrap(), 0);
    }
}

/// A server that lets only clients of `authority` in.
fn asks_for_certificates(authority: &Authority, identity: &Identity) -> Arc<ServerConfig> {
    let mut roots = RootCertStore::empty();
    let Pem::Text(text) = authority.pem() else { unreachable!() };
    roots.add(CertificateDer::from_pem_slice(&text).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap()],
            rustls::pki_types::PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap(),
        )
        .unwrap();
    Arc::new(config)
}

#[tokio::test]
async fn client_certificates() {
    let authority = Authority::new("ours");
    let config = asks_for_certificates(&authority, &authority.issue(&["name.test"]));
    let mine = authority.issue(&["me"]);
    // Both in one file, the key first.
    let both = Pem::text([mine.key, mine.chain].concat());
    let options = authority.options().client_certificate(both.clone(), both);
    let (dialled, server) = dial("name.test", Arc::clone(&config), options).await;
    exchange(dialled.unwrap().0).await;
    server.await.unwrap().unwrap();

    // With TLS 1.3 the client's handshake is over before the server judges it: the first read tells.
    let (dialled, server) = dial("name.test", config, authority.options()).await;
    let mut stream = dialled.unwrap().0;
    let error = stream.read(&mut [0; 1]).await.unwrap_err();
    assert!(error.to_string().contains("wants a client certificate"), "{error}");
    assert!(server.await.unwrap().is_err());
}

/// TLS 1.2, and more data than any buffer holds, in vectored writes.
#[tokio::test]
async fn the_older_version_and_a_long_transfer() {
    let authority = Authority::new("ours");
    let identity = authority.issue(&["name.test"]);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap()],
            rustls::pki_types::PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap(),
        )
        .unwrap();
    let (dialled, server) = dial("name.test", Arc::new(config), authority.options()).await;
    let (stream, info) = dialled.unwrap();
    assert_eq!(info.tls_info.unwrap().version, "TLSv1.2");
    assert!(stream.is_write_vectored());
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sent: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
    let write = async {
        let mut rest = &sent[..];
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(rest.len().min(7));
            let slices = [IoSlice::new(head), IoSlice::new(tail)];
            let count = writer.write_vectored(&slices).await.unwrap();
            rest = &rest[count..];
        }
        writer.shutdown().await.unwrap();
    };
    let mut got = Vec::new();
    let (result, ()) = tokio::join!(reader.read_to_end(&mut got), write);
    result.unwrap();
    assert!(got == sent, "{} of {} bytes came back as they were", got.len(), sent.len());
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_configuration_of_the_callers_own() {
    let authority = Authority::new("ours");
    let mut config = (*authority.options().build().unwrap()).clone();
    config.alpn_protocols.clear();
    let theirs = authority.issue(&["127.0.0.1"]).server();
    let (listener, address) = listen("127.0.0.1").await;
    let server = tokio::spawn(async move {
        echo(&mut accept(theirs, listener.accept().await.unwrap().0).await.unwrap()).await;
    });
    let dialer = dialer().tls_config(Arc::new(config));
    let (stream, info) = dialer.dial("127.0.0.1", address.port(), true).await.unwrap();
    assert_eq!(info.tls_info.unwrap().alpn, None);
    exchange(stream).await;
    server.await.unwrap();
}

fn data(name: &str) -> Pem {
    Pem::from(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name))
}

/// Keys in the forms that openssl writes: PKCS#1, and SEC1 behind its parameters.
#[tokio::test]
async fn keys_in_their_older_forms() {
    for (chain, key) in [("rsa.crt", "rsa-pkcs1.key"), ("ec.crt", "ec-sec1.key")] {
        let config = server_config(data(chain), data(key)).unwrap();
        let (dialled, server) = dial("localhost", config, TlsOptions::new().insecure(true)).await;
        exchange(dialled.unwrap().0).await;
        server.await.unwrap().unwrap();
    }
}

#[test]
fn files_that_can_not_serve_are_named_with_what_to_do() {
    for (chain, key, file, says) in [
        ("none.crt", "rsa-pkcs1.key", "none.crt", "does not exist"),
        ("rsa.crt", "none.key", "none.key", "does not exist"),
        (".", "rsa-pkcs1.key", "data", "can't be read"),
        ("README.md", "rsa-pkcs1.key", "README.md", "no certificate in it"),
        ("rsa.crt", "README.md", "README.md", "no private key in it"),
        ("rsa-pkcs1.key", "rsa.crt", "rsa-pkcs1.key", "swapped"),
        ("rsa-pkcs8-encrypted.key", "rsa.crt", "rsa-pkcs8-encrypted.key", "swapped"),
        ("rsa.crt", "rsa.crt", "rsa.crt", "swapped"),
        ("rsa.crt", "rsa-pkcs1-encrypted.key", "rsa-pkcs1-encrypted.key", "is encrypted"),
        ("rsa.crt", "rsa-pkcs8-encrypted.key", "rsa-pkcs8-encrypted.key", "is encrypted"),
        ("rsa.crt", "ec-sec1.key", "ec-sec1.key", "belongs to another certificate"),
        ("rsa.der", "rsa-pkcs1.key", "rsa.der", "binary"),
    ] {
        let error = server_config(data(chain), data(key)).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains(says), "{chain}, {key}: {error}");
    }
}

#[test]
fn damaged_pem_is_told_and_no_key_is_shown() {
    let Identity { chain, key } = Authority::new("ours").issue(&["x"]);
    let cut = &chain[..chain.len() - 30];
    let error = server_config(Pem::text(cut), Pem::text(key.clone())).unwrap_err().to_string();
    assert!(error.contains("damaged PEM"), "{error}");
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let error = server_config(Pem::text(nonsense), Pem::text(key.clone())).unwrap_err().to_string();
    assert!(error.contains("the certificate can't be used"), "{error}");
    let nonsense = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let error = server_config(Pem::text(chain), Pem::text(nonsense)).unwrap_err().to_string();
    assert!(error.contains("the private key can't be used"), "{error}");
    assert!(!format!("{:?}", Pem::text(key.clone())).contains(&key[40..60]));
}

#[test]
fn without_an_authority_there_is_no_client() {
    let error = TlsOptions::new().system_roots(false).build().unwrap_err();
    assert!(matches!(&error, TlsError::NoAuthorities { system: false, .. }), "{error:?}");
    assert!(TlsOptions::new().system_roots(false).insecure(true).build().is_ok());
}

#[test]
fn a_system_without_authorities_is_told_what_to_install() {
    let nowhere = [("SSL_CERT_FILE", "/no/such/file"), ("SSL_CERT_DIR", "/no/such/folder")];
    if in_environment("a_system_without_authorities_is_told_what_to_install", &nowhere) {
        let error = TlsOptions::new().build().unwrap_err().to_string();
        for part in ["ca-certificates", "SSL_CERT_FILE", "/no/such/file"] {
            assert!(error.contains(part), "{error}");
        }
    }
}

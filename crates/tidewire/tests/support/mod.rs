//! What several tests of dialling need: listeners, an echo, certificates.

#![allow(dead_code, reason = "every test file uses a part of it")]

pub(crate) mod raw;

use std::net::SocketAddr;
use std::time::Duration;
use tidewire::dial::{Dialer, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A dialer that the environment of the test does not touch.
pub(crate) fn dialer() -> Dialer {
    Dialer::new().no_proxy().timeout(Duration::from_secs(20))
}

/// A listener on a free port of a loopback address.
pub(crate) async fn listen(ip: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A port of a loopback address on which nobody listens.
pub(crate) async fn closed_port(ip: &str) -> SocketAddr {
    listen(ip).await.1
}

/// Runs the test `name` of this file again, alone in a process with these environment variables. True in that
/// process, where the test does its work; false in the first one, when the other has passed.
pub(crate) fn in_environment(name: &str, variables: &[(&str, &str)]) -> bool {
    const MARK: &str = "TIDEWIRE_TEST_IN_ENVIRONMENT";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", name]).env(MARK, "1").envs(variables.iter().copied());
    let output = again.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

/// Gives back what comes, until the peer ends.
pub(crate) async fn echo(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let mut buffer = [0; 1024];
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        if count == 0 {
            break;
        }
        stream.write_all(&buffer[..count]).await.unwrap();
        stream.flush().await.unwrap();
    }
    stream.shutdown().await.unwrap();
}

/// An echo server for one connection.
pub(crate) async fn echo_server(ip: &str) -> (SocketAddr, JoinHandle<()>) {
    let (listener, address) = listen(ip).await;
    (address, tokio::spawn(async move { echo(&mut listener.accept().await.unwrap().0).await }))
}

/// Sends, and expects to get the same back, then ends.
pub(crate) async fn exchange(mut stream: Stream) {
    stream.write_all(b"ping").await.unwrap();
    stream.flush().await.unwrap();
    let mut got = [0; 4];
    stream.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"ping");
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut got).await.unwrap(), 0);
}

/// Reads up to the empty line that ends a head.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[cfg(feature = "tls")]
pub(crate) mod certificates {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    use rustls::ServerConfig;
    use std::sync::Arc;
    use tidewire::tls::{Pem, TlsOptions, server_config};

    /// An authority of the test's own.
    pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

    /// A certificate and its key, as PEM.
    pub(crate) struct Identity {
        pub(crate) chain: String,
        pub(crate) key: String,
    }

    impl Authority {
        pub(crate) fn new(name: &str) -> Self {
            let mut params = CertificateParams::new([]).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
        }

        pub(crate) fn pem(&self) -> Pem {
            Pem::text(self.0.pem())
        }

        /// A certificate for these names and addresses.
        pub(crate) fn issue(&self, names: &[&str]) -> Identity {
            self.issue_with(names, |_| {})
        }

        pub(crate) fn issue_with(
            &self,
            names: &[&str],
            change: impl FnOnce(&mut CertificateParams),
        ) -> Identity {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(names).unwrap();
            change(&mut params);
            let key = KeyPair::generate().unwrap();
            Identity { chain: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
        }

        /// Options that trust this authority and no other.
        pub(crate) fn options(&self) -> TlsOptions {
            TlsOptions::new().system_roots(false).authority(self.pem())
        }
    }

    impl Identity {
        pub(crate) fn server(&self) -> Arc<ServerConfig> {
            server_config(Pem::text(self.chain.clone()), Pem::text(self.key.clone())).unwrap()
        }
    }
}

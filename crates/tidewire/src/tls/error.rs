//! What goes wrong with TLS, who has to mend it, and how.

use rustls::{AlertDescription, CertificateError, InvalidMessage};
use std::path::PathBuf;
use std::{fmt, io};

/// Why a configuration could not be made, or a handshake failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// PEM text that does not hold what it should.
    Pem {
        /// The file, or a word for text in memory.
        source: String,
        /// What is the matter with it.
        problem: PemProblem,
    },
    /// The private key belongs to another certificate.
    KeyMismatch {
        /// Where the certificate came from.
        certificate: String,
        /// Where the key came from.
        key: String,
    },
    /// There is no authority to trust.
    NoAuthorities {
        /// Whether those of the system were asked for.
        system: bool,
        /// What could not be read.
        errors: Vec<String>,
    },
    /// rustls does not take the configuration.
    Config(rustls::Error),
    /// The host can't stand in a certificate.
    ServerName {
        /// The host.
        host: String,
    },
    /// The certificate of the peer does not hold.
    Certificate {
        /// Whose it is.
        peer: TlsPeer,
        /// Why it does not hold.
        problem: CertificateProblem,
    },
    /// The peer answered with something that is not TLS.
    NotTls(TlsPeer),
    /// The peer ended the handshake, and says why.
    Alert {
        /// Who.
        peer: TlsPeer,
        /// Why (RFC 8446 §6.2).
        alert: AlertDescription,
    },
    /// The peer closed the connection during the handshake.
    Closed(TlsPeer),
    /// Another failure of the handshake.
    Handshake {
        /// With whom.
        peer: TlsPeer,
        /// What rustls says.
        error: rustls::Error,
    },
    /// The connection broke during the handshake.
    Io {
        /// With whom.
        peer: TlsPeer,
        /// What the system says.
        error: io::Error,
    },
}

/// The other end of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsPeer {
    /// A server, with the name it was called by; the name is empty where it is not known.
    Server(String),
    /// A client.
    Client,
}

/// What is the matter with PEM text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PemProblem {
    /// There is no certificate in it.
    NoCertificate,
    /// There is no private key in it.
    NoKey,
    /// There is a private key where a certificate should be.
    KeyForCertificate,
    /// There is a certificate where a private key should be.
    CertificateForKey,
    /// The private key is encrypted.
    EncryptedKey,
    /// It is no text: DER or PKCS#12.
    Binary,
    /// It is damaged.
    Syntax(String),
    /// The certificate is not taken.
    Certificate(String),
    /// The private key is not taken.
    Key(String),
}

/// Why a certificate does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// Its time is over; for how many days, where known.
    Expired(Option<u64>),
    /// Its time has not come.
    NotYetValid,
    /// Nobody who is trusted has signed it.
    UnknownIssuer,
    /// It names a trusted issuer, whose key did not sign it.
    BadSignature,
    /// It belongs to other names; they are listed where known.
    WrongName(Vec<String>),
    /// It is an authority's own certificate.
    Authority,
    /// It was revoked.
    Revoked,
    /// Another defect.
    Other(String),
}

impl TlsError {
    /// What a failed handshake, or an alert after it, means.
    pub(super) fn from_handshake(error: io::Error, peer: &TlsPeer) -> Self {
        let peer = peer.clone();
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Closed(peer);
        }
        match error.downcast::<rustls::Error>() {
            Ok(rustls::Error::InvalidCertificate(error)) => Self::Certificate { peer, problem: error.into() },
            Ok(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => Self::NotTls(peer),
            Ok(rustls::Error::AlertReceived(alert)) => Self::Alert { peer, alert },
            Ok(error) => Self::Handshake { peer, error },
            Err(error) => Self::Io { peer, error },
        }
    }
}

impl From<CertificateError> for CertificateProblem {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::Expired => Self::Expired(None),
            CertificateError::ExpiredContext { time, not_after } => {
                Self::Expired(Some(time.as_secs().saturating_sub(not_after.as_secs()) / 86_400))
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::BadSignature => Self::BadSignature,
            CertificateError::NotValidForName => Self::WrongName(Vec::new()),
            CertificateError::NotValidForNameContext { presented, .. } => Self::WrongName(presented),
            CertificateError::Revoked => Self::Revoked,
            // The type behind `Other` is webpki's; its name is all that can be seen of it here.
            CertificateError::Other(error) if format!("{error:?}").contains("CaUsedAsEndEntity") => {
                Self::Authority
            }
            error => Self::Other(error.to_string()),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, error } => {
                let path = path.display();
                match error.kind() {
                    io::ErrorKind::NotFound => write!(f, "{path} does not exist: check the path"),
                    io::ErrorKind::PermissionDenied => {
                        write!(f, "{path} may not be read: check its permissions, and those of its folders")
                    }
                    _ => write!(f, "{path} can't be read: {error}"),
                }
            }
            Self::Pem { source, problem } => write!(f, "{source}: {problem}"),
            Self::KeyMismatch { certificate, key } => write!(
                f,
                "the private key in {key} belongs to another certificate than the first one in {certificate}"
            ),
            Self::NoAuthorities { system: false, .. } => {
                f.write_str("no authority is trusted: add a CA certificate, or trust those of the system")
            }
            Self::NoAuthorities { errors, .. } => {
                f.write_str(
                    "the system has no CA certificates: install its package (ca-certificates), set SSL_CERT_FILE, \
                     or add a CA certificate",
                )?;
                errors.iter().try_for_each(|error| write!(f, "; {error}"))
            }
            Self::Config(error) => write!(f, "the TLS configuration is not taken: {error}"),
            Self::ServerName { host } => {
                write!(f, "{host:?} can't stand in a certificate: use a DNS name in ASCII, or an address")
            }
            Self::Certificate { peer, problem } => write!(f, "the certificate of {peer} {problem}"),
            Self::NotTls(TlsPeer::Client) => {
                f.write_str("the client does not speak TLS: it may have used ws:// or http:// on a TLS port")
            }
            Self::NotTls(peer) => {
                write!(f, "{peer} does not speak TLS on this port: use the URL without TLS, or another port")
            }
            Self::Alert { peer, alert } => write!(f, "{peer} ended the TLS session: {}", Alert(*alert, peer)),
            Self::Closed(peer) => write!(f, "{peer} closed the connection during the TLS handshake"),
            Self::Handshake { peer, error } => write!(f, "the TLS handshake with {peer} failed: {error}"),
            Self::Io { peer, error } => write!(f, "the TLS handshake with {peer} broke off: {error}"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { error, .. } | Self::Io { error, .. } => Some(error),
            Self::Config(error) | Self::Handshake { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// An alert, as its sender means it.
struct Alert<'a>(AlertDescription, &'a TlsPeer);

impl fmt::Display for Alert<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(alert, peer) = self;
        match (alert, peer) {
            (AlertDescription::CertificateRequired, _) => f.write_str("it wants a client certificate"),
            (AlertDescription::UnknownCA, TlsPeer::Client) => {
                f.write_str("it does not trust the authority that signed our certificate")
            }
            (
                AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied,
                _,
            ) => write!(f, "it refuses our certificate ({alert:?})"),
            (AlertDescription::UnrecognisedName, _) => f.write_str("it does not serve this host name"),
            (AlertDescription::NoApplicationProtocol, _) => {
                f.write_str("it does not offer HTTP/1.1 on this port (ALPN)")
            }
            (AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure, _) => {
                write!(f, "it speaks no TLS version or cipher of ours: TLS 1.2 and 1.3 ({alert:?})")
            }
            _ => write!(f, "alert {alert:?}"),
        }
    }
}

impl fmt::Display for TlsPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(name) if name.is_empty() => f.write_str("the server"),
            Self::Server(name) => f.write_str(name),
            Self::Client => f.write_str("the client"),
        }
    }
}

impl fmt::Display for PemProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str("no certificate in it (-----BEGIN CERTIFICATE-----)"),
            Self::NoKey => f.write_str("no private key in it (-----BEGIN PRIVATE KEY-----)"),
            Self::KeyForCertificate => {
                f.write_str("a private key and no certificate in it: are certificate and key swapped?")
            }
            Self::CertificateForKey => {
                f.write_str("a certificate and no private key in it: are certificate and key swapped?")
            }
            Self::EncryptedKey => {
                f.write_str("the private key is encrypted: decrypt it first (openssl pkey -in OLD -out NEW)")
            }
            Self::Binary => f.write_str(
                "binary (DER or PKCS#12), PEM is wanted: convert it (openssl x509, pkey or pkcs12 -nodes)",
            ),
            Self::Syntax(error) => write!(f, "damaged PEM: {error}"),
            Self::Certificate(error) => write!(f, "the certificate can't be used: {error}"),
            Self::Key(error) => write!(f, "the private key can't be used: {error}"),
        }
    }
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(Some(days)) if *days > 0 => {
                write!(f, "expired {days} days ago: it must be renewed")
            }
            Self::Expired(_) => f.write_str("has expired: it must be renewed"),
            Self::NotYetValid => f.write_str("is not valid yet: is the clock of this machine right?"),
            Self::UnknownIssuer => f.write_str(
                "is signed by nobody who is trusted here (it is self-signed, its CA is private, or the server does \
                 not send the certificates between): if you trust it, add its CA certificate",
            ),
            Self::BadSignature => f.write_str(
                "is not signed by the key of its issuer: the CA that is trusted here may be an older or newer one \
                 of the same name",
            ),
            Self::WrongName(names) => {
                f.write_str("is not for this host")?;
                if !names.is_empty() {
                    write!(f, ", but for {}", names.join(", "))?;
                }
                f.write_str(": use the name it is for, or get one for this host")
            }
            Self::Authority => f.write_str(
                "is a CA's own and can't serve a host: make one that is no CA (basicConstraints = CA:FALSE)",
            ),
            Self::Revoked => f.write_str("was revoked: a new one is needed"),
            Self::Other(error) => write!(f, "does not hold: {error}"),
        }
    }
}

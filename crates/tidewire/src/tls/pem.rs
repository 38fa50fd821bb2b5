//! Certificates and private keys out of PEM text (RFC 7468).

use super::error::{PemProblem, TlsError};
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where PEM text comes from. A path turns into one by itself.
#[derive(Clone)]
#[non_exhaustive]
pub enum Pem {
    /// A file; read when a configuration is built.
    File(PathBuf),
    /// The text itself.
    Text(Vec<u8>),
}

impl Pem {
    /// PEM text that is already in memory.
    pub fn text(text: impl Into<Vec<u8>>) -> Self {
        Self::Text(text.into())
    }

    /// The certificates in it: at least one, in their order.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let text = self.read()?;
        let mut certificates = Vec::new();
        let mut has_key = false;
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&text) {
            match section.map_err(|error| self.problem(PemProblem::Syntax(error.to_string())))? {
                (SectionKind::Certificate, der) => certificates.push(der.into()),
                (SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey, _) => {
                    has_key = true;
                }
                _ => {}
            }
        }
        if !certificates.is_empty() {
            return Ok(certificates);
        }
        Err(self.problem(if has_key || is_encrypted(&text) {
            PemProblem::KeyForCertificate
        } else if is_binary(&text) {
            PemProblem::Binary
        } else {
            PemProblem::NoCertificate
        }))
    }

    /// The first private key in it: PKCS#8, PKCS#1 (RSA) or SEC1 (EC).
    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let text = self.read()?;
        if is_encrypted(&text) {
            return Err(self.problem(PemProblem::EncryptedKey));
        }
        let mut has_certificate = false;
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&text) {
            let (kind, der) = section.map_err(|error| self.problem(PemProblem::Syntax(error.to_string())))?;
            has_certificate |= kind == SectionKind::Certificate;
            if let Some(key) = PrivateKeyDer::from_pem(kind, der) {
                return Ok(key);
            }
        }
        Err(self.problem(if has_certificate {
            PemProblem::CertificateForKey
        } else if is_binary(&text) {
            PemProblem::Binary
        } else {
            PemProblem::NoKey
        }))
    }

    pub(super) fn problem(&self, problem: PemProblem) -> TlsError {
        TlsError::Pem { source: self.to_string(), problem }
    }

    fn read(&self) -> Result<Cow<'_, [u8]>, TlsError> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::File(path) => std::fs::read(path)
                .map(Cow::Owned)
                .map_err(|error| TlsError::Read { path: path.clone(), error }),
        }
    }
}

fn is_encrypted(text: &[u8]) -> bool {
    // PKCS#8 (RFC 7468 §11), and OpenSSL's older way (RFC 1421 §4.6.1.1).
    let marks: [&[u8]; 2] = [b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED"];
    marks.iter().any(|mark| text.windows(mark.len()).any(|window| window == *mark))
}

/// Whether it looks like DER: a SEQUENCE with its length in two bytes.
fn is_binary(text: &[u8]) -> bool {
    text.starts_with(&[0x30, 0x82])
}

impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Text(_) => f.write_str("the given PEM text"),
        }
    }
}

impl fmt::Debug for Pem {
    /// Without the text: it may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
        }
    }
}

impl From<PathBuf> for Pem {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&Path> for Pem {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&str> for Pem {
    fn from(path: &str) -> Self {
        Self::File(path.into())
    }
}

impl From<String> for Pem {
    fn from(path: String) -> Self {
        Self::File(path.into())
    }
}

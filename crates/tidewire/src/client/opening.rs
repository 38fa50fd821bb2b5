//! The opening handshake on a stream (RFC 6455 §4.1).

use super::{
    Client, ConnectError, Handshake, Rejected, Step,
    response::{self, Reader},
};
use crate::dial::{DialInfo, Stream};
use tidewire_proto::handshake::{ClientHandshake, HandshakeError, WsUrl};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout_at},
};

/// A stream whose handshake is done.
pub(super) struct Open<IO> {
    pub(super) io: IO,
    /// Frames that came behind the head.
    pub(super) early: Vec<u8>,
    pub(super) handshake: Box<Handshake>,
}

impl Client {
    /// Connects to the server of `url`, which came of `first` by redirects.
    pub(super) async fn dial(&self, first: &WsUrl, url: &WsUrl) -> Result<(Stream, DialInfo), ConnectError> {
        let target = self.target_for(first, url)?;
        Ok(self.dialer.dial_target(&target, url.is_secure().then(|| url.host())).await?)
    }

    /// Asks for a WebSocket on `io`, and judges the answer.
    pub(super) async fn upgrade<IO>(
        &self,
        mut io: IO,
        url: &WsUrl,
        asking: &ClientHandshake,
    ) -> Result<Open<IO>, ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let begin = Instant::now();
        let limit = self.handshake_timeout;
        // A time too long to be added to the clock never comes.
        let deadline =
            begin.checked_add(limit).unwrap_or_else(|| begin + std::time::Duration::from_secs(1 << 30));
        let request = asking.request(url);
        let late = |during| ConnectError::Timeout { during, limit };
        let sending = async {
            io.write_all(&request).await?;
            io.flush().await
        };
        // Where the server takes no more, it may have said why before.
        let sent = timeout_at(deadline, sending).await.map_err(|_| late(Step::Request))?;
        let mut reader = Reader::new(self.head_limits);
        let head = match timeout_at(deadline, reader.head(&mut io)).await {
            Err(_) => return Err(late(if reader.is_empty() { Step::Response } else { Step::Head })),
            Ok(Err(response::Failure::Io(error))) => {
                return Err(ConnectError::Broken(sent.err().unwrap_or(error)));
            }
            Ok(Err(response::Failure::Ended)) => {
                return Err(sent.err().map_or_else(|| reader.ended(), ConnectError::Broken));
            }
            Ok(Err(response::Failure::Head(error))) => {
                let (received, _) = reader.into_parts();
                return Err(Rejected::new(url, error.into(), None, received, 0).into());
            }
            Ok(Ok(head)) => head,
        };
        let upgrade = begin.elapsed();
        let agreed = match asking.check_response(&head) {
            Ok(agreed) => agreed,
            Err(error) => {
                if matches!(error, HandshakeError::Status { .. }) {
                    reader.body(&mut io, &head, deadline).await;
                }
                let (received, end) = reader.into_parts();
                return Err(Rejected::new(url, error, Some(head), received, end).into());
            }
        };
        let (mut early, end) = reader.into_parts();
        early.drain(..end);
        early.shrink_to_fit();
        let handshake = Handshake {
            url: url.clone(),
            hops: Vec::new(),
            request,
            response: head,
            agreed,
            dial: None,
            upgrade,
            total: upgrade,
        };
        Ok(Open { io, early, handshake: Box::new(handshake) })
    }
}

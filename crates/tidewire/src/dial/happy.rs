//! One connection out of many addresses (RFC 8305, Happy Eyeballs version 2).

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, sleep_until};

/// The Connection Attempt Delay (RFC 8305 §5).
pub(crate) const STAGGER: Duration = Duration::from_millis(250);

/// An address that was tried in vain.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The address.
    pub address: SocketAddr,
    /// Why it did not connect; [`io::ErrorKind::TimedOut`] where no answer came in time.
    pub error: io::Error,
}

/// Every address failed, or the time was up.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) timed_out: bool,
}

/// The addresses in the order in which to try them: the families take turns, the family that the resolver put
/// first (RFC 6724) begins (RFC 8305 §4).
pub(crate) fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<SocketAddr>, Vec<SocketAddr>) =
        addresses.iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = Vec::with_capacity(addresses.len());
    loop {
        let turn = [first.next(), second.next()];
        if turn == [None, None] {
            return order;
        }
        for address in turn.into_iter().flatten() {
            if !order.contains(&address) {
                order.push(address);
            }
        }
    }
}

/// Connects to the first address that answers; the attempts that lose are cancelled.
pub(crate) async fn connect(
    addresses: &[SocketAddr],
    local: Option<IpAddr>,
    deadline: Option<Instant>,
) -> Result<TcpStream, Failed> {
    race(&interleave(addresses), STAGGER, deadline, |address| connect_one(address, local)).await
}

async fn connect_one(address: SocketAddr, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    let stream = socket.connect(address).await?;
    // Frames leave corked, in one write: Nagle's algorithm could only hold the last segment back.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Starts an attempt every `stagger`, or at once where one has failed; the first to succeed wins.
async fn race<T, F>(
    addresses: &[SocketAddr],
    stagger: Duration,
    deadline: Option<Instant>,
    mut connect: impl FnMut(SocketAddr) -> F,
) -> Result<T, Failed>
where
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = addresses.iter().copied();
    let mut running: Vec<(SocketAddr, Pin<Box<F>>)> = Vec::new();
    let mut attempts = Vec::new();
    let mut next_start = pin!(sleep(Duration::ZERO));
    let mut time_is_up = pin!(deadline.map(sleep_until));
    poll_fn(|cx| {
        let mut start = running.is_empty();
        loop {
            let mut index = 0;
            while let Some((address, attempt)) = running.get_mut(index) {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(connected)) => return Poll::Ready(Ok(connected)),
                    Poll::Ready(Err(error)) => {
                        attempts.push(Attempt { address: *address, error });
                        running.remove(index);
                        start = true;
                    }
                    Poll::Pending => index += 1,
                }
            }
            start |= next_start.as_mut().poll(cx).is_ready();
            if start && let Some(address) = waiting.next() {
                running.push((address, Box::pin(connect(address))));
                next_start.as_mut().reset(Instant::now() + stagger);
                start = false;
                continue;
            }
            if running.is_empty() {
                return Poll::Ready(Err(Failed {
                    attempts: std::mem::take(&mut attempts),
                    timed_out: false,
                }));
            }
            break;
        }
        if let Some(time_is_up) = time_is_up.as_mut().as_pin_mut()
            && time_is_up.poll(cx).is_ready()
        {
            let no_answer = |(address, _)| Attempt { address, error: io::ErrorKind::TimedOut.into() };
            attempts.extend(running.drain(..).map(no_answer));
            return Poll::Ready(Err(Failed { attempts: std::mem::take(&mut attempts), timed_out: true }));
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn addresses(text: &[&str]) -> Vec<SocketAddr> {
        text.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_no_address_is_tried_twice() {
        let from = ["[::1]:1", "[::2]:1", "[::1]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"];
        let to = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"];
        assert_eq!(interleave(&addresses(&from)), addresses(&to));
        let from = ["1.1.1.1:1", "[::1]:1"];
        assert_eq!(interleave(&addresses(&from)), addresses(&from));
        assert_eq!(interleave(&[]), []);
    }

    /// What an address does in the virtual network: answer or refuse after some milliseconds.
    async fn behave(address: SocketAddr) -> io::Result<u16> {
        let port = address.port();
        sleep(Duration::from_millis(u64::from(port % 10_000))).await;
        if port >= 10_000 { Err(io::ErrorKind::ConnectionRefused.into()) } else { Ok(port) }
    }

    async fn race_ports(
        ports: &[u16],
        deadline: Option<u64>,
    ) -> (Result<u16, Failed>, Vec<(u16, u128)>, u128) {
        let addresses: Vec<_> = ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port))).collect();
        let begin = Instant::now();
        let started = RefCell::new(Vec::new());
        let deadline = deadline.map(|ms| begin + Duration::from_millis(ms));
        let result = race(&addresses, STAGGER, deadline, |address| {
            started.borrow_mut().push((address.port(), begin.elapsed().as_millis()));
            behave(address)
        })
        .await;
        (result, started.into_inner(), begin.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_the_stagger_and_no_more() {
        let (result, started, took) = race_ports(&[9_999, 20, 30], None).await;
        assert_eq!(result.unwrap(), 20);
        assert_eq!(started, [(9_999, 0), (20, 250)]);
        assert_eq!(took, 270);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_starts_the_next_attempt_at_once() {
        let (result, started, _) = race_ports(&[10_005, 10_006, 7], None).await;
        assert_eq!(result.unwrap(), 7);
        assert_eq!(started, [(10_005, 0), (10_006, 5), (7, 11)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_attempt_may_still_win() {
        let (result, started, took) = race_ports(&[300, 400], None).await;
        assert_eq!(result.unwrap(), 300);
        assert_eq!((started.len(), took), (2, 300));
    }

    #[tokio::test(start_paused = true)]
    async fn every_failure_is_told() {
        let (result, ..) = race_ports(&[10_300, 10_001], None).await;
        let failed = result.unwrap_err();
        assert!(!failed.timed_out);
        let ports: Vec<_> = failed.attempts.iter().map(|attempt| attempt.address.port()).collect();
        assert_eq!(ports, [10_001, 10_300]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_ends_it_and_tells_who_was_silent() {
        let (result, _, took) = race_ports(&[9_000, 10_001, 8_000], Some(600)).await;
        let failed = result.unwrap_err();
        assert!(failed.timed_out);
        assert_eq!(took, 600);
        let kinds: Vec<_> =
            failed.attempts.iter().map(|attempt| (attempt.address.port(), attempt.error.kind())).collect();
        let (refused, silent) = (io::ErrorKind::ConnectionRefused, io::ErrorKind::TimedOut);
        assert_eq!(kinds, [(10_001, refused), (9_000, silent), (8_000, silent)]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_address_is_a_failure_without_attempts() {
        let (result, ..) = race_ports(&[], None).await;
        assert!(result.unwrap_err().attempts.is_empty());
    }
}

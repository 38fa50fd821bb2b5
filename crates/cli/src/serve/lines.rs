//! Stdout, written by a thread of its own: who reads the log slowly delays no connection.

use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
    time::Duration,
};

/// Lines that wait to be written at most.
const WAITING: usize = 1024;

/// Takes lines and never waits for their reader.
pub(super) struct Lines {
    /// `None` once no more lines are taken.
    queue: Mutex<Option<SyncSender<String>>>,
    lost: Arc<AtomicU64>,
    /// Ends when the last line is written.
    written: Mutex<Receiver<()>>,
}

/// Writes, in the place of lines that found no room, what `note` makes of their number.
struct Writer<W, N> {
    out: W,
    note: N,
    lost: Arc<AtomicU64>,
}

impl Lines {
    /// Writes to `out`; `note` words a line about lines that were lost.
    pub(super) fn new<W, N>(out: W, note: N) -> io::Result<Self>
    where
        W: Write + Send + 'static,
        N: Fn(u64) -> String + Send + 'static,
    {
        let (queue, lines) = sync_channel(WAITING);
        let (end, written) = channel();
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer { out, note, lost: Arc::clone(&lost) };
        thread::Builder::new().name("log".into()).spawn(move || writer.run(&lines, &end))?;
        Ok(Self { queue: Mutex::new(Some(queue)), lost, written: Mutex::new(written) })
    }

    /// Hands a line over, or counts it as lost.
    pub(super) fn push(&self, line: String) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = &*queue
            && queue.try_send(line).is_err()
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes no more lines, and waits until those that were taken are written, but no longer than `patience`.
    pub(super) fn finish(&self, patience: Duration) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Both the end of the thread and the end of patience end the wait.
        let _ended = self.written.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(patience);
    }
}

impl<W: Write, N: Fn(u64) -> String> Writer<W, N> {
    /// `_end` is dropped with the last line written.
    fn run(mut self, lines: &Receiver<String>, _end: &Sender<()>) {
        while let Ok(line) = lines.recv() {
            self.write(&line);
            // What waits is older than what was lost: it goes first.
            for line in lines.try_iter().take(WAITING) {
                self.write(&line);
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let note = (self.note)(lost);
                self.write(&note);
            }
        }
    }

    /// Where nobody reads any more, serving goes on.
    fn write(&mut self, line: &str) {
        let _gone = self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// Takes a write when the test allows one.
    struct Stalled(Receiver<()>, Sender<String>);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Without a test that allows it, each write is allowed.
            let _ended = self.0.recv();
            let _gone = self.1.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stalled() -> (Lines, Sender<()>, Receiver<String>) {
        let ((allow, allowed), (to, out)) = (channel(), channel());
        let lines = Lines::new(Stalled(allowed, to), |lost| format!("{lost} lost\n")).unwrap();
        (lines, allow, out)
    }

    #[test]
    fn lines_without_room_are_counted_and_told_when_there_is_room() {
        let (lines, allow, out) = stalled();
        let count = WAITING + 100;
        for number in 0..count {
            lines.push(format!("{number}\n"));
        }
        drop(allow);
        lines.finish(Duration::from_secs(20));
        drop(lines);
        let written: Vec<_> = out.iter().collect();
        let kept = written.len() - 1;
        assert!((WAITING..=WAITING + 1).contains(&kept), "{kept}");
        assert_eq!(written[..kept], (0..kept).map(|n| format!("{n}\n")).collect::<Vec<_>>());
        assert_eq!(written[kept], format!("{} lost\n", count - kept));
    }

    #[test]
    fn a_reader_who_does_not_read_is_not_waited_for() {
        let (lines, _allow, out) = stalled();
        lines.push("a\n".into());
        let begun = Instant::now();
        lines.finish(Duration::from_millis(50));
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(out.try_recv().is_err());
    }
}

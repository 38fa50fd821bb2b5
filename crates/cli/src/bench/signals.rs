//! Ctrl-C: the first ends the run with its report, the second ends the program.

use super::worker::Note;
use std::io;
use tokio::sync::mpsc::UnboundedSender;

/// Turns SIGINT and SIGTERM into notes.
pub(crate) fn listen(notes: UnboundedSender<Note>) -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::spawn(async move {
            let mut told = false;
            loop {
                let status = tokio::select! {
                    _ = interrupt.recv() => 130,
                    _ = terminate.recv() => 143,
                };
                if std::mem::replace(&mut told, true) || notes.send(Note::Interrupted).is_err() {
                    std::process::exit(status);
                }
            }
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        let mut told = false;
        while tokio::signal::ctrl_c().await.is_ok() {
            if std::mem::replace(&mut told, true) || notes.send(Note::Interrupted).is_err() {
                std::process::exit(130);
            }
        }
    });
    Ok(())
}

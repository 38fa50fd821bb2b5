//! Worker threads: one runtime each, so that a connection never changes its thread.

use super::task::Life;
use std::{io, thread};
use tokio::{runtime::Builder, sync::mpsc};

/// Threads that run connections, until they are dropped.
pub(crate) struct Workers {
    workers: Vec<Worker>,
    next: usize,
}

struct Worker {
    lives: Option<mpsc::UnboundedSender<Life>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` threads.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let workers = (0..count.max(1)).map(Worker::start).collect::<io::Result<_>>()?;
        Ok(Self { workers, next: 0 })
    }

    /// Runs a connection on the next worker, in turn.
    pub(crate) fn run(&mut self, life: Life) {
        self.next = (self.next + 1) % self.workers.len();
        if let Some(lives) = &self.workers[self.next].lives {
            // A worker whose thread panicked takes no more.
            let _gone = lives.send(life);
        }
    }

    /// Ends all threads, and waits for them.
    pub(crate) async fn join(mut self) {
        let threads: Vec<_> = self.workers.iter_mut().filter_map(Worker::stop).collect();
        // A worker whose thread panicked has nothing left to end.
        let _joined = tokio::task::spawn_blocking(|| {
            threads.into_iter().map(thread::JoinHandle::join).all(|joined| joined.is_ok())
        })
        .await;
    }
}

impl Worker {
    fn start(index: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (sender, mut lives) = mpsc::unbounded_channel();
        let thread = thread::Builder::new().name(format!("tidewire-{index}")).spawn(move || {
            // Spawned here, so that all memory of a connection comes from its thread's part of the heap.
            runtime.block_on(async {
                while let Some(life) = lives.recv().await {
                    tokio::spawn(life);
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { lives: Some(sender), thread: Some(thread) })
    }

    fn stop(&mut self) -> Option<thread::JoinHandle<()>> {
        self.lives.take();
        self.thread.take()
    }
}

//! Worker threads: one runtime each, so that a connection never changes its thread.

use std::{io, thread};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// Threads that run connections, until they are dropped.
pub(crate) struct Workers {
    workers: Vec<Worker>,
    next: usize,
}

struct Worker {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` threads.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let workers = (0..count.max(1)).map(Worker::start).collect::<io::Result<_>>()?;
        Ok(Self { workers, next: 0 })
    }

    /// The first worker's runtime.
    pub(crate) fn first(&self) -> &Handle {
        &self.workers[0].handle
    }

    /// The next worker's runtime, in turn.
    pub(crate) fn next(&mut self) -> &Handle {
        self.next = (self.next + 1) % self.workers.len();
        &self.workers[self.next].handle
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
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name(format!("tidewire-{index}")).spawn(move || {
            // Also ends when the sender is dropped.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    fn stop(&mut self) -> Option<thread::JoinHandle<()>> {
        self.stop.take();
        self.thread.take()
    }
}

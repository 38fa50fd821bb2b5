//! What the connections of a thread share while one of them is polled: a read buffer, a buffer to gather replies in,
//! compressors, masking keys. An idle connection holds none of it.

use std::cell::Cell;
use tidewire_proto::Workspace;

/// One read takes at most this many bytes.
const READ: usize = 64 * 1024;
/// A gathering buffer above this size is not kept.
const KEPT: usize = 256 * 1024;

pub(crate) struct Tools {
    pub(crate) read: Box<[u8]>,
    pub(crate) cork: Vec<u8>,
    pub(crate) workspace: Workspace,
}

thread_local! {
    static TOOLS: Cell<Option<Box<Tools>>> = const { Cell::new(None) };
}

impl Tools {
    /// Lends the thread's tools to `work`.
    #[inline]
    pub(crate) fn with<R>(work: impl FnOnce(&mut Self) -> R) -> R {
        // Taken out, so that a handler which drives another connection inside this call gets tools of its own.
        let mut tools = TOOLS.take().unwrap_or_else(Self::new);
        let result = work(&mut tools);
        if tools.cork.capacity() > KEPT {
            tools.cork = Vec::new();
        }
        TOOLS.set(Some(tools));
        result
    }

    /// Lets go of what the thread has: what follows is made anew.
    pub(crate) fn forget() {
        TOOLS.set(None);
    }

    #[cold]
    fn new() -> Box<Self> {
        Box::new(Self {
            read: vec![0; READ].into_boxed_slice(),
            cork: Vec::with_capacity(READ),
            workspace: Workspace::new(Box::new(entropy)),
        })
    }
}

/// Unpredictable bytes of the operating system.
///
/// # Panics
/// Where the system has none: there is no safe way to go on as a client (RFC 6455 §10.3).
pub(crate) fn entropy(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

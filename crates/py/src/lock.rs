//! Locks that are held for moments.

use pyo3::{Python, sync::MutexExt as _};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// Locks; the interpreter is let go of only where somebody else holds the lock.
#[inline]
pub(crate) fn lock<'m, T>(py: Python<'_>, mutex: &'m Mutex<T>) -> MutexGuard<'m, T> {
    match mutex.try_lock() {
        Ok(guard) => guard,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => wait(py, mutex),
    }
}

#[cold]
fn wait<'m, T>(py: Python<'_>, mutex: &'m Mutex<T>) -> MutexGuard<'m, T> {
    mutex.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
}

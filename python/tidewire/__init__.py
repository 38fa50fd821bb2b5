"""WebSockets for Python, read and written by a core in Rust."""

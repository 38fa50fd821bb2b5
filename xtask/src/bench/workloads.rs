//! The workloads A to H: what the tester sends.

/// A closed loop: so many connections, each with so many messages on their way.
pub(super) struct Workload {
    pub(super) name: char,
    pub(super) connections: u32,
    pub(super) depth: u32,
    /// Bytes of a message.
    pub(super) size: u32,
    pub(super) text: bool,
    /// `json` or `utf8` (multi-byte characters), where the tester's own filling is not wanted.
    pub(super) payload: Option<&'static str>,
    pub(super) deflate: bool,
    pub(super) about: &'static str,
}

const fn plain(
    name: char,
    connections: u32,
    depth: u32,
    size: u32,
    text: bool,
    about: &'static str,
) -> Workload {
    Workload { name, connections, depth, size, text, payload: None, deflate: false, about }
}

#[rustfmt::skip]
pub(super) const WORKLOADS: &[Workload] = &[
    plain('A', 1, 1, 16, true, "one connection, one message at a time, 16 B text"),
    plain('B', 64, 1, 125, true, "64 connections, 125 B text"),
    plain('C', 64, 16, 125, true, "64 connections, 16 messages in one write, 125 B text"),
    plain('D', 500, 1, 1 << 10, true, "500 connections, 1 KiB text"),
    plain('E', 16, 1, 16 << 10, false, "16 connections, 16 KiB binary"),
    plain('F', 4, 4, 1 << 20, false, "4 connections, 4 messages each, 1 MiB binary"),
    Workload { name: 'G', connections: 8, depth: 2, size: 64 << 10, text: true, payload: Some("utf8"), deflate: false,
        about: "8 connections, 2 messages each, 64 KiB text of multi-byte characters" },
    Workload { name: 'H', connections: 64, depth: 1, size: 1 << 10, text: true, payload: Some("json"), deflate: true,
        about: "64 connections, 1 KiB JSON text, permessage-deflate" },
];

impl Workload {
    /// One that is none of the letters, for curves.
    pub(super) const fn echo(connections: u32, size: u32) -> Self {
        plain('-', connections, 1, size, false, "")
    }

    /// The tester's options for it. The bare echo gets the payloads as they are.
    pub(super) fn options(&self, bare: bool) -> Vec<String> {
        let mut options = vec![
            "-c".to_owned(),
            self.connections.to_string(),
            "--depth".to_owned(),
            self.depth.to_string(),
            "--size".to_owned(),
            self.size.to_string(),
            if self.text { "--text" } else { "--binary" }.to_owned(),
        ];
        if let Some(payload) = self.payload {
            options.extend(["--payload".to_owned(), payload.to_owned()]);
        }
        if self.deflate && !bare {
            options.push("--deflate".to_owned());
        }
        options
    }
}

//! `bench`: the modes, what is told of the server, and every exit status.

use crate::support::peer::{closed_port, scripted};
use crate::support::{Ran, Serve, certificate, signal, start_program, status};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::Duration;
use tidewire::{Context, Handler, MessageRef, Opening, Sender, Server};

fn bench(url: &str, options: &str) -> Ran {
    let mut arguments = vec!["bench", url];
    arguments.extend(options.split_whitespace());
    start_program(&arguments).finish()
}

#[track_caller]
fn report(ran: &Ran, status: i32) -> Value {
    assert_eq!(ran.status, status, "{ran:?}");
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn count(report: &Value, path: &str) -> u64 {
    report.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {report}"))
}

#[test]
fn round_trips_are_counted_checked_and_timed() {
    let serve = Serve::start(&["-q"]);
    let pid = serve.child.id();
    for (url, options) in [
        (&serve.url, "--size 1k --payload json --deflate"),
        (&serve.url, "--size 70000 -b --depth 3"),
        (&serve.url, "--rate 5000 --source 127.1.0.1-2"),
    ] {
        let ran = bench(url, &format!("-c 4 --count 2000 --pid {pid} {options} --json -"));
        let report = report(&ran, 0);
        assert_eq!((count(&report, "/sent/messages"), count(&report, "/received/messages")), (2000, 2000));
        assert_eq!(count(&report, "/latency/count"), 2000);
        assert_eq!(report["faults"]["lost"], 0);
        assert_eq!(report["server"]["name"], "tidewire");
        assert!(report["generator"]["cpu_per_message_ns"].as_f64().is_some_and(|cpu| cpu > 0.0));
    }
}

#[test]
fn tls_is_measured_and_named() {
    let (cert, key) = (certificate("localhost.pem"), certificate("localhost.key"));
    let serve = Serve::start(&["-q", "--tls-cert", &cert, "--tls-key", &key]);
    let report = report(&bench(&serve.url, "-k -c 2 --count 50 --json -"), 0);
    assert!(report["target"]["tls"].as_str().is_some_and(|tls| tls.starts_with("TLSv1.3 ")), "{report}");
    assert_eq!(count(&report, "/connections/tls/count"), 2);
}

#[test]
fn handshakes_and_idle_connections_are_measured() {
    let serve = Serve::start(&["-q", "--ping-interval", "300ms"]);
    let storm = report(&bench(&serve.url, "--mode connect -c 4 --count 40 --json -"), 0);
    assert_eq!(count(&storm, "/connections/opened"), 40);
    assert_eq!(count(&storm, "/connections/upgrade/count"), 40);
    let pid = serve.child.id();
    let options = format!("--mode idle -c 200 --duration 1s --ping-interval 250ms --pid {pid} --json -");
    let idle = report(&bench(&serve.url, &options), 0);
    assert_eq!(count(&idle, "/connections/peak"), 200);
    assert!(count(&idle, "/latency/count") >= 400, "{idle}");
    assert!(count(&idle, "/received/messages") >= 200, "the server's pings: {idle}");
    assert!(idle["server"]["bytes_per_connection"].is_f64(), "{idle}");
}

/// Sends what comes to everyone.
struct Hall(Arc<Mutex<Vec<Sender>>>);

impl Handler for Hall {
    fn on_open(&mut self, _ws: &mut Context<'_>, opening: &Opening) {
        self.0.lock().expect("no panic").push(opening.sender());
    }

    fn on_message(&mut self, _ws: &mut Context<'_>, message: MessageRef<'_>) {
        let message = message.into_owned();
        for sender in self.0.lock().expect("no panic").iter() {
            sender.try_send(message.clone()).expect("nobody is slow");
        }
    }
}

#[test]
fn a_broadcast_reaches_everyone() {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let server = Server::bind("127.0.0.1:0").await.expect("a port is free");
            tell.send(server.local_addr().expect("it is bound")).expect("the test waits");
            let all = Arc::default();
            server.handle(move |_| Hall(Arc::clone(&all))).await.expect("it serves");
        });
    });
    let url = format!("ws://{}/", told.recv().expect("the server starts"));
    let report = report(&bench(&url, "--mode broadcast -c 11 --rate 500 --count 200 --json -"), 0);
    assert_eq!((count(&report, "/sent/messages"), count(&report, "/received/messages")), (200, 2000));
    assert_eq!(count(&report, "/latency/count"), 2000);
}

#[test]
fn nothing_to_report_is_one_sentence_and_the_status_of_connect() {
    let ran = bench(&format!("ws://{}/", closed_port()), "-c 5");
    assert_eq!(ran.told(3, "refused the connection").stderr.lines().count(), 1);
    bench(&format!("tcp://{}/", closed_port()), "-c 5").told(3, "can't be connected to");
    let address = scripted(|_, mut peer| {
        peer.request();
        peer.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    });
    bench(&format!("ws://{address}/"), "").told(4, "404");
    bench("ws://127.0.0.1:1", "-c 500000").told(1, "ulimit -n");
    let silent = scripted(|_, mut peer| {
        peer.request();
        sleep(Duration::from_secs(2));
    });
    bench(&format!("ws://{silent}/"), "--connect-timeout 200ms").told(7, "did not answer");
}

#[test]
fn a_server_that_dies_cuts_the_run_short() {
    let mut serve = Serve::start(&["-q"]);
    let started = start_program(&["bench", &serve.url, "-c", "3", "--duration", "30s", "--json", "-"]);
    sleep(Duration::from_millis(1500));
    serve.child.kill().expect("it runs");
    status(&mut serve.child);
    let report = report(&started.finish(), 1);
    assert_eq!(report["cut_short"], "every connection has ended");
    assert_eq!(count(&report, "/closes/1006"), 3);
    assert!(count(&report, "/received/messages") > 0);
}

#[test]
fn ctrl_c_ends_the_run_with_its_report() {
    let serve = Serve::start(&["-q"]);
    let started = start_program(&["bench", &serve.url, "--duration", "60s", "--warm-up", "0", "--json", "-"]);
    sleep(Duration::from_millis(800));
    signal(&started.child, Signal::SIGINT);
    let report = report(&started.finish(), 130);
    assert_eq!(report["cut_short"], "interrupted");
    assert!(
        count(&report, "/received/messages") > 0
            && report["closes"].as_object().is_some_and(serde_json::Map::is_empty)
    );
}

//! A client's connection inside a task of the caller's own.

use std::sync::mpsc::{Sender as Tell, channel};
use std::task::Waker;
use tidewire::{Client, CloseCode, Context, Handler, MessageRef, Outcome, Server, Side, WebSocket};

/// An echo server's URL.
async fn echo() -> String {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    tokio::spawn(server.workers(1).serve(async |mut ws: WebSocket| {
        while let Some(message) = ws.recv().await? {
            ws.send(message).await?;
        }
        Ok(())
    }));
    url
}

/// Sends a message in its first turn, and closes in the first after the reply.
struct Once {
    tell: Tell<&'static str>,
    waker: Option<Waker>,
    replied: bool,
}

impl Handler for Once {
    fn on_message(&mut self, _ws: &mut Context<'_>, message: MessageRef<'_>) {
        assert_eq!(message.as_text(), Some("hi"));
        self.tell.send("message").unwrap();
        self.replied = true;
        self.waker.take().unwrap().wake();
    }

    fn on_turn(&mut self, ws: &mut Context<'_>, waker: &Waker) {
        if self.replied {
            ws.close(CloseCode::NORMAL, "").unwrap();
        } else if self.waker.is_none() {
            self.tell.send("turn").unwrap();
            self.waker = Some(waker.clone());
            ws.send("hi");
        }
    }

    fn on_end(&mut self, outcome: &Outcome) {
        assert_eq!((outcome.close.code, outcome.by), (CloseCode::NORMAL, Side::Here));
        self.tell.send("end").unwrap();
    }
}

#[tokio::test]
async fn the_callers_task_drives_it_from_the_first_turn_to_the_end() {
    let url = echo().await;
    let established = Client::new().establish(&url).await.unwrap();
    assert!(established.handshake().total() >= established.handshake().upgrade());
    let (tell, told) = channel();
    let driving = established.drive(Once { tell, waker: None, replied: false });
    assert!(told.try_recv().is_err(), "nothing happens before it is polled");
    let outcome = driving.await;
    assert_eq!((outcome.stats.messages_in, outcome.stats.messages_out), (1, 1));
    assert_eq!(told.iter().collect::<Vec<_>>(), ["turn", "message", "end"]);
}

#[tokio::test]
async fn dropping_it_cuts_the_connection_and_tells_the_handler() {
    struct Cut(Tell<Side>);
    impl Handler for Cut {
        fn on_message(&mut self, _ws: &mut Context<'_>, _message: MessageRef<'_>) {}

        fn on_end(&mut self, outcome: &Outcome) {
            self.0.send(outcome.by).unwrap();
        }
    }
    let url = echo().await;
    let (tell, told) = channel();
    drop(Client::new().establish(&url).await.unwrap().drive(Cut(tell)));
    assert_eq!(told.recv(), Ok(Side::Here));
}

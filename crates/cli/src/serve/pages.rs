//! What plain requests get: the console page, what it asks about connections, and the files of `--static`.

use super::{files::Files, inspect::Inspections, page};
use crate::args::ServeArgs;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Method, Request, Response, StatusCode, header};
use serde_json::json;
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tidewire::http::Body;
use tower_service::Service;

/// Answers requests that are no upgrade.
#[derive(Clone)]
pub(super) struct Pages {
    inspections: Arc<Inspections>,
    console: bool,
    files: Option<Files>,
    max_message: usize,
}

impl Pages {
    pub(super) fn new(args: &ServeArgs, inspections: Arc<Inspections>) -> Result<Self, String> {
        let files = args.static_dir.as_deref().map(Files::new).transpose()?;
        Ok(Self { inspections, console: !args.no_console, files, max_message: args.max_message })
    }

    /// What the program itself answers; `None` where the path is not its own.
    fn own(&self, path: &str) -> Option<Response<Body>> {
        if !self.console {
            return None;
        }
        match path {
            "/" if self.files.is_none() => Some(console()),
            "/_tidewire" => Some(moved("/_tidewire/")),
            "/_tidewire/" => Some(console()),
            "/_tidewire/info" => Some(json_response(&json!({
                "name": "tidewire",
                "version": env!("CARGO_PKG_VERSION"),
                "mode": "echo",
                "max_message": self.max_message,
                "url_path": "/",
            }))),
            _ => {
                let token = path.strip_prefix("/_tidewire/connections/")?;
                let report = self.inspections.report(token);
                Some(report.map_or_else(not_found, |report| json_response(&report)))
            }
        }
    }
}

impl Service<Request<Body>> for Pages {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let readable = matches!(*request.method(), Method::GET | Method::HEAD);
        let own = if readable { self.own(request.uri().path()) } else { None };
        let files = self.files.clone();
        Box::pin(async move {
            Ok(match (own, files) {
                (Some(mut response), _) => {
                    if request.method() == Method::HEAD {
                        *response.body_mut() = Body::default();
                    }
                    response
                }
                (None, Some(_)) if !readable => not_allowed(),
                (None, Some(mut files)) => match files.answer(request).await {
                    Ok(response) => response.unwrap_or_else(not_found),
                    Err(error) => {
                        text(StatusCode::INTERNAL_SERVER_ERROR, &format!("The file can't be read: {error}\n"))
                    }
                },
                (None, None) if readable => not_found(),
                (None, None) => not_allowed(),
            })
        })
    }
}

fn console() -> Response<Body> {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "The operating system gives no random bytes.\n");
    }
    let nonce = URL_SAFE_NO_PAD.encode(bytes);
    let mut response = response(StatusCode::OK, "text/html; charset=utf-8", page::with_nonce(&nonce));
    if let Ok(policy) = page::policy(&nonce).parse() {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn json_response(value: &serde_json::Value) -> Response<Body> {
    response(StatusCode::OK, "application/json", value.to_string())
}

fn not_found() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "There is nothing at this path.\n")
}

fn not_allowed() -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.\n");
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
    response
}

fn moved(to: &'static str) -> Response<Body> {
    let mut response = text(StatusCode::PERMANENT_REDIRECT, "This page has moved.\n");
    response.headers_mut().insert(header::LOCATION, header::HeaderValue::from_static(to));
    response
}

fn text(status: StatusCode, words: &str) -> Response<Body> {
    response(status, "text/plain; charset=utf-8", words.to_owned())
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

//! A plugin that is to take another's place, over HTTP.
//!
//! Only from this machine, unless the file says otherwise, and never from a web page: a page may send what it likes to
//! this machine's addresses, but not with this content type, and its requests carry an origin.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use serde_json::json;

use super::{All, Observed};
use crate::config::Component;
use crate::reload::{Outcome, Wanted};

/// The largest component that is read, as from a file.
const BODY_BYTES_MAX: usize = 256 << 20;
/// After this the answer is that it is still being tried: batches may be long in coming.
const WAIT: Duration = Duration::from_secs(20);
/// What a component is, as the web calls it.
const CONTENT_TYPE: &str = "application/wasm";
/// The header that has the plugin's name.
const NAME: &str = "weir-plugin";

pub(super) fn route() -> MethodRouter<std::sync::Arc<Vec<std::sync::Arc<Observed>>>> {
    post(swap)
}

async fn swap(
    State(all): All,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(pipeline): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let refused = |status: StatusCode, why: &str| answer(status, &pipeline, "refused", Some(why));
    let Some(observed) = all.iter().find(|observed| observed.name == pipeline) else {
        return refused(StatusCode::NOT_FOUND, "this process runs no such pipeline");
    };
    if let Err((status, why)) = check(from, observed.takes_remote_swaps, &headers) {
        return refused(status, why);
    }
    // Nothing of it is read before that.
    let Ok(component) = to_bytes(body, BODY_BYTES_MAX).await else {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "it is too large, or did not come whole");
    };
    let name = text(NAME).unwrap_or("plugin").to_string();
    let told = observed.desk.order(Wanted::Given(name, Component(component))).await;
    match tokio::time::timeout(WAIT, told).await {
        Err(_) => answer(StatusCode::ACCEPTED, &pipeline, "trying", Some("it is tried on the next batches")),
        Ok(Err(_)) => refused(StatusCode::CONFLICT, "this pipeline's plugins cannot be swapped"),
        Ok(Ok(outcome)) => {
            let status = match outcome {
                Outcome::Swapped(_) | Outcome::Same => StatusCode::OK,
                Outcome::Refused(_) | Outcome::RolledBack(_) => StatusCode::UNPROCESSABLE_ENTITY,
                Outcome::Superseded | Outcome::Ended => StatusCode::CONFLICT,
            };
            answer(status, &pipeline, outcome.name(), outcome.reason())
        }
    }
}

/// Whether a plugin is taken from somebody.
fn check(from: SocketAddr, takes_remote: bool, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
    if !takes_remote && !from.ip().to_canonical().is_loopback() {
        let why = "plugins are taken from this machine only; [admin] remote_swaps = true takes them from others too";
        return Err((StatusCode::FORBIDDEN, why));
    }
    if headers.contains_key(header::ORIGIN) {
        return Err((StatusCode::FORBIDDEN, "plugins are not taken from web pages"));
    }
    if headers.get(header::CONTENT_TYPE).is_none_or(|found| found != CONTENT_TYPE) {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type must be application/wasm"));
    }
    Ok(())
}

fn answer(status: StatusCode, pipeline: &str, result: &str, reason: Option<&str>) -> Response {
    let body = json!({ "pipeline": pipeline, "result": result, "reason": reason });
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests;

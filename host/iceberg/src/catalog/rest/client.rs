//! Requests with a token that is fetched, renewed before it ends, and fetched again where it is refused.

use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Body, CatalogError, RestOptions, refused};

/// For a request where nothing else is configured: a commit of a server that waits for its own database.
const TIMEOUT: Duration = Duration::from_secs(60);
/// To be connected.
const CONNECT: Duration = Duration::from_secs(10);
/// A token is renewed this long before its end, or at half its life if that is later.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// How much of an answer that is no error document is repeated in a message.
const EXCERPT_CHARS: usize = 300;

/// A server's address and who asks it.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    uri: String,
    auth: Auth,
}

enum Auth {
    None,
    Token(String),
    Credentials(Credentials),
}

struct Credentials {
    id: Option<String>,
    secret: String,
    uri: String,
    scope: String,
    /// The token at hand. The lock is held while one is fetched, so that one request fetches it for all.
    fetched: Mutex<Option<Fetched>>,
}

#[derive(Clone)]
struct Fetched {
    token: String,
    renew_at: Option<Instant>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Token(_) => "token",
            Self::Credentials(_) => "credentials",
        })
    }
}

/// What a server said of a request that it did as asked.
#[derive(Debug)]
pub(super) struct Answer {
    path: String,
    body: Vec<u8>,
}

/// Why a request did not do as asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// No answer, or half of one.
    Lost(String),
    /// The server's answer.
    Said {
        /// HTTP's status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// It does not take our word for who we are.
    Credentials(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(why) => write!(f, "the rest catalog did not answer: {why}"),
            // What Iceberg's own server says of a snapshot more than a minute ahead of it.
            Self::Said { status: 400, message } if message.contains("Invalid update timestamp") => write!(
                f,
                "the rest catalog says 400: {message}; this machine's clock is more than a minute ahead of the \
                 catalog's: set it right"
            ),
            Self::Said { status, message } => write!(f, "the rest catalog says {status}: {message}"),
            Self::Credentials(why) => write!(f, "the rest catalog refuses the token or credential: {why}"),
        }
    }
}

impl Answer {
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, CatalogError> {
        serde_json::from_slice(&self.body).map_err(|e| {
            refused(format!("the rest catalog's answer to {} is not what the protocol says: {e}", self.path))
        })
    }
}

impl Client {
    pub(super) fn new(options: &RestOptions) -> Result<Self, CatalogError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &options.headers {
            let invalid = || refused(format!("header {name} cannot be sent"));
            let name = HeaderName::try_from(name).map_err(|_| invalid())?;
            let mut value = HeaderValue::try_from(value).map_err(|_| invalid())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(options.timeout.unwrap_or(TIMEOUT))
            // A redirect of a POST loses its body; none is part of the protocol.
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(headers)
            .build()
            .map_err(|e| refused(format!("cannot make a client of {}: {e}", options.uri)))?;
        let uri = base(&options.uri);
        if url::Url::parse(&uri).is_err() {
            return Err(refused(format!("the uri {:?} of the rest catalog is not one", options.uri)));
        }
        let auth = match (&options.credential, &options.token) {
            (Some(credential), _) => {
                let (id, secret) = match credential.split_once(':') {
                    Some((id, secret)) => (Some(id.to_string()), secret.to_string()),
                    None => (None, credential.clone()),
                };
                Auth::Credentials(Credentials {
                    id,
                    secret,
                    uri: options.oauth2_uri.clone().unwrap_or_else(|| format!("{uri}/v1/oauth/tokens")),
                    scope: options.scope.clone().unwrap_or_else(|| "catalog".to_string()),
                    fetched: Mutex::new(None),
                })
            }
            (None, Some(token)) => Auth::Token(token.clone()),
            (None, None) => Auth::None,
        };
        Ok(Self { http, uri, auth })
    }

    /// Where the server wants to be asked from now on.
    pub(super) fn set_uri(&mut self, uri: &str) {
        self.uri = base(uri);
    }

    /// Sends one request; a second time only if the first was refused for its token.
    pub(super) async fn send(&self, method: Method, path: &str, body: Body<'_>) -> Result<Answer, Failure> {
        let token = self.token(None).await?;
        let first = self.send_with(method.clone(), path, body, token.as_deref()).await;
        let refused = match (first, token) {
            // 419: the token has ended (Iceberg's REST specification).
            (Err(Failure::Said { status: 401 | 419, message }), token) => (message, token),
            (other, _) => return other,
        };
        let (message, stale) = refused;
        if !matches!(self.auth, Auth::Credentials(_)) {
            return Err(Failure::Credentials(message));
        }
        let token = self.token(stale.as_deref()).await?;
        match self.send_with(method, path, body, token.as_deref()).await {
            Err(Failure::Said { status: 401 | 419, message }) => Err(Failure::Credentials(message)),
            other => other,
        }
    }

    async fn send_with(
        &self,
        method: Method,
        path: &str,
        body: Body<'_>,
        token: Option<&str>,
    ) -> Result<Answer, Failure> {
        let mut request = self.http.request(method, format!("{}{path}", self.uri));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let body = exchange(request).await?;
        Ok(Answer { path: path.to_string(), body })
    }

    /// The token to send, another one than `stale`.
    async fn token(&self, stale: Option<&str>) -> Result<Option<String>, Failure> {
        let credentials = match &self.auth {
            Auth::None => return Ok(None),
            Auth::Token(token) => return Ok(Some(token.clone())),
            Auth::Credentials(credentials) => credentials,
        };
        let mut fetched = credentials.fetched.lock().await;
        let usable = fetched.as_ref().filter(|fetched| {
            stale != Some(&fetched.token) && fetched.renew_at.is_none_or(|renew_at| Instant::now() < renew_at)
        });
        if let Some(usable) = usable {
            return Ok(Some(usable.token.clone()));
        }
        let new = credentials.fetch(&self.http).await?;
        let token = new.token.clone();
        *fetched = Some(new);
        Ok(Some(token))
    }
}

impl Credentials {
    fn form(&self) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(id) = &self.id {
            form.append_pair("client_id", id);
        }
        form.append_pair("client_secret", &self.secret).append_pair("scope", &self.scope);
        form.finish()
    }

    async fn fetch(&self, http: &reqwest::Client) -> Result<Fetched, Failure> {
        #[derive(Deserialize)]
        struct Token {
            access_token: String,
            expires_in: Option<u64>,
        }
        let request = http
            .post(&self.uri)
            .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.form());
        let body = exchange(request).await.map_err(|failure| match failure {
            // OAuth2 says 400 or 401 of a client that it does not know (RFC 6749, 5.2).
            Failure::Said { status: 400..=403, message } => Failure::Credentials(format!("{}: {message}", self.uri)),
            other => other,
        })?;
        let token: Token = serde_json::from_slice(&body)
            .map_err(|e| Failure::Credentials(format!("{} gives no token: {e}", self.uri)))?;
        let renew_at = token.expires_in.map(|seconds| {
            let life = Duration::from_secs(seconds);
            Instant::now() + life.saturating_sub(RENEW_BEFORE).max(life / 2)
        });
        Ok(Fetched { token: token.access_token, renew_at })
    }
}

async fn exchange(request: RequestBuilder) -> Result<Vec<u8>, Failure> {
    // The path and query are left out: a query may hold what is secret.
    let lost = |e: reqwest::Error| {
        let host = e.url().map_or_else(String::new, |url| url.authority().to_string());
        Failure::Lost(format!("{host}: {}", causes(&e.without_url())))
    };
    let response = request.send().await.map_err(lost)?;
    let status = response.status();
    let body = response.bytes().await;
    if status.is_success() {
        return body.map(|b| b.to_vec()).map_err(lost);
    }
    // A body that got lost on its way changes nothing about the status.
    Err(Failure::Said { status: status.as_u16(), message: message(status, &body.unwrap_or_default()) })
}

/// The server's own words: of Iceberg's error document, of OAuth2's, or whatever else it sent.
fn message(status: StatusCode, body: &[u8]) -> String {
    let document: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let text =
        |pointer: &str| document.as_ref()?.pointer(pointer)?.as_str().filter(|s| !s.is_empty()).map(str::to_string);
    text("/error/message").or_else(|| text("/error_description")).or_else(|| text("/error")).unwrap_or_else(|| {
        let said = String::from_utf8_lossy(body);
        let said: String = said.trim().chars().take(EXCERPT_CHARS).collect();
        if said.is_empty() { status.canonical_reason().unwrap_or("nothing more").to_string() } else { said }
    })
}

fn causes(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut cause = e.source();
    while let Some(e) = cause {
        text = format!("{text}: {e}");
        cause = e.source();
    }
    text
}

fn base(uri: &str) -> String {
    let uri = uri.trim_end_matches('/');
    uri.strip_suffix("/v1").unwrap_or(uri).to_string()
}

//! Asks registries of packages and images what they list, over HTTP.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode, Url};
use serde_json::Value;
use tollgate_core::publish::{Credentials, Scheme};
use tollgate_engine::ports::{Answer, FailureClass, Lookup, PortError, Registries, RegistryAnswer};

use crate::probe::{HttpProber, checked_url, is_loopback, is_redirect, next_url, plain, problem_of};
use crate::process::{Secret, Secrets};

/// How much of an answer is read: the list of everything that a project ever published can be long.
pub const BODY_MAX_BYTES: usize = 32 * 1024 * 1024;

/// How much of the answer of a place for tokens is read.
const TOKEN_MAX_BYTES: usize = 64 * 1024;
/// How many redirects are followed, on the same host.
const REDIRECTS_MAX: usize = 3;
/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Asks over HTTP, and reads lists in folders of this machine.
#[derive(Debug, Clone)]
pub struct HttpRegistries {
    http: HttpProber,
    secrets: Arc<dyn Secrets>,
}

impl HttpRegistries {
    /// With the connections of a prober, and the secrets that registries want.
    pub fn new(http: HttpProber, secrets: Arc<dyn Secrets>) -> Self {
        Self { http, secrets }
    }

    async fn look(&self, lookup: &Lookup) -> Result<RegistryAnswer, PortError> {
        if let Some(path) = lookup.url.strip_prefix("file://") {
            return in_file(path, &lookup.url).await;
        }
        let url = checked_url(&lookup.url).map_err(|why| fault(FailureClass::Permanent, &lookup.url, why))?;
        let always = lookup.credentials.as_ref().filter(|credentials| credentials.always);
        let shown = always.map(|credentials| self.shown(credentials, &lookup.url)).transpose()?;
        let mut response = self.send(&url, lookup, shown).await?;
        if response.status() == StatusCode::UNAUTHORIZED
            && let Some(shown) = self.admission(&url, lookup, &response).await?
        {
            response = self.send(&url, lookup, Some(shown)).await?;
        }
        read(response, lookup).await
    }

    /// Sends the question, following redirects on the same host.
    async fn send(
        &self,
        url: &Url,
        lookup: &Lookup,
        shown: Option<HeaderValue>,
    ) -> Result<Response, PortError> {
        let mut url = url.clone();
        let method = if lookup.head { Method::HEAD } else { Method::GET };
        for _ in 0..=REDIRECTS_MAX {
            let client = self.http.client_for(&url);
            let mut request = client
                .request(method.clone(), url.clone())
                .header(ACCEPT, &lookup.accept)
                .header(CACHE_CONTROL, "no-cache");
            if let Some(shown) = &shown {
                request = request.header(AUTHORIZATION, shown.clone());
            }
            let response = request
                .send()
                .await
                .map_err(|error| fault(FailureClass::Transient, &lookup.url, problem_of(&error)))?;
            if !is_redirect(response.status()) {
                return Ok(response);
            }
            url =
                next_url(&url, &response).map_err(|why| fault(FailureClass::Permanent, &lookup.url, why))?;
        }
        let why = format!("it redirects more than {REDIRECTS_MAX} times");
        Err(fault(FailureClass::Permanent, &lookup.url, why))
    }

    /// What to show a registry that wants to know who asks; nothing where there is nothing to show.
    async fn admission(
        &self,
        url: &Url,
        lookup: &Lookup,
        response: &Response,
    ) -> Result<Option<HeaderValue>, PortError> {
        let challenge = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        // Registries of images name a place that gives tokens, also to strangers.
        let place = challenge.filter(|_| lookup.head).and_then(|challenge| place_for_tokens(challenge, url));
        match (place, &lookup.credentials) {
            (Some(place), credentials) => {
                self.token(&place, credentials.as_ref(), &lookup.url).await.map(Some)
            }
            (None, Some(credentials)) => self.shown(credentials, &lookup.url).map(Some),
            (None, None) => Ok(None),
        }
    }

    async fn token(
        &self,
        place: &Url,
        credentials: Option<&Credentials>,
        asked: &str,
    ) -> Result<HeaderValue, PortError> {
        let mut request = self.http.client_for(place).get(place.clone());
        if let Some(credentials) = credentials {
            request = request.header(AUTHORIZATION, self.shown(credentials, asked)?);
        }
        let response = request
            .send()
            .await
            .map_err(|error| fault(FailureClass::Transient, asked, problem_of(&error)))?;
        let status = response.status();
        if !status.is_success() {
            let class =
                if status.is_server_error() { FailureClass::Transient } else { FailureClass::Permanent };
            let host = plain(place.host_str().unwrap_or_default());
            return Err(fault(class, asked, format!("{host}, which gives tokens for it, answered {status}")));
        }
        let body = body_of(response, asked, TOKEN_MAX_BYTES).await?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let token = answer["token"].as_str().or_else(|| answer["access_token"].as_str()).unwrap_or_default();
        header(&format!("Bearer {token}"), asked)
    }

    /// A secret as the registry wants to see it.
    fn shown(&self, credentials: &Credentials, asked: &str) -> Result<HeaderValue, PortError> {
        let Some(secret) = self.secrets.secret(&credentials.secret) else {
            let missing = fault(
                FailureClass::Permanent,
                asked,
                format!("there is no secret named `{}`", credentials.secret),
            );
            return Err(PortError { hint: Some(self.secrets.advice(&credentials.secret)), ..missing });
        };
        header(&written(&credentials.scheme, &secret), asked)
    }
}

#[async_trait]
impl Registries for HttpRegistries {
    async fn ask(&self, lookup: &Lookup) -> Result<RegistryAnswer, PortError> {
        match tokio::time::timeout(LIMIT, self.look(lookup)).await {
            Ok(answer) => answer,
            Err(_) => {
                let why = format!("time-out after {} s", LIMIT.as_secs());
                Err(fault(FailureClass::Transient, &lookup.url, why))
            }
        }
    }
}

fn fault(class: FailureClass, url: &str, why: impl Into<String>) -> PortError {
    PortError { class, what: format!("look at {}", plain(url)), why: why.into(), hint: None, retry_at: None }
}

fn written(scheme: &Scheme, secret: &Secret) -> String {
    match scheme {
        Scheme::Plain => secret.reveal().trim().to_owned(),
        Scheme::Bearer => format!("Bearer {}", secret.reveal().trim()),
        Scheme::Basic(user) => {
            format!("Basic {}", base64(format!("{user}:{}", secret.reveal().trim()).as_bytes()))
        }
    }
}

/// A header that nothing prints.
fn header(text: &str, asked: &str) -> Result<HeaderValue, PortError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        fault(FailureClass::Permanent, asked, "the secret holds characters that no token has")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// The address that a registry of images names for tokens, with what it wants to be asked. A password goes there: only over
/// TLS, or on this machine.
fn place_for_tokens(challenge: &str, registry: &Url) -> Option<Url> {
    let rest = challenge.strip_prefix("Bearer ").or_else(|| challenge.strip_prefix("bearer "))?;
    let field = |name: &str| {
        let start = rest.find(&format!("{name}=\""))? + name.len() + 2;
        rest[start..].split('"').next()
    };
    let mut place = checked_url(field("realm")?).ok()?;
    if place.scheme() != "https" && !(is_loopback(&place) && is_loopback(registry)) {
        return None;
    }
    for name in ["service", "scope"] {
        if let Some(value) = field(name) {
            let joined = place.query().map(|query| format!("{query}&")).unwrap_or_default();
            place.set_query(Some(&format!("{joined}{name}={}", encoded(value))));
        }
    }
    Some(place)
}

/// A text as the value of a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

async fn read(response: Response, lookup: &Lookup) -> Result<RegistryAnswer, PortError> {
    let status = response.status();
    let text = |name: &str| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
    };
    let after =
        text(RETRY_AFTER.as_str()).and_then(|value| value.trim().parse().ok()).map(SignedDuration::from_secs);
    match status.as_u16() {
        200..=299 => {
            let digest = text("docker-content-digest");
            let body =
                if lookup.head { Vec::new() } else { body_of(response, &lookup.url, BODY_MAX_BYTES).await? };
            Ok(RegistryAnswer::There(Answer { body, digest }))
        }
        // The last is how an index tells of what must not be told.
        404 | 410 | 451 => Ok(RegistryAnswer::Absent),
        429 => Ok(RegistryAnswer::Later { why: "too many requests".into(), after }),
        503 if after.is_some() => Ok(RegistryAnswer::Later { why: "it is not at work".into(), after }),
        500..=599 => Err(fault(FailureClass::Transient, &lookup.url, format!("it answered {status}"))),
        401 | 403 => {
            let hint = match lookup.credentials {
                Some(_) => "see whether the token is the right one and has not run out",
                None => "name the secret that it wants with `token`",
            };
            let why = format!("it answered {status}");
            Err(PortError { hint: Some(hint.into()), ..fault(FailureClass::Permanent, &lookup.url, why) })
        }
        _ => Err(fault(FailureClass::Permanent, &lookup.url, format!("it answered {status}"))),
    }
}

async fn body_of(mut response: Response, asked: &str, max_bytes: usize) -> Result<Vec<u8>, PortError> {
    let cut = |error: reqwest::Error| fault(FailureClass::Transient, asked, problem_of(&error));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(cut)? {
        if body.len() + chunk.len() > max_bytes {
            let why = format!("the answer is longer than {} KiB", max_bytes / 1024);
            return Err(fault(FailureClass::Permanent, asked, why));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A list in a folder of this machine.
async fn in_file(path: &str, asked: &str) -> Result<RegistryAnswer, PortError> {
    let path = Path::new(path).to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let mut body = Vec::new();
        std::fs::File::open(path)?.take(BODY_MAX_BYTES as u64 + 1).read_to_end(&mut body)?;
        Ok(body)
    });
    let read: std::io::Result<Vec<u8>> = read.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    match read {
        Ok(body) if body.len() > BODY_MAX_BYTES => {
            let why = format!("the list is longer than {} MiB", BODY_MAX_BYTES / 1024 / 1024);
            Err(fault(FailureClass::Permanent, asked, why))
        }
        Ok(body) => Ok(RegistryAnswer::There(Answer { body, digest: None })),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(RegistryAnswer::Absent),
        Err(error) => Err(fault(FailureClass::Permanent, asked, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_passwords_are_encoded() {
        for (text, expected) in
            [("", ""), ("a", "YQ=="), ("ab", "YWI="), ("abc", "YWJj"), ("ab?>~\u{ff}", "YWI/Pn7Dvw==")]
        {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        let secret = Secret::new("pw\n");
        assert_eq!(written(&Scheme::Basic("me".into()), &secret), "Basic bWU6cHc=");
        assert_eq!(written(&Scheme::Bearer, &secret), "Bearer pw");
        assert!(header("a\nb", "x").is_err());
        assert_eq!(format!("{:?}", header("Bearer pw", "x").unwrap()), "Sensitive");
    }

    #[test]
    fn places_for_tokens_are_asked_safely() {
        let registry = Url::parse("https://r.example.org/v2/").unwrap();
        let local = Url::parse("http://127.0.0.1:5000/v2/").unwrap();
        let challenge = |realm: &str| {
            format!("Bearer realm=\"{realm}\",service=\"r & co\",scope=\"repository:a/b:pull\"")
        };
        let place = |realm: &str, of: &Url| place_for_tokens(&challenge(realm), of).map(String::from);
        assert_eq!(
            place("https://auth.example.org/token", &registry).as_deref(),
            Some("https://auth.example.org/token?service=r%20%26%20co&scope=repository:a/b:pull")
        );
        assert_eq!(place("http://auth.example.org/token", &registry), None);
        assert_eq!(place("http://127.0.0.1:1/token", &registry), None);
        assert!(
            place("http://127.0.0.1:1/token?x=1", &local)
                .unwrap()
                .starts_with("http://127.0.0.1:1/token?x=1&service")
        );
        assert_eq!(place("https://me:pw@auth.example.org/", &registry), None);
        assert_eq!(place_for_tokens("Basic realm=\"https://auth.example.org\"", &registry), None);
    }
}

//! Asks running services what they are, over HTTP.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CACHE_CONTROL, LOCATION};
use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};
use rustls::CertificateError;
use serde_json::Value;
use tollgate_engine::ports::{ProbeAnswer, ProbeRead, ProbeRequest, Prober};

/// How much of an answer is read.
pub const BODY_MAX_BYTES: usize = 64 * 1024;

/// How much of what was read is kept.
pub const VALUE_MAX_CHARS: usize = 256;

/// How many redirects are followed, on the same host.
const REDIRECTS_MAX: usize = 3;

/// The HTTP client cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client: {0}")]
pub struct ProberError(#[from] reqwest::Error);

/// A certificate to trust.
#[derive(Debug, Clone)]
pub struct TrustedCertificate(reqwest::Certificate);

impl TrustedCertificate {
    /// From its PEM text.
    pub fn from_pem(pem: &[u8]) -> Result<Self, ProberError> {
        Ok(Self(reqwest::Certificate::from_pem(pem)?))
    }
}

/// Looks at services over HTTP.
///
/// A proxy is used as the environment says (`HTTPS_PROXY` and so on), but never for this machine itself. Connections are not
/// kept: the next look may be meant for a new process behind the same address.
#[derive(Debug, Clone)]
pub struct HttpProber {
    usual: Client,
    direct: Client,
}

impl HttpProber {
    /// The client for an address: what is on this machine is asked without a proxy.
    pub(crate) fn client_for(&self, url: &Url) -> &Client {
        if is_loopback(url) { &self.direct } else { &self.usual }
    }
}

impl HttpProber {
    /// Trusts the certificates that the machine trusts.
    pub fn new() -> Result<Self, ProberError> {
        Self::trusting(&[])
    }

    /// Trusts these certificates too.
    pub fn trusting(more: &[TrustedCertificate]) -> Result<Self, ProberError> {
        // An error means that somebody has chosen already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificates = || more.iter().map(|certificate| certificate.0.clone());
        let build = |builder: ClientBuilder| match builder.tls_certs_merge(certificates()).build() {
            Ok(client) => Ok(client),
            // A machine without any trusted certificate can still be asked over plain HTTP.
            Err(error) => {
                tracing::warn!(error = %innermost(&error), "the machine's trusted certificates cannot be read");
                Err(error)
            }
        };
        let without_roots = || client().tls_certs_only(certificates());
        Ok(Self {
            usual: build(client()).or_else(|_| without_roots().build())?,
            direct: build(client().no_proxy()).or_else(|_| without_roots().no_proxy().build())?,
        })
    }

    /// Gets an answer, following redirects on the same host.
    async fn answer(&self, url: &Url, read: &ProbeRead) -> Result<Response, String> {
        let mut url = url.clone();
        let wants_redirect = matches!(read, ProbeRead::Status(status) if (300..400).contains(status));
        let accept = if matches!(read, ProbeRead::Json(_)) { "application/json, */*;q=0.5" } else { "*/*" };
        for _ in 0..=REDIRECTS_MAX {
            let client = self.client_for(&url);
            let request = client.get(url.clone()).header(CACHE_CONTROL, "no-cache").header(ACCEPT, accept);
            let response = request.send().await.map_err(|error| problem_of(&error))?;
            if wants_redirect || !is_redirect(response.status()) {
                return Ok(response);
            }
            url = next_url(&url, &response)?;
        }
        Err(format!("it redirects more than {REDIRECTS_MAX} times"))
    }

    async fn look(&self, request: &ProbeRequest) -> ProbeAnswer {
        let url = match checked_url(&request.url) {
            Ok(url) => url,
            Err(problem) => return nothing(None, problem),
        };
        let response = match self.answer(&url, &request.read).await {
            Ok(response) => response,
            Err(problem) => return nothing(None, problem),
        };
        let status = response.status();
        let read = match &request.read {
            ProbeRead::Status(wanted) if *wanted == status.as_u16() => Ok(status.as_u16().to_string()),
            ProbeRead::Status(wanted) => Err(format!("it answered {status} instead of {wanted}")),
            _ if !status.is_success() => Err(format!("it answered {status}")),
            ProbeRead::Json(pointer) => body_of(response).await.and_then(|body| at_pointer(&body, pointer)),
            ProbeRead::Body => body_of(response).await.and_then(|body| whole(&body)),
        };
        match read {
            Ok(value) => ProbeAnswer { status: Some(status.as_u16()), value: Some(value), problem: None },
            Err(problem) => nothing(Some(status.as_u16()), problem),
        }
    }
}

#[async_trait]
impl Prober for HttpProber {
    async fn probe(&self, request: &ProbeRequest) -> ProbeAnswer {
        let limit = Duration::try_from(request.timeout).unwrap_or_default();
        match tokio::time::timeout(limit, self.look(request)).await {
            Ok(answer) => answer,
            Err(_) => nothing(None, format!("time-out after {} s", limit.as_secs_f64())),
        }
    }
}

/// What both clients have in common.
fn client() -> ClientBuilder {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .dns_resolver(Arc::new(SystemResolver))
        .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
}

fn nothing(status: Option<u16>, problem: String) -> ProbeAnswer {
    ProbeAnswer { status, value: None, problem: Some(problem) }
}

// ---------------------------------------------------------------- addresses

pub(crate) fn checked_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("the address is not valid: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the address is neither http nor https but {}", plain(url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address holds credentials".to_owned());
    }
    Ok(url)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address
        .map_or_else(|_| host == "localhost" || host.ends_with(".localhost"), |address| address.is_loopback())
}

pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads, if it may be followed: what another host says is not what this service is.
pub(crate) fn next_url(from: &Url, response: &Response) -> Result<Url, String> {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let Some(location) = location else {
        return Err(format!("it answered {} without an address to go to", response.status()));
    };
    let to = from
        .join(location)
        .map_err(|error| format!("it redirects to an address that is not valid: {error}"))?;
    let to = checked_url(to.as_str())?;
    if to.host_str() != from.host_str() {
        return Err(format!("it redirects to another host, {}", plain(to.host_str().unwrap_or_default())));
    }
    if from.scheme() == "https" && to.scheme() == "http" {
        return Err("it redirects from https to http".to_owned());
    }
    Ok(to)
}

/// The machine's own name look-up, with an error that can be told from others.
#[derive(Debug)]
struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await.map(Iterator::collect::<Vec<_>>);
            match found {
                Ok(addresses) => Ok(Box::new(addresses.into_iter()) as Addrs),
                Err(error) => Err(Box::new(LookupError { host, error }) as Box<dyn Error + Send + Sync>),
            }
        })
    }
}

#[derive(Debug)]
struct LookupError {
    host: String,
    error: io::Error,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = plain(&self.host);
        // The kind of error is not told otherwise.
        if self.error.to_string().contains("Temporary failure") {
            write!(f, "no such host: the name {host} cannot be looked up at present")
        } else {
            write!(f, "no such host: {host}")
        }
    }
}

impl Error for LookupError {}

// ---------------------------------------------------------------- problems

/// What went wrong before an answer was there, in plain words.
pub(crate) fn problem_of(error: &reqwest::Error) -> String {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(lookup) = cause.downcast_ref::<LookupError>() {
            return lookup.to_string();
        }
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return tls_problem(tls);
        }
        next = if let Some(io) = cause.downcast_ref::<io::Error>() {
            if let Some(words) = io_problem(io.kind()) {
                return words.to_owned();
            }
            // What is wrapped into an error of input and output is not its source; the source is one further on.
            io.get_ref().map(|inner| inner as &(dyn Error + 'static))
        } else {
            cause.source()
        };
    }
    format!("no proper HTTP answer: {}", innermost(error))
}

fn io_problem(kind: io::ErrorKind) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    Some(match kind {
        Kind::ConnectionRefused => "connection refused",
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => "connection cut off",
        Kind::UnexpectedEof => "connection closed without an answer",
        Kind::HostUnreachable => "host unreachable",
        Kind::NetworkUnreachable | Kind::NetworkDown => "network unreachable",
        Kind::AddrNotAvailable => "no address to connect from",
        Kind::TimedOut => "the network gave up waiting",
        _ => return None,
    })
}

fn tls_problem(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(why) = error else {
        return format!("no TLS connection: {}", plain(&error.to_string()));
    };
    let why = match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::UnknownIssuer => "its issuer is not trusted".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        CertificateError::Revoked => "it was revoked".to_owned(),
        other => plain(&other.to_string()),
    };
    format!("certificate not valid: {why}")
}

fn innermost(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = cause.to_string();
        next = cause.source();
    }
    plain(&text)
}

// ---------------------------------------------------------------- content

/// The body, if it is not too long.
async fn body_of(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| problem_of(&error))? {
        if body.len() + chunk.len() > BODY_MAX_BYTES {
            return Err(format!("the answer is longer than {} KiB", BODY_MAX_BYTES / 1024));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn whole(body: &[u8]) -> Result<String, String> {
    let value = plain(String::from_utf8_lossy(body).trim());
    if value.is_empty() { Err("the answer is empty".to_owned()) } else { Ok(value) }
}

/// The text, number or truth value at a JSON pointer. A number is what JSON makes of it: `1.10` is 1.1.
fn at_pointer(body: &[u8], pointer: &str) -> Result<String, String> {
    let shown = plain(pointer);
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err(format!("`{shown}` is not a JSON pointer: it has to start with `/`"));
    }
    let json: Value = serde_json::from_slice(body).map_err(|_| "the answer is not JSON".to_owned())?;
    match json.pointer(pointer) {
        Some(Value::String(text)) => Ok(plain(text)),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Bool(truth)) => Ok(truth.to_string()),
        Some(_) => Err(format!("at `{shown}` stands neither a text nor a number nor true or false")),
        None => Err(format!("there is nothing at `{shown}`")),
    }
}

/// Text from outside as it can be shown anywhere: without control characters and those that turn the direction of writing,
/// and not too long.
pub(crate) fn plain(text: &str) -> String {
    let tricky = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().filter(|c| !tricky(*c)).take(VALUE_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        for good in ["http://localhost:8000/version", "https://[::1]/", "https://example.org"] {
            assert!(checked_url(good).is_ok(), "{good}");
        }
        for bad in
            ["", "example.org", "ftp://example.org/", "file:///etc/passwd", "https://me:pw@example.org/"]
        {
            assert!(checked_url(bad).is_err(), "{bad}");
        }
        let loopback = |text| is_loopback(&Url::parse(text).unwrap());
        assert!(
            loopback("http://127.8.8.8/") && loopback("http://[::1]:80/") && loopback("http://a.localhost/")
        );
        assert!(!loopback("http://localhost.example.org/") && !loopback("http://10.0.0.1/"));
    }

    #[test]
    fn pointers_read_scalars() {
        let check = |pointer: &str| {
            at_pointer(br#"{"a/b":{"v":["x","\u001b[2Jy"]},"n":12,"t":true,"z":null}"#, pointer)
        };
        assert_eq!(check("/a~1b/v/0").as_deref(), Ok("x"));
        assert_eq!(check("/a~1b/v/1").as_deref(), Ok("[2Jy"));
        assert_eq!(check("/n").as_deref(), Ok("12"));
        assert_eq!(check("/t").as_deref(), Ok("true"));
        assert_eq!(at_pointer(b"\"whole\"", "").as_deref(), Ok("whole"));
        for bad in ["/z", "/a~1b", "/none", "n", "/a~1b/v/2"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_short_and_plain() {
        assert_eq!(plain("a\u{202e}b\u{7}c\u{feff}"), "abc");
        assert_eq!(plain(&"é".repeat(1000)).chars().count(), VALUE_MAX_CHARS);
    }
}

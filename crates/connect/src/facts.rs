//! Asks services for facts, over HTTP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue};
use tollgate_engine::ports::{FactQuestion, Facts};

use crate::probe::{HttpProber, checked_url, is_redirect, next_url, plain, problem_of};
use crate::process::{Secret, Secrets};

/// How much of an answer is read.
pub const BODY_MAX_BYTES: usize = 1024 * 1024;

/// How many redirects are followed, on the same host.
const REDIRECTS_MAX: usize = 3;
/// What stands in an answer in place of a secret.
const BLOTTED: &str = "…";

/// Asks over HTTP.
#[derive(Debug, Clone)]
pub struct HttpFacts {
    http: HttpProber,
    secrets: Arc<dyn Secrets>,
}

/// What is shown to the place that is asked.
struct Shown {
    headers: HeaderMap,
    secrets: Vec<Secret>,
}

impl HttpFacts {
    /// With the connections of a prober, and the secrets that services want.
    pub fn new(http: HttpProber, secrets: Arc<dyn Secrets>) -> Self {
        Self { http, secrets }
    }

    async fn look(&self, question: &FactQuestion) -> Result<Vec<u8>, String> {
        let shown = self.shown(question)?;
        // Also where a look fails: an address that it was sent on to can say a secret back.
        match self.answer(question, &shown).await {
            Ok(body) => Ok(blotted(body, &shown.secrets)),
            Err(why) => Err(String::from_utf8_lossy(&blotted(why.into_bytes(), &shown.secrets)).into_owned()),
        }
    }

    async fn answer(&self, question: &FactQuestion, shown: &Shown) -> Result<Vec<u8>, String> {
        let mut url = checked_url(&question.url)?;
        for _ in 0..=REDIRECTS_MAX {
            let client = self.http.client_for(&url);
            let request = client.get(url.clone()).headers(shown.headers.clone());
            let mut response = request.send().await.map_err(|error| problem_of(&error))?;
            if is_redirect(response.status()) {
                let next = next_url(&url, &response)?;
                same_place(&url, &next, shown)?;
                url = next;
                continue;
            }
            if !response.status().is_success() {
                return Err(format!("it answered {}", response.status()));
            }
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| problem_of(&error))? {
                if body.len() + chunk.len() > BODY_MAX_BYTES {
                    return Err(format!("the answer is longer than {} KiB", BODY_MAX_BYTES / 1024));
                }
                body.extend_from_slice(&chunk);
            }
            return Ok(body);
        }
        Err(format!("it redirects more than {REDIRECTS_MAX} times"))
    }

    fn shown(&self, question: &FactQuestion) -> Result<Shown, String> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        for (name, value) in &question.headers {
            let value = HeaderValue::from_str(value)
                .map_err(|_| format!("the value of the header `{}` cannot be sent", plain(name)))?;
            headers.insert(header(name)?, value);
        }
        let mut secrets = Vec::new();
        let mut hidden = |name: &str, secret: &str, before: &str| {
            let found = self.secrets.secret(secret).ok_or_else(|| {
                format!("there is no secret named `{secret}`: {}", self.secrets.advice(secret))
            })?;
            let value = format!("{before}{}", found.reveal().trim());
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| format!("the secret `{secret}` cannot stand in a header"))?;
            value.set_sensitive(true);
            headers.insert(header(name)?, value);
            secrets.push(found);
            Ok::<(), String>(())
        };
        for (name, secret) in &question.secrets {
            hidden(name, secret, "")?;
        }
        if let Some(secret) = &question.bearer {
            hidden(AUTHORIZATION.as_str(), secret, "Bearer ")?;
        }
        Ok(Shown { headers, secrets })
    }
}

#[async_trait]
impl Facts for HttpFacts {
    async fn ask(&self, question: &FactQuestion) -> Result<Vec<u8>, String> {
        let limit = Duration::try_from(question.timeout).unwrap_or_default();
        match tokio::time::timeout(limit, self.look(question)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("time-out after {} s", limit.as_secs_f64())),
        }
    }
}

fn header(name: &str) -> Result<HeaderName, String> {
    name.parse().map_err(|_| format!("`{}` cannot be the name of a header", plain(name)))
}

/// Another port of a host is another place: it is not shown what is for this one.
fn same_place(from: &Url, to: &Url, shown: &Shown) -> Result<(), String> {
    if !shown.secrets.is_empty() && from.port_or_known_default() != to.port_or_known_default() {
        return Err("it redirects to another port, which is not shown the secret".to_owned());
    }
    Ok(())
}

/// An answer without the secrets that were shown: some services say them back.
fn blotted(body: Vec<u8>, secrets: &[Secret]) -> Vec<u8> {
    if secrets.is_empty() {
        return body;
    }
    let mut text = String::from_utf8_lossy(&body).into_owned();
    for secret in secrets.iter().map(|secret| secret.reveal().trim()).filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, BLOTTED);
    }
    text.into_bytes()
}

//! Running services, as they answer.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tollgate_engine::ports::{ProbeAnswer, ProbeRead, ProbeRequest, Prober};

use super::{SimWorld, State};

/// What answers at an address.
#[derive(Debug, Clone, Default)]
pub struct ServiceInWorld {
    /// The versions that were put there, each from the moment at which caches let it show.
    pub versions: Vec<(Timestamp, String)>,
    /// Until when nothing answers.
    pub down_until: Option<Timestamp>,
}

impl ServiceInWorld {
    /// The version that shows at a moment.
    pub fn shows(&self, now: Timestamp) -> Option<&str> {
        let shown = self.versions.iter().rev().find(|(from, _)| *from <= now);
        shown.map(|(_, version)| version.as_str())
    }
}

impl State {
    /// Puts a version where an environment runs; it shows after a delay.
    pub fn deploy(&mut self, environment: &str, version: &str, delay: SignedDuration) {
        let from = self.now + delay;
        self.note(|| format!("{version} runs in {environment}, and shows from {from}"));
        let service = self.services.entry(environment.to_owned()).or_default();
        service.versions.push((from, version.to_owned()));
        // What was put there later shows later.
        service.versions.sort_by_key(|(from, _)| *from);
    }
}

/// Asks services at `http://ENVIRONMENT.sim/…`.
#[derive(Debug, Clone)]
pub struct SimProber(pub SimWorld);

#[async_trait]
impl Prober for SimProber {
    async fn probe(&self, request: &ProbeRequest) -> ProbeAnswer {
        let none = |problem: String| ProbeAnswer { status: None, value: None, problem: Some(problem) };
        self.0.state().looks += 1;
        if let Err(error) = self.0.outside("look at a service").await {
            return none(error.why);
        }
        let mut state = self.0.state();
        let now = state.now;
        let host = request.url.strip_prefix("http://").and_then(|rest| rest.split_once(".sim"));
        let Some((environment, _)) = host else { return none("there is no such host".into()) };
        let service = state.services.get(environment).cloned().unwrap_or_default();
        let down = service.down_until.is_some_and(|until| now < until);
        let answer = match (down, service.shows(now)) {
            (true, _) => none("connection refused".into()),
            (false, None) => {
                ProbeAnswer { status: Some(404), value: None, problem: Some("status 404".into()) }
            }
            (false, Some(version)) => {
                let value = (!matches!(request.read, ProbeRead::Status(_))).then(|| version.to_owned());
                ProbeAnswer { status: Some(200), value, problem: None }
            }
        };
        state.note(|| format!("probe {environment}: {answer:?}"));
        answer
    }
}

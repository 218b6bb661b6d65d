//! Looking at facts: a command is run, or a service is asked; what comes of it is read and handed to all who wait for it.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tollgate_core::actor::Actor;
use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::decide::Sight;
use tollgate_core::facts::{FactLook, Look, LookAsk, Reading, read};
use tollgate_core::ids::EffectId;
use tollgate_core::journal::StreamId;
use tollgate_core::state::Run;
use tollgate_core::view::{Stimulus, later};

use crate::execute::{ended_well, tail};
use crate::feeds::FEED_POLL;
use crate::ports::{ChildRequest, ChildState, FactQuestion, PortError, Repository};
use crate::store::Poll;
use crate::submit::Beside;
use crate::trains::DAY_POLL;
use crate::{Engine, EngineError};

/// How many looks are asked about at once.
const LOOKS_MAX: usize = 1_000;
/// The longest answer of a command, in bytes.
const ANSWER_MAX_BYTES: usize = 256 * 1024;
/// The longest pause between two looks that fail, unless the usual one is longer.
const PAUSE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// The pause after signatures could not be judged.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// What a look leaves for the next one. Outside of the journal: where it is lost, looks count as interrupted.
#[derive(Debug, Serialize, Deserialize)]
struct Memo {
    /// When the last look ended: one that takes its time is no gap.
    last: Timestamp,
    /// The first of the looks without a gap.
    since: Timestamp,
}

impl Engine {
    /// Looks at a fact for all who wait for it.
    pub(crate) async fn look_at_fact(&self, poll: Poll, look: &FactLook) -> Result<(), EngineError> {
        let at = self.now();
        let memo: Option<Memo> = poll.memo.as_deref().and_then(|memo| serde_json::from_str(memo).ok());
        let unbroken = memo.filter(|memo| memo.last <= at && at <= later(memo.last, look.valid));
        let unbroken = unbroken.map_or(at, |memo| memo.since.min(at));
        let reading = match &look.ask {
            LookAsk::Signatures(ask) => self.judged(ask, look.timeout).await,
            _ => self
                .answer(&poll.key, look)
                .await
                .and_then(|answer| read(&look.read, look.want, look.about.as_ref(), &answer)),
        };
        let reading = reading.map_or_else(Reading::Problem, Reading::Is);
        let failed = matches!(reading, Reading::Problem(_));
        let sight = Sight { at, unbroken, reading };
        // Whether somebody asked for another look while this one was made.
        let mut again = false;
        for stream in self.store.poll_subscribers(&poll.key).await? {
            let StreamId::Release(service, release) = &stream else { continue };
            let stimulus = Stimulus::FactSeen { key: poll.key.clone(), sight: sight.clone() };
            let seen = self.take_in(service, *release, &stimulus, &Actor::Tollgate, Beside::default()).await;
            again |= seen.as_ref().is_ok_and(|seen| {
                let wanted = |run: &Run| run.looks_wanted.get(&poll.key).is_some_and(|wanted| at < *wanted);
                seen.view.active().any(|(run, _)| wanted(run))
            });
            self.left_alone(&stream, seen.map(|_| ())).await?;
        }
        let failures = if failed { poll.failures.saturating_add(1) } else { 0 };
        let last = self.now();
        // What never changes is hardly looked at again; that it cannot be looked at may pass.
        let every = match look.ask {
            LookAsk::Signatures(_) if failed => AGAIN,
            _ => look.every,
        };
        let next = if again { last } else { later(last, pause(every, failures)) };
        let memo = serde_json::to_string(&Memo { last, since: unbroken }).ok();
        Ok(self.store.polled(&poll.key, next, failures, memo).await?)
    }

    /// Whether all that is due within a time is to look again at facts that were looked at before: nobody knows how long they
    /// take to change, so nobody waits for that.
    pub(crate) async fn only_looks_again(
        &self,
        now: Timestamp,
        span: SignedDuration,
    ) -> Result<bool, EngineError> {
        let at = later(now, span);
        if !self.store.due_timers(at, 1).await?.is_empty()
            || !self.store.due_tasks(at, true, 1).await?.is_empty()
        {
            return Ok(false);
        }
        let again = |poll: &Poll| {
            poll.due > now
                && (poll.key.starts_with(FEED_POLL)
                    || poll.key.starts_with(DAY_POLL)
                    || poll.memo.is_some()
                        && serde_json::from_str(&poll.spec).is_ok_and(|look| matches!(look, Look::Fact(_))))
        };
        Ok(self.store.due_polls(at, LOOKS_MAX).await?.iter().all(again))
    }

    /// The answer, or in plain words why there is none.
    pub(crate) async fn answer(&self, key: &str, look: &FactLook) -> Result<Vec<u8>, String> {
        match &look.ask {
            LookAsk::Http { url, headers, secrets, bearer } => {
                let question = FactQuestion {
                    url: url.clone(),
                    headers: headers.clone(),
                    secrets: secrets.clone(),
                    bearer: bearer.clone(),
                    timeout: look.timeout,
                };
                self.world.facts.ask(&question).await
            }
            LookAsk::Command { .. } => {
                let id = FactLook::child(key);
                let folder = self.places.work.join("files").join(id.to_string());
                let answer = self.printed(id, look, &folder).await;
                // The next look wants an answer of its own.
                if let Err(error) = self.cleared(id).await {
                    tracing::warn!(%error, "what was kept of a command could not be removed");
                    return answer;
                }
                let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
                if let Err(error) = removed {
                    tracing::debug!(%error, "files were left over");
                }
                answer
            }
            LookAsk::Signatures(_) => Err("signatures are judged, not read".into()),
        }
    }

    /// Nothing is left of the command of a look; one that still runs is ended.
    async fn cleared(&self, id: EffectId) -> Result<(), PortError> {
        let runner = &self.world.runner;
        match runner.look(id, 1).await? {
            ChildState::Never => Ok(()),
            ChildState::Running => {
                runner.stop(id, 1).await?;
                runner.forget(id).await
            }
            ChildState::Ended(_) | ChildState::Lost => runner.forget(id).await,
        }
    }

    /// Runs the command of a look, anew: what an earlier one saw, which died with its process, is of unknown age.
    async fn printed(&self, id: EffectId, look: &FactLook, folder: &Path) -> Result<Vec<u8>, String> {
        let LookAsk::Command { command, service, url, checkout, content, variables, secrets } = &look.ask
        else {
            return Err("not a command".into());
        };
        let runner = &self.world.runner;
        let words = |error: PortError| line(&format!("{}: {}", error.what, error.why));
        self.cleared(id).await.map_err(words)?;
        let repository = Repository {
            url: url.clone(),
            clone: self.places.clone_of(service),
            checkout: checkout.as_ref().map(Into::into),
        };
        self.world.source.lay_out(&repository, content, folder).await.map_err(words)?;
        let mut variables = variables.clone();
        variables.insert("TOLLGATE_FACT".into(), look.label.trim_matches('`').to_owned());
        let request = ChildRequest {
            id,
            attempt: 1,
            command: command.clone(),
            folder: folder.to_owned(),
            variables,
            secrets: secrets.clone(),
            timeout: look.timeout,
        };
        let exit = runner.run(&request).await.map_err(words)?;
        let output = plain_text(&String::from_utf8_lossy(&exit.output), Lines::Keep).into_owned();
        ended_well(&exit, look.timeout, &tail(&output)).map_err(|failure| line(&failure.why))?;
        if exit.stdout.len() > ANSWER_MAX_BYTES {
            return Err(format!("the command prints more than {} KiB", ANSWER_MAX_BYTES / 1024));
        }
        Ok(exit.stdout)
    }
}

/// The pause before the next look: doubled with each look in a row that fails.
pub(crate) fn pause(every: SignedDuration, failures: u32) -> SignedDuration {
    let doubled = every.checked_mul(1_i32 << failures.min(16)).unwrap_or(PAUSE_MAX);
    doubled.min(every.max(PAUSE_MAX))
}

/// One plain line, of readable length.
pub(crate) fn line(text: &str) -> String {
    plain_text(text, Lines::Join).chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_that_fail_come_less_often() {
        let minute = SignedDuration::from_mins(1);
        assert_eq!(pause(minute, 0), minute);
        assert_eq!(pause(minute, 2), SignedDuration::from_mins(4));
        assert_eq!(pause(minute, u32::MAX), PAUSE_MAX);
        assert_eq!(pause(SignedDuration::from_hours(2), 3), SignedDuration::from_hours(2));
    }
}

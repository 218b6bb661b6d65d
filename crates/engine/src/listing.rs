//! Whether registries have the version of a plan already. Told beside the plan and no part of it: it can be another answer a
//! minute later, and the step looks again before it uploads anything.

use std::time::Duration;

use serde::Serialize;
use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::context::Context;
use tollgate_core::ids::{ObjectId, StepId};
use tollgate_core::model::{PublishSpec, StepKind, Target, Template};
use tollgate_core::plan::{Body, Plan, PlannedStep};
use tollgate_core::publish::{Answer, Artifacts, Publish};

use crate::Engine;
use crate::ports::RegistryAnswer;

/// The most steps that are looked up.
const LOOKED_UP_MAX: usize = 10;
/// How long one of them may take.
const LOOK_MAX: Duration = Duration::from_secs(10);
/// Names whose values are other ones when the step is reached.
const LATER: [&str; 7] = ["commit", "notes", "candidate", "starter", "accounts.", "answers.", "steps."];

/// What a registry has of the version that a step publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listing {
    /// The step.
    pub step: StepId,
    /// The registry, for people.
    pub registry: String,
    /// What is published, for people.
    pub name: String,
    /// What was found.
    pub found: Found,
}

/// Whether a version is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// Nothing of it is.
    Nothing,
    /// Something is: the same that will be packed, or something else.
    Something,
    /// That is not known, for this reason.
    Unknown(String),
}

impl Engine {
    /// Looks whether the registries of a plan's steps have its version. That one does not answer is told, and no error.
    pub async fn listings(&self, plan: &Plan) -> Vec<Listing> {
        let publishing = plan.steps.iter().filter_map(|step| match &step.body {
            Body::Step(StepKind::Publish(spec)) => Some((step, spec)),
            _ => None,
        });
        let mut listings = Vec::new();
        for (step, spec) in publishing.take(LOOKED_UP_MAX) {
            let publish = publication(plan, step, spec);
            let found = match tokio::time::timeout(LOOK_MAX, self.found(&publish)).await {
                Ok(Ok(found)) => found,
                Ok(Err(why)) => Found::Unknown(plain(&why)),
                Err(_) => Found::Unknown(format!("no answer within {} seconds", LOOK_MAX.as_secs())),
            };
            listings.push(Listing {
                step: step.id.clone(),
                registry: plain(&publish.target.registry()),
                name: plain(&publish.target.name()),
                found,
            });
        }
        listings
    }

    async fn found(&self, publish: &Publish) -> Result<Found, String> {
        if publish.target.name().contains("{{") {
            return Err("what it is called is known when the step is reached".into());
        }
        let none = Artifacts::new();
        let lookups = publish.lookups(&none).map_err(|error| error.to_string())?;
        if lookups.is_empty() {
            return Err("what its files are called is known when they are packed".into());
        }
        let mut answers: Vec<Option<Answer>> = Vec::new();
        for lookup in &lookups {
            let answer = self.world.registries.ask(lookup).await;
            answers.push(match answer.map_err(|error| format!("{}: {}", error.what, error.why))? {
                RegistryAnswer::There(answer) => Some(answer),
                RegistryAnswer::Absent => None,
                RegistryAnswer::Later { why, .. } => return Err(why),
            });
        }
        let listed = publish.listed(&none, &answers)?;
        Ok(if listed.is_empty() { Found::Nothing } else { Found::Something })
    }
}

/// The publication of a step as far as it is known before the run: enough to be looked for.
fn publication(plan: &Plan, step: &PlannedStep, spec: &PublishSpec) -> Publish {
    let context = Context::planned(plan, Some(step));
    let fill = |text: &Template| -> Result<String, std::convert::Infallible> {
        let later = text.0.contains("{{") && LATER.iter().any(|name| text.0.contains(name));
        let filled = (!later).then(|| context.fill(text).ok()).flatten();
        Ok(filled.unwrap_or_else(|| text.0.clone()).trim().to_owned())
    };
    let target: Target<String> = match spec.target.try_map(fill) {
        Ok(target) => target,
        Err(never) => match never {},
    };
    Publish {
        target,
        version: plan.version.text.clone(),
        content: ObjectId(plan.base.0.clone()),
        variables: context.variables(),
        token: spec.token.clone(),
        timeout: step.timeout.unwrap_or(jiff::SignedDuration::from_mins(1)),
        built_at: midnight(plan),
    }
}

/// Nothing is built here, so that any moment of the day would do.
fn midnight(plan: &Plan) -> jiff::Timestamp {
    let zoned = plan.date.to_zoned(jiff::tz::TimeZone::UTC);
    zoned.map_or(jiff::Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
}

/// One plain line, of readable length.
fn plain(text: &str) -> String {
    plain_text(text, Lines::Join).chars().take(300).collect()
}

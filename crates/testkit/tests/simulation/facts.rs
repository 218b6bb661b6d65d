//! Facts that gates rest on: what they are in the world, how they change, and whether a start rested on a bad or an old one.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tollgate_core::ids::EnvironmentName;
use tollgate_core::model::{
    Baseline, Bound, FactAsk, FactGate, FactRead, FactSpec, MetricRule, Policy, Shell, Template,
};
use tollgate_testkit::world::{Chance, Stretch};

use crate::drive::Sim;
use crate::judge::Judging;

/// What every number has to keep.
const LIMIT: f64 = 10.0;
/// How long a look can take, and the act that rests on it.
const SLOW: SignedDuration = SignedDuration::from_mins(10);

/// A gate that rests on a fact, by chance.
pub(crate) fn gate(chance: &mut Chance) -> FactGate {
    let every = SignedDuration::from_mins(chance.between(5, 15));
    let name = if chance.percent(50) { "list" } else { "rate" };
    let command = chance.percent(40);
    let ask = match command {
        true => FactAsk::Command(Shell {
            command: format!("look-at-{name}"),
            variables: BTreeMap::new(),
            secrets: BTreeMap::new(),
            repeatable: false,
        }),
        false => FactAsk::Http {
            url: Template(format!("http://facts.sim/{{{{ env.name }}}}/{name}")),
            query: None,
            headers: BTreeMap::new(),
            secrets: BTreeMap::new(),
            bearer: None,
        },
    };
    let valid = every * i32::try_from(chance.between(2, 4)).unwrap();
    let timeout = SignedDuration::from_mins(7);
    let spec = FactSpec { name: None, ask, read: FactRead::Text, about: None, every, valid, timeout };
    if name == "list" {
        return FactGate::Blockers { list: Box::new(spec), from: None, not_in: None };
    }
    let (bound, baseline) = match chance.below(4) {
        0 => (Bound::AtMost("1000000".parse().unwrap()), Some(Baseline::Start)),
        _ => (Bound::AtMost(LIMIT.to_string().parse().unwrap()), None),
    };
    let quiet = chance.percent(40).then(|| SignedDuration::from_mins(chance.between(1, 40)));
    FactGate::Metrics(Box::new(MetricRule { number: spec, from: None, bound, baseline, quiet }))
}

/// Every fact that gates of these rules can rest on.
fn names(policy: &Policy) -> Vec<String> {
    let mut names = vec!["look-at-list".to_owned(), "look-at-rate".to_owned()];
    for environment in policy.environments.keys() {
        names.push(format!("http://facts.sim/{environment}/list"));
        names.push(format!("http://facts.sim/{environment}/rate"));
    }
    names
}

fn good(name: &str) -> &'static str {
    if name.ends_with("list") { "" } else { "3" }
}

impl Sim {
    /// Facts as they are at first, or changed, by chance.
    pub(crate) fn facts_change(&mut self, percent: u32) {
        for name in names(&self.team.policy) {
            if !self.chance.percent(percent) {
                continue;
            }
            let answer = match self.chance.below(6) {
                0 => None,
                1 => Some(if name.ends_with("list") { "BUG-1 it burns\nBUG-2\n" } else { "11" }),
                2 => Some(if name.ends_with("list") { "BUG-3\n" } else { "eleven" }),
                3 => Some(if name.ends_with("list") { " \n" } else { "9.75\n" }),
                _ => Some(good(&name)),
            };
            self.world.state().fact(&name, answer);
        }
    }

    /// All is well.
    pub(crate) fn facts_mend(&mut self) {
        for name in names(&self.team.policy) {
            self.world.state().fact(&name, Some(good(&name)));
        }
    }
}

impl Judging<'_> {
    /// Whether a start could rest on a fact: it was good at a moment that is not too long ago, and, where it has to have been
    /// for some time, it was not bad for so long that nobody can have missed it.
    pub(crate) fn fact(&self, gate: &FactGate) -> bool {
        let (spec, quiet, is_good): (FactSpec, _, fn(&str) -> bool) = match gate {
            FactGate::Blockers { list, .. } => ((**list).clone(), None, |answer| answer.trim().is_empty()),
            FactGate::Metrics(rule) if rule.baseline.is_some() => {
                (rule.number.clone(), rule.quiet, |answer| answer.trim().parse::<f64>().is_ok())
            }
            FactGate::Metrics(rule) => (rule.number.clone(), rule.quiet, |answer| {
                answer.trim().parse::<f64>().is_ok_and(|number| number <= LIMIT)
            }),
            FactGate::Ci(_) | FactGate::Signed(_) | FactGate::Artifacts(_) | FactGate::Require(_) => {
                return false;
            }
        };
        let name = match &spec.ask {
            FactAsk::Command(shell) => shell.command.clone(),
            FactAsk::Http { url, .. } => address(&url.0, self.name),
        };
        let Some(stretches) = self.oracle.facts.get(&name) else { return false };
        let is_good = |stretch: &&Stretch| stretch.answer.as_deref().is_some_and(is_good);
        // A look that began at its time answers a little later.
        let (from, until) = (self.at - spec.valid, self.at + spec.valid);
        let touches = |stretch: &&Stretch| {
            stretch.from.min(stretch.until.unwrap_or(stretch.from)) <= until
                && stretch.until.is_none_or(|end| end.max(stretch.from) >= from)
        };
        let seen = stretches.iter().filter(is_good).any(|stretch| touches(&stretch));
        let Some(quiet) = quiet else { return seen };
        let missed = spec.valid + SLOW;
        let broken = stretches.iter().filter(|stretch| !is_good(stretch)).any(|stretch| {
            let begin = stretch.from.max(self.at - quiet);
            let end = stretch.until.unwrap_or(self.at).min(self.at);
            end.duration_since(begin) > missed
        });
        seen && !broken
    }
}

fn address(url: &str, environment: &EnvironmentName) -> String {
    url.replace("{{ env.name }}", environment.as_str())
}

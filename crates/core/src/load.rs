//! Numbers of load tests: read, compared with those of another release, told.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::act::Outcome;
use crate::candidate::Fingerprint;
use crate::facts::Decimal;
use crate::ids::{EnvironmentName, OutputName, StepId};
use crate::model::{Bound, LoadBound, LoadRule};

/// The most numbers of one load test: one event tells them all.
pub const MEASURES_MAX: usize = 50;
/// A difference that comes of counting with binary fractions, as a part of the number: less than any that was measured.
const ROUNDING: f64 = 1e-9;

/// The numbers of a load test, by name.
pub type Numbers = BTreeMap<OutputName, Decimal>;

/// What a load test measured, and what that is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measurement {
    /// When.
    pub at: Timestamp,
    /// The numbers.
    pub numbers: Numbers,
    /// What they are compared with; nothing where every bound is a number of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
    /// Where; nothing where the test brought its own place along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<EnvironmentName>,
    /// With which content.
    pub covers: Fingerprint,
    /// How the command ended.
    pub outcome: Outcome,
}

/// What numbers are compared with, as it was when they were measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Against {
    /// Where the other release runs.
    pub environment: EnvironmentName,
    /// Its version; `None` where it is not known what runs there.
    pub version: Option<String>,
    /// When its numbers were measured.
    pub at: Option<Timestamp>,
    /// Its numbers; empty where it has none.
    pub numbers: Numbers,
    /// Whether it is the candidate itself that runs there: there is no other release to compare with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub itself: bool,
}

/// Numbers that a release had in a load test before it came to an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Had {
    /// When they were measured.
    pub at: Timestamp,
    /// The numbers.
    pub numbers: Numbers,
}

/// Reads the numbers that a rule asks for.
///
/// # Errors
///
/// When some are missing or no numbers: what is wrong with each of them, with its JSON pointer.
pub fn read(rule: &LoadRule, outputs: &BTreeMap<OutputName, String>) -> Result<Numbers, Vec<String>> {
    let mut numbers = Numbers::new();
    let mut wrong = Vec::new();
    for (name, measure) in &rule.measures {
        match outputs.get(name).map(|text| text.parse::<Decimal>()) {
            Some(Ok(number)) => drop(numbers.insert(name.clone(), number)),
            Some(Err(why)) => wrong.push(format!("`{name}`: {why}, at `{}`", measure.json)),
            None => wrong.push(format!("`{name}`: nothing is at `{}`", measure.json)),
        }
    }
    if wrong.is_empty() { Ok(numbers) } else { Err(wrong) }
}

/// How a number stands to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It keeps it.
    Kept,
    /// It does not.
    Broken,
    /// There is nothing to compare it with: somebody has to say whether it is good.
    Unknown,
    /// It was not measured.
    Missing,
}

/// A number with one of its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Which number.
    pub name: OutputName,
    /// What it is.
    pub now: Option<Decimal>,
    /// What it was in the other release.
    pub then: Option<Decimal>,
    /// The bound.
    pub bound: LoadBound,
    /// How it stands.
    pub standing: Standing,
}

/// Holds numbers against their bounds, in the order of the rule. What they were compared with counts where it is what the rule
/// says.
pub fn judge(rule: &LoadRule, numbers: &Numbers, against: Option<&Against>) -> Vec<Verdict> {
    let against = against.filter(|against| rule.baseline.as_ref() == Some(&against.environment));
    let mut verdicts = Vec::new();
    for (name, measure) in &rule.measures {
        let now = numbers.get(name).copied();
        let then = against.and_then(|against| against.numbers.get(name)).copied();
        for bound in &measure.bounds {
            let standing = match (now, limit(*bound, then)) {
                (None, _) => Standing::Missing,
                (Some(_), None) => Standing::Unknown,
                (Some(now), Some(limit)) if keeps(now.get(), bound.bound, limit) => Standing::Kept,
                _ => Standing::Broken,
            };
            verdicts.push(Verdict { name: name.clone(), now, then, bound: *bound, standing });
        }
    }
    verdicts
}

/// The number that a bound comes to; `None` where it is a percentage of nothing that is known.
fn limit(bound: LoadBound, then: Option<Decimal>) -> Option<f64> {
    let (Bound::AtMost(number) | Bound::AtLeast(number)) = bound.bound;
    if !bound.percent {
        return Some(number.get());
    }
    let then = then?.get();
    // Of a number below zero, 110% is larger too, and 90% smaller. Of zero, every percentage is zero.
    Some(then + then.abs() * ((number.get() - 100.0) / 100.0))
}

fn keeps(now: f64, bound: Bound, limit: f64) -> bool {
    let slack = ROUNDING * limit.abs();
    match bound {
        Bound::AtMost(_) => now <= limit + slack,
        Bound::AtLeast(_) => now >= limit - slack,
    }
}

/// Numbers that keep every bound, as far as there are any: those of the other release where they do.
pub fn suiting(rule: &LoadRule, then: &Numbers) -> BTreeMap<OutputName, String> {
    let one = |(name, measure): (&OutputName, &crate::model::Measure)| {
        let then = then.get(name).copied();
        let limits = || measure.bounds.iter().filter_map(|bound| Some((bound.bound, limit(*bound, then)?)));
        let mut number = then.map(Decimal::get);
        for (bound, limit) in limits() {
            number = Some(match (number, bound) {
                (None, _) => limit,
                (Some(number), Bound::AtMost(_)) => number.min(limit),
                (Some(number), Bound::AtLeast(_)) => number.max(limit),
            });
        }
        let number = number.and_then(Decimal::new).unwrap_or_default();
        (name.clone(), String::from(number))
    };
    rule.measures.iter().map(one).collect()
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, number) = match self.bound.bound {
            Bound::AtMost(number) => ("at most", number),
            Bound::AtLeast(number) => ("at least", number),
        };
        let unit = if self.bound.percent { "%" } else { "" };
        let Some(now) = self.now else {
            return write!(f, "`{}` was not measured: {side} {number}{unit}", self.name);
        };
        write!(f, "`{}` is {now}", self.name)?;
        match self.then {
            Some(then) => write!(f, ", was {then}{}", self.share(now, then, number))?,
            None if self.bound.percent => f.write_str(", and there is nothing to compare it with")?,
            None => {}
        }
        write!(f, ": {side} {number}{unit}")
    }
}

impl Verdict {
    /// How much of the other number it is, in percent; nothing is said where that was zero or below.
    fn share(&self, now: Decimal, then: Decimal, asked: Decimal) -> String {
        if then.get() <= 0.0 {
            return String::new();
        }
        let percent = now.get() / then.get() * 100.0;
        let short = Decimal::new((percent * 10.0).round() / 10.0);
        // What misses its bound by a hair is not shown as if it kept it.
        let misleads = self.bound.percent && self.standing == Standing::Broken && short == Some(asked);
        let shown = short.filter(|_| !misleads).or_else(|| Decimal::new(percent));
        shown.map(|percent| format!(" ({percent}%)")).unwrap_or_default()
    }
}

/// Verdicts in one sentence: first what stands like this, then the rest.
pub fn told(verdicts: &[Verdict], first: Standing) -> String {
    let (these, others): (Vec<&Verdict>, Vec<&Verdict>) =
        verdicts.iter().partition(|verdict| verdict.standing == first);
    let all: Vec<String> = these.into_iter().chain(others).map(ToString::to_string).collect();
    all.join("; ")
}

impl Against {
    /// With what numbers are compared, or why there is nothing.
    pub fn words(&self) -> String {
        match (&self.version, self.at) {
            (Some(version), _) if self.itself => {
                let environment = &self.environment;
                format!(
                    "{version} itself runs in {environment}, so there is no other release to compare with"
                )
            }
            (Some(version), Some(at)) => {
                let at = crate::decide::second(at);
                format!("compared with {version} in {}, measured at {at}", self.environment)
            }
            (Some(version), None) => {
                format!("{version}, which runs in {}, was not measured by this load test", self.environment)
            }
            (None, _) => format!("what runs in {} is not known", self.environment),
        }
    }
}

/// The id of a step as it stands in the file: its last part, where the step stands in an environment.
pub fn own_id(step: &StepId) -> StepId {
    let last = step.as_str().rsplit('/').next().unwrap_or_default();
    StepId::new(last).unwrap_or_else(|_| step.clone())
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use proptest::prelude::*;

    use super::*;
    use crate::model::Measure;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    /// A bound as it stands in a file: `at-least 90%`.
    fn bound(text: &str) -> LoadBound {
        let (side, number) = text.split_once(' ').unwrap();
        let percent = number.ends_with('%');
        let number = decimal(number.trim_end_matches('%'));
        let bound = if side == "at-most" { Bound::AtMost(number) } else { Bound::AtLeast(number) };
        LoadBound { bound, percent }
    }

    fn rule(bounds: &[&str]) -> LoadRule {
        let bounds = bounds.iter().map(|text| bound(text)).collect();
        let measure = Measure { json: "/rps".into(), bounds };
        let measures = IndexMap::from([("rps".parse().unwrap(), measure)]);
        LoadRule { measures, baseline: Some("production".parse().unwrap()) }
    }

    fn numbers(number: &str) -> Numbers {
        BTreeMap::from([("rps".parse().unwrap(), decimal(number))])
    }

    fn against(then: &str) -> Against {
        let numbers = numbers(then);
        let at = Some(Timestamp::UNIX_EPOCH);
        let (version, itself) = (Some("1.8.0".into()), false);
        Against { environment: "production".parse().unwrap(), version, at, numbers, itself }
    }

    fn check(then: &str, text: &str, now: &str, standing: Standing, told: &str) {
        let against = (!then.is_empty()).then(|| against(then));
        let verdicts = judge(&rule(&[text]), &numbers(now), against.as_ref());
        assert_eq!(verdicts.len(), 1);
        assert_eq!((verdicts[0].standing, verdicts[0].to_string().as_str()), (standing, told));
    }

    #[test]
    fn numbers_are_held_against_their_bounds() {
        use Standing::*;
        check("812", "at-least 90%", "731", Kept, "`rps` is 731, was 812 (90%): at least 90%");
        check("812", "at-least 90%", "730.8", Kept, "`rps` is 730.8, was 812 (90%): at least 90%");
        check("812", "at-least 90%", "650", Broken, "`rps` is 650, was 812 (80%): at least 90%");
        check("812", "at-least 90%", "730.7", Broken, "`rps` is 730.7, was 812 (89.987685%): at least 90%");
        check("250", "at-most 250", "250", Kept, "`rps` is 250, was 250 (100%): at most 250");
        check("", "at-most 250", "250.5", Broken, "`rps` is 250.5: at most 250");
        check(
            "",
            "at-most 100%",
            "3",
            Unknown,
            "`rps` is 3, and there is nothing to compare it with: at most 100%",
        );
        // No more than none is none; any share of none is kept.
        check("0", "at-most 100%", "0", Kept, "`rps` is 0, was 0: at most 100%");
        check("0", "at-most 110%", "1", Broken, "`rps` is 1, was 0: at most 110%");
        check("0", "at-least 90%", "0", Kept, "`rps` is 0, was 0: at least 90%");
        // Counting with binary fractions breaks no bound.
        check("3", "at-most 110%", "3.3", Kept, "`rps` is 3.3, was 3 (110%): at most 110%");
        check("1.1", "at-least 90%", "0.99", Kept, "`rps` is 0.99, was 1.1 (90%): at least 90%");
        check("-10", "at-most 110%", "-9", Kept, "`rps` is -9, was -10: at most 110%");
        check("-10", "at-most 110%", "-8.9", Broken, "`rps` is -8.9, was -10: at most 110%");
    }

    #[test]
    fn only_what_the_rule_names_is_compared_with() {
        let mut other = against("812");
        other.environment = "stage".parse().unwrap();
        let verdicts = judge(&rule(&["at-least 90%"]), &numbers("1"), Some(&other));
        assert_eq!(verdicts[0].standing, Standing::Unknown);
        let verdicts = judge(&rule(&["at-least 90%"]), &Numbers::new(), Some(&other));
        assert_eq!(verdicts[0].standing, Standing::Missing);
    }

    #[test]
    fn what_is_no_number_is_told_with_its_place() {
        let outputs = |text: &str| BTreeMap::from([("rps".parse().unwrap(), text.to_owned())]);
        for (text, told) in [
            ("NaN", "`rps`: `NaN` is no number, at `/rps`"),
            ("inf", "`rps`: `inf` is no number, at `/rps`"),
            ("1e999", "`rps`: `1e999` is no number, at `/rps`"),
            ("[1]", "`rps`: `[1]` is no number, at `/rps`"),
            ("true", "`rps`: `true` is no number, at `/rps`"),
        ] {
            assert_eq!(read(&rule(&[]), &outputs(text)), Err(vec![told.to_owned()]));
        }
        assert_eq!(read(&rule(&[]), &BTreeMap::new()), Err(vec!["`rps`: nothing is at `/rps`".to_owned()]));
        assert_eq!(read(&rule(&[]), &outputs(" 12.5 ")), Ok(numbers("12.5")));
    }

    proptest! {
        /// More never breaks a lower bound that less keeps, and the other way round.
        #[test]
        fn bounds_are_monotonic(then in -1e9..1e9_f64, share in 0.0..300.0_f64, one in -1e9..1e9_f64, two in -1e9..1e9_f64) {
            let (less, more) = (one.min(two), one.max(two));
            let stands = |side: &str, now: f64| {
                let rule = rule(&[&format!("{side} {share}%")]);
                judge(&rule, &numbers(&now.to_string()), Some(&against(&then.to_string())))[0].standing
            };
            if stands("at-least", less) == Standing::Kept {
                prop_assert_eq!(stands("at-least", more), Standing::Kept);
            }
            if stands("at-most", more) == Standing::Kept {
                prop_assert_eq!(stands("at-most", less), Standing::Kept);
            }
        }

        /// What stands for numbers that nobody knows keeps its bounds.
        #[test]
        fn what_is_assumed_is_good(then in -1e9..1e9_f64, least in 0.0..100.0_f64, most in 100.0..300.0_f64) {
            let rule = rule(&[&format!("at-least {least}%"), &format!("at-most {most}%")]);
            let against = against(&then.to_string());
            let numbers = read(&rule, &suiting(&rule, &against.numbers)).unwrap();
            for verdict in judge(&rule, &numbers, Some(&against)) {
                prop_assert_eq!(verdict.standing, Standing::Kept);
            }
        }
    }
}

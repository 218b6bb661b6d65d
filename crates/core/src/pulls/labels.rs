//! What labels ask of the next version.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PullNumber;
use crate::act::Failure;
use crate::commits::{BumpAdvice, BumpReason, Change, CommitRules, Lines, plain_text};
use crate::facts::{filled_with, percent_encoded};
use crate::ids::ObjectId;
use crate::model::{FactAsk, FactRead, Template};
use crate::version::Bump;

/// The most labels of one pull request that are read.
pub const LABELS_MAX: usize = 100;
/// The longest label, in characters.
const LABEL_MAX_CHARS: usize = 100;

/// How labels of pull requests decide the version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LabelRules {
    /// How the labels of one pull request are asked for.
    pub ask: FactAsk,
    /// How the answer is read: a list.
    pub read: FactRead,
    /// How long one question may take.
    pub timeout: SignedDuration,
    /// What each label asks for; nothing where there is none. A label that is not here says nothing about the version.
    pub types: BTreeMap<String, Option<Bump>>,
    /// What a pull request asks for that has none of them.
    pub other: Unlabelled,
}

/// What is asked for the labels of one pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelAsk {
    /// A command is run.
    Command {
        /// For `sh -c`.
        command: String,
        /// Its variables.
        variables: BTreeMap<String, String>,
        /// Variables that hold secrets: variable name to secret name.
        secrets: BTreeMap<String, String>,
    },
    /// A service is asked over HTTP.
    Http {
        /// The address.
        url: String,
        /// Headers.
        headers: BTreeMap<String, String>,
        /// Headers that hold secrets: header to secret name.
        secrets: BTreeMap<String, String>,
        /// The secret of a header `Authorization: Bearer …`.
        bearer: Option<String>,
    },
}

/// The names that a question can speak of.
#[derive(Serialize)]
struct Names {
    pull: Pull,
}

#[derive(Serialize)]
struct Pull {
    number: u64,
}

impl LabelRules {
    /// What is asked for the labels of one pull request.
    ///
    /// # Errors
    ///
    /// A text that cannot be filled in.
    pub fn asks(&self, number: PullNumber) -> Result<LabelAsk, Failure> {
        let names = Names { pull: Pull { number: number.get() } };
        let filled = |texts: &BTreeMap<String, Template>| -> Result<BTreeMap<String, String>, Failure> {
            let of = |(name, text): (&String, &Template)| {
                Ok((name.clone(), filled_with(&names, text, str::to_owned)?))
            };
            texts.iter().map(of).collect()
        };
        Ok(match &self.ask {
            FactAsk::Command(shell) => {
                let mut variables = filled(&shell.variables)?;
                variables.insert("TOLLGATE_PULL_NUMBER".into(), number.get().to_string());
                LabelAsk::Command {
                    command: shell.command.clone(),
                    variables,
                    secrets: shell.secrets.clone(),
                }
            }
            FactAsk::Http { url, headers, secrets, bearer, query: _ } => LabelAsk::Http {
                url: filled_with(&names, url, percent_encoded)?,
                headers: filled(headers)?,
                secrets: secrets.clone(),
                bearer: bearer.clone(),
            },
        })
    }
}

/// What a pull request without any label that counts asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unlabelled {
    /// That is for a person to say.
    Ask,
    /// What its commits say.
    Commits,
    /// This much, or nothing.
    Counts(Option<Bump>),
}

/// A pull request with its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// Its number.
    pub number: PullNumber,
    /// What it is called.
    pub title: String,
    /// Its labels, plain.
    pub labels: BTreeSet<String>,
}

/// Pull requests of which a person has to say what they ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsaid(pub Vec<Labelled>);

/// Reads the labels of a pull request: a list of names, or of objects that have a `name`; in a text one name a line.
///
/// # Errors
///
/// In plain words, why there are none in it.
pub fn read(how: &FactRead, answer: &[u8]) -> Result<BTreeSet<String>, String> {
    let names: Vec<String> = match how {
        FactRead::Json(pointer) => {
            let document: Value =
                serde_json::from_slice(answer).map_err(|_| "the answer is not JSON".to_owned())?;
            let place = || match pointer.as_str() {
                "" => "the answer".to_owned(),
                pointer => format!("what stands at `{}`", plain(pointer)),
            };
            let found = document
                .pointer(pointer)
                .ok_or_else(|| format!("there is nothing at `{}` in the answer", plain(pointer)))?;
            let items = found.as_array().ok_or_else(|| format!("{} is no list", place()))?;
            let names = items.iter().map(|item| item.as_str().or_else(|| item.get("name")?.as_str()));
            let names: Option<Vec<&str>> = names.collect();
            let names = names.ok_or_else(|| format!("an item in {} is no name and has none", place()))?;
            names.into_iter().map(plain).collect()
        }
        FactRead::Text | FactRead::Prometheus => String::from_utf8_lossy(answer).lines().map(plain).collect(),
    };
    let labels: BTreeSet<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
    match labels.len() > LABELS_MAX {
        true => Err(format!("there are more than {LABELS_MAX} labels in the answer")),
        false => Ok(labels),
    }
}

/// A label as it can be shown. One that is too long is none that a procedure file can name.
fn plain(text: &str) -> String {
    plain_text(text, Lines::Join).trim().chars().take(LABEL_MAX_CHARS + 1).collect()
}

/// Whether a label that is named like this can be found in an answer.
pub fn is_label(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= LABEL_MAX_CHARS && plain(name) == name
}

/// The changes that count for the version, each with the pull request it came by. A merge counts by what it brings.
pub fn counted<'c>(
    changes: &'c [Change],
    merges: &BTreeSet<ObjectId>,
    came_by: &HashMap<ObjectId, PullNumber>,
) -> Vec<(&'c Change, Option<PullNumber>)> {
    let brings = changes.iter().filter(|change| !merges.contains(&change.commit));
    brings.map(|change| (change, came_by.get(&change.commit).copied())).collect()
}

/// How much the next version has to grow: by the labels of the pull requests, and by what commits say that came by none.
///
/// # Errors
///
/// The pull requests of which a person has to say it.
pub fn advise_by_labels(
    counted: &[(&Change, Option<PullNumber>)],
    pulls: &[Labelled],
    rules: &LabelRules,
    commits: &CommitRules,
) -> Result<BumpAdvice, Unsaid> {
    let mut unsaid = Vec::new();
    // Those of which their commits speak.
    let mut spoken: BTreeSet<PullNumber> = BTreeSet::new();
    let mut reasons: Vec<(Option<Bump>, BumpReason)> = Vec::new();
    for pull in pulls {
        let of = |label: &String| rules.types.get(label).map(|bump| (*bump, Some(label.clone())));
        let most = pull.labels.iter().filter_map(of).max();
        let (bump, label) = match (most, rules.other) {
            (Some(most), _) => most,
            (None, Unlabelled::Counts(bump)) => (bump, None),
            (None, Unlabelled::Commits) => {
                spoken.insert(pull.number);
                continue;
            }
            (None, Unlabelled::Ask) => {
                unsaid.push(pull.clone());
                continue;
            }
        };
        let why = match label {
            Some(label) => format!("labelled `{label}`"),
            None => "without a label that counts".to_owned(),
        };
        reasons.push((bump, reason(format!("{} {why}", pull.number), pull)));
    }
    if !unsaid.is_empty() {
        return Err(Unsaid(unsaid));
    }
    for (change, number) in counted {
        if number.is_none_or(|number| spoken.contains(&number)) {
            let reason = BumpReason {
                commit: change.commit.clone(),
                file: None,
                subject: change.subject.clone(),
                breaking: change.breaking.clone(),
            };
            reasons.push((commits.bump(change), reason));
        }
    }
    let Some(bump) = reasons.iter().filter_map(|(bump, _)| *bump).max() else {
        return Ok(BumpAdvice::default());
    };
    let because = reasons.into_iter().filter(|(of, _)| *of == Some(bump)).map(|(_, reason)| reason);
    Ok(BumpAdvice { bump: Some(bump), because: because.collect() })
}

fn reason(by: String, pull: &Labelled) -> BumpReason {
    BumpReason {
        commit: ObjectId(String::new()),
        file: Some(by),
        subject: pull.title.clone(),
        breaking: None,
    }
}

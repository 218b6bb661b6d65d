//! Labels of pull requests, where they decide the version: found among the commits, asked for once each, put together.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::task::JoinSet;
use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::ids::{EffectId, ObjectId};
use tollgate_core::model::Definition;
use tollgate_core::pulls::{
    LabelAsk, LabelRules, Labelled, PULLS_MAX, PullNumber, Unsaid, Walked, advise_by_labels, came_by,
    counted, read, title,
};

use crate::execute::{ended_well, tail};
use crate::looking::VersionSurvey;
use crate::planning::PlanningError;
use crate::ports::{ChildRequest, CommitRef, FactQuestion, HistoryQuery, PortError, Repository};
use crate::versioning::Wanted;
use crate::{EngineError, World};

/// How many pull requests are asked for at the same time.
const AT_ONCE: usize = 8;
/// How long all questions of one release may take.
const ALL_MAX: Duration = Duration::from_secs(300);
/// The longest answer of a command, in bytes.
const ANSWER_MAX_BYTES: usize = 256 * 1024;
/// The most pull requests that one refusal names.
const SHOWN: usize = 5;
/// What helps whatever the reason is.
const OTHERWISE: &str = "say how much the version grows with `--bump`";

/// Where the labels of a release are asked for.
#[derive(Debug, Clone, Copy)]
pub struct LabelPlace<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The commits that are released, with all before them: the branch's first.
    pub heads: &'a [ObjectId],
    /// Where a command runs.
    pub files: LabelFiles<'a>,
}

/// Where a command that is asked for labels runs.
#[derive(Debug, Clone, Copy)]
pub enum LabelFiles<'a> {
    /// In the files of the first of the commits, laid out in a folder of this one.
    LaidOut(&'a Path),
    /// In a folder that is there: nothing is written.
    Here(&'a Path),
}

/// What the commits since the last release say of pull requests.
#[derive(Debug, Default)]
struct Pulls {
    walked: Vec<Walked>,
    merges: BTreeSet<ObjectId>,
    titles: BTreeMap<PullNumber, String>,
}

impl Pulls {
    fn take(&mut self, commit: CommitRef<'_>) {
        let id = ObjectId(commit.id.to_owned());
        let parents: Vec<ObjectId> = commit.parents().map(|id| ObjectId(id.to_owned())).collect();
        let number = PullNumber::of_message(commit.message);
        if let Some(number) = number {
            self.titles.entry(number).or_insert_with(|| title(commit.message));
        }
        if parents.len() > 1 {
            self.merges.insert(id.clone());
        }
        self.walked.push(Walked { commit: id, parents, number });
    }
}

impl World {
    /// Asks for the labels of the pull requests of a release, where they decide its version and nobody said it at the start.
    pub async fn labels(
        &self,
        place: LabelPlace<'_>,
        definition: &Definition,
        survey: &mut VersionSurvey,
        wanted: &Wanted,
    ) -> Result<(), EngineError> {
        let said = wanted.version.is_some() || wanted.bump.is_some();
        let first = survey.last.is_none() && definition.version.initial.is_some();
        let Some(rules) = definition.version.next.label_rules().filter(|_| !said && !first) else {
            return Ok(());
        };
        let Some(base) = place.heads.first() else { return Ok(()) };
        let mut pulls = Pulls::default();
        let mut take = |commit: CommitRef<'_>| {
            pulls.take(commit);
            ControlFlow::Continue(())
        };
        let after = survey.previous.as_ref().map(|previous| &previous.commit);
        let query = HistoryQuery::upto(base).without(after);
        let query = HistoryQuery { to: place.heads.to_vec(), ..query };
        self.source.commits(place.repository, &query, &mut take).await?;
        let by = came_by(&pulls.walked, place.heads);
        let counted = counted(&survey.changes, &pulls.merges, &by);
        let mut numbers: Vec<PullNumber> = Vec::new();
        let mut known = BTreeSet::new();
        numbers
            .extend(counted.iter().filter_map(|(_, number)| *number).filter(|number| known.insert(*number)));
        if numbers.len() > PULLS_MAX {
            let why = format!("there are {} pull requests since the last release", numbers.len());
            let hint = format!("labels of at most {PULLS_MAX} are asked for: {OTHERWISE}");
            return Err(refused("too-many-pulls", why, hint).into());
        }
        let asked = numbers.iter().map(|number| {
            let title = pulls.titles.get(number).cloned().unwrap_or_default();
            Labelled { number: *number, title, labels: BTreeSet::new() }
        });
        let labelled = self.labels_of(place, rules, asked.collect()).await?;
        survey.advice = advise_by_labels(&counted, &labelled, rules, &definition.commits)
            .map_err(|unsaid| unlabelled(&unsaid, rules))?;
        survey.labelled = true;
        Ok(())
    }

    /// Asks for the labels of each of these, within a time.
    async fn labels_of(
        &self,
        place: LabelPlace<'_>,
        rules: &LabelRules,
        pulls: Vec<Labelled>,
    ) -> Result<Vec<Labelled>, EngineError> {
        let Some(first) = pulls.first().cloned() else { return Ok(pulls) };
        match rules.asks(first.number) {
            // A command goes on where nobody waits for it any more: it is ended, and its files are removed.
            Ok(LabelAsk::Command { .. }) => self.by_command(place, rules, pulls).await,
            _ => {
                let answered = tokio::time::timeout(ALL_MAX, self.by_http(rules, pulls)).await;
                answered.unwrap_or_else(|_| Err(too_late().into()))
            }
        }
    }

    async fn by_http(&self, rules: &LabelRules, pulls: Vec<Labelled>) -> Result<Vec<Labelled>, EngineError> {
        let mut done: BTreeMap<usize, Labelled> = BTreeMap::new();
        // Of several that fail, the first one is told, whichever answers first.
        let mut failed: Option<(usize, PlanningError)> = None;
        let mut asking = JoinSet::new();
        let mut left = pulls.into_iter().enumerate();
        loop {
            while asking.len() < AT_ONCE
                && failed.is_none()
                && let Some((n, pull)) = left.next()
            {
                let question = question(rules, pull.number).map_err(|why| unanswered(&pull, &why))?;
                let facts = self.facts.clone();
                asking.spawn(async move { (n, pull, facts.ask(&question).await) });
            }
            let Some(asked) = asking.join_next().await else { break };
            let (n, pull, answer) = asked.map_err(|error| EngineError::Damaged(error.to_string()))?;
            let labels = answer.and_then(|answer| read(&rules.read, &answer));
            match labels {
                Ok(labels) => drop(done.insert(n, Labelled { labels, ..pull })),
                Err(why) if failed.as_ref().is_none_or(|(first, _)| n < *first) => {
                    failed = Some((n, unanswered(&pull, &why)));
                }
                Err(_) => {}
            }
        }
        match failed {
            Some((_, error)) => Err(error.into()),
            None => Ok(done.into_values().collect()),
        }
    }

    /// Commands run one after the other, in one set of files.
    async fn by_command(
        &self,
        place: LabelPlace<'_>,
        rules: &LabelRules,
        mut pulls: Vec<Labelled>,
    ) -> Result<Vec<Labelled>, EngineError> {
        let (folder, laid_out) = match place.files {
            LabelFiles::LaidOut(work) => {
                (work.join("files").join(format!("labels-{}", self.ids.uuid())), place.heads.first())
            }
            LabelFiles::Here(folder) => (folder.to_owned(), None),
        };
        let mut time = std::pin::pin!(tokio::time::sleep(ALL_MAX));
        let answered = async {
            if let Some(base) = laid_out {
                self.source.lay_out(place.repository, base, &folder).await?;
            }
            for pull in &mut pulls {
                let id = EffectId(self.ids.uuid());
                let asking = self.printed_labels(rules, id, pull.number, &folder);
                let answer = tokio::select! {
                    answer = asking => answer,
                    () = &mut time => {
                        if let Err(error) = self.ended(id).await {
                            tracing::warn!(%error, "a command that took too long could not be ended");
                        }
                        return Err(too_late().into());
                    }
                };
                let labels = answer.and_then(|answer| read(&rules.read, &answer));
                pull.labels = labels.map_err(|why| unanswered(pull, &why))?;
            }
            Ok(pulls)
        };
        let answered: Result<Vec<Labelled>, EngineError> = answered.await;
        if laid_out.is_none() {
            return answered;
        }
        let gone = folder.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(gone)).await {
            tracing::debug!(%error, "files were left over");
        }
        answered
    }

    /// Nothing is left of the command of a question.
    async fn ended(&self, id: EffectId) -> Result<(), PortError> {
        self.runner.stop(id, 1).await?;
        self.runner.forget(id).await
    }

    async fn printed_labels(
        &self,
        rules: &LabelRules,
        id: EffectId,
        number: PullNumber,
        folder: &Path,
    ) -> Result<Vec<u8>, String> {
        let asks = rules.asks(number).map_err(|failure| failure.why)?;
        let LabelAsk::Command { command, variables, secrets } = asks else {
            return Err("not a command".into());
        };
        let request = ChildRequest {
            id,
            attempt: 1,
            command,
            folder: PathBuf::from(folder),
            variables,
            secrets,
            timeout: rules.timeout,
        };
        let words = |error: PortError| line(&format!("{}: {}", error.what, error.why));
        let exit = self.runner.run(&request).await.map_err(words);
        self.runner.forget(id).await.map_err(words)?;
        let exit = exit?;
        let output = plain_text(&String::from_utf8_lossy(&exit.output), Lines::Keep).into_owned();
        ended_well(&exit, rules.timeout, &tail(&output)).map_err(|failure| line(&failure.why))?;
        match exit.stdout.len() > ANSWER_MAX_BYTES {
            true => Err(format!("the command prints more than {} KiB", ANSWER_MAX_BYTES / 1024)),
            false => Ok(exit.stdout),
        }
    }
}

fn question(rules: &LabelRules, number: PullNumber) -> Result<FactQuestion, String> {
    match rules.asks(number).map_err(|failure| failure.why)? {
        LabelAsk::Http { url, headers, secrets, bearer } => {
            let timeout: SignedDuration = rules.timeout;
            Ok(FactQuestion { url, headers, secrets, bearer, timeout })
        }
        LabelAsk::Command { .. } => Err("not an address".into()),
    }
}

fn too_late() -> PlanningError {
    let why = format!("not all labels were answered for within {} seconds", ALL_MAX.as_secs());
    refused("no-labels", why, format!("try again later, or {OTHERWISE}"))
}

/// One plain line, of readable length.
fn line(text: &str) -> String {
    plain_text(text, Lines::Join).chars().take(300).collect()
}

fn refused(code: &'static str, why: String, hint: String) -> PlanningError {
    PlanningError::Version { code, why, hint: Some(hint) }
}

fn unanswered(pull: &Labelled, why: &str) -> PlanningError {
    let Labelled { number, title, .. } = pull;
    let why = format!("the labels of pull request {number} ({title}) cannot be read: {}", line(why));
    let hint = format!("look whether `labels` asks at the right place and may read there, or {OTHERWISE}");
    refused("no-labels", why, hint)
}

/// That people have to say how much the version grows.
pub(crate) fn unlabelled(unsaid: &Unsaid, rules: &LabelRules) -> PlanningError {
    let Unsaid(pulls) = unsaid;
    let named: Vec<String> =
        pulls.iter().take(SHOWN).map(|pull| format!("{} ({})", pull.number, pull.title)).collect();
    let more = match pulls.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (subject, verb) = if pulls.len() == 1 { ("pull request", "has") } else { ("pull requests", "have") };
    let why =
        format!("{subject} {}{more} {verb} no label that says how much the version grows", named.join(", "));
    let labels: Vec<String> =
        rules.types.keys().take(SHOWN).map(|label| format!("`{}`", line(label))).collect();
    refused("unlabelled", why, format!("label with one of {}, or {OTHERWISE}", labels.join(", ")))
}

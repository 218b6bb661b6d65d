//! Merging and picking commits: what comes of them, and whom to ask where they do not go together.

use std::collections::BTreeMap;

use tollgate_core::act::{Act, Failure, FailureClass, Outcome};
use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::ids::ObjectId;
use tollgate_core::model::{MergeWay, Step, StepKind};

use crate::looking::{Asked, VersionSurvey};
use crate::planning::{PlanningError, Surveyed, TITLE_MAX_CHARS};
use crate::{Engine, EngineError};

use crate::execute::{Execution, failure, permanent, rejected, signing};
use crate::ports::{
    Clash, HistoryQuery, MergeOutcome, MergeRequest, PickOutcome, PickRequest, PushOutcome, PushRefusal,
    RawCommit, RefUpdate, Repository,
};
use crate::since::{CHANGES_MAX, changes_of};

/// How often a merge is made anew because the branch moved on meanwhile, before it is left for a later try.
pub(crate) const LOOKS_MAX: u32 = 5;
/// How many commits on top of one are looked at, and how many of them a failure names.
const AHEAD_MAX: usize = 100;
const AHEAD_SHOWN: usize = 3;
/// The most files that a failure names.
const FILES_SHOWN: usize = 10;

impl Engine {
    /// The branches that steps merge into the candidate, each at the commit where it is now: a run merges what its plan
    /// shows, however far the branch has moved on by then.
    pub(crate) async fn pinned(
        &self,
        surveyed: &Surveyed,
        steps: &[Step],
    ) -> Result<BTreeMap<String, ObjectId>, EngineError> {
        let mut branches = Vec::new();
        merged_branches(steps, &mut branches);
        let mut pinned = BTreeMap::new();
        for branch in branches {
            let name = format!("refs/remotes/origin/{branch}");
            let tip = self.world.source.resolve(&surveyed.repository, &name).await?;
            let tip = tip.ok_or_else(|| PlanningError::Repository {
                code: "no-branch",
                why: format!("{} has no branch `{branch}` to merge from", surveyed.origin.url),
                hint: Some("push the branch, or correct the `from` of `git.merge`".into()),
            })?;
            pinned.insert(branch, tip);
        }
        Ok(pinned)
    }

    /// What merges bring in is released as well: their commits count for the version and for who wrote a part of it.
    /// Gives the paths that differ there.
    pub(crate) async fn brought_in(
        &self,
        surveyed: &Surveyed,
        pinned: &BTreeMap<String, ObjectId>,
        asked: &Asked,
        survey: &mut VersionSurvey,
    ) -> Result<Vec<String>, EngineError> {
        let Some(first) = pinned.values().next() else { return Ok(Vec::new()) };
        let (source, repository) = (self.world.source.as_ref(), &surveyed.repository);
        let to = pinned.values().cloned().collect();
        let query = HistoryQuery::upto(first).without(Some(&surveyed.base)).within(&asked.paths);
        let query = HistoryQuery { to, ..query };
        let brought = changes_of(source, repository, &query, &asked.reading()).await?;
        let brought = brought.ok_or_else(|| PlanningError::Repository {
            code: "merge-too-large",
            why: format!("what is merged would bring in more than {CHANGES_MAX} commits"),
            hint: Some("look whether it is the right branch".into()),
        })?;
        if brought.is_empty() {
            return Ok(Vec::new());
        }
        survey.bring_in(brought, &asked.commits);
        if let Some(folder) = &asked.change_folder {
            for tip in pinned.values() {
                let more =
                    self.world.filed(repository, tip, Some(&surveyed.base), folder, &asked.ticket_keys);
                survey.file(more.await?, &asked.commits);
            }
        }
        let mut paths = Vec::new();
        for tip in pinned.values() {
            // What only the base changed is in it, too: a condition on paths would rather hold once too often.
            paths.extend(source.changed_paths(repository, &surveyed.base, tip).await?);
        }
        Ok(paths)
    }
}

fn merged_branches(steps: &[Step], found: &mut Vec<String>) {
    for step in steps {
        match &step.kind {
            StepKind::GitMerge(merge) => match &merge.way {
                MergeWay::From(branch) if !found.contains(branch) => found.push(branch.clone()),
                _ => {}
            },
            StepKind::Phase { steps } | StepKind::Parallel { steps } => merged_branches(steps, found),
            _ => {}
        }
    }
}

impl Execution<'_> {
    /// Merges, looking first: what is contained already is not merged again.
    pub(crate) async fn merge(&self, act: &Act) -> Result<Outcome, Failure> {
        match act {
            Act::MergeInto { .. } => self.merge_into(act).await,
            Act::MergeFrom { onto, commit, branch, how, message, at, sign } => {
                let request = MergeRequest {
                    ours: onto.clone(),
                    theirs: commit.clone(),
                    how: *how,
                    message: message.clone(),
                    at: *at,
                    sign: signing(*sign),
                };
                let merged = self.engine.world.source.merge(&self.repository(), &request).await;
                match merged.map_err(failure)? {
                    MergeOutcome::Merged(commit) => Ok(Outcome::Merged { commit, found: false }),
                    MergeOutcome::Contained => Ok(Outcome::Merged { commit: onto.clone(), found: true }),
                    other => {
                        Err(not_merged(&format!("`{branch}` ({})", commit.short()), "the candidate", &other))
                    }
                }
            }
            _ => Err(permanent("not a merge", None)),
        }
    }

    /// The remote's branch is looked at, merged into and pushed; when somebody else was faster, once more.
    async fn merge_into(&self, act: &Act) -> Result<Outcome, Failure> {
        let Act::MergeInto { branch, commit, how, message, at, sign, exact } = act else {
            return Err(permanent("not a merge into a branch", None));
        };
        let (source, repository) = (&self.engine.world.source, self.repository());
        let short = branch.trim_start_matches("refs/heads/");
        for _ in 0..LOOKS_MAX {
            source.refresh(&repository).await.map_err(failure)?;
            let tip = self.tip(&repository, branch).await?;
            let request = MergeRequest {
                ours: tip.clone(),
                theirs: commit.clone(),
                how: *how,
                message: message.clone(),
                at: *at,
                sign: signing(*sign),
            };
            let merged = match source.merge(&repository, &request).await.map_err(failure)? {
                MergeOutcome::Merged(merged) => merged,
                MergeOutcome::Contained => {
                    if *exact && tip != *commit {
                        self.nothing_ahead(&repository, short, commit, &tip).await?;
                    }
                    return Ok(Outcome::MergedInto { branch: short.to_owned(), commit: tip, found: true });
                }
                other => {
                    let what = format!("{} ({})", self.plan.version.text, commit.short());
                    return Err(not_merged(&what, &format!("`{short}`"), &other));
                }
            };
            let update = RefUpdate { name: branch.clone(), object: merged.clone() };
            match source.push(&repository, &[update]).await.map_err(failure)? {
                PushOutcome::Done => {
                    return Ok(Outcome::MergedInto {
                        branch: short.to_owned(),
                        commit: merged,
                        found: false,
                    });
                }
                PushOutcome::Rejected { refs } if moved_on(&refs) => {}
                PushOutcome::Rejected { refs } => return Err(declined(&repository, short, &refs)),
            }
        }
        Err(Failure {
            class: FailureClass::Transient,
            ..permanent(
                format!("`{short}` moved on each of {LOOKS_MAX} times before the merge could be pushed"),
                Some("it is merged anew as soon as others leave the branch alone for a moment"),
            )
        })
    }

    /// A branch that an environment runs has this commit; it has to end at a merge of exactly it. With anything else on top it runs
    /// something else, and no merge takes that away.
    async fn nothing_ahead(
        &self,
        repository: &Repository,
        branch: &str,
        commit: &ObjectId,
        tip: &ObjectId,
    ) -> Result<(), Failure> {
        let source = &self.engine.world.source;
        let found = source.history(repository, Some(commit), tip, AHEAD_MAX).await.map_err(failure)?;
        let (ahead, more) = found;
        let is_its_merge = |one: &RawCommit| {
            one.id == *tip && matches!(one.parents.as_slice(), [_, merged] if merged == commit)
        };
        if ahead.iter().any(is_its_merge) {
            return Ok(());
        }
        let title = |one: &RawCommit| {
            let subject = one.message.lines().next().unwrap_or_default();
            let subject: String = plain_text(subject, Lines::Join).chars().take(TITLE_MAX_CHARS).collect();
            format!("{} “{subject}”", one.id.short())
        };
        let shown: Vec<String> = ahead.iter().take(AHEAD_SHOWN).map(title).collect();
        let rest = ahead.len().saturating_sub(shown.len());
        let and = match (rest, more) {
            (0, false) => String::new(),
            (rest, false) => format!(" and {rest} more"),
            (rest, true) => format!(" and more than {rest} more"),
        };
        let why = format!(
            "`{branch}` has {} ({}) already, with others on top: {}{and}; what runs there is not this version, and a merge \
             takes no commit away",
            self.plan.version.text,
            commit.short(),
            shown.join(", ")
        );
        let hint = "revert those on the branch that releases are cut from, and release that; or give this promotion up";
        Err(permanent(why, Some(hint)))
    }

    pub(crate) async fn tip(&self, repository: &Repository, branch: &str) -> Result<ObjectId, Failure> {
        let tip = self.engine.world.source.resolve(repository, branch).await.map_err(failure)?;
        tip.ok_or_else(|| {
            let short = branch.trim_start_matches("refs/heads/");
            let why = format!("{} has no branch `{short}` to merge into", repository.url);
            permanent(why, Some("push the branch, or correct `into`, then retry"))
        })
    }

    /// Takes commits over, one after the other. Nothing of it is kept unless all can be.
    pub(crate) async fn cherry_pick(&self, act: &Act) -> Result<Outcome, Failure> {
        let Act::CherryPick { onto, commits, mainline, at, sign } = act else {
            return Err(permanent("no commits to pick", None));
        };
        let (source, repository) = (&self.engine.world.source, self.repository());
        let mut newest = onto.clone();
        let (mut picked, mut contained, mut authors) = (Vec::new(), Vec::new(), Vec::new());
        for commit in commits {
            if source.resolve(&repository, &commit.0).await.map_err(failure)?.is_none() {
                // Somebody may have pushed it after the plan was made.
                source.refresh(&repository).await.map_err(failure)?;
                break;
            }
        }
        for commit in commits {
            let request = PickRequest {
                onto: newest.clone(),
                commit: commit.clone(),
                mainline: *mainline,
                at: *at,
                sign: signing(*sign),
            };
            match source.cherry_pick(&repository, &request).await.map_err(failure)? {
                PickOutcome::Picked { commit: new, authors: wrote } => {
                    newest = new;
                    picked.push(commit.clone());
                    for author in wrote {
                        if !authors.contains(&author) {
                            authors.push(author);
                        }
                    }
                }
                PickOutcome::Contained => contained.push(commit.clone()),
                PickOutcome::Conflict(files) => {
                    let why = format!("commit {} cannot be taken over: {}", commit.short(), conflict(&files));
                    let hint = format!("{}; or pick what it needs before it", fitting(&files));
                    return Err(permanent(why, Some(&hint)));
                }
                PickOutcome::Refused { why, hint } => {
                    let why = format!("commit {} {why}", commit.short());
                    return Err(permanent(why, hint.as_deref()));
                }
            }
        }
        Ok(Outcome::Picked { commit: newest, picked, contained, authors })
    }
}

/// Why something was not merged, and whom to ask.
pub(crate) fn not_merged(what: &str, into: &str, outcome: &MergeOutcome) -> Failure {
    match outcome {
        MergeOutcome::Conflict(files) => {
            let why = format!("{what} does not merge cleanly into {into}: {}", conflict(files));
            permanent(why, Some(&whom_to_ask(files)))
        }
        MergeOutcome::NotFastForward => permanent(
            format!("{into} cannot simply be moved on to {what}: it has commits of its own"),
            Some("write `how: no-ff`, or bring those commits in first"),
        ),
        MergeOutcome::Unrelated => permanent(
            format!("{what} and {into} have no history in common"),
            Some("look whether it is the right branch"),
        ),
        MergeOutcome::Merged(_) | MergeOutcome::Contained => permanent("it was merged", None),
    }
}

fn conflict(files: &[Clash]) -> String {
    let shown: Vec<String> = files.iter().take(FILES_SHOWN).map(|file| format!("`{}`", file.path)).collect();
    let more = files.len().saturating_sub(shown.len());
    let and = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("both sides changed {}{and}", shown.join(", "))
}

/// Those who changed the files last, for a sentence.
pub(crate) fn people(files: &[Clash]) -> String {
    let mut people: Vec<&str> = Vec::new();
    for name in files.iter().flat_map(|file| &file.changed_by) {
        if !people.contains(&name.as_str()) && people.len() < FILES_SHOWN {
            people.push(name);
        }
    }
    if people.is_empty() { "those who changed them".to_owned() } else { people.join(", ") }
}

fn whom_to_ask(files: &[Clash]) -> String {
    format!("ask {} to merge it by hand and push that, then retry: what is there is found", people(files))
}

fn fitting(files: &[Clash]) -> String {
    let who = people(files);
    format!("ask {who} for a commit that fits, push it to a branch and start again with its id")
}

/// Whether a branch moved on while it was merged into, and nothing else is wrong.
fn moved_on(refs: &[(String, PushRefusal)]) -> bool {
    refs.iter().all(|(_, refusal)| matches!(refusal, PushRefusal::NotFastForward(_)))
}

/// A merge that the remote does not take.
fn declined(repository: &Repository, branch: &str, refs: &[(String, PushRefusal)]) -> Failure {
    let hint = format!(
        "where only pull requests may change `{branch}`, replace this step by a `manual` one that asks for the pull request; \
         otherwise ask whoever looks after the repository's rules, then retry"
    );
    Failure { hint: Some(hint), ..rejected(repository, refs) }
}

//! Pushing: a look, one push without force, and another look when that did not end well.
//!
//! What a remote says when it refuses is for people. Whether a ref is as it should be is read from the remote itself.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_engine::ports::{
    ObjectId, PortError, PushOutcome, PushRefusal, RefUpdate, Repository, TagFound,
};

use super::Git;
use super::environment::Remote;
use super::fault::{self, Reach, permanent};
use super::look::refs_of;
use super::names;
use super::read::{is_ancestor, object, refused, types};
use super::refresh::need_clone;
use super::report::{self, Report};
use super::run::Call;

/// Most refs in one push.
const REFS: usize = 100;

type Seen = BTreeMap<String, ObjectId>;
type Refusals = BTreeMap<String, PushRefusal>;

/// Pushes refs.
pub(super) async fn push(
    git: &Git,
    repository: &Repository,
    refs: &[RefUpdate],
) -> Result<PushOutcome, PortError> {
    check(git, repository, refs).await?;
    let remote = Remote::of(git, repository).await?;
    let seen = look(git, &remote, refs).await?;
    let pending: Vec<&RefUpdate> =
        refs.iter().filter(|update| seen.get(&update.name) != Some(&update.object)).collect();
    let mut refusals = Refusals::new();
    for update in &pending {
        if let Some(refusal) = foreseen(git, repository, update, &seen).await? {
            refusals.insert(update.name.clone(), refusal);
        }
    }
    if !refusals.is_empty() {
        return Ok(rejected(&pending, refusals));
    }
    if pending.is_empty() {
        return Ok(PushOutcome::Done);
    }
    let push = Push { git, repository, remote: &remote };
    match push.attempt(&pending, pending.len() > 1).await {
        Attempt::NoAtomic => push.in_turn(&pending, &seen).await,
        attempt => push.settle(&pending, attempt, &seen).await,
    }
}

async fn check(git: &Git, repository: &Repository, refs: &[RefUpdate]) -> Result<(), PortError> {
    let what = "push";
    need_clone(repository, what)?;
    if refs.len() > REFS {
        return Err(permanent(what, format!("more than {REFS} refs at once"), None));
    }
    let mut names = BTreeSet::new();
    let mut wanted = Vec::new();
    for update in refs {
        names::full_ref(&update.name).map_err(|fault| refused("ref", &update.name, fault))?;
        if !names.insert(&update.name) {
            return Err(permanent(what, format!("{} is named twice", update.name), None));
        }
        wanted.push(object(&update.object)?.to_owned());
    }
    if refs.is_empty() {
        return Ok(());
    }
    for (update, found) in refs.iter().zip(types(git, repository, what, &wanted).await?) {
        let kind = found.map(|(_, kind)| kind);
        let why = match kind.as_deref() {
            None => "which is not in the clone",
            Some(kind) if kind != "commit" && update.name.starts_with("refs/heads/") => {
                "which is not a commit, as a branch needs"
            }
            Some(_) => continue,
        };
        return Err(permanent(
            what,
            format!("{} is to point to {}, {why}", update.name, update.object),
            None,
        ));
    }
    Ok(())
}

/// Where the refs point on the remote, with the commits tags lead to.
async fn look(git: &Git, remote: &Remote, refs: &[RefUpdate]) -> Result<Seen, PortError> {
    let prefixes: Vec<String> = refs.iter().map(|update| update.name.clone()).collect();
    refs_of(git, remote, &prefixes).await
}

/// A refusal that can be told before anything is sent.
async fn foreseen(
    git: &Git,
    repository: &Repository,
    update: &RefUpdate,
    seen: &Seen,
) -> Result<Option<PushRefusal>, PortError> {
    let Some(now) = seen.get(&update.name) else { return Ok(None) };
    if update.name.starts_with("refs/tags/") {
        return Ok(Some(PushRefusal::TagExists(tag_there(&update.name, now, seen))));
    }
    // A commit that the clone does not have cannot be below one that it has.
    let forward = is_ancestor(git, repository, now, &update.object).await?.unwrap_or(false);
    Ok((!forward).then(|| PushRefusal::NotFastForward(Some(now.clone()))))
}

fn tag_there(name: &str, now: &ObjectId, seen: &Seen) -> TagFound {
    let peeled = seen.get(&format!("{name}^{{}}"));
    TagFound { object: now.clone(), commit: peeled.unwrap_or(now).clone(), annotated: peeled.is_some() }
}

fn rejected(pending: &[&RefUpdate], mut refusals: Refusals) -> PushOutcome {
    let refusal = |update: &&RefUpdate| {
        let refusal = refusals.remove(&update.name).unwrap_or(PushRefusal::WithTheOthers);
        (update.name.clone(), refusal)
    };
    PushOutcome::Rejected { refs: pending.iter().map(refusal).collect() }
}

/// How one call of `git push` ended.
enum Attempt {
    Done,
    /// The remote cannot write all refs or none.
    NoAtomic,
    /// It said something of single refs, in these words of its hooks, or nothing but an error.
    Refused {
        reports: BTreeMap<String, Report>,
        words: String,
        error: PortError,
    },
}

struct Push<'a> {
    git: &'a Git,
    repository: &'a Repository,
    remote: &'a Remote,
}

impl Push<'_> {
    async fn attempt(&self, pending: &[&RefUpdate], atomic: bool) -> Attempt {
        let what = format!("push to {}", self.remote.shown);
        let refspecs = pending.iter().map(|update| format!("{}:{}", update.object, update.name));
        let ended = Call::within(self.git, self.repository, &what)
            .configured(&["push.followTags=false", "push.recurseSubmodules=no"])
            .args(["push", "--porcelain", "--no-verify", "--no-follow-tags"])
            .args(atomic.then_some("--atomic"))
            .args(["--end-of-options", Remote::NAME])
            .args(refspecs)
            .remote(self.remote, self.git.limits.transfer)
            .output()
            .await;
        match ended {
            Ok(output) if output.status == Some(0) => Attempt::Done,
            Ok(output) if atomic && output.stderr.contains("does not support --atomic push") => {
                Attempt::NoAtomic
            }
            Ok(output) => Attempt::Refused {
                reports: report::parse(&output.stdout),
                words: report::remote_words(&output.stderr),
                error: output.fault(&what, Reach::Remote),
            },
            Err(error) => Attempt::Refused { reports: BTreeMap::new(), words: String::new(), error },
        }
    }

    /// Without atomic pushes: one ref after the other, so that a failure can say which of them arrived. Branches before tags,
    /// since a tag that went out stays, and a tag without its branch is worse than a branch without its tag.
    async fn in_turn(&self, pending: &[&RefUpdate], seen: &Seen) -> Result<PushOutcome, PortError> {
        tracing::warn!(
            remote = self.remote.shown,
            "the remote cannot write several refs at once or none: branches are pushed first, then tags"
        );
        let mut order = pending.to_vec();
        order.sort_by_key(|update| update.name.starts_with("refs/tags/"));
        for (place, update) in order.iter().enumerate() {
            let one = [*update];
            let attempt = self.attempt(&one, false).await;
            let arrived = || partly(&order[..place], &order[place..]);
            match self.settle(&one, attempt, seen).await {
                Ok(PushOutcome::Done) => {}
                Ok(PushOutcome::Rejected { mut refs }) => {
                    let later = order[place + 1..].iter();
                    refs.extend(later.map(|update| (update.name.clone(), PushRefusal::WithTheOthers)));
                    return Ok(PushOutcome::Rejected { refs });
                }
                Err(error) => return Err(PortError { why: format!("{}{}", error.why, arrived()), ..error }),
            }
        }
        Ok(PushOutcome::Done)
    }

    /// Finds out what an attempt has led to.
    async fn settle(
        &self,
        pending: &[&RefUpdate],
        attempt: Attempt,
        before: &Seen,
    ) -> Result<PushOutcome, PortError> {
        let Attempt::Refused { reports, words, error } = attempt else { return Ok(PushOutcome::Done) };
        let refs: Vec<RefUpdate> = pending.iter().map(|update| (*update).clone()).collect();
        // If the remote cannot even be looked at, the push may be repeated: it begins with a look.
        let Ok(now) = look(self.git, self.remote, &refs).await else { return Err(error) };
        let open: Vec<&RefUpdate> =
            pending.iter().copied().filter(|update| now.get(&update.name) != Some(&update.object)).collect();
        if open.is_empty() {
            return Ok(PushOutcome::Done);
        }
        let mut refusals = Refusals::new();
        let mut failed = None;
        for update in &open {
            let there = now.get(&update.name);
            let moved = there != before.get(&update.name);
            let refusal = match (there, reports.get(&update.name)) {
                (Some(there), _) if update.name.starts_with("refs/tags/") => {
                    PushRefusal::TagExists(tag_there(&update.name, there, &now))
                }
                (_, Some(Report::Declined(reason))) => PushRefusal::Declined(in_words(reason, &words)),
                // Moved while we pushed: whatever the remote calls it, that is why.
                _ if moved => PushRefusal::NotFastForward(there.cloned()),
                (_, Some(Report::Behind)) => PushRefusal::NotFastForward(there.cloned()),
                (_, Some(Report::Failed(reason))) => {
                    failed.get_or_insert(reason.clone());
                    continue;
                }
                (_, Some(Report::Exists | Report::WithTheOthers | Report::Written) | None) => continue,
            };
            refusals.insert(update.name.clone(), refusal);
        }
        match (refusals.is_empty(), failed) {
            (false, _) => Ok(rejected(&open, refusals)),
            (true, None) => Err(error),
            (true, Some(reason)) => Err(fault::transient(error.what, in_words(&reason, &words), None)),
        }
    }
}

/// Which refs arrived before a failure, and which did not.
fn partly(arrived: &[&RefUpdate], open: &[&RefUpdate]) -> String {
    let names = |refs: &[&RefUpdate]| {
        let names: Vec<&str> = refs.iter().map(|update| update.name.as_str()).collect();
        names.join(", ")
    };
    match arrived {
        [] => String::new(),
        _ => format!(
            " (the remote takes one ref at a time: {} arrived, {} did not)",
            names(arrived),
            names(open)
        ),
    }
}

/// A refusal in the remote's own words.
fn in_words(reason: &str, words: &str) -> String {
    match (reason.is_empty(), words.is_empty()) {
        (_, true) => reason.to_owned(),
        (true, false) => words.to_owned(),
        (false, false) => format!("{reason}: {words}"),
    }
}

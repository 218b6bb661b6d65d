//! Merges that go out together with what is pushed: all of it in one push, or nothing.

use tollgate_core::act::{Failure, LaterMerge, MergedBranch, Outcome};
use tollgate_core::ids::ObjectId;
use tollgate_core::model::MergeHow;

use crate::execute::{Execution, failure, partly, permanent, rejected, signing};
use crate::merging::{LOOKS_MAX, not_merged, people};
use crate::ports::{MergeOutcome, MergeRequest, PushOutcome, PushRefusal, RefUpdate};

/// Where a branch would stand with a merge.
#[derive(Debug)]
struct Joined {
    commit: ObjectId,
    /// Where it stands.
    tip: ObjectId,
    /// Whether it contains what is merged already.
    there: bool,
}

impl Execution<'_> {
    /// Makes a merge that a later push takes along. Whoever it does not go together with is known before anything is public.
    pub(crate) async fn prepare_merge(&self, merge: &LaterMerge) -> Result<Outcome, Failure> {
        self.engine.world.source.refresh(&self.repository()).await.map_err(failure)?;
        let Joined { commit, tip: onto, there: found } = self.joined(merge, false).await?;
        let (branch, of) = (short(&merge.branch).to_owned(), merge.commit.clone());
        Ok(Outcome::MergePrepared { branch, of, commit, onto, found })
    }

    /// Pushes refs and merges at once. A branch that moved on since its merge was made refuses the push as a whole: the merge is
    /// made anew on what the branch is now, and everything is pushed again.
    pub(crate) async fn push_along(
        &self,
        refs: &[(String, ObjectId)],
        merges: &[LaterMerge],
    ) -> Result<Outcome, Failure> {
        let (source, repository) = (&self.engine.world.source, self.repository());
        let own = refs.iter().map(|(name, _)| name);
        let names: Vec<String> = own.chain(merges.iter().map(|merge| &merge.branch)).cloned().collect();
        // A remote that takes one ref after the other can have some of it although it refused the rest.
        let some = |failure: Failure, there: &[String]| {
            let missing = names.iter().filter(|name| !there.contains(name)).cloned();
            partly(failure, there, &missing.collect::<Vec<_>>())
        };
        let mut found: Vec<String> = Vec::new();
        for _ in 0..LOOKS_MAX {
            source.refresh(&repository).await.map_err(failure)?;
            let there = source.remote_refs(&repository, &names).await.map_err(failure)?;
            let is_there = |(name, object): &&(String, ObjectId)| there.get(name) == Some(object);
            found = refs.iter().filter(is_there).map(|(name, _)| name.clone()).collect();
            let own =
                refs.iter().map(|(name, object)| RefUpdate { name: name.clone(), object: object.clone() });
            let mut updates: Vec<RefUpdate> = own.collect();
            let mut merged = Vec::new();
            for merge in merges {
                let joined = self.joined(merge, !found.is_empty()).await;
                let Joined { commit, there, .. } = joined.map_err(|failure| some(failure, &found))?;
                if !there {
                    updates.push(RefUpdate { name: merge.branch.clone(), object: commit.clone() });
                }
                // What was made here is ours, also where it got there by an earlier try that nobody heard of again.
                let found = there && merge.made.is_none();
                merged.push(MergedBranch { branch: short(&merge.branch).to_owned(), commit, found });
            }
            match source.push(&repository, &updates).await.map_err(failure)? {
                PushOutcome::Done => return Ok(Outcome::Pushed { found, merged }),
                PushOutcome::Rejected { refs } if only_merges_moved_on(&refs, merges) => {}
                PushOutcome::Rejected { refs: refusals } => {
                    let refused = |name: &String| refusals.iter().any(|(other, _)| other == name);
                    let (missing, there): (Vec<String>, Vec<String>) =
                        names.iter().cloned().partition(refused);
                    let failure = for_a_pull_request(rejected(&repository, &refusals), &refusals, merges);
                    return Err(partly(failure, &there, &missing));
                }
            }
        }
        let branches: Vec<String> =
            merges.iter().map(|merge| format!("`{}`", short(&merge.branch))).collect();
        let why = format!(
            "{} moved on each of {LOOKS_MAX} times before the merge could be pushed",
            branches.join(" or ")
        );
        let hint =
            "retry when others leave it alone for a moment: the merge is made anew on what is there then";
        Err(some(permanent(why, Some(hint)), &found))
    }

    /// The merge on top of what its branch is now: what was made before where the branch stands as it stood then, and made anew
    /// otherwise. What was taken from the branch meanwhile does not come back. `public` says that some of the push is there.
    async fn joined(&self, merge: &LaterMerge, public: bool) -> Result<Joined, Failure> {
        let tip = self.tip(&self.repository(), &merge.branch).await?;
        if self.contains(merge, &tip, &merge.commit).await? {
            return Ok(Joined { commit: tip.clone(), tip, there: true });
        }
        if let Some(made) = merge.made.as_ref().filter(|made| made.onto == tip)
            && self.is_here(&made.commit).await?
        {
            return Ok(Joined { commit: made.commit.clone(), tip, there: false });
        }
        let request = self.request(merge, &tip, &merge.commit, merge.how);
        match self.engine.world.source.merge(&self.repository(), &request).await.map_err(failure)? {
            MergeOutcome::Merged(commit) => Ok(Joined { commit, tip, there: false }),
            MergeOutcome::Contained => Ok(Joined { commit: tip.clone(), tip, there: true }),
            other => {
                let branch = short(&merge.branch);
                let what = format!("{} ({})", self.plan.version.text, merge.commit.short());
                let failure = not_merged(&what, &format!("`{branch}`"), &other);
                Err(if public { failure } else { nothing_pushed(branch, failure, &other) })
            }
        }
    }

    /// Whether the clone has a commit: it may be a new one.
    async fn is_here(&self, commit: &ObjectId) -> Result<bool, Failure> {
        let found = self.engine.world.source.resolve(&self.repository(), &commit.0).await;
        Ok(found.map_err(failure)?.is_some())
    }

    /// Whether a commit has another one below it, or is it.
    async fn contains(
        &self,
        merge: &LaterMerge,
        newer: &ObjectId,
        older: &ObjectId,
    ) -> Result<bool, Failure> {
        // Without a merge commit nothing is made and nothing is signed: it only tells.
        let request = self.request(merge, newer, older, MergeHow::FfOnly);
        let told = self.engine.world.source.merge(&self.repository(), &request).await.map_err(failure)?;
        Ok(told == MergeOutcome::Contained)
    }

    fn request(&self, merge: &LaterMerge, ours: &ObjectId, theirs: &ObjectId, how: MergeHow) -> MergeRequest {
        MergeRequest {
            ours: ours.clone(),
            theirs: theirs.clone(),
            how,
            message: merge.message.clone(),
            at: merge.at,
            sign: signing(merge.sign),
        }
    }
}

fn short(branch: &str) -> &str {
    branch.trim_start_matches("refs/heads/")
}

/// Whether branches that are merged into moved on meanwhile, and nothing else is wrong.
fn only_merges_moved_on(refs: &[(String, PushRefusal)], merges: &[LaterMerge]) -> bool {
    let merged = |name: &String| merges.iter().any(|merge| merge.branch == *name);
    let fine = |(name, refusal): &(String, PushRefusal)| match refusal {
        PushRefusal::NotFastForward(_) => merged(name),
        PushRefusal::WithTheOthers => true,
        PushRefusal::TagExists(_) | PushRefusal::Declined(_) => false,
    };
    refs.iter().all(fine) && refs.iter().any(|(_, refusal)| *refusal != PushRefusal::WithTheOthers)
}

/// What does not go together, before anything was pushed: nobody else has the release yet, so nobody can merge it by hand.
fn nothing_pushed(branch: &str, failure: Failure, outcome: &MergeOutcome) -> Failure {
    let MergeOutcome::Conflict(files) = outcome else { return failure };
    let why = format!("{}; nothing is pushed before it does", failure.why);
    let hint = format!(
        "ask {} for a commit on `{branch}` that goes together with it, then retry: the merge is made anew on what is there then",
        people(files)
    );
    Failure { why, hint: Some(hint), ..failure }
}

/// The same failure with what to do where the remote takes a branch by pull requests only.
fn for_a_pull_request(failure: Failure, refs: &[(String, PushRefusal)], merges: &[LaterMerge]) -> Failure {
    let declined = |merge: &&LaterMerge| {
        let own = |(name, refusal): &(String, PushRefusal)| {
            *name == merge.branch && matches!(refusal, PushRefusal::Declined(_))
        };
        refs.iter().any(own)
    };
    let Some(merge) = merges.iter().find(declined) else { return failure };
    let branch = short(&merge.branch);
    let hint = format!(
        "where only pull requests may change `{branch}`, replace that `git.merge` step by a `manual` \
         one that asks for the pull request; otherwise ask whoever looks after the repository's rules, then retry"
    );
    Failure { hint: Some(hint), ..failure }
}

//! What a cut changes, found out by making it: in Tollgate's own clone, as objects that nothing points to. The steps do the
//! same later, by the same acts, and get the same files.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tollgate_core::act::{Act, Outcome, Report};
use tollgate_core::ids::{EffectId, ObjectId};
use tollgate_core::model::{GitMerge, MergeWay, StepKind};
use tollgate_core::plan::{Body, Cut, Plan};

use crate::execute::Execution;
use crate::planning::{PlanningError, Surveyed};
use crate::ports::{CommitRequest, Diff, Sign};
use crate::{Engine, EngineError};

/// What a step brings in beside edits.
enum BringsIn {
    Nothing,
    NotKnownYet,
    This(Act),
}

/// The date of commits that are made for a preview: one that a plan made anew has too, or its id would be another one.
fn midnight(plan: &Plan) -> Timestamp {
    plan.date.to_zoned(TimeZone::UTC).map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
}

fn brings_in(plan: &Plan, kind: &StepKind) -> BringsIn {
    let (onto, at, sign) = (plan.base.clone(), midnight(plan), Some(false));
    match kind {
        StepKind::GitMerge(GitMerge { way: MergeWay::From(branch), how, .. }) => {
            let Some(commit) = plan.pinned.get(branch).cloned() else { return BringsIn::NotKnownYet };
            let (branch, message) = (branch.clone(), "a preview".to_owned());
            BringsIn::This(Act::MergeFrom { onto, commit, branch, how: *how, message, at, sign })
        }
        StepKind::GitCherryPick(pick) => {
            let texts = pick.commits.iter().map(|text| text.0.as_str());
            if texts.clone().any(|text| text.contains("{{")) {
                return BringsIn::NotKnownYet;
            }
            let words = texts.flat_map(|text| text.split(|c: char| c.is_whitespace() || c == ','));
            let ids = words.filter(|word| !word.is_empty()).map(|word| ObjectId(word.to_owned()));
            BringsIn::This(Act::CherryPick {
                onto,
                commits: ids.collect(),
                mainline: pick.mainline,
                at,
                sign,
            })
        }
        _ => BringsIn::Nothing,
    }
}

/// The same merge or pick, onto another commit.
fn put_onto(mut act: Act, commit: ObjectId) -> Act {
    if let Act::MergeFrom { onto, .. } | Act::CherryPick { onto, .. } = &mut act {
        *onto = commit;
    }
    act
}

impl Engine {
    /// The cut of a plan.
    pub(crate) async fn cut(&self, surveyed: &Surveyed, plan: &Plan) -> Result<Cut, EngineError> {
        // Editing files asks for nothing that is kept by effect.
        let execution = Execution { engine: self, plan, effect: EffectId(uuid::Uuid::nil()), child: 0 };
        let mut cut = Cut { refs: plan.refs(), ..Cut::default() };
        let mut head = plan.base.clone();
        for step in &plan.steps {
            let Body::Step(kind) = &step.body else { continue };
            let content = cut.tree.as_ref().unwrap_or(&head).clone();
            let act = match plan.edit(kind, content, head.clone()) {
                Some(act) => act,
                None => match brings_in(plan, kind) {
                    BringsIn::Nothing => continue,
                    BringsIn::NotKnownYet => {
                        cut.unless.push(step.id.clone());
                        continue;
                    }
                    BringsIn::This(act) => act,
                },
            };
            if !step.conditions.is_empty() {
                cut.unless.push(step.id.clone());
                continue;
            }
            let act = match (&cut.tree, act) {
                (_, act @ (Act::EditVersion { .. } | Act::EditChangelog { .. })) => act,
                (tree, act) => {
                    let onto = self.committed(surveyed, plan, &head, tree.as_ref()).await?;
                    put_onto(act, onto)
                }
            };
            match execution.carry_out(&act).await.report {
                Report::Done(Outcome::Merged { commit, .. } | Outcome::Picked { commit, .. }) => {
                    head = commit.clone();
                    cut.tree = (head != plan.base).then_some(commit);
                }
                Report::Done(Outcome::Edited { tree, notes, .. }) => {
                    cut.tree = Some(tree);
                    cut.notes = notes.or(cut.notes);
                }
                Report::Done(_) => {}
                Report::Failed(failure) => {
                    let why = format!("step `{}` would fail: {}", step.id, failure.why);
                    return Err(PlanningError::Repository {
                        code: "would-fail",
                        why,
                        hint: failure.hint.or_else(|| Some("mend it in a commit, and push that".into())),
                    }
                    .into());
                }
            }
        }
        if let Some(tree) = &cut.tree {
            cut.files = self.world.source.diff(&surveyed.repository, &plan.base, tree).await?.files;
        }
        Ok(cut)
    }

    /// A commit of what is edited so far, to merge into. It is never seen: only files are told of a cut.
    async fn committed(
        &self,
        surveyed: &Surveyed,
        plan: &Plan,
        head: &ObjectId,
        tree: Option<&ObjectId>,
    ) -> Result<ObjectId, EngineError> {
        let Some(tree) = tree.filter(|tree| *tree != head) else { return Ok(head.clone()) };
        let request = CommitRequest {
            tree: tree.clone(),
            parents: vec![head.clone()],
            message: "a preview".to_owned(),
            at: midnight(plan),
            sign: Sign::Never,
        };
        Ok(self.world.source.commit(&surveyed.repository, &request).await?)
    }

    /// What the cut of a plan changes, line by line; `None` where it edits no file.
    pub async fn cut_diff(&self, plan: &Plan) -> Result<Option<Diff>, EngineError> {
        let Some(tree) = &plan.cut.tree else { return Ok(None) };
        let repository = self.places.repository(plan);
        Ok(Some(self.world.source.diff(&repository, &plan.base, tree).await?))
    }
}

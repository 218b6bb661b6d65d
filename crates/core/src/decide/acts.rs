//! From a step to the outside act that carries it out.

use jiff::SignedDuration;

use super::effects::encoded_bytes;
use super::gates::clipped;
use super::signed::asked_for;
use crate::act::{Act, Command, Failure, FailureClass, LaterMerge};
use crate::candidate::Candidate;
use crate::context::Context;
use crate::event::StepResult;
use crate::ids::{EffectId, ObjectId};
use crate::model::{
    Connection, Deploy, GitCheck, GitCherryPick, GitMerge, GitVerify, MergeHow, MergeWay, Message,
    PublishSpec, Recipient, Shell, StepKind, Target, Template,
};
use crate::plan::{Body, Plan, PlannedStep};
use crate::publish::{Image, Publish};
use crate::signatures::Signatures;
use crate::state::Run;
use crate::view::View;

/// How long a command may take when nothing is said.
pub(super) const COMMAND_TIMEOUT: SignedDuration = SignedDuration::from_hours(1);

/// The largest act, as it stands in an event: below what one event can hold, with room for the rest of it.
const ACT_MAX_BYTES: usize = 60 * 1024;
/// The most commits that one step picks.
const PICKS_MAX: usize = 50;
/// The longest subject of a message, in characters.
const SUBJECT_MAX_CHARS: usize = 250;

/// What a step comes to at this moment.
#[derive(Debug)]
pub(super) enum Begin {
    /// An outside act.
    Act(Act),
    /// It is done without one.
    Done(StepResult),
    /// It waits, for people or the world.
    Wait,
    /// It cannot be begun.
    Fail(Failure),
}

/// One step at one moment.
#[derive(Debug)]
pub(super) struct Beginning<'a> {
    pub(super) view: &'a View,
    pub(super) run: &'a Run,
    pub(super) plan: &'a Plan,
    pub(super) step: &'a PlannedStep,
    pub(super) effect: EffectId,
    pub(super) now: jiff::Timestamp,
}

impl Beginning<'_> {
    pub(super) fn begin(&self) -> Begin {
        match self.try_begin() {
            Ok(Begin::Act(act)) if encoded_bytes(&act) > ACT_MAX_BYTES => {
                let why = format!(
                    "all that this {} would get is larger than {} KiB",
                    act.kind(),
                    ACT_MAX_BYTES / 1024
                );
                let hint = "make the texts, answers or outputs that it uses smaller: a link can stand for what is large";
                Begin::Fail(permanent(why, Some(hint)))
            }
            Ok(begin) => begin,
            Err(failure) => Begin::Fail(failure),
        }
    }

    fn try_begin(&self) -> Result<Begin, Failure> {
        let kind = match &self.step.body {
            Body::Step(kind) => kind,
            Body::Deploy(Deploy::Command { shell, timeout }) => return self.command(shell, *timeout),
            Body::Deploy(Deploy::Merge { branch, how, .. }) => return self.deploy_by_merge(branch, *how),
            Body::Deploy(_) | Body::Enter | Body::Live(_) | Body::Settle => return Ok(Begin::Wait),
        };
        let candidate = self
            .view
            .candidate(self.run)
            .ok_or_else(|| permanent("the run has no candidate".to_owned(), None))?;
        let context = Context::of(self.view, self.run, self.plan, Some(self.step));
        Ok(match kind {
            StepKind::GitCheck(check) => self.check_copy(check, &context)?,
            StepKind::GitBranch { name } => {
                Begin::Done(StepResult::Branch(branch_name(&context.fill(name)?)?))
            }
            StepKind::VersionBump | StepKind::Changelog => {
                match (self.plan.edit(kind, candidate.content().clone(), self.newest_change()), kind) {
                    (Some(act), _) => Begin::Act(act),
                    (None, StepKind::VersionBump) => {
                        Begin::Done(StepResult::Nothing("no file holds the version".into()))
                    }
                    (None, _) => {
                        let hint = Some("say which file it is");
                        return Err(permanent("the procedure has no `changelog:`", hint));
                    }
                }
            }
            StepKind::GitCommit { message, sign } => match &candidate.tree {
                None => Begin::Done(StepResult::Nothing("no file was changed".into())),
                Some(tree) => Begin::Act(Act::Commit {
                    tree: tree.clone(),
                    parent: candidate.commit.clone(),
                    message: context.fill(message)?,
                    at: self.now,
                    sign: *sign,
                }),
            },
            StepKind::GitTag { message, sign } => {
                if candidate.tree.is_some() {
                    let hint = "put a `git.commit` step before the `git.tag` step";
                    return Err(permanent("files were edited and not committed", Some(hint)));
                }
                let message = message.clone().unwrap_or(Template(self.plan.version.tag.clone()));
                Begin::Act(Act::Tag {
                    name: self.plan.version.tag.clone(),
                    target: candidate.commit.clone(),
                    message: context.fill(&message)?,
                    at: self.now,
                    sign: *sign,
                })
            }
            StepKind::GitPush { branch, tag } => self.push(*branch, *tag, &context)?,
            StepKind::GitMerge(merge) => self.merge(merge, &context)?,
            StepKind::GitCherryPick(pick) => self.cherry_pick(pick, &context)?,
            StepKind::GitVerify(verify) => self.verify(verify)?,
            StepKind::Shell(shell) => self.command(shell, self.step.timeout.unwrap_or(COMMAND_TIMEOUT))?,
            StepKind::LoadTest(test) => {
                self.command(&test.shell, self.step.timeout.unwrap_or(COMMAND_TIMEOUT))?
            }
            StepKind::Pack(spec) => self.pack(spec, &context)?,
            StepKind::Publish(spec) => self.publish(spec, candidate, &context)?,
            StepKind::Message(message) => self.mail(message, &context)?,
            StepKind::Manual { .. }
            | StepKind::Ask { .. }
            | StepKind::Approval(_)
            | StepKind::Vote(_)
            | StepKind::Checklist(_)
            | StepKind::Wait(_)
            | StepKind::HandOver { .. } => Begin::Wait,
            StepKind::Promote { .. } | StepKind::Parallel { .. } | StepKind::Phase { .. } => {
                return Err(permanent("this step was not unfolded when the plan was made", None));
            }
        })
    }

    fn check_copy(&self, check: &GitCheck, context: &Context) -> Result<Begin, Failure> {
        if self.plan.checkout.is_none() {
            return Ok(Begin::Done(StepResult::Nothing("the run was not started in a working copy".into())));
        }
        let branch = match &check.branch {
            Some(branch) => context.fill(branch)?,
            None => self.plan.definition.repository.branch.clone(),
        };
        let at = check.in_sync.then(|| self.plan.base.clone());
        Ok(Begin::Act(Act::CheckCopy { branch, clean: check.clean, at }))
    }

    fn push(&self, branch: bool, tag: bool, context: &Context) -> Result<Begin, Failure> {
        let candidate = self.view.candidate(self.run);
        let mut refs = Vec::new();
        if let Some(candidate) = candidate.filter(|_| branch) {
            if candidate.tree.is_some() {
                let hint = "put a `git.commit` step before the `git.push` step";
                return Err(permanent("files were edited and not committed", Some(hint)));
            }
            let branch = branch_name(&context.branch)?;
            self.may_move(&branch)?;
            refs.push((format!("refs/heads/{branch}"), candidate.commit.clone()));
        }
        if tag {
            let made = candidate.and_then(|candidate| candidate.tag.as_ref());
            let made = made.ok_or_else(|| permanent("no tag was made that could be pushed", None))?;
            refs.push((format!("refs/tags/{}", made.name), made.object.clone()));
        }
        let merges = self.merges_along(&refs)?;
        Ok(Begin::Act(Act::Push { refs, merges }))
    }

    /// The newest commit that the changelog tells of: what was brought in counts, and so does what was committed before it.
    fn newest_change(&self) -> ObjectId {
        let candidate = self.view.candidate(self.run).filter(|candidate| candidate.enriched);
        candidate.map_or(&self.plan.base, |candidate| &candidate.commit).clone()
    }

    /// The commit of the candidate, which has to hold everything that was edited.
    pub(super) fn committed(&self, before: &str) -> Result<ObjectId, Failure> {
        let candidate = self
            .view
            .candidate(self.run)
            .ok_or_else(|| permanent("the run has no candidate".to_owned(), None))?;
        if candidate.tree.is_some() {
            let hint = format!("put a `git.commit` step before the `{before}` step");
            return Err(permanent("files were edited and not committed", Some(&hint)));
        }
        Ok(candidate.commit.clone())
    }

    pub(super) fn merge(&self, merge: &GitMerge, context: &Context) -> Result<Begin, Failure> {
        let commit = self.committed("git.merge")?;
        let (how, at, sign) = (merge.how, self.now, merge.sign);
        let message = merge.message.as_ref().map(|message| context.fill(message)).transpose()?;
        Ok(Begin::Act(match &merge.way {
            MergeWay::Into(branch) => {
                let branch = branch_name(&context.fill(branch)?)?;
                self.may_move(&branch)?;
                let what = match self.view.candidate(self.run).and_then(|candidate| candidate.tag.as_ref()) {
                    Some(tag) => tag.name.clone(),
                    None => self.plan.version.tag.clone(),
                };
                let message = message.unwrap_or_else(|| format!("Merge {what} into {branch}"));
                let branch = format!("refs/heads/{branch}");
                if merge.later {
                    let made = None;
                    let later = LaterMerge { branch, commit, how, message, at, sign, made };
                    return Ok(Begin::Act(Act::PrepareMerge(later)));
                }
                Act::MergeInto { branch, commit, how, message, at, sign, exact: false }
            }
            MergeWay::From(branch) => {
                let pinned = self.plan.pinned.get(branch).cloned().ok_or_else(|| {
                    let why = format!("the plan does not say at which commit `{branch}` is merged");
                    permanent(why, Some("abort this run and start another one"))
                })?;
                let branch = branch.clone();
                let message = message.unwrap_or_else(|| format!("Merge {branch}"));
                Act::MergeFrom { onto: commit, commit: pinned, branch, how, message, at, sign }
            }
        }))
    }

    fn deploy_by_merge(&self, branch: &Template, how: MergeHow) -> Result<Begin, Failure> {
        let context = Context::of(self.view, self.run, self.plan, Some(self.step));
        let way = MergeWay::Into(branch.clone());
        let merge = GitMerge { way, how, message: None, sign: None, later: false };
        let mut begin = self.merge(&merge, &context)?;
        if let Begin::Act(Act::MergeInto { exact, .. }) = &mut begin {
            *exact = true;
        }
        Ok(begin)
    }

    fn verify(&self, verify: &GitVerify) -> Result<Begin, Failure> {
        self.committed("git.verify")?;
        let candidate = self.view.candidate(self.run);
        let of = candidate.and_then(|candidate| asked_for(verify, candidate, self.plan));
        let none = || permanent("no tag was made whose signature could be looked at", None);
        let Signatures { tag, commits } = of.ok_or_else(none)?;
        Ok(Begin::Act(Act::Verify { tag, commits, signers: verify.signers.clone() }))
    }

    fn cherry_pick(&self, pick: &GitCherryPick, context: &Context) -> Result<Begin, Failure> {
        let onto = self.committed("git.cherry-pick")?;
        let mut commits: Vec<ObjectId> = Vec::new();
        for text in &pick.commits {
            let text = context.fill(text)?;
            let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
            for word in words {
                let id = commit_id(word)?;
                if !commits.contains(&id) {
                    commits.push(id);
                }
            }
        }
        if commits.is_empty() {
            return Ok(Begin::Done(StepResult::Nothing("no commit was named".into())));
        }
        if commits.len() > PICKS_MAX {
            let why = format!("{} commits are named; {PICKS_MAX} is the most", commits.len());
            return Err(permanent(why, Some("merge a branch that has them with `git.merge`")));
        }
        let (mainline, at, sign) = (pick.mainline, self.now, pick.sign);
        Ok(Begin::Act(Act::CherryPick { onto, commits, mainline, at, sign }))
    }

    fn command(&self, shell: &Shell, timeout: SignedDuration) -> Result<Begin, Failure> {
        let context = Context::of(self.view, self.run, self.plan, Some(self.step));
        let candidate = self
            .view
            .candidate(self.run)
            .ok_or_else(|| permanent("the run has no candidate".to_owned(), None))?;
        let mut variables = context.variables();
        variables.insert("TOLLGATE_STEP".into(), self.step.id.to_string());
        for (name, template) in &shell.variables {
            variables.insert(name.clone(), context.fill(template)?);
        }
        Ok(Begin::Act(Act::Run(Command {
            command: shell.command.clone(),
            content: candidate.content().clone(),
            variables,
            secrets: shell.secrets.clone(),
            timeout,
            repeatable: shell.repeatable,
            outputs: self.step.outputs.clone(),
            packed: self.step.packed.as_ref().map(|id| self.laid(id)).transpose()?.map(Box::new),
        })))
    }

    fn publish(
        &self,
        spec: &PublishSpec,
        candidate: &Candidate,
        context: &Context,
    ) -> Result<Begin, Failure> {
        if candidate.tree.is_some() {
            let hint = "put a `git.commit` step before the `publish` step";
            return Err(permanent("files were edited and not committed", Some(hint)));
        }
        let target = spec.target.try_map(|text| Ok(context.fill(text)?.trim().to_owned()))?;
        if let Target::Oci(oci) = &target {
            for image in [&oci.from, &oci.to] {
                let odd = |error| {
                    let shown: String = image.chars().filter(|c| !c.is_control()).take(100).collect();
                    permanent(format!("`{shown}` does not name an image: {error}"), None)
                };
                image.parse::<Image>().map_err(odd)?;
            }
        }
        Ok(Begin::Act(Act::Publish(Box::new(Publish {
            target,
            version: self.plan.version.text.clone(),
            content: candidate.commit.clone(),
            variables: context.variables(),
            token: spec.token.clone(),
            timeout: self.step.timeout.unwrap_or(COMMAND_TIMEOUT),
            built_at: candidate.opened_at,
        }))))
    }

    fn mail(&self, message: &Message, context: &Context) -> Result<Begin, Failure> {
        let Some(Connection::Maildir { path, from }) = self.plan.definition.connections.get(&message.via)
        else {
            return Err(permanent(format!("there is no connection `{}` for mail", message.via), None));
        };
        let to = self.addresses(&message.to);
        if to.is_empty() {
            let hint = "give them a `mail:` under `people` and adopt it";
            return Err(permanent("nobody the message is for has a mail address", Some(hint)));
        }
        Ok(Begin::Act(Act::Mail {
            message_id: self.view.message_id(self.effect),
            maildir: path.clone(),
            from: from.clone(),
            to,
            subject: one_line(&context.fill(&message.subject)?),
            body: context.fill(&message.body)?,
            at: self.now,
        }))
    }

    /// The mail addresses of those a message is for, each once, in order.
    fn addresses(&self, to: &[Recipient]) -> Vec<String> {
        let policy = self.view.policy.as_deref().unwrap_or(&self.plan.policy);
        let mut found: Vec<String> = Vec::new();
        for recipient in to {
            let these = match recipient {
                Recipient::Address(address) => vec![address.clone()],
                Recipient::Who(who) => {
                    let people = self.view.members(self.plan, who);
                    people.iter().filter_map(|person| policy.people.get(person)?.mail.clone()).collect()
                }
            };
            let new: Vec<String> = these.into_iter().filter(|address| !found.contains(address)).collect();
            found.extend(new);
        }
        found
    }
}

/// A text on one line, of readable length.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    clipped(&words.join(" "), SUBJECT_MAX_CHARS)
}

/// The full id of a commit. An abbreviation can come to mean another commit from one day to the next.
fn commit_id(text: &str) -> Result<ObjectId, Failure> {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if matches!(text.len(), 40 | 64) && text.chars().all(hex) {
        return Ok(ObjectId(text.to_owned()));
    }
    let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    let hint = "give the full ids, as `git log --format=%H` prints them, with spaces or commas between them";
    Err(permanent(format!("`{shown}` is not the full id of a commit"), Some(hint)))
}

/// A branch name that no program takes for anything else. Git checks the finer rules.
fn branch_name(name: &str) -> Result<String, Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+@".contains(c);
    let parts_fine = name.split('/').all(|part| !part.is_empty() && !part.starts_with(['-', '.']));
    let fine = name.len() <= 200
        && name.chars().all(plain)
        && parts_fine
        && !name.contains("..")
        && !name.contains("@{");
    if fine {
        Ok(name.to_owned())
    } else {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
        let hint = "letters, digits and `-_./+@`, no part starting with `-` or `.`";
        Err(permanent(format!("`{shown}` cannot be the name of a branch"), Some(hint)))
    }
}

/// A failure that will not pass by itself.
pub(super) fn permanent(why: impl Into<String>, hint: Option<&str>) -> Failure {
    Failure {
        class: FailureClass::Permanent,
        why: why.into(),
        hint: hint.map(Into::into),
        retry_at: None,
        output: None,
    }
}

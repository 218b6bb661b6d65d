//! Carrying out outside acts. Nothing is decided here: an act says all that is needed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::SignedDuration;
use tollgate_core::act::{Act, Command, Failure, FailureClass, Outcome, Report};
use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::ids::{EffectId, ObjectId, OutputName};
use tollgate_core::journal::BlobId;
use tollgate_core::model::Extract;
use tollgate_core::plan::Plan;
use tollgate_core::publish::FILES_VARIABLE;

use crate::Engine;
use crate::ports::{
    ChildExit, ChildRequest, ChildState, CommitRequest, PortError, PushOutcome, PushRefusal, RefUpdate,
    Repository, Sign, TagRequest,
};
use crate::store::NewBlob;

/// How much of a command's output is kept in the journal itself, in characters.
const TAIL_MAX_CHARS: usize = 2_000;
/// How long an output can be, in characters.
const OUTPUT_MAX_CHARS: usize = 2_000;

/// One act to carry out.
#[derive(Debug)]
pub(crate) struct Execution<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) plan: &'a Plan,
    pub(crate) effect: EffectId,
    /// Counts the tries of a command that ended and is run again, from 1.
    pub(crate) child: u32,
}

/// A report, and what is kept beside the journal.
#[derive(Debug)]
pub(crate) struct Executed {
    pub(crate) report: Report,
    pub(crate) blobs: Vec<NewBlob>,
    /// A fault on purpose ended this process in the middle of it.
    pub(crate) crashed: bool,
}

impl From<Result<Outcome, Failure>> for Executed {
    fn from(result: Result<Outcome, Failure>) -> Self {
        let report = match result {
            Ok(outcome) => Report::Done(outcome),
            Err(failure) => Report::Failed(failure),
        };
        Self { report, blobs: Vec::new(), crashed: false }
    }
}

/// A failure of a port, as the journal keeps it.
pub(crate) fn failure(error: PortError) -> Failure {
    Failure {
        class: error.class,
        why: plain_text(&format!("{}: {}", error.what, error.why), Lines::Keep).chars().take(4_000).collect(),
        hint: error.hint,
        retry_at: error.retry_at,
        output: None,
    }
}

pub(crate) fn permanent(why: impl Into<String>, hint: Option<&str>) -> Failure {
    Failure {
        class: FailureClass::Permanent,
        why: why.into(),
        hint: hint.map(Into::into),
        retry_at: None,
        output: None,
    }
}

impl Execution<'_> {
    pub(crate) fn repository(&self) -> Repository {
        self.engine.places.repository(self.plan)
    }

    /// Carries it out, looking first wherever something can be found.
    pub(crate) async fn carry_out(&self, act: &Act) -> Executed {
        match act {
            Act::CheckCopy { branch, clean, at } => self.check_copy(branch, *clean, at.as_ref()).await.into(),
            Act::EditVersion { base, files, version, date } => {
                self.edit_version(base, files, version, *date).await.into()
            }
            Act::EditChangelog { .. } => self.edit_changelog(act).await.into(),
            Act::Commit { .. } | Act::Tag { .. } => self.object(act).await.into(),
            Act::Push { refs, merges } if merges.is_empty() => self.push(refs).await.into(),
            Act::Push { refs, merges } => self.push_along(refs, merges).await.into(),
            Act::PrepareMerge(merge) => self.prepare_merge(merge).await.into(),
            Act::MergeInto { .. } | Act::MergeFrom { .. } => self.merge(act).await.into(),
            Act::CherryPick { .. } => self.cherry_pick(act).await.into(),
            Act::Verify { .. } => self.verify(act).await.into(),
            Act::Run(command) => self.run(command).await,
            Act::Pack(pack) => self.pack(pack).await,
            Act::Publish(publish) => self.publish(publish).await,
            Act::Mail { .. } => {
                let folder = self.plan.folder.as_deref().map(PathBuf::from).unwrap_or_default();
                self.engine.deliver(act, &folder).await.into()
            }
        }
    }

    async fn check_copy(&self, branch: &str, clean: bool, at: Option<&ObjectId>) -> Result<Outcome, Failure> {
        let Some(checkout) = &self.plan.checkout else { return Ok(Outcome::Fit) };
        let source = &self.engine.world.source;
        let found = source.checkout(std::path::Path::new(checkout)).await.map_err(failure)?;
        check_working_copy(&found, branch, clean, at)?;
        Ok(Outcome::Fit)
    }

    async fn object(&self, act: &Act) -> Result<Outcome, Failure> {
        let (source, repository) = (&self.engine.world.source, self.repository());
        match act {
            Act::Commit { tree, parent, message, at, sign } => {
                let (tree, parents) = (tree.clone(), vec![parent.clone()]);
                let request =
                    CommitRequest { tree, parents, message: message.clone(), at: *at, sign: signing(*sign) };
                let commit = source.commit(&repository, &request).await.map_err(failure)?;
                Ok(Outcome::Committed { commit })
            }
            Act::Tag { name, target, message, at, sign } => {
                let found = source.find_tag(&repository, name).await.map_err(failure)?.is_some();
                let (name, target, message) = (name.clone(), target.clone(), message.clone());
                let request = TagRequest { name, target, message, at: *at, sign: signing(*sign) };
                let tag = source.tag(&repository, &request).await.map_err(failure)?;
                Ok(Outcome::Tagged { object: tag.object, signed: *sign == Some(true), found })
            }
            _ => Err(permanent("neither a commit nor a tag", None)),
        }
    }

    async fn push(&self, refs: &[(String, ObjectId)]) -> Result<Outcome, Failure> {
        let (source, repository) = (&self.engine.world.source, self.repository());
        let names: Vec<String> = refs.iter().map(|(name, _)| name.clone()).collect();
        let there = source.remote_refs(&repository, &names).await.map_err(failure)?;
        let found = refs.iter().filter(|(name, object)| there.get(name) == Some(object));
        let found: Vec<String> = found.map(|(name, _)| name.clone()).collect();
        let updates: Vec<RefUpdate> = refs
            .iter()
            .map(|(name, object)| RefUpdate { name: name.clone(), object: object.clone() })
            .collect();
        match source.push(&repository, &updates).await.map_err(failure)? {
            PushOutcome::Done => Ok(Outcome::Pushed { found, merged: Vec::new() }),
            PushOutcome::Rejected { refs } => {
                let refused = |name: &String| refs.iter().any(|(other, _)| other == name);
                // Also what an earlier try had written: whoever reads this wants to know what is there now.
                let (missing, there): (Vec<String>, Vec<String>) = names.into_iter().partition(refused);
                Err(partly(rejected(&repository, &refs), &there, &missing))
            }
        }
    }

    /// Runs a command, or finds what became of it: one id and try is never started twice.
    async fn run(&self, command: &Command) -> Executed {
        match self.child(command).await {
            Ok(exit) => self.ended(command, exit),
            Err(error) => Err(failure(error)).into(),
        }
    }

    async fn child(&self, command: &Command) -> Result<ChildExit, PortError> {
        let runner = &self.engine.world.runner;
        let state = match runner.look(self.effect, self.child).await {
            Err(error) if error.class == FailureClass::Permanent => return Err(self.refused(error).await),
            other => other?,
        };
        if let ChildState::Ended(exit) = state {
            return Ok(exit);
        }
        let folder = match &command.packed {
            None => self.folder(""),
            Some(_) => self.folder("source"),
        };
        let lost = state == ChildState::Lost && command.repeatable;
        if lost {
            // A lost one whose command may be repeated is simply run again.
            runner.forget(self.effect).await?;
        }
        if lost || state == ChildState::Never {
            self.engine.world.source.lay_out(&self.repository(), &command.content, &folder).await?;
            if let Some(packed) = &command.packed {
                self.lay_out_packed(packed, &self.folder("files")).await?;
            }
        }
        let mut variables = command.variables.clone();
        if command.packed.is_some() {
            variables.insert(FILES_VARIABLE.to_owned(), self.folder("files").display().to_string());
        }
        let request = ChildRequest {
            id: self.effect,
            attempt: self.child,
            command: command.command.clone(),
            folder,
            variables,
            secrets: command.secrets.clone(),
            timeout: command.timeout,
        };
        match runner.run(&request).await {
            Err(error) if error.class == FailureClass::Permanent => Err(self.refused(error).await),
            other => other,
        }
    }

    /// A failure that will not pass is one of a command that never started, or it is not known what became of it.
    async fn refused(&self, error: PortError) -> PortError {
        match self.engine.world.runner.look(self.effect, self.child).await {
            Ok(ChildState::Never) => error,
            _ => PortError { class: FailureClass::InDoubt, ..error },
        }
    }

    /// The whole output of a command, to be kept beside the journal.
    pub(crate) fn kept_output(&self, exit: &ChildExit) -> (Option<BlobId>, Vec<NewBlob>) {
        let salt = self.engine.world.ids.salt();
        let output = (!exit.output.is_empty()).then(|| BlobId::of(&salt, &exit.output));
        let blobs = output.map(|_| NewBlob { salt, bytes: exit.output.clone() }).into_iter().collect();
        (output, blobs)
    }

    fn ended(&self, command: &Command, exit: ChildExit) -> Executed {
        let text = String::from_utf8_lossy(&exit.output);
        let tail = tail(&plain_text(&text, Lines::Keep));
        let (output, blobs) = self.kept_output(&exit);
        let report = match outcome(command, &exit, &tail) {
            Ok(outputs) => {
                let took_ms = u64::try_from(exit.took.as_millis()).unwrap_or_default();
                Report::Done(Outcome::Ran { outputs, tail, output, took_ms })
            }
            Err(failure) => Report::Failed(Failure { output, ..failure }),
        };
        Executed { report, blobs, crashed: false }
    }
}

/// Whether a working copy is fit to release from.
pub(crate) fn check_working_copy(
    found: &crate::ports::Checkout,
    branch: &str,
    clean: bool,
    at: Option<&ObjectId>,
) -> Result<(), Failure> {
    let root = found.root.display();
    match &found.branch {
        Some(on) if on == branch => {}
        Some(on) => {
            let hint = format!("go there with `git switch {branch}`");
            return Err(permanent(format!("{root} is on `{on}`, not on `{branch}`"), Some(&hint)));
        }
        None => {
            let hint = format!("go there with `git switch {branch}`");
            return Err(permanent(format!("{root} is on no branch"), Some(&hint)));
        }
    }
    if clean && !found.dirty.is_empty() {
        let shown: Vec<&str> = found.dirty.iter().take(5).map(String::as_str).collect();
        let more = found.dirty.len().saturating_sub(shown.len());
        let and = if more > 0 { format!(" and {more} more") } else { String::new() };
        let why = format!("{root} has changes that are not committed: {}{and}", shown.join(", "));
        return Err(permanent(why, Some("commit them, or put them aside with `git stash -u`")));
    }
    match (at, &found.head) {
        (Some(at), Some(head)) if at != head => {
            let why = format!("{root} is at {}, the remote's `{branch}` is at {}", head.short(), at.short());
            Err(permanent(
                why,
                Some("`git pull --ff-only` if it is behind; push through your usual review if it is ahead"),
            ))
        }
        (Some(_), None) => Err(permanent(format!("{root} has no commit"), None)),
        _ => Ok(()),
    }
}

pub(crate) fn signing(sign: Option<bool>) -> Sign {
    match sign {
        None => Sign::AsConfigured,
        Some(true) => Sign::Always,
        Some(false) => Sign::Never,
    }
}

pub(crate) fn rejected(repository: &Repository, refs: &[(String, PushRefusal)]) -> Failure {
    let mut words: Vec<String> = Vec::new();
    for word in refs.iter().filter_map(|(name, refusal)| refused(name, refusal)) {
        // One rule that declines several is told once.
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let hint = refs.iter().find_map(|(_, refusal)| match refusal {
        PushRefusal::NotFastForward(_) => Some(
            "somebody pushed in between: abort this run and start another one from the newer commit; nothing is ever forced",
        ),
        PushRefusal::TagExists(_) => Some("a tag is never moved: abort this run and start with a higher version"),
        PushRefusal::Declined(_) => Some("ask whoever looks after the repository's rules, then retry"),
        PushRefusal::WithTheOthers => None,
    });
    permanent(format!("push to {}: {}", repository.url, words.join("; ")), hint)
}

/// What a remote that takes one ref at a time has after it refused, and what it has not.
pub(crate) fn partly(failure: Failure, there: &[String], missing: &[String]) -> Failure {
    if there.is_empty() {
        return failure;
    }
    let are = |refs: &[String]| if refs.len() == 1 { "is" } else { "are" };
    let (there, missing) = (
        format!("{} {} on the remote", there.join(", "), are(there)),
        format!("{} {} not", missing.join(", "), are(missing)),
    );
    Failure { why: format!("{}; {there}, {missing}", failure.why), ..failure }
}

fn refused(name: &str, refusal: &PushRefusal) -> Option<String> {
    Some(match refusal {
        PushRefusal::NotFastForward(Some(at)) => format!("{name} has moved on to {}", at.short()),
        PushRefusal::NotFastForward(None) => format!("{name} has moved on"),
        PushRefusal::TagExists(tag) => format!("{name} is there already, on {}", tag.commit.short()),
        PushRefusal::Declined(words) => format!("the remote declines it: {words}"),
        PushRefusal::WithTheOthers => return None,
    })
}

/// What a command that ended came to: its outputs, or why it failed.
fn outcome(command: &Command, exit: &ChildExit, tail: &str) -> Result<BTreeMap<OutputName, String>, Failure> {
    ended_well(exit, command.timeout, tail)?;
    let stdout = String::from_utf8_lossy(&exit.stdout);
    let read = |(name, extract): (&OutputName, &Extract)| {
        let value = extracted(extract, &stdout).ok_or_else(|| {
            let missing = missing(extract, &stdout);
            let why = format!("the command ended well, but its output `{name}` was not found: {missing}");
            permanent(why, None)
        })?;
        Ok((name.clone(), value))
    };
    command.outputs.iter().map(read).collect()
}

/// Why an output is not there.
fn missing(extract: &Extract, stdout: &str) -> String {
    match extract {
        Extract::Json(_) if serde_json::from_str::<serde_json::Value>(stdout.trim()).is_err() => {
            "what it printed is no JSON document".into()
        }
        Extract::Json(pointer) => format!("nothing is at `{pointer}`"),
        Extract::Line(start) => format!("no line starts with `{start}`"),
        Extract::Text => "it printed nothing".into(),
    }
}

/// Whether a command ended well; why not, in its last words.
pub(crate) fn ended_well(exit: &ChildExit, timeout: SignedDuration, tail: &str) -> Result<(), Failure> {
    let last = tail.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let said = if last.is_empty() { String::new() } else { format!(": {last}") };
    if exit.timed_out {
        let why = format!("the command did not end within {timeout:#}{said}");
        return Err(permanent(why, Some("give it more time with `timeout:`, or find out why it hangs")));
    }
    match (exit.status, exit.signal) {
        (Some(0), _) => Ok(()),
        (Some(status), _) => Err(permanent(format!("the command ended with status {status}{said}"), None)),
        (None, Some(signal)) => {
            Err(permanent(format!("the command was ended by signal {signal}{said}"), None))
        }
        (None, None) => Err(permanent(format!("the command ended in an unknown way{said}"), None)),
    }
}

fn extracted(extract: &Extract, stdout: &str) -> Option<String> {
    let value = match extract {
        Extract::Line(start) => {
            stdout.lines().find_map(|line| line.strip_prefix(start.as_str()))?.trim().to_owned()
        }
        Extract::Json(pointer) => {
            let json: serde_json::Value = serde_json::from_str(stdout.trim()).ok()?;
            match json.pointer(pointer)? {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Null => return None,
                other => other.to_string(),
            }
        }
        Extract::Text => stdout.trim().to_owned(),
    };
    Some(bounded(&plain_text(&value, Lines::Keep), OUTPUT_MAX_CHARS))
}

pub(crate) fn bounded(text: &str, max_chars: usize) -> String {
    text.chars().take(max_chars).collect()
}

/// The last lines of an output.
pub(crate) fn tail(text: &str) -> String {
    let count = text.chars().count();
    text.chars().skip(count.saturating_sub(TAIL_MAX_CHARS)).collect()
}

//! Publishing: packed once, looked for, uploaded where it is not there, and looked for again.
//!
//! Whatever crashes when, each part finds what the one before it left: the commands run under the supervisor, the files
//! that were packed are kept until the registry lists them, and nothing is uploaded that was not looked for before.

use std::path::PathBuf;

use tollgate_core::act::{Failure, FailureClass, Outcome, Report};
use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::ids::EffectId;
use tollgate_core::publish::{
    Answer, Artifacts, Publish, SHARED_VARIABLES, Standing, commands_of, fits, published, standing,
};

use crate::execute::{Executed, Execution, ended_well, failure, permanent, tail};
use crate::inject::{Fault, Point, fault};
use crate::ports::{ChildExit, ChildRequest, ChildState, PortError, RegistryAnswer};

/// How many of the last lines of a tool are searched for what went wrong.
const LAST_LINES: usize = 30;

/// What tools say when a registry asks for patience.
const BUSY: &[&str] = &["429", "too many requests", "rate limit"];
/// What they say of failures that pass.
const PASSING: &[&str] = &[
    "500 internal",
    "502 ",
    "503 ",
    "504 ",
    "timed out",
    "connection re",
    "connection was",
    "socket hang up",
    "econnre",
];
/// What they say when the registry has the version: it may not list it yet, and then whose it is will show.
const THERE: &[&str] = &[
    "already exists",
    "already uploaded",
    "already published",
    "cannot publish over",
    "previously published",
];

/// Why an act of several commands goes no further for now.
pub(crate) enum Stop {
    /// It failed.
    Failed(Failure),
    /// A command ended badly; its output is worth keeping.
    Ended(Failure, ChildExit),
    /// A fault on purpose.
    Crashed,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
impl From<PortError> for Stop {
    fn from(error: PortError) -> Self {
        Self::Failed(failure(error))
    }
}

impl Execution<'_> {
    /// Publishes a version, or finds it published.
    pub(crate) async fn publish(&self, publish: &Publish) -> Executed {
        let published = self.try_publish(publish).await;
        self.stopped(published)
    }

    /// How an act ended that runs several commands.
    pub(crate) fn stopped(&self, result: Result<Outcome, Stop>) -> Executed {
        match result {
            Ok(outcome) => Ok(outcome).into(),
            Err(Stop::Failed(failure)) => Err(failure).into(),
            Err(Stop::Ended(failure, exit)) => {
                let (output, blobs) = self.kept_output(&exit);
                let report = Report::Failed(Failure { output, ..failure });
                Executed { report, blobs, crashed: false }
            }
            Err(Stop::Crashed) => Executed { crashed: true, ..Err(permanent("", None)).into() },
        }
    }

    async fn try_publish(&self, publish: &Publish) -> Result<Outcome, Stop> {
        let [_, upload] = commands_of(self.effect);
        let kept = self.packed(publish).await?;
        let ours = published(&publish.target, &kept);
        let before = self.engine.world.runner.look(upload, 1).await?;
        let mut missing = None;
        if before != ChildState::Running {
            match self.standing(publish, &ours).await? {
                Standing::There => return Ok(done(publish, ours, before == ChildState::Never)),
                Standing::Other(why) => return Err(taken(publish, &why).into()),
                Standing::Absent => {}
                Standing::Partly(names) => missing = Some(names),
            }
        }
        self.point(Point::BeforeAct("upload")).await?;
        let exit = self.uploaded(publish, &kept, missing.as_deref()).await?;
        self.point(Point::AfterAct("upload")).await?;
        let text = plain_text(&String::from_utf8_lossy(&exit.output), Lines::Keep).into_owned();
        let ended = ended_well(&exit, publish.timeout, &tail(&text));
        // Whatever the tool says: an upload can have come through whose answer was lost.
        match self.standing(publish, &ours).await? {
            Standing::There => return Ok(done(publish, ours, false)),
            Standing::Other(why) => return Err(taken(publish, &why).into()),
            Standing::Absent | Standing::Partly(_) => {}
        }
        match ended {
            Ok(()) => Err(not_listed(publish).into()),
            Err(failure) => {
                // It can be run again: it is looked for first.
                self.engine.world.runner.forget(upload).await?;
                Err(Stop::Ended(refused(publish, failure, &text), exit))
            }
        }
    }

    /// The files as they were packed, once, whatever happened since.
    async fn packed(&self, publish: &Publish) -> Result<Artifacts, Stop> {
        let (depot, runner) = (&self.engine.world.depot, &self.engine.world.runner);
        let key = publish.key();
        if let Some(kept) = depot.kept(&key).await? {
            return Ok(kept);
        }
        let [pack, _] = commands_of(self.effect);
        let packing = publish.packing();
        self.point(Point::BeforeAct("pack")).await?;
        if self.has_to_start(pack).await? {
            // What a try before left, also beside the source, is not of this one.
            depot.clear(&self.folder("")).await?;
            let source = &self.engine.world.source;
            source.lay_out(&self.repository(), &publish.content, &self.folder("source")).await?;
            depot.clear(&self.folder("out")).await?;
        }
        let request = ChildRequest {
            id: pack,
            attempt: 1,
            command: packing.command.clone(),
            folder: self.folder("source"),
            variables: packing.variables.clone(),
            secrets: packing.secrets.clone(),
            timeout: publish.timeout,
        };
        let exit = runner.run(&self.with_folders(request)).await?;
        let text = plain_text(&String::from_utf8_lossy(&exit.output), Lines::Keep).into_owned();
        if let Err(failure) = ended_well(&exit, publish.timeout, &tail(&text)) {
            runner.forget(pack).await?;
            let why = format!("{} was not packed: {}", named(publish), failure.why);
            return Err(Stop::Ended(Failure { why, ..failure }, exit));
        }
        let found = depot.keep(&key, &self.folder(""), &packing.patterns).await?;
        if let Err(why) = fits(publish, &published(&publish.target, &found)) {
            depot.forget(&key).await?;
            runner.forget(pack).await?;
            let hint = "correct the version files or the step: nothing was uploaded";
            return Err(Stop::Ended(permanent(why, Some(hint)), exit));
        }
        self.point(Point::AfterAct("pack")).await?;
        Ok(found)
    }

    /// Uploads what is missing, or waits for the upload that is under way, or finds how it ended.
    async fn uploaded(
        &self,
        publish: &Publish,
        kept: &Artifacts,
        missing: Option<&[String]>,
    ) -> Result<ChildExit, Stop> {
        let [_, upload] = commands_of(self.effect);
        let uploading = publish.uploading(kept);
        let mut folder = self.folder("files");
        if uploading.with_source {
            folder = self.folder("source");
        }
        if self.has_to_start(upload).await? {
            let (depot, source) = (&self.engine.world.depot, &self.engine.world.source);
            if uploading.with_source {
                source.lay_out(&self.repository(), &publish.content, &folder).await?;
            }
            let ours = published(&publish.target, kept);
            // What the registry has already is left out; what only stands beside it is not.
            let wanted = |name: &&String| {
                missing.is_none_or(|missing| missing.contains(name) || !ours.contains_key(*name))
            };
            let names: Vec<String> = kept.keys().filter(wanted).cloned().collect();
            depot.lay_out(&publish.key(), &names, &self.folder("files")).await?;
            depot.clear(&self.folder("out")).await?;
        }
        let request = ChildRequest {
            id: upload,
            attempt: 1,
            command: uploading.command,
            folder,
            variables: uploading.variables,
            secrets: uploading.secrets,
            timeout: publish.timeout,
        };
        Ok(self.engine.world.runner.run(&self.with_folders(request)).await?)
    }

    /// Whether a command of the act has still to be started. One that got lost can be: packing makes new files, and
    /// what is uploaded was just looked for.
    pub(crate) async fn has_to_start(&self, id: EffectId) -> Result<bool, PortError> {
        let runner = &self.engine.world.runner;
        Ok(match runner.look(id, 1).await? {
            ChildState::Never => true,
            ChildState::Lost => {
                runner.forget(id).await?;
                true
            }
            ChildState::Running | ChildState::Ended(_) => false,
        })
    }

    /// How the version stands in the registry at this moment.
    async fn standing(&self, publish: &Publish, ours: &Artifacts) -> Result<Standing, Failure> {
        let lookups = publish.lookups(ours).map_err(|error| permanent(error.to_string(), None))?;
        let mut answers: Vec<Option<Answer>> = Vec::new();
        for lookup in &lookups {
            answers.push(match self.engine.world.registries.ask(lookup).await.map_err(failure)? {
                RegistryAnswer::There(answer) => Some(answer),
                RegistryAnswer::Absent => None,
                RegistryAnswer::Later { why, after } => {
                    let now = self.engine.now();
                    return Err(Failure {
                        class: FailureClass::RateLimited,
                        why: plain_text(&format!("{}: {why}", publish.target.registry()), Lines::Keep)
                            .into_owned(),
                        hint: None,
                        retry_at: after.and_then(|after| now.checked_add(after).ok()),
                        output: None,
                    });
                }
            });
        }
        let listed = publish.listed(ours, &answers).map_err(|why| Failure {
            class: FailureClass::Transient,
            why: format!("{} answers what is not understood: {why}", publish.target.registry()),
            hint: Some("see whether the address in the step is that of the registry".into()),
            retry_at: None,
            output: None,
        })?;
        Ok(standing(ours, &listed))
    }

    /// The folder of this effect, or one in it.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.engine.places.work.join("files").join(self.effect.to_string());
        if name.is_empty() { folder } else { folder.join(name) }
    }

    pub(crate) fn with_folders(&self, mut request: ChildRequest) -> ChildRequest {
        for (variable, name) in SHARED_VARIABLES.iter().zip(["source", "out", "files"]) {
            request.variables.insert((*variable).to_owned(), self.folder(name).display().to_string());
        }
        request
    }

    pub(crate) async fn point(&self, point: Point) -> Result<(), Stop> {
        match fault(&*self.engine.inject, point).await {
            Fault::Crash => Err(Stop::Crashed),
            _ => Ok(()),
        }
    }
}

fn named(publish: &Publish) -> String {
    format!("{} {}", publish.target.name(), publish.version)
}

fn done(publish: &Publish, files: Artifacts, found: bool) -> Outcome {
    Outcome::Published {
        registry: publish.target.registry(),
        name: publish.target.name(),
        version: publish.version.clone(),
        files,
        component: publish.target.component().cloned(),
        found,
    }
}

/// Somebody else's content stands under this version.
fn taken(publish: &Publish, why: &str) -> Failure {
    let registry = publish.target.registry();
    permanent(
        plain_text(&format!("{registry} has another {} already: {why}", named(publish)), Lines::Keep)
            .into_owned(),
        Some(
            "a version is published once and never replaced: find out who did it, abort this run, and release a higher version",
        ),
    )
}

/// The tool is content, and the registry does not show it yet.
fn not_listed(publish: &Publish) -> Failure {
    Failure {
        class: FailureClass::Transient,
        why: format!(
            "{} was uploaded, and {} does not list it yet",
            named(publish),
            publish.target.registry()
        ),
        hint: Some(
            "registries take seconds to minutes; it is looked for again, and not uploaded again".into(),
        ),
        retry_at: None,
        output: None,
    }
}

/// The tool failed, and nothing came of it.
fn refused(publish: &Publish, failure: Failure, output: &str) -> Failure {
    let lower = output.to_lowercase();
    let lines: Vec<&str> = lower.lines().rev().take(LAST_LINES).collect();
    let says = |words: &[&str]| lines.iter().any(|line| words.iter().any(|word| line.contains(word)));
    let class = if says(BUSY) {
        FailureClass::RateLimited
    } else if says(PASSING) || says(THERE) {
        FailureClass::Transient
    } else {
        failure.class
    };
    let why = format!("{} did not get into {}: {}", named(publish), publish.target.registry(), failure.why);
    let hint = failure
        .hint
        .or_else(|| Some("nothing was published: correct what the tool complains of, then retry".into()));
    Failure { class, why, hint, ..failure }
}

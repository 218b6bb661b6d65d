//! Packing: built once, kept with the digests, and laid out for commands.
//!
//! Whatever crashes when, the files that were kept first are those of the release: what is there is found by its key, and is
//! never built a second time.

use std::path::Path;

use tollgate_core::act::Outcome;
use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::event::StepResult;
use tollgate_core::ids::EffectId;
use tollgate_core::journal::Hash;
use tollgate_core::pack::{
    Laid, POINTER_MAX_BYTES, Pack, Packed, SBOM_MAX_BYTES, SBOM_VARIABLE, commands_of, is_lfs_pointer,
};
use tollgate_core::publish::Artifacts;
use tollgate_core::state::{Run, StepStatus};
use tollgate_core::view::View;

use crate::Engine;
use crate::execute::{Executed, Execution, ended_well, permanent, tail};
use crate::inject::Point;
use crate::ports::{ChildRequest, PortError};
use crate::publish::Stop;

impl Execution<'_> {
    /// Packs files, or finds them packed.
    pub(crate) async fn pack(&self, pack: &Pack) -> Executed {
        let packed = self.try_pack(pack).await;
        self.stopped(packed.map(|packed| Outcome::Packed(Box::new(packed))))
    }

    async fn try_pack(&self, pack: &Pack) -> Result<Packed, Stop> {
        if !pack.keeps() {
            return Ok(pack.packed(Artifacts::new(), None));
        }
        let (depot, key) = (&self.engine.world.depot, pack.key());
        let files = match depot.kept(&key).await? {
            Some(kept) => kept,
            None => self.build(pack).await?,
        };
        match self.looked_through(pack, &files).await? {
            Ok(parts) => {
                self.point(Point::AfterAct("build")).await?;
                Ok(pack.packed(files, parts))
            }
            Err(why) => {
                // Nobody has it yet: another try makes it anew.
                depot.forget(&key).await?;
                for command in commands_of(self.effect) {
                    self.engine.world.runner.forget(command).await?;
                }
                let hint = "set up right what builds it and retry, or correct the step and start another run: this one keeps its text";
                Err(permanent(why, Some(hint)).into())
            }
        }
    }

    /// Runs the commands, and keeps what they leave.
    async fn build(&self, pack: &Pack) -> Result<Artifacts, Stop> {
        let [build, sbom] = commands_of(self.effect);
        self.point(Point::BeforeAct("build")).await?;
        // With nothing to build, the files are laid out as long as the SBOM is not being written.
        let first = if pack.spec.build.is_some() { build } else { sbom };
        if self.has_to_start(first).await? {
            // What a try before left, also beside the source, is not of this one.
            self.engine.world.depot.clear(&self.folder("")).await?;
            let source = &self.engine.world.source;
            source.lay_out(&self.repository(), &pack.content, &self.folder("source")).await?;
            self.engine.world.depot.clear(&self.folder("out")).await?;
        }
        if let Some(command) = &pack.spec.build {
            self.built(pack, build, command, "the files were not built").await?;
        }
        if let Some(spec) = &pack.spec.sbom {
            self.has_to_start(sbom).await?;
            self.built(pack, sbom, &spec.command, "the SBOM was not written").await?;
        }
        Ok(self.engine.world.depot.keep(&pack.key(), &self.folder(""), &pack.patterns()).await?)
    }

    async fn built(&self, pack: &Pack, id: EffectId, command: &str, otherwise: &str) -> Result<(), Stop> {
        let mut variables = pack.command_variables();
        if let Some(name) = pack.sbom_file() {
            let file = self.folder("out").join(name);
            variables.insert(SBOM_VARIABLE.into(), file.display().to_string());
        }
        let request = ChildRequest {
            id,
            attempt: 1,
            command: command.to_owned(),
            folder: self.folder("source"),
            variables,
            secrets: Default::default(),
            timeout: pack.timeout,
        };
        let runner = &self.engine.world.runner;
        let exit = runner.run(&self.with_folders(request)).await?;
        let text = plain_text(&String::from_utf8_lossy(&exit.output), Lines::Keep).into_owned();
        if let Err(mut failure) = ended_well(&exit, pack.timeout, &tail(&text)) {
            runner.forget(id).await?;
            failure.why = format!("{otherwise}: {}", failure.why);
            return Err(Stop::Ended(failure, exit));
        }
        Ok(())
    }

    /// Whether the files are what was asked for: how many parts the SBOM lists, or what is wrong.
    async fn looked_through(
        &self,
        pack: &Pack,
        files: &Artifacts,
    ) -> Result<Result<Option<u32>, String>, Stop> {
        if let Err(why) = pack.fits(files) {
            return Ok(Err(why));
        }
        if let Some(why) = self.pointers(pack, files).await? {
            return Ok(Err(why));
        }
        let (Some(spec), Some(name)) = (&pack.spec.sbom, pack.sbom_file()) else { return Ok(Ok(None)) };
        let bytes = files.get(&name).map_or(0, |file| file.bytes);
        if bytes > SBOM_MAX_BYTES {
            let why = format!("the SBOM is larger than {} MiB", SBOM_MAX_BYTES / 1024 / 1024);
            return Ok(Err(why));
        }
        let bytes = self.engine.world.depot.read(&pack.key(), &name, SBOM_MAX_BYTES).await?;
        Ok(pack.sbom_parts(spec, &bytes).map(Some))
    }

    /// Which of the files only stand for others, and what to do about it. Whoever gets them could not use them.
    async fn pointers(&self, pack: &Pack, files: &Artifacts) -> Result<Option<String>, Stop> {
        let mut names = Vec::new();
        for (name, _) in files.iter().filter(|(_, file)| file.bytes <= POINTER_MAX_BYTES) {
            let content = self.engine.world.depot.read(&pack.key(), name, POINTER_MAX_BYTES).await?;
            if is_lfs_pointer(&content) {
                names.push(name);
            }
        }
        let what = match names.as_slice() {
            [] => return Ok(None),
            [name] => {
                format!("`{name}` is a pointer of Git LFS, and the file itself is not in the repository")
            }
            [name, more @ ..] => format!(
                "`{name}` and {} more are pointers of Git LFS, and the files themselves are not in the repository",
                more.len()
            ),
        };
        let how = "take them out of LFS (`.gitattributes`) and commit the files themselves, or let `build` fetch them";
        Ok(Some(format!("{what}: {how}")))
    }

    /// Lays out for a command what was packed, with what is told of it.
    pub(crate) async fn lay_out_packed(&self, laid: &Laid, folder: &Path) -> Result<(), PortError> {
        let depot = &self.engine.world.depot;
        match &laid.key {
            Some(key) => depot.lay_out(key, &laid.files, folder).await?,
            None => depot.clear(folder).await?,
        }
        depot.write(folder, &laid.texts).await
    }
}

impl Engine {
    /// Removes what was packed for a release that has just come to its end: nobody gets it any more.
    pub(crate) async fn forget_packed(&self, before: &View, after: &View) {
        let finished = |view: &View| view.release.runs.iter().all(Run::is_finished);
        if finished(before) || !finished(after) {
            return;
        }
        for key in kept_for(after) {
            if let Err(error) = self.world.depot.forget(&key).await {
                tracing::warn!(%error, "files that were packed could not be removed");
            }
        }
    }
}

/// What the files of a release are kept under.
fn kept_for(view: &View) -> impl Iterator<Item = Hash> + '_ {
    let steps = view.release.runs.iter().flat_map(|run| run.steps.values());
    steps.filter_map(|step| match &step.status {
        StepStatus::Done { result: StepResult::Act(Outcome::Packed(packed)), .. } => packed.key,
        _ => None,
    })
}

//! Editing files of the repository: the version in its files, and whatever else an act writes.

use tollgate_core::act::{Failure, Outcome};
use tollgate_core::ids::ObjectId;
use tollgate_core::model::VersionFileSpec;
use tollgate_core::version_file::VersionFile;

use crate::execute::{Execution, failure, permanent};
use crate::ports::FileEdit;

impl Execution<'_> {
    pub(crate) async fn edit_version(
        &self,
        base: &ObjectId,
        files: &[VersionFileSpec],
        version: &str,
    ) -> Result<Outcome, Failure> {
        let (source, repository) = (&self.engine.world.source, self.repository());
        let mut edits = Vec::new();
        for spec in files {
            let file = version_file(spec).map_err(|why| permanent(why, None))?;
            let before = source.read_file(&repository, base, &spec.path).await.map_err(failure)?;
            let before = before.ok_or_else(|| {
                permanent(format!("{} is not in the repository", spec.path), Some("correct `version.files`"))
            })?;
            let after = file.set(&before, version).map_err(|error| permanent(error.to_string(), None))?;
            if after != before {
                edits.push(FileEdit::write(&spec.path, after));
            }
        }
        self.edited(base, edits, None).await
    }

    /// The tree with these edits; the same tree where there is none.
    pub(crate) async fn edited(
        &self,
        base: &ObjectId,
        edits: Vec<FileEdit>,
        notes: Option<String>,
    ) -> Result<Outcome, Failure> {
        let files = edits.iter().map(|edit| edit.path.clone()).collect();
        let tree = match edits.is_empty() {
            true => base.clone(),
            false => {
                let source = &self.engine.world.source;
                source.edit_tree(&self.repository(), base, &edits).await.map_err(failure)?
            }
        };
        Ok(Outcome::Edited { tree, files, notes })
    }
}

/// A version file, as the definition names it.
fn version_file(spec: &VersionFileSpec) -> Result<VersionFile, String> {
    match &spec.pattern {
        Some(pattern) => VersionFile::with_pattern(&spec.path, pattern, spec.count),
        None => VersionFile::guess(&spec.path),
    }
    .map_err(|error| error.to_string())
}

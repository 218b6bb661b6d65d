//! What differs between two trees.

use std::ops::ControlFlow;

use tollgate_engine::ports::{Diff, FileDiff, ObjectId, PortError, Repository};

use super::Git;
use super::fault::permanent;
use super::read::object;
use super::refresh::need_clone;
use super::run::Call;

/// The longest text of a diff that is kept, in bytes.
const TEXT_BYTES: usize = 1 << 20;
/// The longest line of it that is kept, in bytes.
const LINE_BYTES: usize = 4096;

/// Independent of what the user's configuration does to diffs.
const PLAIN: [&str; 6] =
    ["-r", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none"];

pub(super) async fn diff(
    git: &Git,
    repository: &Repository,
    from: &ObjectId,
    to: &ObjectId,
) -> Result<Diff, PortError> {
    let what = format!("compare {from} with {to}");
    need_clone(repository, &what)?;
    let call = |form: &'static [&'static str]| -> Result<Call<'_>, PortError> {
        let call = Call::within(git, repository, &what).arg("diff-tree").args(PLAIN).args(form);
        Ok(call.args([object(from)?, object(to)?, "--"]))
    };
    let counts = call(&["--numstat", "-z"])?.stdout().await?;
    let files = counts.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).map(file);
    let files: Option<Vec<FileDiff>> = files.collect();
    let files = files.ok_or_else(|| permanent(&what, "git printed something unexpected", None))?;
    let mut text = String::new();
    call(&["-p", "-U3", "--src-prefix=a/", "--dst-prefix=b/"])?
        .records(b'\n', LINE_BYTES, |line| {
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
            if text.len() > TEXT_BYTES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await?;
    Ok(Diff { files, text })
}

/// `ADDED TAB REMOVED TAB PATH`; a binary file has `-` for both.
fn file(entry: &[u8]) -> Option<FileDiff> {
    let mut fields = entry.splitn(3, |byte| *byte == b'\t');
    let mut count = || {
        let text = std::str::from_utf8(fields.next()?).ok()?;
        if text == "-" { Some(0) } else { text.parse().ok() }
    };
    let (added, removed) = (count()?, count()?);
    Some(FileDiff { path: String::from_utf8_lossy(fields.next()?).into_owned(), added, removed })
}

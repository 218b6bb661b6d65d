//! Tags: found, made once, never moved.

use tollgate_engine::ports::{PortError, Repository, Sign, TagFound, TagRequest};

use super::Git;
use super::environment::UserSetup;
use super::fault::{self, Reach, permanent};
use super::lock::Writing;
use super::names;
use super::read::{object, refused, types};
use super::refresh::need_clone;
use super::run::Call;
use super::write::{check_message, date};

/// How something is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureKind {
    /// With an OpenPGP key.
    OpenPgp,
    /// With an ssh key.
    Ssh,
    /// With an X.509 certificate.
    X509,
}

/// The lines signatures start with.
const SIGNATURES: &[(&[u8], SignatureKind)] = &[
    (b"-----BEGIN PGP SIGNATURE-----", SignatureKind::OpenPgp),
    (b"-----BEGIN PGP MESSAGE-----", SignatureKind::OpenPgp),
    (b"-----BEGIN SSH SIGNATURE-----", SignatureKind::Ssh),
    (b"-----BEGIN SIGNED MESSAGE-----", SignatureKind::X509),
];

/// Finds a tag in the clone.
pub(super) async fn find(
    git: &Git,
    repository: &Repository,
    name: &str,
) -> Result<Option<TagFound>, PortError> {
    let full = full_name(name)?;
    let what = format!("find the tag {name}");
    let mut found = types(git, repository, &what, &[full.clone(), format!("{full}^{{commit}}")]).await?;
    let (commit, own) = (found.pop().flatten(), found.pop().flatten());
    let Some((object, kind)) = own else { return Ok(None) };
    let Some((commit, _)) = commit else {
        return Err(permanent(what, format!("it stands on a {kind}, not on a commit"), None));
    };
    Ok(Some(TagFound { object, commit, annotated: kind == "tag" }))
}

fn full_name(name: &str) -> Result<String, PortError> {
    names::tag_ref(name).map_err(|fault| refused("tag name", name, fault))
}

/// Makes an annotated tag, unless it is there.
pub(super) async fn make(
    git: &Git,
    repository: &Repository,
    request: &TagRequest,
) -> Result<TagFound, PortError> {
    let what = format!("make the tag {}", request.name);
    full_name(&request.name)?;
    object(&request.target)?;
    let date = date(&what, request.at)?;
    check_message(&what, &request.message)?;
    need_clone(repository, &what)?;
    let turn = Writing::in_clone(git, repository).await?;
    if let Some(found) = find(git, repository, &request.name).await? {
        return same_target(&what, request, found);
    }
    let commit = [format!("{}^{{commit}}", request.target)];
    let target = types(git, repository, &what, &commit).await?.pop().flatten();
    if target.is_none_or(|(id, _)| id != request.target) {
        return Err(permanent(what, format!("{} is not a commit in the clone", request.target), None));
    }
    let user = UserSetup::read(git, repository).await?;
    let how = match request.sign {
        // Without -a, so that tag.forceSignAnnotated counts too; the message makes it an annotated tag.
        Sign::AsConfigured => &["--cleanup=verbatim"][..],
        Sign::Always => &["--cleanup=verbatim", "--sign"],
        Sign::Never => &["--cleanup=verbatim", "--annotate", "--no-sign"],
    };
    let made = Call::within(git, repository, &what)
        .user(&user)
        .signing()
        .variable("GIT_COMMITTER_DATE", &date)
        .arg("tag")
        .args(how)
        .args(["-F", "-", "--end-of-options", &request.name, &request.target.0])
        .input(with_newline(&request.message))
        .stdout()
        .await;
    match made {
        Ok(_) => {
            let checked = check_new(git, repository, request).await;
            if checked.is_err() {
                take_back(git, repository, request, &turn).await?;
            }
            checked
        }
        // A process that does not take turns (a person, with git itself) may have been faster.
        Err(error) => match find(git, repository, &request.name).await? {
            None => Err(error),
            Some(found) => same_target(&what, request, found),
        },
    }
}

fn with_newline(message: &str) -> String {
    format!("{}\n", message.trim_end())
}

fn same_target(what: &str, request: &TagRequest, found: TagFound) -> Result<TagFound, PortError> {
    if found.commit == request.target {
        return Ok(found);
    }
    let why = format!("it is there already and stands on {}, not on {}", found.commit, request.target);
    Err(permanent(what, why, Some("tags are never moved: take another version")))
}

/// Finds the tag that was just made, with a sound signature if it has or needs one.
async fn check_new(git: &Git, repository: &Repository, request: &TagRequest) -> Result<TagFound, PortError> {
    let what = format!("check the signature of the new tag {}", request.name);
    let Some(found) = find(git, repository, &request.name).await? else {
        return Err(permanent(what, "git did not report a failure, and the tag is not there", None));
    };
    match (signature(git, repository, &request.name).await?, request.sign) {
        (None, Sign::Always) => return Err(permanent(&what, "there is none", fault::SIGNING)),
        (None, _) => {}
        (Some(_), _) => sound(git, repository, &request.name, &what).await?,
    }
    Ok(found)
}

/// Removes the tag that was made in this turn: nobody has seen it yet, and nobody would know of one that is told as failed.
async fn take_back(
    git: &Git,
    repository: &Repository,
    request: &TagRequest,
    _turn: &Writing,
) -> Result<(), PortError> {
    let what = format!("take back the new tag {}", request.name);
    Call::within(git, repository, &what)
        .args(["update-ref", "--no-deref", "-d", &full_name(&request.name)?])
        .stdout()
        .await?;
    Ok(())
}

/// Whether the signature holds, as far as that can be told: without a list of allowed signers, ssh cannot say.
async fn sound(git: &Git, repository: &Repository, name: &str, what: &str) -> Result<(), PortError> {
    let output = verification(git, repository, name).await?;
    if output.status == Some(0) || output.stderr.contains("gpg.ssh.allowedSignersFile needs to be configured")
    {
        return Ok(());
    }
    Err(output.fault(what, Reach::Signing))
}

/// How a tag is signed.
pub(super) async fn signature(
    git: &Git,
    repository: &Repository,
    name: &str,
) -> Result<Option<SignatureKind>, PortError> {
    let what = format!("read the tag {name}");
    let Some(found) = find(git, repository, name).await?.filter(|found| found.annotated) else {
        return Ok(None);
    };
    let text =
        Call::within(git, repository, &what).args(["cat-file", "tag", &found.object.0]).stdout().await?;
    Ok(signature_in(&text))
}

/// The last line that starts a signature counts, as it does for git.
pub(super) fn signature_in(text: &[u8]) -> Option<SignatureKind> {
    let of = |line: &[u8]| SIGNATURES.iter().find(|(start, _)| line.starts_with(start));
    text.split(|byte| *byte == b'\n').rev().find_map(of).map(|(_, kind)| *kind)
}

/// Whether git accepts the signature of a tag: by the exit status, since the words of ssh say "Good" for unknown keys.
pub(super) async fn verify(git: &Git, repository: &Repository, name: &str) -> Result<bool, PortError> {
    if signature(git, repository, name).await?.is_none() {
        return Ok(false);
    }
    Ok(verification(git, repository, name).await?.status == Some(0))
}

async fn verification(
    git: &Git,
    repository: &Repository,
    name: &str,
) -> Result<super::run::Output, PortError> {
    let user = UserSetup::read(git, repository).await?;
    Call::within(git, repository, &format!("verify the tag {name}"))
        .user(&user)
        .signing()
        .args(["verify-tag", "--raw", &full_name(name)?])
        .output()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_told_apart() {
        let tag = |end: &str| format!("object x\ntagger y\n\nmessage\n{end}");
        assert_eq!(signature_in(tag("").as_bytes()), None);
        assert_eq!(signature_in(tag("see -----BEGIN SSH SIGNATURE-----\n").as_bytes()), None);
        let ssh = tag("-----BEGIN SSH SIGNATURE-----\nx\n");
        assert_eq!(signature_in(ssh.as_bytes()), Some(SignatureKind::Ssh));
        let pgp = tag("-----BEGIN PGP SIGNATURE-----\nx\n");
        assert_eq!(signature_in(pgp.as_bytes()), Some(SignatureKind::OpenPgp));
    }
}

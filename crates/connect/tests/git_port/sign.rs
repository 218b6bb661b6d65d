//! Signatures, with real keys.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tollgate_connect::git::SignatureKind;
use tollgate_engine::ports::{CommitRequest, Sign, Source as _};
use tollgate_testkit::git::GitHome;
use tollgate_testkit::sshd::skipped;

use crate::{World, commit_request, permanent, tag_request};

/// A key ring with one key, and its agent, which ends with it. Its path is short: the agent's socket has to fit.
pub(crate) struct KeyRing(pub(crate) TempDir);

impl KeyRing {
    pub(crate) fn new() -> Option<KeyRing> {
        let folder = tempfile::Builder::new().prefix("kr").tempdir_in("/tmp").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(folder.path(), mode).unwrap();
        let ring = KeyRing(folder);
        let arguments = ["--quick-generate-key", "Ada Tester <ada@example.org>", "ed25519", "sign", "never"];
        // Of two things that a key says of itself in one second, the first counts: it is made long before the rest.
        let quietly = ["--batch", "--quiet", "--faked-system-time", "20250101T000000", "--passphrase", ""];
        let made = ring.run("gpg", &[&quietly[..], &arguments[..]].concat());
        if made.is_none() {
            skipped("gpg is not installed (Debian: gnupg)");
        }
        made.map(|()| ring)
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Option<()> {
        let mut command = Command::new(program);
        command.args(arguments).env("GNUPGHOME", self.0.path()).stdin(Stdio::null());
        let output = command.output().ok()?;
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        Some(())
    }
}

impl Drop for KeyRing {
    fn drop(&mut self) {
        self.run("gpgconf", &["--kill", "all"]);
    }
}

pub(crate) fn ssh_key(folder: &Path, name: &str) -> PathBuf {
    let key = folder.join(name);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&key);
    assert!(command.status().unwrap().success());
    key
}

pub(crate) fn ssh_world() -> World {
    let world = World::new();
    let key = ssh_key(&world.path("home"), "key");
    let user = world.checkout();
    // In the checkout alone: that is where people who work for several projects have it.
    user.git(&["config", "gpg.format", "ssh"]);
    user.git(&["config", "user.signingKey", &key.display().to_string()]);
    world
}

#[tokio::test]
async fn gpg_signs() {
    let Some(ring) = KeyRing::new() else { return };
    let path = ring.0.path().to_owned();
    let mut world = World::with(|home: &mut GitHome| home.set("GNUPGHOME", path));
    let user = world.checkout();
    user.commit("a", "1", "one");
    user.git(&["push", "--quiet", "origin", "main"]);
    world.refresh().await;
    let main = world.main().await;
    let made = world.git.tag(&world.repository, &tag_request("v1", &main, Sign::Always)).await.unwrap();
    let kind = world.git.signature(&world.repository, "v1").await.unwrap();
    assert_eq!(kind, Some(SignatureKind::OpenPgp));
    assert!(world.git.verify_tag(&world.repository, "v1").await.unwrap());
    world.clone().git(&["tag", "-v", "v1"]);
    let again = world.git.tag(&world.repository, &tag_request("v1", &main, Sign::Always)).await.unwrap();
    assert_eq!(again, made);

    // A commit too, as configured.
    let tree = world.edit(&main, "a", "2").await.unwrap();
    let request = CommitRequest { sign: Sign::AsConfigured, ..commit_request(tree, &main) };
    let plain = world.git.commit(&world.repository, &request).await.unwrap();
    world.home.configure("commit.gpgSign", "true");
    let signed = world.git.commit(&world.repository, &request).await.unwrap();
    assert!(!world.clone().git(&["cat-file", "commit", &plain.0]).contains("gpgsig"));
    world.clone().git(&["verify-commit", &signed.0]);

    // Never means never.
    world.home.configure("tag.gpgSign", "true");
    world.home.configure("tag.forceSignAnnotated", "true");
    world.git.tag(&world.repository, &tag_request("v2", &main, Sign::Never)).await.unwrap();
    assert_eq!(world.git.signature(&world.repository, "v2").await.unwrap(), None);
    world.git.tag(&world.repository, &tag_request("v3", &main, Sign::AsConfigured)).await.unwrap();
    assert!(world.git.signature(&world.repository, "v3").await.unwrap().is_some());

    // A tag somebody else changed after signing.
    let forged = world.clone().git(&["cat-file", "tag", "v1"]).replace("Release 2", "Release 3");
    let forged = world.clone().object("tag", format!("{forged}\n").as_bytes());
    world.clone().git(&["update-ref", "refs/tags/v1", &forged]);
    assert!(!world.git.verify_tag(&world.repository, "v1").await.unwrap());

    // No key of this name.
    world.home.configure("user.signingKey", "0123456789ABCDEF0123456789ABCDEF01234567");
    let error = permanent(world.git.tag(&world.repository, &tag_request("v4", &main, Sign::Always)).await);
    assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("signingkey")), "{error:?}");
    assert_eq!(world.git.find_tag(&world.repository, "v4").await.unwrap(), None);
    world.home.set("x", "x");
}

#[tokio::test]
async fn ssh_signs() {
    let world = ssh_world();
    world.refresh().await;
    let main = world.main().await;
    world.git.tag(&world.repository, &tag_request("v2", &main, Sign::Always)).await.unwrap();
    assert_eq!(world.git.signature(&world.repository, "v2").await.unwrap(), Some(SignatureKind::Ssh));
    // Nobody has said which signers are allowed.
    assert!(!world.git.verify_tag(&world.repository, "v2").await.unwrap());

    let user = world.checkout();
    let key = std::fs::read_to_string(world.path("home/key.pub")).unwrap();
    let allowed = world.path("home/allowed");
    std::fs::write(&allowed, format!("ada@example.org {key}")).unwrap();
    user.git(&["config", "gpg.ssh.allowedSignersFile", &allowed.display().to_string()]);
    assert!(world.git.verify_tag(&world.repository, "v2").await.unwrap());
    user.git(&[
        "fetch",
        "--quiet",
        &world.repository.clone.display().to_string(),
        "refs/tags/v2:refs/tags/v2",
    ]);
    user.git(&["tag", "-v", "v2"]);

    // As configured, in the checkout.
    user.git(&["config", "tag.gpgSign", "true"]);
    world.git.tag(&world.repository, &tag_request("v3", &main, Sign::AsConfigured)).await.unwrap();
    assert!(world.git.verify_tag(&world.repository, "v3").await.unwrap());

    // A signer who is not allowed makes no tag that others would refuse.
    let stranger = ssh_key(&world.path("home"), "stranger");
    user.git(&["config", "user.signingKey", &stranger.display().to_string()]);
    permanent(world.git.tag(&world.repository, &tag_request("v4", &main, Sign::Always)).await);
    assert_eq!(world.git.find_tag(&world.repository, "v4").await.unwrap(), None);
}

#[tokio::test]
async fn a_missing_key_is_said_clearly() {
    let world = ssh_world();
    world.refresh().await;
    let main = world.main().await;
    world.checkout().git(&["config", "user.signingKey", "/nowhere/key"]);
    for _ in 0..2 {
        let error =
            permanent(world.git.tag(&world.repository, &tag_request("v2", &main, Sign::Always)).await);
        assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("signingkey")), "{error:?}");
        assert_eq!(world.git.find_tag(&world.repository, "v2").await.unwrap(), None);
    }
    world.checkout().git(&["config", "--unset", "user.signingKey"]);
    permanent(world.git.tag(&world.repository, &tag_request("v2", &main, Sign::Always)).await);
    let tree = world.edit(&main, "a", "2").await.unwrap();
    let request = CommitRequest { sign: Sign::Always, ..commit_request(tree, &main) };
    permanent(world.git.commit(&world.repository, &request).await);
}

//! Signatures, judged: with real keys of every kind.

use std::process::{Command, Stdio};

use tollgate_connect::git::{Git, GitLimits, SignatureKind};
use tollgate_engine::ports::{ObjectId, Sign, SignedObject, Signers, Source as _, Verdict};
use tollgate_testkit::git::GitHome;
use tollgate_testkit::sshd::skipped;

use crate::sign::{KeyRing, ssh_key, ssh_world};
use crate::{World, commit_request, id, permanent, tag_request};

fn signers(text: &str) -> Signers {
    Signers::parse("signers", text).unwrap()
}

async fn judged(world: &World, signed: &SignedObject, signers: &Signers) -> Verdict {
    world.git.verify(&world.repository, signed, signers).await.unwrap()
}

/// A signed tag on `main`.
async fn tag(world: &World, name: &str) -> SignedObject {
    world.refresh().await;
    let target = world.main().await;
    let made = world.git.tag(&world.repository, &tag_request(name, &target, Sign::Always)).await.unwrap();
    SignedObject::Tag { name: name.to_owned(), object: made.object, target }
}

fn object(signed: &SignedObject) -> ObjectId {
    match signed {
        SignedObject::Tag { object, .. } | SignedObject::Commit(object) => object.clone(),
    }
}

#[tokio::test]
async fn ssh_signatures_count_by_the_list_alone() {
    let world = ssh_world();
    let made = tag(&world, "v2").await;
    let public = std::fs::read_to_string(world.path("home/key.pub")).unwrap();
    let list = signers(&format!("ada@example.org namespaces=\"git\" {public}"));
    assert!(judged(&world, &made, &list).await.is_good());
    // What the user's own git allows says nothing.
    let other = ssh_key(&world.path("home"), "other");
    let other = std::fs::read_to_string(other.with_extension("pub")).unwrap();
    let allowed = world.path("home/allowed");
    std::fs::write(&allowed, format!("ada@example.org {public}")).unwrap();
    world.checkout().git(&["config", "gpg.ssh.allowedSignersFile", &allowed.display().to_string()]);
    let others = signers(&format!("bea@example.org {other}"));
    assert!(matches!(judged(&world, &made, &others).await, Verdict::NotAllowed(_)));
    let mut environment = world.home.environment();
    for (name, value) in [
        ("GIT_CONFIG_COUNT", "1".to_owned()),
        ("GIT_CONFIG_KEY_0", "gpg.ssh.allowedSignersFile".to_owned()),
        ("GIT_CONFIG_VALUE_0", allowed.display().to_string()),
    ] {
        environment.push((name.into(), value.into()));
    }
    let verdict = Git::new(environment).verify(&world.repository, &made, &others).await.unwrap();
    assert!(matches!(verdict, Verdict::NotAllowed(_)), "{verdict:?}");
    // Nor does a list of keys of another kind.
    let none = signers(&"A".repeat(40));
    assert!(matches!(judged(&world, &made, &none).await, Verdict::NotAllowed(_)));
    // Only for other things than git, or until before the tag was made.
    for options in ["namespaces=\"file\"", "valid-before=\"20200101\""] {
        let list = signers(&format!("ada@example.org {options} {public}"));
        assert_eq!(judged(&world, &made, &list).await, Verdict::Bad, "{options}");
    }
}

#[tokio::test]
async fn a_tag_serves_under_its_own_name_and_commit_alone() {
    let world = ssh_world();
    let made = tag(&world, "v2").await;
    let public = std::fs::read_to_string(world.path("home/key.pub")).unwrap();
    let list = signers(&format!("ada@example.org {public}"));
    let SignedObject::Tag { object, target, .. } = made.clone() else { panic!() };
    let renamed = SignedObject::Tag { name: "v3".into(), object: object.clone(), target: target.clone() };
    assert!(matches!(judged(&world, &renamed, &list).await, Verdict::Other(_)));
    let elsewhere = world.commit(&target, "x", "x").await;
    let moved = SignedObject::Tag { name: "v2".into(), object: object.clone(), target: elsewhere.clone() };
    assert!(matches!(judged(&world, &moved, &list).await, Verdict::Other(_)));
    let light = SignedObject::Tag { name: "v2".into(), object: target.clone(), target: target.clone() };
    assert_eq!(judged(&world, &light, &list).await, Verdict::Lightweight);
    let plain = world.git.tag(&world.repository, &tag_request("v4", &target, Sign::Never)).await.unwrap();
    let plain = SignedObject::Tag { name: "v4".into(), object: plain.object, target: target.clone() };
    assert_eq!(judged(&world, &plain, &list).await, Verdict::Unsigned);
    // Changed after it was signed.
    let forged = world.clone().git(&["cat-file", "tag", "v2"]).replace("# Added", "# Moved");
    let forged = id(&world.clone().object("tag", format!("{forged}\n").as_bytes()));
    let forged = SignedObject::Tag { name: "v2".into(), object: forged, target };
    assert_eq!(judged(&world, &forged, &list).await, Verdict::Bad);
    assert_eq!(judged(&world, &SignedObject::Commit(elsewhere), &list).await, Verdict::Unsigned);
    let missing = SignedObject::Commit(id(&"e".repeat(40)));
    permanent(world.git.verify(&world.repository, &missing, &list).await);
}

#[tokio::test]
async fn commits_are_judged_too() {
    let world = ssh_world();
    world.refresh().await;
    let main = world.main().await;
    let tree = world.edit(&main, "a", "2").await.unwrap();
    let request = tollgate_engine::ports::CommitRequest { sign: Sign::Always, ..commit_request(tree, &main) };
    let commit = SignedObject::Commit(world.git.commit(&world.repository, &request).await.unwrap());
    let public = std::fs::read_to_string(world.path("home/key.pub")).unwrap();
    assert!(judged(&world, &commit, &signers(&format!("ada@example.org {public}"))).await.is_good());
    let none = signers(&"A".repeat(40));
    assert!(matches!(judged(&world, &commit, &none).await, Verdict::NotAllowed(_)));
}

fn fingerprint(ring: &KeyRing, program: &str) -> String {
    let output = Command::new(program)
        .args(["--list-keys", "--with-colons", "--fingerprint"])
        .env("GNUPGHOME", ring.0.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("fpr:")).unwrap();
    line.split(':').nth(9).unwrap().to_owned()
}

#[tokio::test]
async fn openpgp_signatures_count_by_the_primary_key() {
    let Some(ring) = KeyRing::new() else { return };
    let path = ring.0.path().to_owned();
    let world = World::with(|home: &mut GitHome| home.set("GNUPGHOME", path));
    let user = world.checkout();
    user.commit("a", "1", "one");
    user.git(&["push", "--quiet", "origin", "main"]);
    let key = fingerprint(&ring, "gpg");
    let list = signers(&format!("{key} Ada\n"));
    let made = tag(&world, "v1").await;
    assert_eq!(judged(&world, &made, &list).await, Verdict::Good(format!("key {key}")));
    let none = signers(&"A".repeat(40));
    assert_eq!(judged(&world, &made, &none).await, Verdict::NotAllowed(format!("key {key}")));
    // A subkey signs for its primary key.
    ring.run(
        "gpg",
        &["--batch", "--quiet", "--passphrase", "", "--quick-add-key", &key, "ed25519", "sign", "never"],
    );
    let by_subkey = tag(&world, "v2").await;
    assert_eq!(judged(&world, &by_subkey, &list).await, Verdict::Good(format!("key {key}")));
    // The key expires, is revoked, is not there at all.
    ring.run(
        "gpg",
        &["--batch", "--quiet", "--passphrase", "", "--quick-set-expire", &key, "20250601T000000"],
    );
    let verdict = judged(&world, &made, &list).await;
    assert!(matches!(verdict, Verdict::Expired(_)), "{verdict:?}");
    ring.run("gpg", &["--batch", "--quiet", "--passphrase", "", "--quick-set-expire", &key, "0"]);
    let revocation = ring.0.path().join(format!("openpgp-revocs.d/{key}.rev"));
    let text = std::fs::read_to_string(&revocation).unwrap().replace(":-----BEGIN", "-----BEGIN");
    std::fs::write(&revocation, text).unwrap();
    ring.run("gpg", &["--batch", "--quiet", "--import", &revocation.display().to_string()]);
    let verdict = judged(&world, &made, &list).await;
    assert!(matches!(verdict, Verdict::Revoked(_)), "{verdict:?}");
    let Some(empty) = KeyRing::new() else { return };
    let mut environment = world.home.environment();
    environment.push(("GNUPGHOME".into(), empty.0.path().into()));
    let verdict = Git::new(environment).verify(&world.repository, &made, &list).await.unwrap();
    assert!(matches!(verdict, Verdict::UnknownKey(_)), "{verdict:?}");
}

/// A certificate authority of one certificate, which it made itself, in the key ring of gpgsm.
fn certificate(ring: &KeyRing) -> Option<String> {
    let home = ring.0.path();
    let (key, cert, bundle) = (home.join("x.key"), home.join("x.crt"), home.join("x.p12"));
    let openssl = |arguments: &[&str]| {
        let status =
            Command::new("openssl").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let [key, cert, bundle] = [key, cert, bundle].map(|path| path.display().to_string());
    let made = openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "30",
        "-keyout",
        &key,
        "-out",
        &cert,
        "-subj",
        "/CN=Ada Tester/emailAddress=ada@example.org",
        "-addext",
        "keyUsage=critical,digitalSignature,keyCertSign",
        "-addext",
        "basicConstraints=critical,CA:true",
    ]) && openssl(&[
        "pkcs12",
        "-export",
        "-inkey",
        &key,
        "-in",
        &cert,
        "-out",
        &bundle,
        "-passout",
        "pass:",
        "-certpbe",
        "PBE-SHA1-3DES",
        "-keypbe",
        "PBE-SHA1-3DES",
        "-macalg",
        "sha1",
        "-legacy",
    ]);
    let has_gpgsm = Command::new("gpgsm").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !made || !has_gpgsm {
        skipped("gpgsm or openssl is not installed (Debian: gpgsm, openssl)");
        return None;
    }
    std::fs::write(home.join("gpgsm.conf"), "disable-crl-checks\ndisable-policy-checks\n").unwrap();
    std::fs::write(home.join("gpg-agent.conf"), "allow-loopback-pinentry\n").unwrap();
    ring.run("gpgconf", &["--kill", "all"]);
    ring.run(
        "gpgsm",
        &["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase-fd", "0", "--import", &bundle],
    );
    let fingerprint = fingerprint(ring, "gpgsm");
    std::fs::write(home.join("trustlist.txt"), format!("{fingerprint} S relax\n")).unwrap();
    ring.run("gpgconf", &["--kill", "all"]);
    Some(fingerprint)
}

#[tokio::test]
async fn x509_signs_and_is_judged() {
    let Some(ring) = KeyRing::new() else { return };
    let Some(key) = certificate(&ring) else { return };
    let path = ring.0.path().to_owned();
    let world = World::with(|home: &mut GitHome| home.set("GNUPGHOME", path));
    world.home.configure("gpg.format", "x509");
    world.home.configure("user.signingKey", &key);
    let user = world.checkout();
    user.commit("a", "1", "one");
    user.git(&["push", "--quiet", "origin", "main"]);
    let made = tag(&world, "v1").await;
    assert_eq!(world.git.signature(&world.repository, "v1").await.unwrap(), Some(SignatureKind::X509));
    assert!(world.git.verify_tag(&world.repository, "v1").await.unwrap());
    assert_eq!(judged(&world, &made, &signers(&key)).await, Verdict::Good(format!("key {key}")));
    assert!(matches!(judged(&world, &made, &signers(&"A".repeat(40))).await, Verdict::NotAllowed(_)));
    let raw = world.clone().git(&["cat-file", "tag", &object(&made).0]).replace("# Added", "# Moved");
    let forged = id(&world.clone().object("tag", format!("{raw}\n").as_bytes()));
    let SignedObject::Tag { target, .. } = made else { panic!() };
    let forged = SignedObject::Tag { name: "v1".into(), object: forged, target };
    assert_eq!(judged(&world, &forged, &signers(&key)).await, Verdict::Bad);
}

#[tokio::test]
async fn a_signer_that_waits_for_somebody_is_given_up() {
    let world = World::new();
    world.refresh().await;
    let main = world.main().await;
    let program = world.program("asking-gpg", "exec sleep 600\n");
    world.home.configure("gpg.program", &program.display().to_string());
    world.home.configure("user.signingKey", "ada");
    let limits = GitLimits { signing: std::time::Duration::from_millis(500), ..GitLimits::default() };
    let git = Git::new(world.home.environment()).with_limits(limits);
    let error = permanent(git.tag(&world.repository, &tag_request("v2", &main, Sign::Always)).await);
    assert!(error.why.contains("no end after 0.5 seconds"), "{error:?}");
    assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("without asking")), "{error:?}");
    assert_eq!(git.find_tag(&world.repository, "v2").await.unwrap(), None);
}

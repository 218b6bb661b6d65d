//! Signatures, judged: by exit status, by the lines that gpg and gpgsm write for machines, and by the key in the signature
//! itself; never by what they say to people.

use tollgate_core::signatures::{SignedObject, Signers, Verdict};
use tollgate_engine::ports::{ObjectId, PortError, Repository};

use super::environment::UserSetup;
use super::fault::{self, permanent};
use super::lock::Reading;
use super::read::{object, types};
use super::refresh::need_clone;
use super::run::Call;
use super::tag::{SignatureKind, signature_in};
use super::{Git, text};

/// The longest name of a key that is told, in characters.
const KEY_CHARS: usize = 100;

/// Judges one signature.
pub(super) async fn verify(
    git: &Git,
    repository: &Repository,
    signed: &SignedObject,
    signers: &Signers,
) -> Result<Verdict, PortError> {
    let what = format!("look at the signature of {signed}");
    need_clone(repository, &what)?;
    let (id, kind) = match signed {
        SignedObject::Tag { object, .. } => (object, "tag"),
        SignedObject::Commit(commit) => (commit, "commit"),
    };
    let found = types(git, repository, &what, &[object(id)?.to_owned()]).await?.pop().flatten();
    match (found.as_ref().map(|(_, found)| found.as_str()), kind) {
        (Some(found), kind) if found == kind => {}
        (Some("commit"), "tag") => return Ok(Verdict::Lightweight),
        (Some(other), _) => return Ok(Verdict::Other(format!("it is a {other}"))),
        (None, _) => return Err(permanent(what, format!("{id} is not in the clone"), None)),
    }
    let raw = Call::within(git, repository, &what).args(["cat-file", kind, object(id)?]).stdout().await?;
    let raw = Raw(&raw);
    if let SignedObject::Tag { name, target, .. } = signed {
        if raw.header("tag") != Some(name.as_bytes()) {
            return Ok(Verdict::Other("another name stands in it than the one it has".to_owned()));
        }
        if raw.header("object") != Some(target.0.as_bytes()) || raw.header("type") != Some(b"commit") {
            return Ok(Verdict::Other(format!("it does not stand on {}", target.short())));
        }
    }
    let signature = match kind {
        "tag" => signature_in(raw.0).zip(raw.tail()),
        _ => raw.commit_signature().and_then(|text| signature_in(&text).zip(Some(text))),
    };
    let Some((kind, signature)) = signature else { return Ok(Verdict::Unsigned) };
    let check = Check { git, repository, what: &what, id, tag: matches!(signed, SignedObject::Tag { .. }) };
    match kind {
        SignatureKind::Ssh => check.ssh(&signature, signers).await,
        SignatureKind::OpenPgp | SignatureKind::X509 => check.by_status(signers).await,
    }
}

/// A tag or commit as git stores it.
struct Raw<'a>(&'a [u8]);

impl<'a> Raw<'a> {
    fn lines(&self) -> impl Iterator<Item = &'a [u8]> {
        self.0.split(|byte| *byte == b'\n')
    }

    /// The value of the first header of a name.
    fn header(&self, name: &str) -> Option<&'a [u8]> {
        let headers = self.lines().take_while(|line| !line.is_empty());
        headers.filter_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b" ")).next()
    }

    /// A tag's signature: from the last line that starts one to the end.
    fn tail(&self) -> Option<Vec<u8>> {
        let lines: Vec<&[u8]> = self.lines().collect();
        let at = lines.iter().rposition(|line| signature_in(line).is_some())?;
        Some(lines[at..].join(&b'\n'))
    }

    /// A commit's signature stands in a header; further lines of it begin with a space.
    fn commit_signature(&self) -> Option<Vec<u8>> {
        let mut lines = self.lines().take_while(|line| !line.is_empty());
        let first = lines.find_map(|line| {
            line.strip_prefix(b"gpgsig ").or_else(|| line.strip_prefix(b"gpgsig-sha256 "))
        })?;
        let mut signature = first.to_vec();
        for line in lines.map_while(|line| line.strip_prefix(b" ")) {
            signature.push(b'\n');
            signature.extend_from_slice(line);
        }
        Some(signature)
    }
}

struct Check<'a> {
    git: &'a Git,
    repository: &'a Repository,
    what: &'a str,
    id: &'a ObjectId,
    tag: bool,
}

impl Check<'_> {
    async fn run(&self, allowed: Option<&str>) -> Result<super::run::Output, PortError> {
        let user = UserSetup::read(self.git, self.repository).await?;
        let mut call = Call::within(self.git, self.repository, self.what).user(&user).signing();
        if let Some(file) = allowed {
            call = call.stronger(format!("gpg.ssh.allowedSignersFile={file}"));
        }
        let verb = if self.tag { "verify-tag" } else { "verify-commit" };
        call.args([verb, "--raw", object(self.id)?]).output().await
    }

    /// ssh says by its exit status whether somebody of the list has signed. For whom it was not, the key tells.
    async fn ssh(&self, signature: &[u8], signers: &Signers) -> Result<Verdict, PortError> {
        let key = ssh_key_in(signature);
        let shown =
            key.as_ref().map_or_else(|| "an ssh key".to_owned(), |key| format!("ssh key {}", key.shown));
        let turn = Reading::in_clone(self.git, self.repository).await?;
        let scratch = turn.scratch().map_err(|error| fault::io(self.what, &error))?;
        let file = scratch.path().join("allowed-signers");
        let lines: String = signers.ssh.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&file, lines).map_err(|error| fault::io(self.what, &error))?;
        let output = self.run(Some(&file.display().to_string())).await?;
        if output.status == Some(0) {
            return Ok(Verdict::Good(shown));
        }
        Ok(match key {
            None => Verdict::Bad,
            // A certificate or a key of the list that ssh refuses: bad, revoked, or not valid at that time.
            Some(key)
                if signers.ssh.iter().any(|line| line.split_whitespace().any(|word| word == key.base64)) =>
            {
                Verdict::Bad
            }
            Some(_) => Verdict::NotAllowed(shown),
        })
    }

    async fn by_status(&self, signers: &Signers) -> Result<Verdict, PortError> {
        let output = self.run(None).await?;
        Ok(verdict(&output.stderr, output.status == Some(0), signers))
    }
}

/// What the lines for machines come to. There has to be exactly one good signature, by a key of the list.
fn verdict(lines: &str, succeeded: bool, signers: &Signers) -> Verdict {
    let status: Vec<Vec<&str>> = lines
        .lines()
        .filter_map(|line| line.strip_prefix("[GNUPG:] "))
        .map(|line| line.split(' ').collect())
        .collect();
    let of = |name: &str| -> Vec<&Vec<&str>> { status.iter().filter(|words| words[0] == name).collect() };
    let key = |words: &[&str]| {
        let key = words.get(1).copied().unwrap_or_default();
        text::cut(&text::plain(key), KEY_CHARS)
    };
    for (name, make) in [
        ("REVKEYSIG", Verdict::Revoked as fn(String) -> Verdict),
        ("EXPKEYSIG", Verdict::Expired),
        ("EXPSIG", Verdict::Expired),
        ("BADSIG", |_| Verdict::Bad),
        ("NO_PUBKEY", Verdict::UnknownKey),
        ("ERRSIG", Verdict::UnknownKey),
    ] {
        if let Some(words) = of(name).first() {
            return make(key(words));
        }
    }
    let (good, valid) = (of("GOODSIG"), of("VALIDSIG"));
    let ([_], [valid], true) = (&good[..], &valid[..], succeeded) else { return Verdict::Bad };
    // OpenPGP names the primary key last; a certificate has no other.
    let Some(fingerprint) = valid.get(10).or_else(|| valid.get(1)) else { return Verdict::Bad };
    let shown = format!("key {}", text::cut(&text::plain(fingerprint), KEY_CHARS));
    if signers.allows(fingerprint) { Verdict::Good(shown) } else { Verdict::NotAllowed(shown) }
}

/// The public key that an ssh signature carries.
struct SshKey {
    /// As it stands in files of keys.
    base64: String,
    /// The beginning and end of it.
    shown: String,
}

/// `SSHSIG`, a version, and the key: each text behind its length.
fn ssh_key_in(signature: &[u8]) -> Option<SshKey> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let text = String::from_utf8_lossy(signature);
    let body: String =
        text.lines().skip(1).take_while(|line| !line.starts_with("-----END")).map(str::trim).collect();
    let bytes = STANDARD.decode(body).ok()?;
    let rest = bytes.strip_prefix(b"SSHSIG")?.get(4..)?;
    let (length, rest) = rest.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let base64 = STANDARD.encode(rest.get(..usize::try_from(length).ok()?)?);
    let end = base64.trim_end_matches('=');
    let shown = format!("…{}", &end[end.len().saturating_sub(12)..]);
    Some(SshKey { base64, shown })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_good_signature_by_a_key_of_the_list_counts() {
        let (primary, sub, other) = ("A".repeat(40), "B".repeat(40), "C".repeat(40));
        let signers = Signers { file: "x".into(), ssh: Vec::new(), keys: vec![primary.clone()] };
        let good = format!("[GNUPG:] GOODSIG {} Ada\n", &sub[24..]);
        let valid = |primary: &str| {
            format!("[GNUPG:] VALIDSIG {sub} 2026-01-01 1767225600 0 4 0 22 8 00 {primary}\n")
        };
        let shown = |key: &str| format!("key {key}");
        let cases = [
            (format!("{good}{}", valid(&primary)), true, Verdict::Good(shown(&primary))),
            (format!("{good}{}", valid(&primary)), false, Verdict::Bad),
            (format!("{good}{}", valid(&other)), true, Verdict::NotAllowed(shown(&other))),
            (format!("{good}{}{good}{}", valid(&primary), valid(&primary)), true, Verdict::Bad),
            (valid(&primary), true, Verdict::Bad),
            (good.clone(), true, Verdict::Bad),
            (String::new(), true, Verdict::Bad),
            (format!("[GNUPG:] EXPKEYSIG K Ada\n{}", valid(&primary)), false, Verdict::Expired("K".into())),
            (format!("[GNUPG:] REVKEYSIG K Ada\n{}", valid(&primary)), false, Verdict::Revoked("K".into())),
            (
                "[GNUPG:] ERRSIG K 22 8 00 1 9 F\n[GNUPG:] NO_PUBKEY K\n".into(),
                false,
                Verdict::UnknownKey("K".into()),
            ),
            (format!("{good}[GNUPG:] BADSIG K Ada\n{}", valid(&primary)), true, Verdict::Bad),
            // Words that are meant for people say nothing.
            (format!("gpg: Good signature\n x{good}{}", valid(&primary)), true, Verdict::Bad),
            (
                format!("[GNUPG:] GOODSIG {primary} CN\n[GNUPG:] VALIDSIG {primary} 2026-01-01 1 0\n"),
                true,
                Verdict::Good(shown(&primary)),
            ),
        ];
        for (lines, succeeded, want) in cases {
            assert_eq!(verdict(&lines, succeeded, &signers), want, "{lines}");
        }
    }
}

//! Looking at signatures: for a step, which stops and says which do not count, and for gates.

use jiff::SignedDuration;
use tollgate_core::act::{Act, Failure, Outcome};
use tollgate_core::facts::{FactValue, SignaturesAsk};
use tollgate_core::signatures::{COMMITS_MAX, Judged, Signatures, SignedObject, Signers};

use crate::Engine;
use crate::execute::{Execution, failure, permanent};
use crate::facts::line;
use crate::ports::Repository;

impl Engine {
    /// Judges signatures in a clone, one after the other.
    async fn judge(
        &self,
        repository: &Repository,
        of: &Signatures,
        signers: &Signers,
    ) -> Result<Judged, Failure> {
        let source = &self.world.source;
        let mut objects: Vec<SignedObject> = of.tag.iter().cloned().collect();
        if let Some((after, upto)) = &of.commits {
            let (found, more) =
                source.history(repository, after.as_ref(), upto, COMMITS_MAX).await.map_err(failure)?;
            if more {
                let why = format!("there are more than {COMMITS_MAX} commits to look at");
                let hint =
                    "look at the tag alone (`commits: false`), or have the forge take signed commits only";
                return Err(permanent(why, Some(hint)));
            }
            objects.extend(found.into_iter().map(|commit| SignedObject::Commit(commit.id)));
        }
        let mut judged = Judged::default();
        for object in objects {
            let verdict = source.verify(repository, &object, signers).await.map_err(failure)?;
            judged.take_in(object, verdict);
        }
        Ok(judged)
    }

    /// Judges the signatures that a gate asks for; or says in plain words why that cannot be done.
    pub(crate) async fn judged(
        &self,
        ask: &SignaturesAsk,
        timeout: SignedDuration,
    ) -> Result<FactValue, String> {
        let repository = Repository {
            url: ask.url.clone(),
            clone: self.places.clone_of(&ask.service),
            checkout: ask.checkout.as_ref().map(Into::into),
        };
        let limit = timeout.unsigned_abs();
        let judged = tokio::time::timeout(limit, self.judge(&repository, &ask.of, &ask.signers)).await;
        match judged {
            Ok(Ok(judged)) => Ok(FactValue::Signatures(judged)),
            Ok(Err(Failure { why, hint: Some(hint), .. })) => Err(line(&format!("{why} ({hint})"))),
            Ok(Err(failure)) => Err(line(&failure.why)),
            Err(_) => Err(format!("it took longer than {timeout:#}")),
        }
    }
}

impl Execution<'_> {
    /// Looks at the signatures that a step asks for.
    pub(crate) async fn verify(&self, act: &Act) -> Result<Outcome, Failure> {
        let Act::Verify { tag, commits, signers } = act else { return Err(permanent("no signatures", None)) };
        let of = Signatures { tag: tag.clone(), commits: commits.clone() };
        let judged = self.engine.judge(&self.repository(), &of, signers).await?;
        let Some(first) = judged.wrong.first() else {
            return Ok(Outcome::Verified { by: judged.by, count: judged.good });
        };
        let named: Vec<String> =
            judged.wrong.iter().map(|wrong| format!("{}: {}", wrong.object, wrong.verdict)).collect();
        let and = if judged.more > 0 { format!("; and {} more", judged.more) } else { String::new() };
        let why = format!("by `{}` of the released commit: {}{and}", signers.file, named.join("; "));
        Err(permanent(why, Some(first.verdict.hint())))
    }
}

//! Looking at signatures: all of them count, or the step stops and says which do not.

use tollgate_core::act::{Act, Failure, Outcome};
use tollgate_core::signatures::{COMMITS_MAX, SignedObject, Verdict};

use crate::execute::{Execution, failure, permanent};

/// The most signatures that a failure names.
const SHOWN: usize = 10;

impl Execution<'_> {
    /// Looks at the signatures that a step asks for.
    pub(crate) async fn verify(&self, act: &Act) -> Result<Outcome, Failure> {
        let Act::Verify { tag, commits, signers } = act else { return Err(permanent("no signatures", None)) };
        let (source, repository) = (&self.engine.world.source, self.repository());
        let mut objects: Vec<SignedObject> = tag.iter().cloned().collect();
        if let Some((after, upto)) = commits {
            let (found, more) =
                source.history(&repository, after.as_ref(), upto, COMMITS_MAX).await.map_err(failure)?;
            if more {
                let why = format!("there are more than {COMMITS_MAX} commits to look at");
                let hint =
                    "look at the tag alone (`commits: false`), or have the forge take signed commits only";
                return Err(permanent(why, Some(hint)));
            }
            objects.extend(found.into_iter().map(|commit| SignedObject::Commit(commit.id)));
        }
        let (mut by, mut wrong): (Vec<String>, Vec<(SignedObject, Verdict)>) = (Vec::new(), Vec::new());
        let count = objects.len() as u32;
        for object in objects {
            match source.verify(&repository, &object, signers).await.map_err(failure)? {
                Verdict::Good(key) if by.contains(&key) => {}
                Verdict::Good(key) => by.push(key),
                other => wrong.push((object, other)),
            }
        }
        let Some((_, first)) = wrong.first() else { return Ok(Outcome::Verified { by, count }) };
        let named: Vec<String> =
            wrong.iter().take(SHOWN).map(|(object, verdict)| format!("{object}: {verdict}")).collect();
        let more = wrong.len().saturating_sub(named.len());
        let and = if more > 0 { format!("; and {more} more") } else { String::new() };
        let why = format!("by `{}` of the released commit: {}{and}", signers.file, named.join("; "));
        Err(permanent(why, Some(first.hint())))
    }
}

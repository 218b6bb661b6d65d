//! Telling people: what is owed is written down with the decision that owes it, and sent like any act.

use super::Deciding;
use crate::act::{Outcome, Report};
use crate::event::ReleaseEvent;
use crate::ids::EffectId;
use crate::notices::owed;
use crate::view::Refusal;

impl Deciding {
    /// Writes down what people have to be told after all of this.
    pub(super) fn tell(&mut self) {
        for event in owed(&self.view, &self.entries, self.now) {
            self.by_rule(ReleaseEvent::Notice(event));
        }
    }

    /// Whether an act is a notice.
    pub(super) fn is_notice(&self, effect: EffectId) -> bool {
        self.view.release.notices.get(effect).is_some()
    }

    /// Somebody is about to send a notice.
    pub(super) fn lease_notice(&mut self, effect: EffectId, epoch: u64) -> Result<(), Refusal> {
        let leased = self.view.release.notices.lease(effect, epoch, self.now);
        let event = leased.ok_or_else(|| Refusal::new("stale", "the notice is not wanted any more"))?;
        self.by_rule(ReleaseEvent::Notice(event));
        Ok(())
    }

    /// Sending a notice came to an end.
    pub(super) fn notice_reported(
        &mut self,
        effect: EffectId,
        epoch: u64,
        report: &Report,
    ) -> Result<(), Refusal> {
        let failure = match report {
            Report::Done(Outcome::Sent { .. } | Outcome::Done) => None,
            Report::Done(_) => return Err(Refusal::new("stale", "this is no result of a notice")),
            Report::Failed(failure) => Some(super::effects::bounded(failure.clone())),
        };
        let reported = self.view.release.notices.reported(effect, epoch, failure.as_ref(), self.now);
        let event = reported.ok_or_else(|| Refusal::new("stale", "the notice is not under way"))?;
        self.by_rule(ReleaseEvent::Notice(event));
        Ok(())
    }
}

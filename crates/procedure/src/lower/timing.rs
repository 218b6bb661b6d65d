//! When steps begin, and by when they should be done.

use tollgate_core::calendar::{FixedTime, Moment, Windows};
use tollgate_core::model::StepAt;

use super::Lower;
use crate::tree::Node;

impl Lower<'_> {
    /// The day of a procedure's releases.
    pub(super) fn target(&mut self, procedure: &Node) -> Option<FixedTime> {
        let node = procedure.get("target")?;
        let rule: FixedTime = self.parsed(node)?;
        self.sound(rule.check(&self.declared.calendar), node)?;
        Some(rule)
    }

    /// `at` and `due` of a step.
    pub(super) fn timing(&mut self, step: &Node) -> (Option<StepAt>, Option<Moment>) {
        let at = step.get("at").and_then(|node| {
            let at: StepAt = match node.text() {
                Some(_) => self.parsed(node)?,
                None => {
                    let (open, closed) = (self.rules(node.get("open")), self.rules(node.get("closed")));
                    StepAt::Window(self.sound(Windows::new(open, closed), node)?)
                }
            };
            self.sound(at.check(&self.declared.calendar), node)?;
            Some(at)
        });
        (at, step.get("due").and_then(|node| self.parsed(node)))
    }
}

//! Sending mail: messages of steps, and notices. Where a route can tell, it is looked first whether it was delivered.

pub(crate) mod rules;
mod trains;

use std::path::Path;

use tollgate_core::act::{Act, Failure, FailureClass, Outcome, Report};
use tollgate_core::actor::Actor;
use tollgate_core::ids::{ReleaseId, ServiceName};
use tollgate_core::notices::{Notice, NoticeStatus};
use tollgate_core::view::Stimulus;

use crate::execute::{failure, permanent};
use crate::inject::{Fault, Point, fault};
use crate::ports::{Mail, MailRoute, PortError};
use crate::store::Task;
use crate::submit::Beside;
pub(crate) use crate::work::CLAIM;
use crate::{Engine, EngineError};

impl Engine {
    /// Delivers a mail. A relative folder starts at `base`.
    pub(crate) async fn deliver(&self, act: &Act, base: &Path) -> Result<Outcome, Failure> {
        let Act::Mail { message_id, maildir, from, to, subject, body, at } = act else {
            return Err(permanent("not a mail", None));
        };
        let mail = Mail {
            message_id: message_id.clone(),
            at: *at,
            from: from.clone(),
            to: to.clone(),
            subject: subject.clone(),
            body: body.clone(),
            via: MailRoute::Maildir(base.join(maildir)),
        };
        let mailer = &self.world.mailer;
        if mailer.delivered(&mail).await.map_err(failure)? == Some(true) {
            return Ok(Outcome::Sent { found: true });
        }
        mailer.deliver(&mail).await.map_err(failure)?;
        Ok(Outcome::Sent { found: false })
    }

    /// Sends a notice that was leased. Its folder was pinned with it.
    pub(crate) async fn send(&self, act: &Act) -> Result<Report, EngineError> {
        let carried = |result: Result<Outcome, Failure>| match result {
            Ok(outcome) => Report::Done(outcome),
            Err(failure) => Report::Failed(failure),
        };
        match fault(&*self.inject, Point::BeforeAct(act.kind())).await {
            Fault::Crash => return Err(EngineError::Crashed),
            Fault::Fail => {
                return Ok(Report::Failed(failure(PortError {
                    class: FailureClass::Transient,
                    what: act.kind().into(),
                    why: "a fault was injected".into(),
                    hint: None,
                    retry_at: None,
                })));
            }
            Fault::Repeat => {
                self.deliver(act, Path::new("")).await.ok();
            }
            Fault::None | Fault::Delay(_) => {}
        }
        let report = carried(self.deliver(act, Path::new("")).await);
        match fault(&*self.inject, Point::AfterAct(act.kind())).await {
            Fault::Crash => Err(EngineError::Crashed),
            _ => Ok(report),
        }
    }

    /// Sends a notice of a release that was just leased, and writes down what came of it.
    pub(crate) async fn notice(
        &self,
        service: &ServiceName,
        release: ReleaseId,
        task: &Task,
        act: &Act,
    ) -> Result<(), EngineError> {
        let epoch = task.epoch + 1;
        let report = self.send(act).await?;
        let report = Stimulus::Reported { effect: task.id, epoch, report };
        let beside = Beside { finished: Some((task.id, epoch)), ..Beside::default() };
        match self.take_in(service, release, &report, &Actor::Tollgate, beside).await {
            Ok(_) => Ok(()),
            Err(EngineError::Refused(refusal)) if refusal.is_stale() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The mail of a notice that was leased at this epoch.
pub(crate) fn leased(notice: Option<&Notice>, epoch: u64) -> Option<Act> {
    match &notice?.status {
        NoticeStatus::Leased { act } if notice?.epoch == epoch => Some(act.clone()),
        _ => None,
    }
}

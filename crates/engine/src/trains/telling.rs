//! Telling people that a train is about to depart.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use tollgate_core::act::FailureClass;
use tollgate_core::actor::Actor;
use tollgate_core::model::{Connection, Recipient, Train};
use tollgate_core::train::{Announcement, MailEnd, Mailing, Slot, Telling, TrainEvent, message_id_of};

use super::LoadedTrain;
use crate::inject::{Fault, Point, fault};
use crate::ports::{Mail, MailRoute, PortError};
use crate::{Engine, EngineError};

/// The pause before a mail is tried again.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// What the mail is called at the points where faults can be put.
const ACT: &str = "heads-up";

impl Engine {
    /// Writes down what people are told: that a train is about to depart, with what it would release, or that it is not.
    pub(super) async fn announce(&self, loaded: &LoadedTrain, telling: Telling) -> Result<(), EngineError> {
        let Some(train) = loaded.train() else { return Ok(()) };
        let heads_up = train.heads_up.as_ref();
        let mail = heads_up.and_then(|heads_up| heads_up.mail.as_ref()).is_some();
        let event = match telling {
            Telling::Departs { at, corrects } => {
                let prospect = self.prospect(loaded, train).await?;
                let (runs, branch, slot) = (train.runs.clone(), train.branch.clone(), Slot::At(at));
                TrainEvent::Announced { slot, runs, branch, prospect, mail, corrects }
            }
            Telling::CalledOff { slot, why } => TrainEvent::CalledOff { slot, why, mail },
        };
        self.write_train(loaded, &[event], &Actor::Tollgate).await?;
        Ok(())
    }

    /// Sends the mail of the last heads-up, if it has to go out now.
    pub(super) async fn mail_heads_up(
        &self,
        loaded: &LoadedTrain,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let Some(told) = loaded.state.announced.clone() else { return Ok(()) };
        let begun = match &told.mail {
            Mailing::Wanted(due) if *due <= now => false,
            Mailing::Begun => true,
            _ => return Ok(()),
        };
        let slot = told.slot.clone();
        if !begun && slot.at().is_none_or(|at| at <= now) {
            return self.mail_ended(loaded, slot, MailEnd::TooLate).await;
        }
        let mail = match self.mail_of(loaded, &told).await? {
            Ok(mail) => mail,
            Err(why) => return self.mail_ended(loaded, slot, MailEnd::Failed(why)).await,
        };
        // Its intent is written down first: where nothing can be found of it afterwards, it is not sent again.
        let loaded = match begun {
            true => loaded.clone(),
            false => {
                let begun = [TrainEvent::MailBegun { slot: slot.clone() }];
                match self.write_train(loaded, &begun, &Actor::Tollgate).await? {
                    Some(loaded) => loaded,
                    None => return Ok(()),
                }
            }
        };
        match self.delivered(&mail, begun).await {
            Ok(end) => self.mail_ended(&loaded, slot, end).await,
            Err(EngineError::Port(error)) if passing(&error) => {
                let (why, again_at) = (error.to_string(), self.now() + PAUSE);
                let event = TrainEvent::MailTried { slot, why, again_at };
                self.write_train(&loaded, &[event], &Actor::Tollgate).await?;
                Ok(())
            }
            Err(EngineError::Port(error)) => {
                self.mail_ended(&loaded, slot, MailEnd::Failed(error.to_string())).await
            }
            Err(error) => Err(error),
        }
    }

    /// Looks whether a mail went out, and delivers it where it did not. `begun` is whether it can have been tried before.
    async fn delivered(&self, mail: &Mail, begun: bool) -> Result<MailEnd, EngineError> {
        match fault(&*self.inject, Point::BeforeAct(ACT)).await {
            Fault::Crash => return Err(EngineError::Crashed),
            Fault::Fail => {
                let (what, why) = (ACT.to_owned(), "a fault was injected".to_owned());
                let class = FailureClass::Transient;
                return Err(PortError { class, what, why, hint: None, retry_at: None }.into());
            }
            _ => {}
        }
        match self.world.mailer.delivered(mail).await? {
            Some(true) => return Ok(MailEnd::Sent),
            None if begun => return Ok(MailEnd::InDoubt),
            _ => self.world.mailer.deliver(mail).await?,
        }
        match fault(&*self.inject, Point::AfterAct(ACT)).await {
            Fault::Crash => Err(EngineError::Crashed),
            _ => Ok(MailEnd::Sent),
        }
    }

    async fn mail_ended(&self, loaded: &LoadedTrain, slot: Slot, end: MailEnd) -> Result<(), EngineError> {
        self.write_train(loaded, &[TrainEvent::MailEnded { slot, end }], &Actor::Tollgate).await?;
        Ok(())
    }

    /// The mail of a heads-up, or why there can be none.
    async fn mail_of(
        &self,
        loaded: &LoadedTrain,
        told: &Announcement,
    ) -> Result<Result<Mail, String>, EngineError> {
        let Some(train) = loaded.train() else { return Ok(Err("the train is withdrawn".into())) };
        let heads_up = train.heads_up.as_ref().and_then(|heads_up| heads_up.mail.as_ref());
        let Some(mail) = heads_up else { return Ok(Err("nobody is told by mail any more".into())) };
        let to = addresses(loaded, &mail.to);
        if to.is_empty() {
            return Ok(Err("none of those to be told has a mail address".into()));
        }
        let Connection::Maildir { path, from } = &mail.via;
        let folder = self.origin_of(&loaded.service, train).await.ok().and_then(|origin| origin.folder);
        let path = match folder {
            Some(folder) => PathBuf::from(folder).join(path),
            None if path.starts_with('/') => PathBuf::from(path),
            None => return Ok(Err(format!("nothing tells where the folder `{path}` is"))),
        };
        let (subject, body) = written(loaded, train, told);
        Ok(Ok(Mail {
            message_id: message_id_of(&loaded.service, &loaded.name, told),
            at: told.at,
            from: from.clone(),
            to,
            subject,
            body,
            via: MailRoute::Maildir(path),
        }))
    }
}

fn passing(error: &PortError) -> bool {
    matches!(error.class, FailureClass::Transient | FailureClass::RateLimited)
}

/// The mail addresses of those who are told, each once.
fn addresses(loaded: &LoadedTrain, to: &[Recipient]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for recipient in to {
        let these = match recipient {
            Recipient::Address(address) => vec![address.clone()],
            Recipient::Who(who) => {
                let people = loaded.policy.members(who).into_iter();
                people.filter_map(|person| loaded.policy.people.get(&person)?.mail.clone()).collect()
            }
        };
        found.extend(these.into_iter().filter(|address| !found.contains(address)).collect::<Vec<_>>());
    }
    found
}

/// Subject and text.
fn written(loaded: &LoadedTrain, train: &Train, told: &Announcement) -> (String, String) {
    let (service, name, prospect) = (&loaded.service, &loaded.name, &told.prospect);
    let zone = train.departs.zone();
    let by_the_clock = |slot: &Slot| match (slot.at(), zone) {
        (Some(at), Some(zone)) => format!("{} {zone}", zone.local(at).strftime("%a %Y-%m-%d %H:%M")),
        _ => slot.to_string(),
    };
    let when = by_the_clock(&told.slot);
    if let Some(why) = &told.off {
        let subject = format!("{service}: `{name}` does not depart {when}");
        let body = format!("The train `{name}` of {service} does not depart on {when}: {why}.\n");
        return (subject, body);
    }
    let what = match &prospect.version {
        Some(version) => format!("{service} {version}"),
        None => service.to_string(),
    };
    let subject = format!("{what}: `{name}` departs {when}");
    let mut body = format!("The train `{name}` starts `{}` of {service} on {when}.\n\n", train.runs);
    match &told.corrects {
        Some(before) if *before == told.slot => body.push_str("It departs after all.\n\n"),
        Some(before) => {
            body.push_str(&format!("This takes the place of its departure on {}.\n\n", by_the_clock(before)));
        }
        None => {}
    }
    match (&prospect.version, &prospect.problem) {
        (Some(version), _) => {
            let commit = prospect.commit.as_ref().map(|commit| commit.short()).unwrap_or_default();
            let after = prospect.previous.as_ref().map(|one| format!(" after {one}")).unwrap_or_default();
            let changes = match prospect.changes {
                1 => "1 commit".to_owned(),
                count => format!("{count} commits"),
            };
            let branch = &train.branch;
            body.push_str(&format!(
                "As things stand it releases {version}{after}: {changes}, up to {commit} of `{branch}`.\n\n"
            ));
        }
        (None, Some(problem)) => {
            body.push_str(&format!("As things stand it would release nothing: {problem}\n\n"));
        }
        (None, None) => {}
    }
    for title in &prospect.titles {
        body.push_str(&format!("- {title}\n"));
    }
    if let Some(more) = prospect.changes.checked_sub(prospect.titles.len() as u64).filter(|more| *more > 0) {
        body.push_str(&format!("- and {more} more\n"));
    }
    body.push_str(&format!("\nLeave it out with: tollgate train skip {name} --next --why REASON\n"));
    (subject, body)
}

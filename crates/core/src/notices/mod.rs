//! Notices: telling people what happens and what waits for them.
//!
//! Which notices are owed is told from what is known and what was just decided ([`owed`]). Each has an id made of its rule and
//! its cause, so that one cause is told once, however often it is looked at. A notice never holds a release: one that cannot be
//! delivered is given up, and shows.

mod freezes;
mod owed;
mod trains;
mod words;

pub use freezes::{about_freeze, freeze_moment, freeze_turns};
pub use owed::{Owed, owed};
pub use trains::{OF_TRAINS, OfTrain, about_train};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::act::{Act, Failure, FailureClass};
use crate::ids::{EffectId, NoticeName, PersonName, ServiceName};
use crate::journal::Hash;
use crate::model::{Connection, Happening, Policy, Recipient};
use crate::view::{later, named_uuid};

/// How often a notice is tried that could not be delivered: with doubling pauses, for more than an hour.
const TRIES_MAX: u32 = 16;
/// The longest pause between two tries.
const PAUSE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// Something that somebody is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Notice {
    /// Its id: that of its mail.
    pub id: EffectId,
    /// By which rule.
    pub rule: NoticeName,
    /// What it tells of.
    pub about: Happening,
    /// Since when it stands like this.
    pub since: Timestamp,
    /// The epoch of the newest lease.
    pub epoch: u64,
    /// How many tries failed.
    pub tries: u32,
    /// How it stands.
    pub status: NoticeStatus,
}

/// How a notice stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeStatus {
    /// It is to be sent.
    Wanted {
        /// The mail.
        act: Act,
        /// Not before.
        due: Timestamp,
    },
    /// Somebody sends it.
    Leased {
        /// The mail.
        act: Act,
    },
    /// It was delivered.
    Sent,
    /// It was given up.
    Undelivered {
        /// What it would have said, in a line.
        subject: String,
        /// Why.
        why: String,
    },
}

/// What happens to a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeEvent {
    /// It is owed: exactly this is to be sent.
    Wanted {
        /// Its id.
        id: EffectId,
        /// By which rule.
        rule: NoticeName,
        /// What it tells of.
        about: Happening,
        /// The mail.
        act: Act,
    },
    /// Somebody is about to send it.
    Leased {
        /// Which.
        id: EffectId,
        /// Counts the leases.
        epoch: u64,
    },
    /// That failed, and is tried again.
    Failed {
        /// Which.
        id: EffectId,
        /// Why.
        failure: Failure,
        /// When it is tried again.
        again_at: Timestamp,
    },
    /// It was delivered.
    Sent {
        /// Which.
        id: EffectId,
    },
    /// It is given up: nothing waits for it.
    Undelivered {
        /// Which.
        id: EffectId,
        /// By which rule.
        rule: NoticeName,
        /// What it tells of.
        about: Happening,
        /// What it would have said, in a line.
        subject: String,
        /// Why.
        why: String,
    },
}

/// The notices of a release, of a train, or of the rules of a service, in the order in which they were owed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Notices(Vec<Notice>);

impl Notices {
    /// A notice.
    pub fn get(&self, id: EffectId) -> Option<&Notice> {
        self.0.iter().find(|notice| notice.id == id)
    }

    /// Those that are still to be sent.
    pub fn pending(&self) -> impl Iterator<Item = &Notice> {
        let pending = |notice: &&Notice| {
            matches!(notice.status, NoticeStatus::Wanted { .. } | NoticeStatus::Leased { .. })
        };
        self.0.iter().filter(pending)
    }

    /// Those that were given up.
    pub fn undelivered(&self) -> impl Iterator<Item = &Notice> {
        self.0.iter().filter(|notice| matches!(notice.status, NoticeStatus::Undelivered { .. }))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Notice> {
        self.0.iter()
    }

    /// Takes in an event.
    pub fn apply(&mut self, at: Timestamp, event: &NoticeEvent) {
        let (id, status) = match event {
            NoticeEvent::Wanted { id, rule, about, act } => {
                if self.get(*id).is_none() {
                    let status = NoticeStatus::Wanted { act: act.clone(), due: at };
                    self.push(*id, rule, *about, at, status);
                }
                return;
            }
            NoticeEvent::Undelivered { id, rule, about, subject, why } => {
                let status = NoticeStatus::Undelivered { subject: subject.clone(), why: why.clone() };
                if self.get(*id).is_none() {
                    return self.push(*id, rule, *about, at, status);
                }
                (*id, status)
            }
            NoticeEvent::Leased { id, epoch } => {
                let Some(notice) = self.get_mut(*id) else { return };
                let (NoticeStatus::Wanted { act, .. } | NoticeStatus::Leased { act }) = &notice.status else {
                    return;
                };
                let status = NoticeStatus::Leased { act: act.clone() };
                notice.epoch = *epoch;
                (*id, status)
            }
            NoticeEvent::Failed { id, again_at, .. } => {
                let Some(notice) = self.get_mut(*id) else { return };
                let NoticeStatus::Leased { act } = &notice.status else { return };
                let status = NoticeStatus::Wanted { act: act.clone(), due: *again_at };
                notice.tries += 1;
                (*id, status)
            }
            NoticeEvent::Sent { id } => (*id, NoticeStatus::Sent),
        };
        if let Some(notice) = self.get_mut(id) {
            notice.status = status;
            notice.since = at;
        }
    }

    /// Forgets the oldest of those that came to an end, but so many: what goes on for ever does not grow for ever.
    pub fn keep(&mut self, most: usize) {
        let ended =
            |notice: &Notice| matches!(notice.status, NoticeStatus::Sent | NoticeStatus::Undelivered { .. });
        let mut spare = self.0.iter().filter(|notice| ended(notice)).count().saturating_sub(most);
        self.0.retain(|notice| {
            let drop = spare > 0 && ended(notice);
            spare -= usize::from(drop);
            !drop
        });
    }

    fn get_mut(&mut self, id: EffectId) -> Option<&mut Notice> {
        self.0.iter_mut().find(|notice| notice.id == id)
    }

    fn push(
        &mut self,
        id: EffectId,
        rule: &NoticeName,
        about: Happening,
        since: Timestamp,
        status: NoticeStatus,
    ) {
        self.0.push(Notice { id, rule: rule.clone(), about, since, epoch: 0, tries: 0, status });
    }

    /// What follows when somebody is about to send a notice; `None` where it is not wanted any more, not due yet, or somebody
    /// else does it.
    pub fn lease(&self, id: EffectId, epoch: u64, now: Timestamp) -> Option<NoticeEvent> {
        let notice = self.get(id).filter(|notice| notice.epoch < epoch)?;
        match &notice.status {
            NoticeStatus::Wanted { due, .. } if *due <= now => {}
            // Whoever had leased it died: the next one looks first whether it was delivered.
            NoticeStatus::Leased { .. } => {}
            _ => return None,
        }
        Some(NoticeEvent::Leased { id, epoch })
    }

    /// What follows for what came of sending a notice; `None` where the report comes too late to count.
    pub fn reported(
        &self,
        id: EffectId,
        epoch: u64,
        failure: Option<&Failure>,
        now: Timestamp,
    ) -> Option<NoticeEvent> {
        let notice = self.get(id).filter(|notice| notice.epoch == epoch)?;
        let NoticeStatus::Leased { act } = &notice.status else { return None };
        let Some(failure) = failure else { return Some(NoticeEvent::Sent { id }) };
        let passes = matches!(failure.class, FailureClass::Transient | FailureClass::RateLimited);
        if passes && notice.tries + 1 < TRIES_MAX {
            let pause = SignedDuration::from_secs(2_i64 << notice.tries.min(12)).min(PAUSE_MAX);
            let soonest = later(now, pause);
            let again_at =
                failure.retry_at.map_or(soonest, |at| at.clamp(soonest, later(now, PAUSE_MAX * 6)));
            return Some(NoticeEvent::Failed { id, failure: failure.clone(), again_at });
        }
        let subject = match act {
            Act::Mail { subject, .. } => subject.clone(),
            other => other.kind().to_owned(),
        };
        let why = match failure.class {
            FailureClass::InDoubt => format!("{}; whether it arrived is not known", failure.why),
            _ => failure.why.clone(),
        };
        let (rule, about) = (notice.rule.clone(), notice.about);
        Some(NoticeEvent::Undelivered { id, rule, about, subject, why })
    }
}

/// The id of a notice: one for its rule and cause.
fn notice_id(stream: &str, rule: &NoticeName, cause: &str) -> EffectId {
    let parts = [b"notice".as_slice(), stream.as_bytes(), rule.as_str().as_bytes(), cause.as_bytes()];
    EffectId(named_uuid(&Hash::of_parts(parts)))
}

/// A text that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    subject: String,
    body: String,
}

/// A notice that is ready to go out, or cannot.
struct Addressed<'a> {
    service: &'a ServiceName,
    /// The folder that relative paths of connections start at.
    folder: Option<&'a str>,
    via: &'a Connection,
    /// Mail addresses, each once.
    to: Vec<String>,
    at: Timestamp,
}

impl Addressed<'_> {
    fn event(self, id: EffectId, rule: &NoticeName, about: Happening, told: Told) -> NoticeEvent {
        let (rule, Connection::Maildir { path, from }) = (rule.clone(), self.via);
        if self.to.is_empty() {
            let why = "nobody it is for has a mail address".to_owned();
            return NoticeEvent::Undelivered { id, rule, about, subject: told.subject, why };
        }
        // The rules do not know where the procedure file lies: the place is pinned with the rest.
        let maildir = match self.folder {
            Some(folder) if !path.starts_with('/') => format!("{}/{path}", folder.trim_end_matches('/')),
            _ => path.clone(),
        };
        let act = Act::Mail {
            message_id: crate::act::message_id(id, self.service),
            maildir,
            from: from.clone(),
            to: self.to,
            subject: told.subject,
            body: told.body,
            at: self.at,
        };
        NoticeEvent::Wanted { id, rule, about, act }
    }
}

/// What is needed to tell people of something that no run is about.
struct OutsideRuns<'a> {
    service: &'a ServiceName,
    policy: &'a Policy,
    /// Where relative paths of connections start: known since the first release only.
    folder: Option<&'a str>,
    /// The stream that it is written in.
    stream: &'a str,
    /// What was told in that stream before.
    told: &'a Notices,
    now: Timestamp,
}

impl OutsideRuns<'_> {
    /// The notices of one cause by each rule that wants them: to `people` where a rule names nobody.
    fn tell(&self, about: Happening, cause: &str, people: &[PersonName], text: &Told) -> Vec<NoticeEvent> {
        let mut events = Vec::new();
        for (name, rule) in self.policy.notify.iter().filter(|(_, rule)| rule.events.contains(&about)) {
            let id = notice_id(self.stream, name, &format!("{about} {cause}"));
            if self.told.get(id).is_some() {
                continue;
            }
            let people = if rule.to.is_empty() { people } else { &[] };
            let to = addresses(self.policy, people, &rule.to, |who| self.policy.members(who));
            let Connection::Maildir { path, .. } = &rule.via;
            events.push(if !path.starts_with('/') && self.folder.is_none() {
                let why = format!("where `{path}` lies is only known after the first release");
                let (rule, subject) = (name.clone(), text.subject.clone());
                NoticeEvent::Undelivered { id, rule, about, subject, why }
            } else {
                let (service, folder, at) = (self.service, self.folder, self.now);
                Addressed { service, folder, via: &rule.via, to, at }.event(id, name, about, text.clone())
            });
        }
        events
    }
}

/// The mail addresses of people and of those that a rule names, each once, in order.
fn addresses(
    policy: &Policy,
    people: &[PersonName],
    to: &[Recipient],
    members: impl Fn(&crate::model::Who) -> Vec<PersonName>,
) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |address: String| {
        if !found.contains(&address) {
            found.push(address);
        }
    };
    let mail = |person: &PersonName| policy.people.get(person)?.mail.clone();
    people.iter().filter_map(mail).for_each(&mut add);
    for recipient in to {
        match recipient {
            Recipient::Address(address) => add(address.clone()),
            Recipient::Who(who) => members(who).iter().filter_map(mail).for_each(&mut add),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(id: u128) -> NoticeEvent {
        let act = Act::Mail {
            message_id: "a@b".into(),
            maildir: "/tmp/x".into(),
            from: "a@example.org".into(),
            to: vec!["b@example.org".into()],
            subject: "it waits".into(),
            body: String::new(),
            at: Timestamp::UNIX_EPOCH,
        };
        let id = EffectId(uuid::Uuid::from_u128(id));
        NoticeEvent::Wanted { id, rule: NoticeName::new("team").unwrap(), about: Happening::Waiting, act }
    }

    fn failed(class: FailureClass) -> Failure {
        Failure { class, why: "no room".into(), hint: None, retry_at: None, output: None }
    }

    const ID: EffectId = EffectId(uuid::Uuid::from_u128(1));

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_notice_is_sent_once() {
        let mut notices = Notices::default();
        notices.apply(at(0), &mail(1));
        notices.apply(at(0), &mail(1));
        assert_eq!(notices.iter().count(), 1);
        assert_eq!(notices.lease(ID, 0, at(1)), None, "each epoch is used once");
        let lease = notices.lease(ID, 1, at(1)).unwrap();
        notices.apply(at(1), &lease);
        assert_eq!(notices.lease(ID, 1, at(1)), None);
        assert_eq!(notices.reported(ID, 2, None, at(2)), None, "of a lease that is not");
        // Whoever leased it died: the next one does, and only its report counts.
        let again = notices.lease(ID, 2, at(2)).unwrap();
        notices.apply(at(2), &again);
        assert_eq!(notices.reported(ID, 1, None, at(3)), None);
        let sent = notices.reported(ID, 2, None, at(3)).unwrap();
        notices.apply(at(3), &sent);
        assert_eq!(notices.get(ID).unwrap().status, NoticeStatus::Sent);
        assert_eq!(notices.lease(ID, 3, at(4)), None);
        assert_eq!(notices.pending().count(), 0);
    }

    #[test]
    fn a_notice_is_given_up_some_day() {
        let mut notices = Notices::default();
        notices.apply(at(0), &mail(1));
        let (mut now, mut tries) = (at(0), 0);
        loop {
            tries += 1;
            let lease = notices.lease(ID, tries, now).unwrap();
            notices.apply(now, &lease);
            let event = notices.reported(ID, tries, Some(&failed(FailureClass::Transient)), now).unwrap();
            notices.apply(now, &event);
            let NoticeEvent::Failed { again_at, .. } = event else { break };
            assert!(again_at > now && notices.lease(ID, tries + 1, now).is_none());
            now = again_at;
        }
        assert_eq!(tries, u64::from(TRIES_MAX));
        assert_eq!(notices.undelivered().count(), 1);
        assert!(now > at(3_600), "{now}");
    }

    #[test]
    fn what_is_in_doubt_is_never_sent_again() {
        for (class, said) in [
            (FailureClass::InDoubt, "no room; whether it arrived is not known"),
            (FailureClass::Permanent, "no room"),
        ] {
            let mut notices = Notices::default();
            notices.apply(at(0), &mail(1));
            notices.apply(at(0), &NoticeEvent::Leased { id: ID, epoch: 1 });
            let event = notices.reported(ID, 1, Some(&failed(class)), at(1)).unwrap();
            notices.apply(at(1), &event);
            let NoticeStatus::Undelivered { why, subject } = &notices.get(ID).unwrap().status else {
                panic!()
            };
            assert_eq!((why.as_str(), subject.as_str()), (said, "it waits"));
        }
    }
}

//! Calendars that are kept elsewhere: read when rules are adopted, and again and again while they are in force.
//!
//! Who waits for a calendar is the service's policy stream. What it holds is kept beside the journal; the journal says when it
//! was read, when it held something else, and when it could not be read. What the rules say of time is decided with what was
//! read last, for as long as the rules let that count.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tollgate_core::actor::Actor;
use tollgate_core::calendar::Content;
use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::decide::PolicyView;
use tollgate_core::event::{Entry, Event, PolicyEvent};
use tollgate_core::ids::{CalendarName, ServiceName};
use tollgate_core::journal::{BlobId, Hash, StreamId};
use tollgate_core::model::{FeedKnown, FeedSpec, Policy};
use tollgate_core::state::{FeedState, PolicyState};
use tollgate_core::view::{Refusal, later};

use crate::ports::FactQuestion;
use crate::rules::Ruling;
use crate::store::{BlobRead, NewBlob, Poll, PollChange};
use crate::{Engine, EngineError};

/// What the keys of looks at calendars begin with.
pub(crate) const FEED_POLL: &str = "calendar ";
/// How long one look may take.
const TIMEOUT: SignedDuration = SignedDuration::from_secs(30);
/// The longest pause between two looks that fail, unless the usual one is longer.
const PAUSE_MAX: SignedDuration = SignedDuration::from_mins(15);
/// The first pause after a look that failed.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// The longest reason that is written down, in characters.
const WHY_MAX: usize = 300;

/// A look at a calendar.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Spec {
    service: ServiceName,
    name: CalendarName,
    asked: Hash,
}

/// What a look leaves for the next one, outside of the journal.
#[derive(Debug, Serialize, Deserialize)]
struct Memo {
    /// When it was last read.
    read: Timestamp,
}

/// A calendar that was read.
#[derive(Debug, Clone)]
pub(crate) struct FeedRead {
    name: CalendarName,
    asked: Hash,
    blob: BlobId,
}

impl FeedRead {
    fn event(&self) -> PolicyEvent {
        PolicyEvent::FeedRead { name: self.name.clone(), asked: self.asked, content: self.blob }
    }
}

fn key(service: &ServiceName, name: &CalendarName, spec: &FeedSpec) -> String {
    format!("{FEED_POLL}{service} {name} {}", spec.hash().short())
}

fn entry(service: &ServiceName, event: PolicyEvent, now: Timestamp) -> Entry {
    let (stream, actor) = (StreamId::Policy(service.clone()), Actor::Tollgate);
    Entry { stream, at: now, actor, event: Event::Policy(event) }
}

/// Whether the rules ask what was looked at: others can have been adopted meanwhile, and what is known is by their question.
fn still_asked(view: &PolicyView, spec: &Spec) -> bool {
    let feed = view.in_force.as_ref().and_then(|policy| policy.feeds.get(&spec.name));
    feed.is_some_and(|feed| feed.hash() == spec.asked)
}

/// Until when what is known of a calendar counts.
fn counts_until(state: Option<&FeedState>, spec: &FeedSpec) -> Option<Timestamp> {
    let read = state.filter(|state| state.asked == spec.hash())?.read.as_ref()?;
    Some(later(read.0, spec.valid))
}

impl Engine {
    /// The rules in force, with what is known of the calendars that are kept elsewhere.
    pub(crate) async fn in_force(&self, state: &PolicyState) -> Result<Option<Arc<Policy>>, EngineError> {
        let Some(adopted) = &state.adopted else { return Ok(None) };
        let policy = self.policy_blob(&adopted.policy).await?;
        if policy.feeds.is_empty() {
            return Ok(Some(policy));
        }
        let known: Vec<String> = state.feeds.iter().map(|(name, feed)| format!("{name} {feed:?}")).collect();
        let known = Hash::of_parts(known.iter().map(String::as_bytes).collect::<Vec<_>>());
        if let Some((_, hit)) = self.knowing.get(&adopted.policy).filter(|(of, _)| *of == known) {
            return Ok(Some(hit));
        }
        let mut contents: BTreeMap<CalendarName, Content> = BTreeMap::new();
        for (name, feed) in &state.feeds {
            let asked = policy.feeds.get(name).is_some_and(|spec| spec.hash() == feed.asked);
            if let Some((_, blob)) = feed.read.as_ref().filter(|_| asked)
                && let Some(content) = self.content(blob).await?
            {
                contents.insert(name.clone(), content);
            }
        }
        let calendar = policy.calendar_knowing(|name, spec| {
            let feed = state.feeds.get(name).filter(|feed| feed.asked == spec.hash());
            let at = feed.and_then(|feed| feed.read.as_ref()).map(|(at, _)| *at);
            let problem = feed.and_then(|feed| feed.problem.as_ref()).map(|(_, why)| why.as_str());
            FeedKnown { read: at.zip(contents.get(name)), problem }
        });
        let knowing = Arc::new(Policy { calendar, ..policy.as_ref().clone() });
        self.knowing.put(adopted.policy, (known, knowing.clone()));
        Ok(Some(knowing))
    }

    /// What a calendar held when it was read; nothing where that was pruned since.
    async fn content(&self, blob: &BlobId) -> Result<Option<Content>, EngineError> {
        match self.store.blob(blob).await? {
            BlobRead::Here(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
                EngineError::Damaged(format!("the calendar {blob} cannot be read: {error}"))
            }),
            BlobRead::Pruned(_) => Ok(None),
            BlobRead::Unknown => Err(EngineError::Damaged(format!("the calendar {blob} is not there"))),
        }
    }

    /// Asks for a calendar. What is wrong with the answer is told in plain words.
    async fn ask_calendar(&self, spec: &FeedSpec) -> Result<Content, String> {
        let question = FactQuestion {
            url: spec.url.clone(),
            headers: BTreeMap::new(),
            secrets: BTreeMap::new(),
            bearer: spec.bearer.clone(),
            timeout: TIMEOUT,
        };
        let read = match self.world.facts.ask(&question).await {
            Ok(answer) => Content::of_answer(spec.asked, &answer, &spec.zone, self.now())
                .map_err(|error| format!("what it answered cannot be read: {error}")),
            Err(why) => Err(why),
        };
        read.map_err(|why| plain_text(&why, Lines::Join).trim().chars().take(WHY_MAX).collect())
    }

    /// Reads the calendars of rules that are to be adopted. Where one cannot be read, what was read of it before has to count
    /// still: nobody adopts rules that hold what they cannot know.
    pub(crate) async fn read_feeds(
        &self,
        wanted: &Policy,
    ) -> Result<(Vec<FeedRead>, Vec<NewBlob>), EngineError> {
        let (mut reads, mut blobs) = (Vec::new(), Vec::new());
        if wanted.feeds.is_empty() {
            return Ok((reads, blobs));
        }
        let state = self.rules(&wanted.service).await?.0.state;
        for (name, spec) in &wanted.feeds {
            match self.ask_calendar(spec).await {
                Ok(content) => {
                    let new = self.new_blob(&content)?;
                    let blob = BlobId::of(&new.salt, &new.bytes);
                    reads.push(FeedRead { name: name.clone(), asked: spec.hash(), blob });
                    blobs.push(new);
                }
                Err(why) => {
                    let counts = counts_until(state.feeds.get(name), spec);
                    if counts.is_none_or(|until| until <= self.now()) {
                        let why = format!("the calendar `{name}` cannot be read: {why}");
                        let hint =
                            "mend what is at the address, or take the calendar out of the procedure file";
                        return Err(Refusal::new("calendar-unreadable", why).hint(hint).into());
                    }
                }
            }
        }
        Ok((reads, blobs))
    }

    fn new_blob(&self, content: &Content) -> Result<NewBlob, EngineError> {
        let bytes = serde_json::to_vec(content).map_err(|error| EngineError::Damaged(error.to_string()))?;
        Ok(NewBlob { salt: self.world.ids.salt(), bytes })
    }

    /// Looks at a calendar for the rules that ask it.
    pub(crate) async fn look_at_calendar(&self, poll: &Poll) -> Result<(), EngineError> {
        let spec: Spec = serde_json::from_str(&poll.spec)
            .map_err(|error| EngineError::Damaged(format!("the look {}: {error}", poll.key)))?;
        let rules = self.rules(&spec.service).await?.0;
        let feed = rules.in_force.as_ref().and_then(|policy| policy.feeds.get(&spec.name)).cloned();
        let Some(feed) = feed.filter(|feed| feed.hash() == spec.asked) else {
            let (key, stream) = (poll.key.clone(), StreamId::Policy(spec.service));
            let polls = vec![PollChange::Unsubscribe { key, stream }];
            return self.commit(crate::store::Commit { polls, ..Default::default() }).await;
        };
        let before: Option<Memo> = poll.memo.as_deref().and_then(|memo| serde_json::from_str(memo).ok());
        let answer = self.ask_calendar(&feed).await;
        let (failures, memo) = match &answer {
            Ok(_) => (0, Some(Memo { read: self.now() })),
            Err(_) => (poll.failures.saturating_add(1), before),
        };
        let read = memo.as_ref().map(|memo| memo.read);
        match answer {
            Ok(content) => self.was_read(&spec, &feed, &content).await?,
            Err(why) => self.was_not_read(&spec, &feed, why, read).await?,
        }
        let next = later(self.now(), pause(&feed, failures));
        let memo = memo.and_then(|memo| serde_json::to_string(&memo).ok());
        Ok(self.store.polled(&poll.key, next, failures, memo).await?)
    }

    /// Writes down what a calendar holds, where that is news, or what is known is half as old as may count.
    async fn was_read(&self, spec: &Spec, feed: &FeedSpec, content: &Content) -> Result<(), EngineError> {
        let state = self.rules(&spec.service).await?.0.state;
        let known = state.feeds.get(&spec.name).filter(|known| known.asked == spec.asked);
        let kept = known.and_then(|known| known.read);
        let same = match &kept {
            Some((_, blob)) => self.content(blob).await?.as_ref() == Some(content),
            None => false,
        };
        let sound = known.is_some_and(|known| known.problem.is_none());
        let fresh = kept.is_some_and(|(at, _)| self.now().duration_since(at) < feed.valid / 2);
        if same && sound && fresh {
            return Ok(());
        }
        let (blob, blobs) = match kept.filter(|_| same) {
            Some((_, blob)) => (blob, Vec::new()),
            None => {
                let new = self.new_blob(content)?;
                (BlobId::of(&new.salt, &new.bytes), vec![new])
            }
        };
        let read = FeedRead { name: spec.name.clone(), asked: spec.asked, blob };
        // What counted no longer counts again: also where it holds the same, all look again.
        let felt = !same || known.is_some_and(|known| known.lapsed) || !fresh;
        self.ruling(&spec.service, blobs, |view, now| {
            let events = still_asked(view, spec).then(|| entry(&view.service, read.event(), now));
            Ok(Ruling::of_calendar(events.into_iter().collect(), felt))
        })
        .await
    }

    /// Writes down that a calendar cannot be read: once when that begins, and once when what was read no longer counts.
    async fn was_not_read(
        &self,
        spec: &Spec,
        feed: &FeedSpec,
        why: String,
        read: Option<Timestamp>,
    ) -> Result<(), EngineError> {
        let state = self.rules(&spec.service).await?.0.state;
        let known = state.feeds.get(&spec.name).filter(|known| known.asked == spec.asked);
        let written = known.and_then(|known| known.read).map(|(at, _)| at);
        let until = written.max(read.filter(|_| written.is_some())).map(|at| later(at, feed.valid));
        let lapsed = until.is_none_or(|until| until <= self.now());
        let told = known.is_some_and(|known| known.problem.is_some() && known.lapsed == lapsed);
        if told {
            return Ok(());
        }
        let (name, asked) = (spec.name.clone(), spec.asked);
        let event = PolicyEvent::FeedFailed { name, asked, why, read, lapsed };
        self.ruling(&spec.service, Vec::new(), |view, now| {
            let events = still_asked(view, spec).then(|| entry(&view.service, event.clone(), now));
            Ok(Ruling::of_calendar(events.into_iter().collect(), lapsed))
        })
        .await
    }
}

/// What follows for calendars of the adoption of rules: what was read of them, and who looks at which from now on.
pub(crate) fn adopted(
    service: &ServiceName,
    before: Option<&Policy>,
    wanted: &Policy,
    reads: &[FeedRead],
    now: Timestamp,
) -> Result<(Vec<Entry>, Vec<PollChange>), serde_json::Error> {
    let entries = reads.iter().map(|read| entry(service, read.event(), now)).collect();
    let wants = polls(service, wanted, now)?;
    let mut changes = Vec::new();
    for (name, spec) in before.iter().flat_map(|policy| &policy.feeds) {
        let key = key(service, name, spec);
        if !wants.contains_key(&key) {
            changes.push(PollChange::Unsubscribe { key, stream: StreamId::Policy(service.clone()) });
        }
    }
    changes.extend(wants.into_values());
    Ok((entries, changes))
}

/// The looks at calendars that rules want, by key.
pub(crate) fn polls(
    service: &ServiceName,
    policy: &Policy,
    due: Timestamp,
) -> Result<BTreeMap<String, PollChange>, serde_json::Error> {
    let subscribe = |(name, feed): (&CalendarName, &FeedSpec)| {
        let key = key(service, name, feed);
        let spec = Spec { service: service.clone(), name: name.clone(), asked: feed.hash() };
        let (spec, stream) = (serde_json::to_string(&spec)?, StreamId::Policy(service.clone()));
        Ok((key.clone(), PollChange::Subscribe { key, spec, due, stream }))
    };
    policy.feeds.iter().map(subscribe).collect()
}

/// The pause after looks of which so many failed in a row.
fn pause(feed: &FeedSpec, failures: u32) -> SignedDuration {
    match failures {
        0 => feed.every,
        more => PAUSE.checked_mul(1 << more.min(6)).unwrap_or(PAUSE_MAX).min(PAUSE_MAX).min(feed.every),
    }
}

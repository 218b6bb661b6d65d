//! Freezes: when they begin and end by themselves, and who is told.

use jiff::Timestamp;

use super::words::told;
use super::{NoticeEvent, OutsideRuns};
use crate::decide::second;
use crate::event::PolicyEvent;
use crate::ids::ServiceName;
use crate::model::{Happening, Policy};
use crate::plan::list;
use crate::state::{FreezeState, PolicyState};

/// The freezes that have begun or ended by now, and of which that is not written down.
pub fn freeze_turns(state: &PolicyState, now: Timestamp) -> Vec<PolicyEvent> {
    let mut events = Vec::new();
    for one in &state.freezes {
        let number = one.number;
        let (start, end) = (one.freeze.start(), one.freeze.end());
        // One that was over before anybody looked is told as over.
        if !one.began && start <= now && now < end {
            events.push(PolicyEvent::FreezeBegan { number });
        }
        if !one.ended && end <= now {
            events.push(PolicyEvent::FreezeEnded { number });
        }
    }
    events
}

/// When the next freeze begins or ends.
pub fn freeze_moment(state: &PolicyState, now: Timestamp) -> Option<Timestamp> {
    let moments = state.freezes.iter().flat_map(|one| {
        let start = Some(one.freeze.start()).filter(|_| !one.began);
        [start, Some(one.freeze.end()).filter(|_| !one.ended)]
    });
    moments.flatten().filter(|at| *at > now).min()
}

/// The notices that are owed for what just happened to a freeze. `before` is the state that the event was written in, and
/// `folder` where relative paths of connections start, as far as that is known.
pub fn about_freeze(
    service: &ServiceName,
    policy: &Policy,
    before: &PolicyState,
    event: &PolicyEvent,
    folder: Option<&str>,
    now: Timestamp,
) -> Vec<NoticeEvent> {
    let of = |number: &u32| before.freezes.iter().find(|state| state.number == *number);
    let (about, number, how) = match event {
        PolicyEvent::Frozen { number, freeze, .. } if freeze.start() <= now => {
            (Happening::Frozen, number, Turn::Begins)
        }
        PolicyEvent::FreezeBegan { number } => (Happening::Frozen, number, Turn::Begins),
        PolicyEvent::FreezeEnded { number } => (Happening::Thawed, number, Turn::Ends),
        PolicyEvent::Thawed { number, signed } => (Happening::Thawed, number, Turn::Lifted(list(signed))),
        _ => return Vec::new(),
    };
    let made;
    let state = match (of(number), event) {
        (Some(state), _) => state,
        (None, PolicyEvent::Frozen { freeze, .. }) => {
            let mut state = PolicyState::default();
            state.apply(now, &crate::actor::Actor::Tollgate, event);
            let Some(first) = state.freezes.pop() else { return Vec::new() };
            made = FreezeState { freeze: freeze.clone(), ..first };
            &made
        }
        (None, _) => return Vec::new(),
    };
    let text = words(service, policy, state, &how);
    let stream = format!("policy/{service}");
    let outside = OutsideRuns { service, policy, folder, stream: &stream, told: &before.notices, now };
    outside.tell(about, &number.to_string(), &[state.freeze.author().clone()], &text)
}

enum Turn {
    Begins,
    Ends,
    Lifted(String),
}

fn words(service: &ServiceName, policy: &Policy, state: &FreezeState, turn: &Turn) -> super::Told {
    let freeze = &state.freeze;
    let (number, scope) = (state.number, freeze.scope());
    let link = freeze.link().map(|link| format!("\n{link}")).unwrap_or_default();
    let why = format!("{} froze it: {}{link}", freeze.author(), freeze.reason());
    match turn {
        Turn::Begins => {
            let exempt: Vec<String> = freeze.exemptions().iter().map(ToString::to_string).collect();
            let exempt =
                if exempt.is_empty() { String::new() } else { format!(" Exempt: {}.", exempt.join(", ")) };
            let who = policy.thaw.as_ref().map_or_else(
                || "Anybody who is known can lift it earlier:".to_owned(),
                |rule| format!("{} of {} can lift it earlier:", rule.count, rule.by),
            );
            told(
                &format!("{service} is frozen until {}", second(freeze.end())),
                &[
                    format!(
                        "Nothing of {service} goes there now ({scope}), until {}.{exempt}",
                        second(freeze.end())
                    ),
                    why,
                    format!("{who}\n  tollgate thaw {number} --service {service}"),
                ],
            )
        }
        Turn::Ends => told(
            &format!("the freeze of {service} is over"),
            &[
                format!("Freeze {number} of {service} ({scope}) is over: what waited for its end goes on."),
                why,
            ],
        ),
        Turn::Lifted(signed) => told(
            &format!("the freeze of {service} was lifted"),
            &[format!("Freeze {number} of {service} ({scope}) was lifted by {signed}, before its end."), why],
        ),
    }
}

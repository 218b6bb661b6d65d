//! Roles that a calendar fills, and never would.

use tollgate_core::model::Filled;

use super::{Finding, Findings, Subject, named};
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::shown;

/// How many of a calendar's titles are told.
const TITLES_MAX: usize = 3;

/// A calendar in a file whose events name nobody who can fill the role. What an address holds is not known here.
pub(super) fn look(subject: &Subject<'_>, found: &mut Findings) {
    let policy = subject.policy;
    for (name, role) in &policy.roles {
        let Filled::Calendar(calendar) = &role.filled else { continue };
        let Some(events) = policy.calendar.feed(calendar).filter(|_| !policy.feeds.contains_key(calendar))
        else {
            continue;
        };
        let can = policy.members(&role.of);
        let shifts = events.shifts();
        if shifts.iter().any(|shift| !policy.called(&shift.title, &can).is_empty()) {
            continue;
        }
        let written = subject.root.get("roles").and_then(|roles| roles.get(name.as_str()));
        let Some(at) = written.and_then(|role| role.get("calendar")).map(|node: &Node| node.span) else {
            continue;
        };
        let mut titles: Vec<String> = Vec::new();
        for shift in shifts {
            let title = shown(&shift.title).to_string();
            if titles.len() < TITLES_MAX && !titles.contains(&title) {
                titles.push(title);
            }
        }
        let says = if titles.is_empty() { "no events".to_owned() } else { named(&titles) };
        let message = format!(
            "nobody ever fills `{name}`: `{calendar}` has {says}, which names nobody of `{}`",
            role.of
        );
        let hint = "let the title of an event be nothing but a person's name, address or account";
        found.push(Finding::warning(Code::NobodyOn, at, message, hint));
    }
}

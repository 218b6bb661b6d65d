//! Freezes: for a while nothing goes there, but for what is exempt.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::{CalendarError, as_text};
use crate::commits::{Lines, plain_text};
use crate::ids::{ComponentName, EnvironmentName, PersonName, ServiceName};

const WHAT: &str = "a freeze";
/// The longest reason, in characters.
const REASON_MAX: usize = 500;
/// The longest link, in bytes.
const LINK_MAX: usize = 2000;
/// A freeze that is longer needs a second yes.
const LONG_DAYS: i64 = 30;
/// A freeze that starts later needs a second yes.
const FAR_DAYS: i64 = 366;

/// All of something, or only those with these names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Only<N: Ord> {
    /// Every one, also those that come later.
    All,
    /// These. None means none.
    These(BTreeSet<N>),
}

impl<N: Ord> Only<N> {
    /// Whether this one is meant.
    pub fn contains(&self, name: &N) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.contains(name),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::These(names) if names.is_empty())
    }
}

impl<N: Ord + fmt::Display> Only<N> {
    fn text(&self, what: &str) -> Option<String> {
        match self {
            Self::All => None,
            Self::These(names) => Some(format!(
                "{what} {}",
                names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            )),
        }
    }
}

/// What a freeze covers: what is in all three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scope {
    /// The services.
    pub services: Only<ServiceName>,
    /// The environments.
    pub environments: Only<EnvironmentName>,
    /// The components. What touches one of them is covered.
    pub components: Only<ComponentName>,
}

impl Scope {
    /// Everything everywhere.
    pub const ALL: Self = Self { services: Only::All, environments: Only::All, components: Only::All };
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.services.text("service"),
            self.components.text("component"),
            self.environments.text("environment"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { f.write_str("everything") } else { f.write_str(&parts.join(" / ")) }
    }
}

/// What a freeze lets pass nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exempt {
    /// Going back to an earlier candidate.
    Rollback,
    /// A hotfix.
    Hotfix,
    /// What a person starts by hand; automation stops.
    ByHand,
    /// Everything, with an approval.
    Everything,
}

impl Exempt {
    const ALL: [(&'static str, Self); 4] = [
        ("rollback", Self::Rollback),
        ("hotfix", Self::Hotfix),
        ("by-hand", Self::ByHand),
        ("everything", Self::Everything),
    ];
}

/// Something exempt, with what it needs for that. As text: `rollback`, `by-hand`, `hotfix with 1 approval`,
/// `everything with 2 approvals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Exemption {
    what: Exempt,
    approvals: u8,
}

impl Exemption {
    /// What is exempt.
    pub fn what(self) -> Exempt {
        self.what
    }

    /// How many approvals it needs on top of what is needed anyhow.
    pub fn approvals(self) -> u8 {
        self.approvals
    }
}

impl FromStr for Exemption {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let refuse = |why: &str| CalendarError::new("an exemption from a freeze", text, why);
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let (name, approvals) = match words.as_slice() {
            [name] => (*name, 0),
            [name, "with", count, "approval" | "approvals"] => {
                let count = count.parse().ok().filter(|count| (1..=20).contains(count));
                (*name, count.ok_or_else(|| refuse("the number of approvals goes from 1 to 20"))?)
            }
            _ => return Err(refuse("write `rollback`, or `hotfix with 1 approval`")),
        };
        let what = Exempt::ALL.iter().find(|(one, _)| *one == name).map(|(_, what)| *what);
        let what =
            what.ok_or_else(|| refuse("exempt can be `rollback`, `hotfix`, `by-hand` or `everything`"))?;
        if what == Exempt::Everything && approvals == 0 {
            return Err(refuse(
                "with everything exempt nothing is frozen; write `everything with 1 approval`, or name what is exempt",
            ));
        }
        Ok(Self { what, approvals })
    }
}

as_text!(Exemption);

impl fmt::Display for Exemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Exempt::ALL.iter().find(|(_, what)| *what == self.what).map_or("", |(name, _)| name))?;
        match self.approvals {
            0 => Ok(()),
            1 => f.write_str(" with 1 approval"),
            count => write!(f, " with {count} approvals"),
        }
    }
}

/// A freeze. It always has an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Freeze {
    scope: Scope,
    reason: String,
    link: Option<String>,
    author: PersonName,
    start: Timestamp,
    end: Timestamp,
    exemptions: Vec<Exemption>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    scope: Scope,
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    author: PersonName,
    start: Timestamp,
    end: Timestamp,
    #[serde(default)]
    exemptions: Vec<Exemption>,
}

impl TryFrom<Written> for Freeze {
    type Error = CalendarError;
    fn try_from(written: Written) -> Result<Self, CalendarError> {
        let Written { scope, reason, link, author, start, end, exemptions } = written;
        let freeze = Self::new(scope, &reason, author, start, end)?.exempting(exemptions);
        match link {
            Some(link) => freeze.linked(&link),
            None => Ok(freeze),
        }
    }
}

impl From<Freeze> for Written {
    fn from(freeze: Freeze) -> Self {
        let Freeze { scope, reason, link, author, start, end, exemptions } = freeze;
        Self { scope, reason, link, author, start, end, exemptions }
    }
}

/// What somebody wants to do, as far as a freeze asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// Where to.
    pub environment: &'a EnvironmentName,
    /// The components that it touches. None means all that the service has.
    pub components: &'a [ComponentName],
    /// What it is.
    pub kind: Kind,
    /// Whether a person started it, and not a schedule or a push.
    pub by_hand: bool,
}

/// What kind of promotion is attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary one.
    Promotion,
    /// One to an earlier candidate.
    Rollback,
    /// One of a hotfix.
    Hotfix,
}

/// What a freeze says of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frozen {
    /// It does not cover it, or not now.
    No,
    /// It covers it and lets it pass, with so many approvals on top.
    Exempt {
        /// What lets it pass.
        by: Exemption,
    },
    /// It holds it.
    Until(Timestamp),
}

/// Something about a freeze that needs a second yes, since it is more often a typing mistake than meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// It ends before it starts, or at once, and so freezes nothing.
    EndsBeforeStart,
    /// It is over already.
    Over,
    /// It is longer than 30 days: this many.
    Long(i64),
    /// It starts more than a year from now: in so many days.
    FarAway(i64),
}

impl Freeze {
    /// Makes a freeze without exemptions.
    ///
    /// # Errors
    ///
    /// It covers nothing, or the reason is missing or too long.
    pub fn new(
        scope: Scope,
        reason: &str,
        author: PersonName,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Self, CalendarError> {
        let reason = plain_text(reason, Lines::Join).trim().to_owned();
        let refuse = |why: String| Err(CalendarError::new(WHAT, &reason, why));
        if reason.is_empty() {
            return refuse("the reason is missing; say why, since others will ask".to_owned());
        }
        if reason.chars().count() > REASON_MAX {
            return refuse(format!("the reason is longer than {REASON_MAX} characters; link to the details"));
        }
        if scope.services.is_empty() || scope.environments.is_empty() || scope.components.is_empty() {
            return refuse(
                "it covers nothing: a list of names is empty; name some, or leave the list out for all"
                    .to_owned(),
            );
        }
        Ok(Self { scope, reason, link: None, author, start, end, exemptions: Vec::new() })
    }

    /// The same, with what is exempt.
    pub fn exempting(self, exemptions: Vec<Exemption>) -> Self {
        Self { exemptions, ..self }
    }

    /// The same, with a link to where more is said.
    ///
    /// # Errors
    ///
    /// It is no link that starts with `https://` or `http://`.
    pub fn linked(self, link: &str) -> Result<Self, CalendarError> {
        let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
        let sound = link.len() <= LINK_MAX && link.bytes().all(|b| b.is_ascii_graphic());
        if !sound || rest.is_none_or(str::is_empty) {
            let why = "write it whole, without spaces, from `https://` on";
            return Err(CalendarError::new("the link of a freeze", link, why));
        }
        Ok(Self { link: Some(link.to_owned()), ..self })
    }

    /// What it covers.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Why it is there, plain and on one line.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Where more is said.
    pub fn link(&self) -> Option<&str> {
        self.link.as_deref()
    }

    /// Who made it.
    pub fn author(&self) -> &PersonName {
        &self.author
    }

    /// Its first instant.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The first instant after it.
    pub fn end(&self) -> Timestamp {
        self.end
    }

    /// What it lets pass.
    pub fn exemptions(&self) -> &[Exemption] {
        &self.exemptions
    }

    /// Whether it holds at an instant.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.start <= now && now < self.end
    }

    /// Whether it covers an attempt, whenever that is and whether or not it is exempt.
    pub fn covers(&self, attempt: &Attempt<'_>) -> bool {
        let touched = match &self.scope.components {
            Only::All => true,
            // Without components named, the whole service is touched.
            Only::These(_) if attempt.components.is_empty() => true,
            only @ Only::These(_) => attempt.components.iter().any(|component| only.contains(component)),
        };
        touched
            && self.scope.services.contains(attempt.service)
            && self.scope.environments.contains(attempt.environment)
    }

    /// What it says of an attempt at an instant. Of several exemptions the one with the fewest approvals counts.
    pub fn judge(&self, now: Timestamp, attempt: &Attempt<'_>) -> Frozen {
        if !self.is_active(now) || !self.covers(attempt) {
            return Frozen::No;
        }
        match self.exempting_it(attempt) {
            Some((_, by)) => Frozen::Exempt { by },
            None => Frozen::Until(self.end),
        }
    }

    /// What lets an attempt pass, whenever that is, with its place among the exemptions.
    pub fn exempting_it(&self, attempt: &Attempt<'_>) -> Option<(usize, Exemption)> {
        let applies = |exemption: &Exemption| match exemption.what {
            Exempt::Rollback => attempt.kind == Kind::Rollback,
            Exempt::Hotfix => attempt.kind == Kind::Hotfix,
            Exempt::ByHand => attempt.by_hand,
            Exempt::Everything => true,
        };
        let all = self.exemptions.iter().copied().enumerate();
        all.filter(|(_, exemption)| applies(exemption)).min_by_key(|(_, exemption)| exemption.approvals)
    }

    /// What needs a second yes before it is taken.
    pub fn doubts(&self, now: Timestamp) -> Vec<Doubt> {
        let days = |from: Timestamp, to: Timestamp| to.duration_since(from).as_hours() / 24;
        let longer = |from, to: Timestamp, most: i64| to.duration_since(from).as_secs() > most * 86_400;
        let mut doubts = Vec::new();
        if self.end <= self.start {
            doubts.push(Doubt::EndsBeforeStart);
        }
        if self.end <= now {
            doubts.push(Doubt::Over);
        }
        if longer(self.start, self.end, LONG_DAYS) {
            doubts.push(Doubt::Long(days(self.start, self.end)));
        }
        if longer(now, self.start, FAR_DAYS) {
            doubts.push(Doubt::FarAway(days(now, self.start)));
        }
        doubts
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "freeze of {} from {} to {}", self.scope, self.start, self.end)?;
        if !self.exemptions.is_empty() {
            let all: Vec<String> = self.exemptions.iter().map(ToString::to_string).collect();
            write!(f, ", but for {}", all.join(", "))?;
        }
        write!(f, ", by {}: {}", self.author, self.reason)?;
        match &self.link {
            Some(link) => write!(f, " ({link})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndsBeforeStart => f.write_str("it ends before it starts, so that it freezes nothing"),
            Self::Over => f.write_str("it ended in the past; is the year right?"),
            Self::Long(days) => write!(f, "it lasts {days} days, which is longer than 30"),
            Self::FarAway(days) => write!(f, "it starts in {days} days only; is the year right?"),
        }
    }
}

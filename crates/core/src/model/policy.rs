//! What must hold: environments, their gates, people.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::pace::Pace;
use super::{
    Checklist, FacetName, FactGate, Feeds, LoadGate, MergeHow, Notify, Order, Patience, Place, RiskRules,
    Role, Shell, Step, Template, TimeBudget, Trains, VoteRule,
};
use crate::calendar::{Calendar, Windows};
use crate::expr::Expr;
use crate::ids::{
    EnvironmentName, GateName, GroupName, NoticeName, PersonName, ProcedureName, RoleName, ServiceName,
    StepId,
};
use crate::journal::Hash;

/// The rules of a service. They have a life of their own: changed only by adopting another version of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    /// Whose rules.
    pub service: ServiceName,
    /// Everybody who can act.
    pub people: IndexMap<PersonName, Person>,
    /// Groups of people.
    pub groups: IndexMap<GroupName, Vec<PersonName>>,
    /// Parts that one person plays in a release.
    #[serde(default)]
    pub roles: IndexMap<RoleName, Role>,
    /// The gates of every environment.
    pub gates: IndexMap<GateName, Gate>,
    /// The environments, in the order in which a release goes through them.
    pub environments: IndexMap<EnvironmentName, Environment>,
    /// What it takes to adopt other rules; without it, one known person.
    pub changes: Option<SignOff>,
    /// Who may waive a gate or a step; without it, nobody.
    pub waivers: Option<Who>,
    /// Who lifts a freeze before its end; without it, one known person.
    #[serde(default)]
    pub thaw: Option<SignOff>,
    /// Weekends, holidays and outside calendars that windows ask.
    #[serde(default)]
    pub calendar: Calendar,
    /// Where the calendars among them are that are kept elsewhere.
    #[serde(default, skip_serializing_if = "Feeds::is_empty")]
    pub feeds: Feeds,
    /// Who is told what happens.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub notify: IndexMap<NoticeName, Notify>,
    /// What starts procedures by itself.
    #[serde(default, skip_serializing_if = "Trains::is_empty")]
    pub trains: Trains,
    /// The procedures that may release hotfixes: one that only calls itself so in a commit is none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hotfixes: BTreeSet<ProcedureName>,
    /// How the risk of a release is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<RiskRules>,
}

impl Policy {
    /// Rules without anything in them.
    pub fn new(service: ServiceName) -> Self {
        Self {
            service,
            people: IndexMap::new(),
            groups: IndexMap::new(),
            roles: IndexMap::new(),
            gates: IndexMap::new(),
            environments: IndexMap::new(),
            changes: None,
            waivers: None,
            thaw: None,
            calendar: Calendar::default(),
            feeds: Feeds::new(),
            notify: IndexMap::new(),
            trains: Trains::new(),
            hotfixes: BTreeSet::new(),
            risk: None,
        }
    }

    /// The hash that names these rules.
    pub fn hash(&self) -> Hash {
        Hash::of(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The people a rule speaks of, in the order of the file, each once. Of a role: those who can fill it; who did a step is
    /// not known to the rules.
    pub fn members(&self, who: &Who) -> Vec<PersonName> {
        match who {
            Who::Person(person) => vec![person.clone()],
            Who::Group(group) => self.groups.get(group).cloned().unwrap_or_default(),
            Who::Role(role) => self.roles.get(role).map(|role| self.members(&role.of)).unwrap_or_default(),
            Who::SameAs(_) => Vec::new(),
            Who::Either(one, other) => {
                let mut members = self.members(one);
                let others = self.members(other).into_iter().filter(|person| !members.contains(person));
                members.extend(others.collect::<Vec<_>>());
                members
            }
        }
    }

    /// Whether a rule speaks of this person.
    pub fn includes(&self, who: &Who, person: &PersonName) -> bool {
        match who {
            Who::Person(one) => one == person,
            Who::Group(group) => self.groups.get(group).is_some_and(|members| members.contains(person)),
            Who::Role(_) | Who::SameAs(_) | Who::Either(..) => self.members(who).contains(person),
        }
    }

    /// Who may have written a commit with this mail address: all of them, since an account of one forge may be somebody else's on
    /// another one. The one whose address it is comes first.
    pub fn authors(&self, email: &str) -> impl Iterator<Item = &PersonName> {
        let same = |address: &String| address.eq_ignore_ascii_case(email);
        let accounts = forge_accounts(email);
        let theirs = |account: &String| accounts.iter().any(|one| one.eq_ignore_ascii_case(account));
        let of = |is: &dyn Fn(&Person) -> bool| -> Vec<&PersonName> {
            self.people.iter().filter(|(_, person)| is(person)).map(|(name, _)| name).collect()
        };
        let mut all = of(&|person| person.mail.iter().any(same) || person.git.iter().any(same));
        let by_forge = of(&|person| person.forge.iter().any(theirs));
        all.extend(by_forge.into_iter().filter(|name| !all.contains(name)).collect::<Vec<_>>());
        all.into_iter()
    }

    /// The person whom a commit with this mail address is shown as the work of.
    pub fn author(&self, email: &str) -> Option<&PersonName> {
        self.authors(email).next()
    }

    /// The person who uses this account of the operating system.
    pub fn login(&self, login: &str) -> Option<&PersonName> {
        self.people
            .iter()
            .find(|(_, person)| person.login.iter().any(|one| one == login))
            .map(|(name, _)| name)
    }
}

/// The accounts that an address may stand for which a forge puts into commits so that nobody writes to it: `kim`,
/// `1234567+kim` or `123-kim`, at `users.noreply.` or `noreply.` and the forge.
fn forge_accounts(email: &str) -> Vec<&str> {
    let Some((local, host)) = email.rsplit_once('@') else { return Vec::new() };
    let host = host.to_ascii_lowercase();
    if !host.starts_with("users.noreply.") && !host.starts_with("noreply.") {
        return Vec::new();
    }
    let number = local.bytes().take_while(u8::is_ascii_digit).count();
    let named = local.get(number..).filter(|_| number > 0).and_then(|rest| rest.strip_prefix(['+', '-']));
    std::iter::once(local).chain(named).collect()
}

/// Somebody who can act.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Person {
    /// The name for people to read.
    pub name: Option<String>,
    /// The mail address messages go to.
    pub mail: Option<String>,
    /// Accounts of the operating system.
    pub login: Vec<String>,
    /// Further mail addresses in commits.
    pub git: Vec<String>,
    /// Accounts where the code is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forge: Vec<String>,
    /// Accounts where tickets are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tracker: Vec<String>,
    /// Accounts where people talk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chat: Vec<String>,
    /// When they are away.
    #[serde(default)]
    pub away: Vec<Away>,
    /// Who acts for them while they are.
    #[serde(default)]
    pub stand_in: Option<PersonName>,
}

/// Days on which somebody is away, both included, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Away {
    /// The first day.
    pub from: Date,
    /// The last day, not before the first.
    pub to: Date,
}

impl Person {
    /// Whether they are away at a moment.
    pub fn is_away(&self, at: Timestamp) -> bool {
        let day = at.to_zoned(TimeZone::UTC).date();
        self.away.iter().any(|away| away.from <= day && day <= away.to)
    }
}

/// Whom a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// Anybody of a group.
    Group(GroupName),
    /// One person.
    Person(PersonName),
    /// Whoever fills a role in the release.
    Role(RoleName),
    /// Whoever did a step of the same run.
    SameAs(StepId),
    /// Those of both.
    Either(Box<Who>, Box<Who>),
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Group(group) => group.fmt(f),
            Self::Person(person) => person.fmt(f),
            Self::Role(role) => role.fmt(f),
            Self::SameAs(step) => write!(f, "whoever did `{step}`"),
            Self::Either(one, other) => write!(f, "{one} or {other}"),
        }
    }
}

/// So many of these people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignOff {
    /// Of whom.
    pub by: Who,
    /// How many, at least one and at most as many as there are.
    pub count: u32,
}

/// An approval that is required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ApprovalRule {
    /// Of whom.
    pub by: Who,
    /// Who of them may not.
    #[serde(default)]
    pub exclude: Vec<Who>,
    /// How many people, at least one.
    pub count: u32,
    /// Whether who started the run, or wrote a commit of the candidate, may approve.
    pub allow_self: bool,
    /// What an approval covers. On an environment: everything.
    pub covers: Option<Vec<FacetName>>,
    /// How long an approval counts.
    pub valid: Option<SignedDuration>,
}

/// A condition on entering an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Gate {
    /// What has to hold.
    pub kind: GateKind,
    /// It only applies when this is true.
    #[serde(rename = "if")]
    pub condition: Option<Expr>,
    /// How long people are waited for before they are asked again.
    #[serde(default, skip_serializing_if = "Patience::is_endless")]
    pub patience: Patience,
    /// Where it stands in the file.
    pub place: Place,
}

impl Gate {
    /// A gate that always applies.
    pub fn new(kind: GateKind) -> Self {
        Self { kind, condition: None, patience: Patience::default(), place: Place::default() }
    }
}

/// The kinds of gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateKind {
    /// People approve exactly this candidate.
    Approval(ApprovalRule),
    /// Somebody says yes to a question.
    Ask {
        /// The question.
        question: Template,
        /// Who may answer; without it, anybody who is known.
        by: Option<Who>,
        /// How long a yes counts.
        valid: Option<SignedDuration>,
    },
    /// It is the time for it.
    Window {
        /// When it can be entered.
        windows: Windows,
        /// How long the promotion takes, which has to fit too; without it, it only has to begin.
        fits: Option<Fits>,
        /// What becomes of a promotion that has begun when it closes.
        #[serde(default, skip_serializing_if = "Closing::is_usual")]
        closing: Closing,
    },
    /// It has run, verified, in an environment for so long.
    Soak {
        /// How long.
        time: SignedDuration,
        /// Where; without it, in the environment that it has to be verified in before.
        environment: Option<EnvironmentName>,
    },
    /// Not too many other releases went there lately.
    Pace(Pace),
    /// Every item of a checklist is answered, for exactly this candidate.
    Checklist {
        /// The list.
        list: Checklist,
        /// Who answers it; without it, anybody who is known.
        by: Option<Who>,
    },
    /// People vote on exactly this candidate.
    Vote(VoteRule),
    /// Facts of the world are as they have to be.
    Fact(FactGate),
    /// No older release is on its way there.
    Order(Order),
    /// Nothing closes for so long.
    TimeBudget(Box<TimeBudget>),
    /// A load test of exactly this candidate was good.
    LoadTest(Box<LoadGate>),
    /// An expression is true.
    Require {
        /// The expression.
        that: Expr,
    },
}

impl GateKind {
    /// Whether another gate asks for the same, and all that may differ is whose signatures count.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Fact(one), Self::Fact(other)) => one.asks_the_same(other),
            (one, other) => one == other,
        }
    }
}

/// What becomes of a promotion that entered through a window and has not deployed when it closes. A step that is under way is
/// never cut off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closing {
    /// The deployment waits until it opens again.
    #[default]
    Wait,
    /// It may finish what it has begun, until the window opens again.
    Finish,
}

impl Closing {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// How long something takes that has to fit into a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fits {
    /// So long.
    Stated(SignedDuration),
    /// As long as it usually took before; not asked while that is not known.
    Learned,
}

/// Where a release runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Environment {
    /// The environment a candidate has to be verified in before it comes here; `None` for one that is entered first.
    pub from: Option<EnvironmentName>,
    /// Its address, for people and templates.
    pub url: Option<String>,
    /// What has to hold to enter it, beside the gates of every environment.
    pub gates: IndexMap<GateName, Gate>,
    /// Steps before the deployment, once the gates are open.
    pub before: Vec<Step>,
    /// How a candidate is deployed.
    pub deploy: Deploy,
    /// How to see what runs there.
    pub probe: Option<Probe>,
    /// Steps that verify it once it is live.
    pub verify: Vec<Step>,
    /// Steps after it was verified.
    pub after: Vec<Step>,
    /// Where it stands in the file.
    pub place: Place,
}

impl Environment {
    /// An environment that is entered first, without gates, a probe, or steps around the deployment.
    pub fn new(deploy: Deploy) -> Self {
        Self {
            from: None,
            url: None,
            gates: IndexMap::new(),
            before: Vec::new(),
            deploy,
            probe: None,
            verify: Vec::new(),
            after: Vec::new(),
            place: Place::default(),
        }
    }
}

/// How a candidate is deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deploy {
    /// By a command.
    Command {
        /// The command.
        shell: Shell,
        /// How long it may take.
        timeout: SignedDuration,
    },
    /// By a person, who says when it is done.
    Manual {
        /// What to do.
        instruction: Template,
        /// Who does it; without it, anybody who is known.
        by: Option<Who>,
    },
    /// By merging the candidate into the branch that the environment runs; what is there already, with nothing on top, counts as done.
    Merge {
        /// The branch of the remote.
        branch: Template,
        /// Whether there is always a merge commit, or never.
        how: MergeHow,
        /// Who is asked where it does not merge cleanly; without it, who changed the files last.
        by: Option<Who>,
    },
    /// By others; Tollgate only notices it through the probe.
    Observed,
}

/// How to see what runs in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Probe {
    /// The address that is asked.
    pub url: String,
    /// What in the answer is the version.
    pub read: ProbeRead,
    /// What the version has to be; without it, the version of the candidate.
    pub expect: Option<Template>,
    /// How long to keep looking after a deployment: longer than caches live.
    pub within: SignedDuration,
    /// The pause between two looks.
    pub every: SignedDuration,
    /// How many answers in a row have to be right.
    pub times: u32,
}

/// What a probe reads from an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeRead {
    /// Only that it answers with this status.
    Status(u16),
    /// The text at this JSON pointer (RFC 6901), such as `/version`.
    Json(String),
    /// The whole body, without white space around it.
    Body,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ServiceName;

    #[test]
    fn authors_by_their_addresses() {
        let kim = Person {
            mail: Some("kim@example.org".into()),
            git: vec!["kim@home.example.org".into()],
            forge: vec!["Kim-L".into(), "9to5".into()],
            ..Person::default()
        };
        let service = ServiceName::new("shop").expect("a name");
        let name = PersonName::new("kim").expect("a name");
        let policy = Policy { people: [(name.clone(), kim)].into_iter().collect(), ..Policy::new(service) };
        for theirs in [
            "Kim@example.org",
            "kim@home.example.org",
            "kim-l@users.noreply.github.example",
            "4711+Kim-L@users.noreply.github.example",
            "12-kim-l@users.noreply.gitlab.example",
            "kim-l@noreply.forge.example",
            "9to5@users.noreply.github.example",
        ] {
            assert_eq!(policy.author(theirs), Some(&name), "{theirs}");
        }
        // Two of the same name at two forges: the address says it, and whoever may have written it approves nothing of it.
        let mut two = policy.clone();
        let lee = PersonName::new("lee").expect("a name");
        let git = vec!["9to5@users.noreply.github.example".to_owned()];
        two.people.insert(lee.clone(), Person { git, ..Person::default() });
        let address = "9to5@users.noreply.github.example";
        assert_eq!(two.authors(address).collect::<Vec<_>>(), [&lee, &name]);
        assert_eq!(two.author(address), Some(&lee));
        for others in [
            "kim-l@example.org",
            "kim@users.noreply.github.example",
            "x+kim-l@users.noreply.github.example",
            "4711kim-l@users.noreply.github.example",
            "to5@users.noreply.github.example",
            "kim-l@example.org@users.noreply.github.example",
            "kim-l",
            "@noreply.forge.example",
            "",
        ] {
            assert_eq!(policy.author(others), None, "{others}");
        }
    }
}

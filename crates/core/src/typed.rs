//! What people type to do something about what holds a release: the same words on a terminal, in a mail, in a list.

use crate::event::{ApprovalTarget, Asked, WaiverTarget};
use crate::gate::Action;
use crate::ids::{RunId, ServiceName, StepId};
use crate::model::{AnswerType, StepKind};
use crate::plan::{Body, Plan, is_ad_hoc};
use crate::state::Run;
use crate::view::View;

/// What people call what is approved.
pub fn approval(target: &ApprovalTarget) -> String {
    match target {
        ApprovalTarget::Gate(environment, gate) => format!("{environment}/{gate}"),
        ApprovalTarget::Step(_, step) => step.to_string(),
    }
}

/// What people call what is waived.
pub fn waived(target: &WaiverTarget) -> String {
    match target {
        WaiverTarget::Item(of, item) => format!("{item} of {}", approval(of)),
        WaiverTarget::Gate(environment, gate) => format!("{environment}/{gate}"),
        WaiverTarget::Step(_, step) => step.to_string(),
    }
}

/// What people call what is asked.
pub fn asked(question: &Asked) -> String {
    match question {
        Asked::Question(name) => name.to_string(),
        Asked::Gate(environment, gate, _) => format!("{environment}/{gate}"),
    }
}

/// What people call a run among those of its release that are under way: its procedure where that is enough, with the environment that
/// it goes to where it is a promotion or a rollback, or with its number among all runs of the release, from 1.
pub fn run_name(view: &View, run: &Run) -> String {
    let Some((_, plan)) = view.active().find(|(other, _)| other.id == run.id) else {
        return run.procedure.to_string();
    };
    let names = names_of(view, run, plan);
    let is_enough = |name: &&String| runs_named(view, name).len() == 1;
    names.iter().find(is_enough).or(names.last()).cloned().unwrap_or_default()
}

/// The runs under way that somebody means by a name: that of [`run_name`], or the id of a run.
pub fn runs_named<'a>(view: &'a View, name: &str) -> Vec<&'a Run> {
    let is_called = |run: &Run, plan: &Plan| {
        run.id.to_string() == name || names_of(view, run, plan).iter().any(|other| other == name)
    };
    view.active().filter(|(run, plan)| is_called(run, plan)).map(|(run, _)| run).collect()
}

/// Every name of a run, the shortest first.
fn names_of(view: &View, run: &Run, plan: &Plan) -> Vec<String> {
    let mut names = vec![run.procedure.to_string()];
    if is_ad_hoc(&run.procedure) {
        let environments = plan.environments();
        names.extend(environments.iter().map(|environment| format!("{}/{environment}", run.procedure)));
    }
    let number = view.release.runs.iter().position(|other| other.id == run.id).unwrap_or_default() + 1;
    names.push(format!("{}/{number}", run.procedure));
    names
}

/// The runs under way that have a step of this name.
pub fn runs_with_step<'a>(view: &'a View, step: &StepId) -> impl Iterator<Item = &'a Run> {
    view.active().filter(move |(_, plan)| plan.step(step).is_some()).map(|(run, _)| run)
}

/// The command line, for one release.
#[derive(Debug, Clone, Copy)]
pub struct Typed<'a> {
    /// The release.
    pub view: &'a View,
    /// The service, where it has to be named: whoever reads this stands in no working copy.
    pub service: Option<&'a ServiceName>,
    /// Whether the release has to be named.
    pub release: bool,
}

impl Typed<'_> {
    /// The version of the release.
    fn version(&self) -> Option<&str> {
        self.view.release.opened.as_ref().map(|opened| opened.version.as_str())
    }

    /// The options that say which release is meant, and which of its runs where several are under way.
    pub fn which(&self, run: Option<RunId>) -> String {
        let release = match self.version() {
            Some(version) if self.release => format!(" --release {version}"),
            _ => String::new(),
        };
        let several = self.view.active().nth(1).is_some();
        let run = run.filter(|_| several).and_then(|run| self.view.release.run(&run));
        let run = run.map(|run| format!(" --run {}", run_name(self.view, run))).unwrap_or_default();
        format!("{release}{}{run}", self.of_service())
    }

    fn of_service(&self) -> String {
        self.service.map(|service| format!(" --service {service}")).unwrap_or_default()
    }

    /// The run that has to be named for an action: where a name alone could mean another one.
    fn run_to_name(&self, action: &Action) -> Option<RunId> {
        let step = |run: &RunId, step: &StepId| runs_with_step(self.view, step).nth(1).map(|_| *run);
        let target = |target: &ApprovalTarget| match target {
            ApprovalTarget::Step(run, of) => step(run, of),
            ApprovalTarget::Gate(..) => None,
        };
        match action {
            Action::Abort(run) | Action::Resume(run) => Some(*run),
            Action::Done(run, of) | Action::Retry(run, of) | Action::Waive(WaiverTarget::Step(run, of)) => {
                step(run, of)
            }
            Action::Approve(of)
            | Action::Tick(of)
            | Action::Vote(of)
            | Action::Revoke(of)
            | Action::Waive(WaiverTarget::Item(of, _)) => target(of),
            _ => None,
        }
    }

    /// The command that does something; `None` where nothing has to be done.
    pub fn command(&self, action: &Action) -> Option<String> {
        let service = self.of_service();
        let release = self.which(self.run_to_name(action));
        Some(match action {
            Action::Approve(target) => format!("tollgate approve {}{release}", approval(target)),
            Action::Assign(role) => format!("tollgate assign {role} PERSON{release}"),
            Action::Tick(target) => format!("tollgate tick ITEM… --of {}{release}", approval(target)),
            Action::Vote(target) => format!("tollgate vote {} +1|0|-1{release}", approval(target)),
            Action::Revoke(target) => format!("tollgate revoke {}{release}", approval(target)),
            Action::Answer(question) => {
                format!("tollgate answer {} {}{release}", asked(question), self.answer(question))
            }
            Action::Done(run, step) => format!("tollgate done {step}{}{release}", self.handed_in(*run, step)),
            Action::Retry(_, step) => format!("tollgate retry {step}{release}"),
            Action::Waive(WaiverTarget::Item(of, item)) => {
                format!("tollgate waive {} --item {item} --why REASON{release}", approval(of))
            }
            Action::Waive(target) => format!("tollgate waive {} --why REASON{release}", waived(target)),
            Action::Abort(_) => format!("tollgate abort --why REASON{release}"),
            Action::AbortOther { version, name, .. } => {
                let run = name.as_ref().map(|name| format!(" --run {name}")).unwrap_or_default();
                format!("tollgate abort --why REASON --release {version}{service}{run}")
            }
            Action::OfOther { command, .. } => format!("{command}{service}"),
            Action::Resume(_) => format!("tollgate resume{release}"),
            Action::Release(environment) => {
                format!("tollgate resume --environment {environment}{service}")
            }
            Action::Promote(environment) => {
                let version = self.version().unwrap_or("VERSION");
                format!("tollgate promote {environment} --release {version}{service}")
            }
            Action::Thaw(number) => format!("tollgate thaw {number}{service}"),
            Action::AdoptPolicy => format!("tollgate policy adopt{service}"),
            Action::Wait => return None,
        })
    }

    /// The command that tells everything that holds it.
    pub fn why(&self) -> String {
        let version = self.version().unwrap_or("VERSION");
        format!("tollgate why {version}{}", self.of_service())
    }

    /// What can be typed as an answer.
    fn answer(&self, asked: &Asked) -> String {
        let Asked::Question(name) = asked else { return "yes|no".into() };
        let question = self.view.active().find_map(|(_, plan)| plan.definition.questions.get(name));
        match question.map(|question| &question.answer) {
            Some(AnswerType::YesNo) => "yes|no".into(),
            Some(AnswerType::Choice(choices)) => choices.join("|"),
            Some(AnswerType::Integer { .. }) => "NUMBER".into(),
            Some(AnswerType::Text) | None => "TEXT".into(),
        }
    }

    /// What has to be handed in with a step.
    fn handed_in(&self, run: RunId, step: &StepId) -> String {
        let plan = self.view.active().find(|(state, _)| state.id == run).map(|(_, plan)| plan);
        let Some(planned) = plan.and_then(|plan| plan.step(step)) else { return String::new() };
        let evidence = match &planned.body {
            Body::Step(StepKind::Manual { evidence: true, .. }) => " --evidence TEXT",
            _ => "",
        };
        let outputs = planned.outputs.keys().map(|name| format!(" --output {name}=VALUE"));
        format!("{evidence}{}", outputs.collect::<String>())
    }
}

/// Whether somebody would do this first about a hold; waivers and giving up come after everything else.
pub fn is_first_choice(action: &Action) -> bool {
    match action {
        Action::OfOther { action, .. } => is_first_choice(action),
        action => !(matches!(action, Action::Waive(_)) || is_giving_up(action)),
    }
}

/// Whether a run is given up by it.
pub fn is_giving_up(action: &Action) -> bool {
    matches!(action, Action::Abort(_) | Action::AbortOther { .. })
}

//! What people type to do something about what holds a release: the same words on a terminal, in a mail, in a list.

use crate::event::{ApprovalTarget, Asked, WaiverTarget};
use crate::gate::Action;
use crate::ids::{RunId, ServiceName, StepId};
use crate::model::{AnswerType, StepKind};
use crate::plan::Body;
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

    /// The command that does something; `None` where nothing has to be done.
    pub fn command(&self, action: &Action) -> Option<String> {
        let service = self.service.map(|service| format!(" --service {service}")).unwrap_or_default();
        let release = match self.version() {
            Some(version) if self.release => format!(" --release {version}{service}"),
            _ => service.clone(),
        };
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
        let service = self.service.map(|service| format!(" --service {service}")).unwrap_or_default();
        format!("tollgate why {version}{service}")
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
    !matches!(action, Action::Waive(_) | Action::Abort(_))
}

//! What people can do about what holds a release: the command to type, and who may.

use tollgate_core::event::{Asked, WaiverTarget};
use tollgate_core::explain::Holding;
use tollgate_core::gate::Action;
use tollgate_core::ids::{PersonName, RunId, StepId};
use tollgate_core::model::{AnswerType, StepKind};
use tollgate_core::plan::Body;
use tollgate_core::view::View;

use crate::describe::{approval, asked, waived};
use crate::output::{FAINT, NAME, styled};

/// Turns what can be done into commands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actions<'a> {
    pub(crate) view: &'a View,
    /// Whether the release has to be named, because others are under way too.
    pub(crate) name_release: bool,
}

impl Actions<'_> {
    /// The commands for a hold, in the order of preference; none where nothing has to be done.
    pub(crate) fn commands(&self, holding: &Holding) -> Vec<String> {
        holding.hold.how.iter().filter_map(|action| self.command(action)).collect()
    }

    /// The lines for a terminal: who, and below it what they can type. Without `all`, only what somebody would do first.
    pub(crate) fn lines(&self, holding: &Holding, all: bool) -> Vec<String> {
        let hold = &holding.hold;
        let shown: Vec<(String, Option<String>)> = hold
            .how
            .iter()
            .filter(|action| all || hold.how.len() == 1 || is_first_choice(action))
            .filter_map(|action| Some((self.command(action)?, self.others(action))))
            .collect();
        let who = match (hold.anybody, hold.who.as_slice()) {
            (true, _) => "anybody can",
            (false, []) => "nobody can",
            (false, people) => &format!("{} can", names(people)),
        };
        let who = styled(FAINT, format!("{who}:"));
        let line = |(command, others): &(String, Option<String>)| {
            let others = others.as_ref().map(|others| format!("  {}", styled(FAINT, format!("({others})"))));
            format!("{}{}", styled(NAME, command), others.unwrap_or_default())
        };
        match shown.as_slice() {
            [] if hold.who.is_empty() => Vec::new(),
            [] => vec![who],
            [one] => vec![format!("{who} {}", line(one))],
            several => {
                std::iter::once(who).chain(several.iter().map(|one| format!("  {}", line(one)))).collect()
            }
        }
    }

    /// Who may do this, where these are others than those the hold names.
    fn others(&self, action: &Action) -> Option<String> {
        let Action::Waive(_) = action else { return None };
        let policy = self.view.policy.as_ref()?;
        Some(names(&policy.members(policy.waivers.as_ref()?)))
    }

    /// The command that does something; `None` where nothing has to be done.
    fn command(&self, action: &Action) -> Option<String> {
        let version = self.view.release.opened.as_ref().map(|opened| opened.version.as_str());
        let release = match version {
            Some(version) if self.name_release => format!(" --release {version}"),
            _ => String::new(),
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
            Action::Promote(environment) => {
                format!("tollgate promote {environment} --release {}", version.unwrap_or("VERSION"))
            }
            Action::Thaw(number) => format!("tollgate thaw {number}"),
            Action::AdoptPolicy => "tollgate policy adopt".into(),
            Action::Wait => return None,
        })
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

/// What somebody would do first about a hold; waivers and aborting are for `tollgate why`.
fn is_first_choice(action: &Action) -> bool {
    !matches!(action, Action::Waive(_) | Action::Abort(_))
}

/// Names of people for a sentence.
fn names(people: &[PersonName]) -> String {
    let names: Vec<String> = people.iter().map(ToString::to_string).collect();
    names.join(", ")
}

//! What people can do about what holds a release: the command to type, and who may.

use tollgate_core::decide::others;
use tollgate_core::explain::Holding;
use tollgate_core::gate::{Action, Hold, WaitsOn};
use tollgate_core::ids::PersonName;
use tollgate_core::typed::{Typed, is_first_choice};
use tollgate_core::view::View;

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
            .filter_map(|action| Some((self.command(action)?, self.others(hold, action))))
            .collect();
        let who = match (hold.anybody, hold.who.as_slice()) {
            (true, _) => "anybody can",
            // It opens by itself; what somebody could do is not to wait for that.
            (false, []) if hold.on != WaitsOn::Person => "by itself, or",
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
    fn others(&self, hold: &Hold, action: &Action) -> Option<String> {
        Some(names(&others(self.view, hold, action)?))
    }

    /// The command that does something; `None` where nothing has to be done.
    fn command(&self, action: &Action) -> Option<String> {
        Typed { view: self.view, service: None, release: self.name_release }.command(action)
    }
}

/// Names of people for a sentence.
fn names(people: &[PersonName]) -> String {
    let names: Vec<String> = people.iter().map(ToString::to_string).collect();
    names.join(", ")
}

//! The numbers that earlier releases had in load tests.

use std::collections::BTreeMap;

use tollgate_core::ids::{OutputName, StepId};
use tollgate_core::load::{Numbers, own_id};

use super::Reading;
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::{name_hint, shown};

impl Reading<'_> {
    /// What a release had in load tests, by their ids.
    pub(super) fn measured(&mut self, went: &Node) -> Option<BTreeMap<StepId, Numbers>> {
        let mut measured = BTreeMap::new();
        for entry in went.get("measured").map(Node::entries).unwrap_or_default() {
            let known: Vec<StepId> = self.names.steps.iter().map(own_id).collect();
            let Some(id) = known.iter().find(|id| id.as_str() == entry.key) else {
                let names = known.iter().map(StepId::as_str);
                let hint = name_hint(&entry.key, names, "the procedure file has none");
                let message = format!("there is no load test `{}`", shown(&entry.key));
                self.report.error(Code::Unknown, entry.key_span, message).hint(hint);
                return None;
            };
            measured.insert(id.clone(), self.numbers(&entry.value)?);
        }
        Some(measured)
    }

    fn numbers(&mut self, node: &Node) -> Option<Numbers> {
        let mut numbers = Numbers::new();
        for entry in node.entries() {
            let number = entry.value.text()?.parse();
            match (OutputName::new(entry.key.as_str()), number) {
                (Ok(name), Ok(number)) => drop(numbers.insert(name, number)),
                (Err(error), _) => {
                    self.report.error(Code::BadName, entry.key_span, error.to_string());
                    return None;
                }
                (_, Err(why)) => {
                    self.report.error(Code::BadValue, entry.value.span, why);
                    return None;
                }
            }
        }
        Some(numbers)
    }
}

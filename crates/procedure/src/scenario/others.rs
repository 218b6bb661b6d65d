//! What a scenario says of other releases that are under way.

use tollgate_core::forward::{Coming, Goal};
use tollgate_core::version::VersionFormat;

use super::{Reading, items};
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::shown;

impl Reading<'_> {
    /// What other releases have still to do.
    pub(super) fn others(&mut self, root: &Node) -> Vec<Coming> {
        if let Some(entry) = root.entry("others")
            && root.get("trains").is_some()
        {
            self.report
                .error(Code::KeyConflict, entry.key_span, "beside `trains`, nothing is said of `others`")
                .hint("remove it: the releases that trains start are the others of each other");
        }
        let mut all: Vec<Coming> = Vec::new();
        for node in items(root, "others") {
            let Some(coming) = self.coming(node) else { continue };
            if all.iter().any(|one| one.version == coming.version && one.goal == coming.goal) {
                self.report
                    .error(
                        Code::KeyConflict,
                        node.span,
                        format!("it is said twice what {} has still to do", coming.version),
                    )
                    .hint("remove one of them");
                continue;
            }
            all.push(coming);
        }
        all
    }

    fn coming(&mut self, node: &Node) -> Option<Coming> {
        let goal = match (node.get("goes"), node.get("does")) {
            (Some(goes), _) => Goal::Environment(self.environment(goes)?),
            (None, does) => Goal::Step(self.step(does?)?),
        };
        let version = self.version_of_another(node.get("version")?)?;
        let at = match node.get("at") {
            Some(at_node) => {
                let at = self.moment(at_node)?;
                if self.start.is_some_and(|start| at < start) {
                    let message = "what is over before the start is not to come any more";
                    self.report.error(Code::BadValue, at_node.span, message).hint(
                        "write a moment from `start` on; what went somewhere before stands under `before`",
                    );
                    return None;
                }
                Some(at)
            }
            None => None,
        };
        Some(Coming { version, goal, at })
    }

    /// A version as the procedure writes it, without what the tag puts around it.
    fn version_of_another(&mut self, node: &Node) -> Option<String> {
        let text = node.text()?;
        let Ok(format) = VersionFormat::new(&self.names.definition.version.format) else {
            return Some(text.to_owned());
        };
        match format.read_text(text).or_else(|_| format.read_tag(text)) {
            Ok(version) => Some(version.to_string()),
            Err(_) => {
                let message = format!("`{}` is no version of the form `{format}`", shown(text));
                self.report
                    .error(Code::BadValue, node.span, message)
                    .hint("write it like the versions of the service");
                None
            }
        }
    }
}

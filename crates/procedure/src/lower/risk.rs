//! How risky a release is.

use tollgate_core::ids::{QuestionName, RiskLevel};
use tollgate_core::model::{AnswerType, LowerRisk, RiskRule, RiskRules, RiskSign};
use tollgate_core::version::Bump;

use super::Lower;
use super::scope::Scope;
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::shown;

impl Lower<'_> {
    /// The levels, what makes a release be of one, and who may say something else.
    pub(super) fn risk(&mut self, root: &Node) -> Option<RiskRules> {
        let node = root.get("risk")?;
        let levels = self.levels(node);
        // What the rules rest on has to be answered before anybody asks for the level.
        let before = std::mem::take(&mut self.answers_used);
        let rules = node.get("rules").map(Node::items).unwrap_or_default();
        let rules: Vec<RiskRule> = rules.iter().filter_map(|rule| self.risk_rule(rule, &levels)).collect();
        let declared = node.get("declared").and_then(|declared| self.declared_by(declared, &levels));
        self.answers_used.extend(declared.clone());
        let own = std::mem::replace(&mut self.answers_used, before);
        let raise = node.get("raise").and_then(|raise| self.fixed(raise, "by"));
        let lower = node.get("lower").and_then(|lower| {
            let allow_self = lower.get("allow-self").and_then(Node::boolean).unwrap_or(false);
            Some(LowerRisk { by: self.fixed(lower, "by")?, allow_self })
        });
        if node.get("levels").is_some() && node.get("rules").is_none() && node.get("declared").is_none() {
            let hint = "write `rules`, or `declared` with a question";
            self.report
                .error(
                    Code::MissingKey,
                    node.span,
                    "nothing makes a release be of another level than the first",
                )
                .hint(hint);
        }
        self.declared.risk_levels.clone_from(&levels);
        self.declared.risk_answers = own;
        Some(RiskRules { levels, rules, declared, raise, lower })
    }

    fn levels(&mut self, node: &Node) -> Vec<RiskLevel> {
        let mut levels: Vec<RiskLevel> = Vec::new();
        for item in node.get("levels").map(Node::items).unwrap_or_default() {
            let Some(level) = item.text().and_then(|text| self.name(text, item.span, RiskLevel::new)) else {
                continue;
            };
            if levels.contains(&level) {
                let message = format!("`{level}` is among the levels twice");
                self.report.error(Code::DoubledKey, item.span, message);
                continue;
            }
            levels.push(level);
        }
        levels
    }

    fn risk_rule(&mut self, node: &Node, levels: &[RiskLevel]) -> Option<RiskRule> {
        let is = node.get("is").and_then(|is| self.level(is, levels));
        let why = self.text_of(node, "why");
        let sign = self.risk_sign(node);
        Some(RiskRule { is: is?, sign: sign?, why })
    }

    fn level(&mut self, node: &Node, levels: &[RiskLevel]) -> Option<RiskLevel> {
        let text = node.text()?;
        if let Some(level) = levels.iter().find(|level| level.as_str() == text) {
            return Some(level.clone());
        }
        let names = levels.iter().map(RiskLevel::as_str);
        let hint = crate::words::name_hint(text, names, "write it under `levels`");
        let message = format!("there is no level `{}`", shown(text));
        self.report.error(Code::Unknown, node.span, message).hint(hint);
        None
    }

    fn risk_sign(&mut self, node: &Node) -> Option<RiskSign> {
        if let Some(changed) = node.get("changed") {
            let patterns = match changed.text() {
                Some(_) => std::slice::from_ref(changed),
                None => changed.items(),
            };
            let patterns: Vec<String> = patterns.iter().filter_map(|pattern| self.text(pattern)).collect();
            return (!patterns.is_empty()).then_some(RiskSign::Changed(patterns));
        }
        let size =
            |key: &str| node.get(key).and_then(Node::integer).and_then(|number| u64::try_from(number).ok());
        if let Some(commits) = size("commits") {
            return Some(RiskSign::Commits(commits));
        }
        if let Some(files) = size("files") {
            return Some(RiskSign::Files(files));
        }
        if let Some(lines) = size("lines") {
            return Some(RiskSign::Lines(lines));
        }
        if node.get("author").is_some() {
            return Some(RiskSign::NewAuthor);
        }
        if let Some(bump) = node.get("bump") {
            return bump.text().and_then(Bump::named).map(RiskSign::Bump);
        }
        // The level itself is not known while it is told, and neither is what steps give.
        self.condition_of(node, "if", &Scope::default()).map(RiskSign::Condition)
    }

    /// The question by which people say it themselves: each of its answers is a level.
    fn declared_by(&mut self, node: &Node, levels: &[RiskLevel]) -> Option<QuestionName> {
        let name = self.question(node)?;
        let answers = match self.declared.questions.get(&name).map(|question| &question.answer) {
            Some(AnswerType::Choice(answers)) => answers.clone(),
            _ => Vec::new(),
        };
        let odd = answers.iter().find(|answer| levels.iter().all(|level| level.as_str() != answer.as_str()));
        let message = match odd {
            Some(odd) => format!("`{}` can be answered with `{}`, which is no level", name, shown(odd)),
            None if answers.is_empty() => format!("the answer to `{name}` is no level"),
            None => return Some(name),
        };
        let words: Vec<&str> = levels.iter().map(RiskLevel::as_str).collect();
        let hint = format!("let the question have `choice: [{}]`", words.join(", "));
        self.report.error(Code::BadValue, node.span, message).hint(hint);
        None
    }
}

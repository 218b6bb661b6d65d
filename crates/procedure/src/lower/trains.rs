//! Trains: what starts a procedure by itself.

use indexmap::IndexMap;
use jiff::SignedDuration;
use tollgate_core::calendar::{FixedTime, Moment};
use tollgate_core::ids::{LineName, ProcedureName, TrainName};
use tollgate_core::model::{
    BumpSource, Departs, FactAsk, FactRead, FactSpec, GRACE, HeadsUp, HeadsUpMail, Late, Overlap, Procedure,
    Recipient, Template, Train, Trains, Who,
};
use tollgate_core::version::VersionFormat;

use super::Lower;
use super::scope::Scope;
use super::service::Service;
use crate::diagnostic::{Code, Span};
use crate::grammar::DEPARTS;
use crate::tree::{Entry, Node};
use crate::words::{name_hint, shown};

/// The longest time that a heads-up comes before its departure.
const BEFORE_MAX: SignedDuration = SignedDuration::from_hours(24 * 31);

type Procedures = IndexMap<ProcedureName, Procedure>;

impl Lower<'_> {
    /// The trains of the file: those under `trains`, and for each procedure that says when it starts, one of its name.
    pub(super) fn trains(
        &mut self,
        root: &Node,
        service: Option<&Service>,
        procedures: &Procedures,
    ) -> Trains {
        let mut trains = Trains::new();
        let Some(service) = service else { return trains };
        for entry in root.get("trains").map(Node::entries).unwrap_or_default() {
            let name = self.name(&entry.key, entry.key_span, TrainName::new);
            let runs = entry.value.get("runs").and_then(|runs| self.procedure_named(runs, procedures));
            let train = runs.and_then(|runs| self.train(&entry.value, entry.key_span, runs, service));
            if let (Some(name), Some(train)) = (name, train) {
                trains.insert(name, train);
            }
        }
        for entry in root.get("procedures").map(Node::entries).unwrap_or_default() {
            if let Some((name, train)) = self.starts_itself(entry, &trains, service) {
                trains.insert(name, train);
            }
        }
        trains
    }

    /// The train of a procedure that says when it starts.
    fn starts_itself(
        &mut self,
        procedure: &Entry,
        trains: &Trains,
        service: &Service,
    ) -> Option<(TrainName, Train)> {
        let start = procedure.value.get("start")?;
        if start.entries().is_empty() {
            let message = "`start` says neither who starts it nor when it starts by itself";
            let hint = "give it `by`, or `every`, `push` or `date`";
            self.report.error(Code::MissingKey, start.span, message).hint(hint);
        }
        let mut given = start.entries().iter().filter(|entry| DEPARTS.contains(&entry.key.as_str()));
        let first = given.next()?;
        if let Some(second) = given.next() {
            let message =
                format!("a procedure says once when it starts; `{}` stands there already", first.key);
            let hint = "write the others under `trains`, each by its name";
            self.report.error(Code::KeyConflict, second.key_span, message).hint(hint);
            return None;
        }
        let name = TrainName::new(procedure.key.as_str()).ok()?;
        if trains.contains_key(&name) {
            let message = format!("there is a train `{name}` already");
            let hint = "a procedure that says when it starts is a train of its name; rename the other one";
            self.report.error(Code::Ambiguous, first.key_span, message).hint(hint);
            return None;
        }
        let runs = ProcedureName::new(procedure.key.as_str()).ok()?;
        Some((name, self.train(start, first.key_span, runs, service)?))
    }

    fn procedure_named(&mut self, node: &Node, procedures: &Procedures) -> Option<ProcedureName> {
        let text = node.text()?;
        if let Some(name) = procedures.keys().find(|name| name.as_str() == text) {
            return Some(name.clone());
        }
        let hint =
            name_hint(text, procedures.keys().map(ProcedureName::as_str), "write it under `procedures`");
        let message = format!("there is no procedure `{}`", shown(text));
        self.report.error(Code::Unknown, node.span, message).hint(hint);
        None
    }

    fn train(&mut self, node: &Node, at: Span, runs: ProcedureName, service: &Service) -> Option<Train> {
        if service.version.next.bump == BumpSource::Ask
            && self.declared.format.as_ref().is_none_or(VersionFormat::is_decided)
        {
            let message = "nobody is there to say how much the version grows, and `version.bump` is `ask`";
            let hint = "let the commits say it (`bump: commits`), or let a person start the releases";
            self.report.error(Code::KeyConflict, at, message).hint(hint);
        }
        let (departs, pushed) = self.departs(node)?;
        let line = node.get("line").and_then(|line| self.line_named(line, service));
        let (branch, line) = match pushed {
            Some(at) => self.pushed(at, service)?,
            None => {
                let spec = line.as_ref().and_then(|line| service.lines.get(line));
                (spec.map_or(&service.repository.branch, |spec| &spec.branch).clone(), line)
            }
        };
        let late = match node.get("late").and_then(Node::text) {
            Some("skip") => Late::Skip,
            Some("start") => Late::Start,
            _ => Late::Ask,
        };
        let overlap = match node.get("overlap").and_then(Node::text) {
            Some("supersede") => Overlap::Supersede,
            Some("parallel") => Overlap::Parallel,
            Some("skip") => Overlap::Skip,
            _ => Overlap::Queue,
        };
        let grace = self.duration_of(node, "grace").unwrap_or(GRACE);
        let heads_up = node.get("heads-up").and_then(|node| self.heads_up(node));
        let url = service.repository.url.clone();
        Some(Train { runs, departs, branch, line, url, late, grace, overlap, heads_up })
    }

    /// When it departs, and the branch where that is for what is pushed.
    fn departs<'n>(&mut self, node: &'n Node) -> Option<(Departs, Option<&'n Node>)> {
        if let Some(every) = node.get("every") {
            let times: FixedTime = self.parsed(every)?;
            let checked = times.check(&self.declared.calendar);
            self.sound(checked, every)?;
            return Some((Departs::Every(times), None));
        }
        if let Some(branch) = node.get("push") {
            return Some((Departs::Push, Some(branch)));
        }
        let at = node.get("date")?;
        let moment: Moment = self.parsed(at)?;
        let lacks = match (moment.has_time(), moment.zone().is_some()) {
            (false, _) => Some("time of day"),
            (true, false) => Some("time zone"),
            (true, true) => None,
        };
        if let Some(lacks) = lacks {
            let message = format!("`{}` has no {lacks}", shown(&moment.to_string()));
            let hint = "write it out, as in `+next Mon 10:00 Europe/London`";
            self.report.error(Code::BadValue, at.span, message).hint(hint);
            return None;
        }
        let told_by = match node.get("told-by") {
            Some(fact) => Some(Box::new(self.day_fact(fact)?)),
            None => None,
        };
        Some((Departs::Date { moment, told_by }, None))
    }

    /// A fact that tells a day: before there is a release, and so it cannot speak of one.
    fn day_fact(&mut self, node: &Node) -> Option<FactSpec> {
        let spec = self.fact(node, &Scope::default())?;
        let texts: Vec<&Template> = match &spec.ask {
            FactAsk::Command(shell) => shell.variables.values().collect(),
            FactAsk::Http { url, headers, .. } => std::iter::once(url).chain(headers.values()).collect(),
        };
        let of_release = texts.iter().find_map(|text| {
            let uses = crate::template::names(&text.0).unwrap_or_default();
            uses.iter().map(crate::template::Use::dotted).find(|name| name != "service")
        });
        let (message, hint) = match (&spec.read, of_release) {
            (FactRead::Prometheus, _) => (
                "Prometheus answers with a number, and not with a day".to_owned(),
                "ask with `command` or `url`",
            ),
            (_, Some(name)) => (
                format!("it asks about `{}`, and before a train departs there is no release", shown(&name)),
                "only `service` can be filled in here",
            ),
            (_, None) if spec.about.is_some() => (
                "it has to speak of one commit, and before a train departs there is no release".to_owned(),
                "leave `commit` out",
            ),
            (_, None) => return Some(spec),
        };
        self.report.error(Code::BadValue, node.span, message).hint(hint);
        None
    }

    fn line_named(&mut self, node: &Node, service: &Service) -> Option<LineName> {
        let text = node.text()?;
        if let Some(name) = service.lines.keys().find(|name| name.as_str() == text) {
            return Some(name.clone());
        }
        let hint = name_hint(text, service.lines.keys().map(LineName::as_str), "declare it under `lines`");
        let message = format!("there is no line `{}`", shown(text));
        self.report.error(Code::Unknown, node.span, message).hint(hint);
        None
    }

    /// The branch that is pushed to: one that releases are cut from.
    fn pushed(&mut self, node: &Node, service: &Service) -> Option<(String, Option<LineName>)> {
        let branch = self.text(node)?;
        if !self.branch_name(&branch, node) {
            return None;
        }
        if branch == service.repository.branch {
            return Some((branch, None));
        }
        if let Some((name, _)) = service.lines.iter().find(|(_, spec)| spec.branch == branch) {
            return Some((branch, Some(name.clone())));
        }
        let message = format!("no release is cut from `{}`", shown(&branch));
        let hint = format!("write `{}`, or the branch of a line", shown(&service.repository.branch));
        self.report.error(Code::Unknown, node.span, message).hint(hint);
        None
    }

    fn heads_up(&mut self, node: &Node) -> Option<HeadsUp> {
        let at = node.get("before").unwrap_or(node);
        let before = self.duration(at)?;
        if before > BEFORE_MAX {
            let message = "a heads-up comes at most 31 days before";
            self.report.error(Code::BadDuration, at.span, message);
            return None;
        }
        let mail = match (node.get("via"), node.get("to")) {
            (Some(via), Some(to)) => {
                let name = self.connection(via);
                let via = name.and_then(|name| self.declared.connections.get(&name).cloned());
                let one = std::slice::from_ref(to);
                let items = if to.scalar().is_some() { one } else { to.items() };
                let to: Vec<Recipient> = items.iter().filter_map(|item| self.told_before(item)).collect();
                Some(HeadsUpMail { via: via?, to })
            }
            _ => None,
        };
        Some(HeadsUp { before, mail })
    }

    /// Somebody who is told before there is a release: who fills a role in it is not known then.
    fn told_before(&mut self, node: &Node) -> Option<Recipient> {
        match self.recipients(std::slice::from_ref(node)).pop()? {
            Recipient::Who(Who::Role(role)) => {
                let message = format!("`{role}` is a role, and a role is only filled within a release");
                self.report.error(Code::BadValue, node.span, message).hint("name a group or a person");
                None
            }
            recipient => Some(recipient),
        }
    }
}

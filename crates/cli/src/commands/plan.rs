//! `tollgate plan`: what a release would do, step by step.

use std::path::PathBuf;
use std::sync::Arc;

use anstyle::Style;
use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use tollgate_core::actor::Actor;
use tollgate_core::context::Context;
use tollgate_core::decide::allowed;
use tollgate_core::forward::forecast::Forecast;
use tollgate_core::ids::{LineName, ProcedureName, RiskLevel, ServiceName};
use tollgate_core::journal::Hash;
use tollgate_core::model::{
    Definition, Deploy, FactAsk, FactSpec, FactWait, MergeWay, Policy, StepAt, StepKind, Template, VoteRule,
};
use tollgate_core::plan::{Body, Plan, PlannedStep, list};
use tollgate_core::risk::of_plan;
use tollgate_core::version::{Bump, PreLabel};
use tollgate_engine::listing::{Found, Listing};
use tollgate_engine::planning::{Origin, Surveyed};
use tollgate_engine::versioning::{Line, Wanted};

use crate::app::{App, Opened};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{BAD, FAINT, GOOD, HEAD, NAME, WAITS, count, line, styled, wrapped};
use crate::project::{Rules, load_from_commit, rules};

/// What to plan.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) what: What,
}

/// Which release is meant.
#[derive(Debug, Clone, Args)]
pub(crate) struct What {
    /// The procedure, where there are several
    #[arg(value_name = "PROCEDURE")]
    pub(crate) procedure: Option<String>,
    /// The version, instead of the one that the commits ask for
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["bump", "pre"])]
    pub(crate) set_version: Option<String>,
    #[command(flatten)]
    pub(crate) growth: Growth,
    /// How risky the release is, where that is more than the rules say
    #[arg(long, value_name = "LEVEL")]
    pub(crate) risk: Option<RiskLevel>,
    /// The day of the release, such as `2026-12-16`, that times of its steps are told from
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) target: Option<Date>,
}

/// How the version grows.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Growth {
    /// How much the version grows, instead of what the commits ask for: major, minor or patch
    #[arg(long, value_name = "HOW", value_parser = bump)]
    pub(crate) bump: Option<Bump>,
    /// A pre-release with this label, such as `rc`; its number is counted
    #[arg(long, value_name = "LABEL")]
    pub(crate) pre: Option<PreLabel>,
    /// From the branch of this line of older versions
    #[arg(long, value_name = "LINE")]
    pub(crate) line: Option<LineName>,
}

impl Growth {
    /// The line that is meant, if one is.
    pub(crate) fn line(&self, definition: &Definition) -> Result<Option<Line>, CliError> {
        let Some(name) = &self.line else { return Ok(None) };
        match definition.lines.get(name) {
            Some(spec) => Ok(Some(Line { name: name.clone(), spec: spec.clone() })),
            None => {
                let known = match definition.lines.is_empty() {
                    true => "the procedure file has none".to_owned(),
                    false => format!("there is {}", list(definition.lines.keys())),
                };
                let why = format!("there is no line `{}`: {known}", crate::output::line(name.as_str()));
                Err(CliError::refused("no-line", why).hint("declare it under `lines`, with its branch"))
            }
        }
    }

    /// What is asked of the version.
    pub(crate) fn wanted(&self, set: Option<&str>, line: Option<Line>) -> Wanted {
        let (version, pre) = (set.map(ToOwned::to_owned), self.pre.clone());
        Wanted { version, bump: self.bump, pre, line, ..Wanted::default() }
    }
}

fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "a day is written like `2026-12-16`".into())
}

fn bump(text: &str) -> Result<Bump, String> {
    Bump::named(text).ok_or_else(|| "a version grows by `major`, `minor` or `patch`".into())
}

/// A plan, with its id.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Shown<'a> {
    pub(crate) id: Hash,
    pub(crate) plan: &'a Plan,
    /// What the edited files will look like, as a unified diff.
    pub(crate) diff: Option<String>,
    /// How the procedure file differs from that of the candidate before, as a unified diff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) procedure_diff: Option<String>,
    /// When it would get where, if it was started now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) forecast: Option<Forecast>,
    /// What registries have of the version now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) registries: Vec<Listing>,
}

pub(crate) async fn run(app: &App, args: &PlanArgs) -> Result<Exit, CliError> {
    let opened = app.open(app.service()?, None)?;
    let plan = make(app, &opened, &args.what).await?;
    keep(app, &opened.service, &plan)?;
    let diff = opened.engine.cut_diff(&plan).await?.map(|diff| diff.text);
    let actor = starter(app, &plan);
    let forecast = opened.engine.forecast_plan(&plan, &actor).await?;
    let told = crate::forecast::shown(&forecast);
    let registries = opened.engine.listings(&plan).await;
    let told = format!("{}{told}", listed(&registries, &plan.version.text));
    let shown = Shown {
        id: plan.id(),
        plan: &plan,
        diff,
        procedure_diff: None,
        forecast: Some(forecast),
        registries,
    };
    app.output.data(&shown, || render(&plan, shown.diff.as_deref(), &told))?;
    Ok(Exit::Done)
}

/// What registries have of a version, for people.
fn listed(registries: &[Listing], version: &str) -> String {
    let mut text = String::new();
    for Listing { step, registry, name, found } in registries {
        let what = match found {
            Found::Nothing => format!("{registry} does not have {name} {version} yet"),
            Found::Something => format!(
                "{registry} has {name} {version} already: `{step}` is done if that is what is packed here, and fails otherwise"
            ),
            Found::Unknown(why) => format!("{registry} could not be asked for {name} {version}: {why}"),
        };
        let sign = if *found == Found::Nothing { FAINT } else { WAITS };
        text.push_str(&format!("\n{} {}\n", styled(sign, "registry"), line(&what)));
    }
    text
}

/// Who would start it: whoever asks, if they may, and else somebody who may.
fn starter(app: &App, plan: &Plan) -> Actor {
    let rule = plan.definition.procedures.get(&plan.procedure).and_then(|procedure| procedure.start.as_ref());
    let asks = app.actor(Some(&plan.policy)).ok();
    let may = asks.filter(|actor| allowed(&plan.policy, rule, actor.person()));
    may.unwrap_or_else(|| tollgate_core::forward::script::starter(plan, None))
}

/// Makes the plan of a release: from the commit that would be released, under the rules in force.
pub(crate) async fn make(app: &App, opened: &Opened, what: &What) -> Result<Plan, CliError> {
    let ground = ground(app, opened, what.growth.line.as_ref(), None).await?;
    let procedure = procedure_of(&ground.committed, what.procedure.as_deref())?;
    let line = what.growth.line(&ground.local)?;
    let wanted = what.growth.wanted(what.set_version.as_deref(), line);
    let wanted = Wanted { risk: what.risk.clone(), target: what.target, ..wanted };
    let Ground { surveyed, committed, in_force, .. } = &ground;
    Ok(opened.engine.plan(surveyed, &committed.definition, in_force, &procedure, &wanted).await?)
}

/// What plans are made on: a commit, the procedure in it, and the rules in force.
pub(crate) struct Ground {
    /// The repository, and the commit.
    pub(crate) surveyed: Surveyed,
    /// What the procedure file of that commit says.
    pub(crate) committed: Rules,
    /// The rules in force.
    pub(crate) in_force: Arc<Policy>,
    /// What the procedure file here says.
    local: Definition,
}

/// The ground of a branch, or of a line's branch: its newest commit, or another one that is named.
pub(crate) async fn ground(
    app: &App,
    opened: &Opened,
    line: Option<&LineName>,
    revision: Option<&str>,
) -> Result<Ground, CliError> {
    let project = app.project()?.of(&opened.service)?;
    let local = project.rules(app)?;
    let in_force = opened.engine.policy(&opened.service).await?.in_force.ok_or_else(|| {
        CliError::refused("no-policy", format!("no policy of {} is in force yet", opened.service))
            .hint("look at it with `tollgate policy show`, put it in force with `tollgate policy adopt`")
    })?;
    let checkout = opened.engine.world.working_copy(&project.folder()).await?;
    let url = url_of(&local, checkout.as_ref())?;
    same_repository(opened, &local, &url).await?;
    let folder = Some(project.folder().display().to_string());
    let origin = Origin { url, checkout, folder };
    let line = Growth { line: line.cloned(), ..Growth::default() }.line(&local.definition)?;
    let branch = line.as_ref().map_or(&local.definition.repository.branch, |line| &line.spec.branch).clone();
    let branch = branch.as_str();
    let mut surveyed = opened.engine.survey(&opened.service, origin, branch).await?;
    if let Some(revision) = revision {
        surveyed = opened.engine.surveyed_at(surveyed, revision).await?;
    }
    let committed = match app.global.file {
        // A file that was named is meant as it is.
        Some(_) => local.clone(),
        None => {
            let loaded = load_from_commit(&opened.engine, &surveyed).await?.ok_or_else(|| {
                CliError::refused(
                    "not-committed",
                    format!("commit {} of `{branch}` has no tollgate.yaml", surveyed.base.short()),
                )
                .hint("commit and push it: a release runs by the procedure of the commit that is released")
            })?;
            let name = format!("tollgate.yaml of commit {}", surveyed.base.short());
            rules(&loaded, &name, "mend it in a commit, and push that", app)?
        }
    };
    if committed.definition != local.definition {
        let at = surveyed.base.short();
        app.output.say(format!(
            "{} the procedure here differs from the one of commit {at}, which counts",
            styled(WAITS, "note:")
        ));
    }
    tell_difference(app, &committed.policy, &in_force);
    Ok(Ground { surveyed, committed, in_force, local: local.definition })
}

/// A service is one repository: another one that has the same service name must not get mixed up with it.
async fn same_repository(opened: &Opened, local: &Rules, url: &str) -> Result<(), CliError> {
    let Some(last) = opened.engine.releases(&opened.service, 1).await?.pop() else { return Ok(()) };
    let release = opened.engine.view(&opened.service, last.release).await?.release;
    let Some(run) = release.runs.last() else { return Ok(()) };
    let before = opened.engine.plan_blob(&run.plan).await?.url.clone();
    // Whoever writes the address into the procedure file says that it is meant.
    if repository_of(&before) == repository_of(url) || local.definition.repository.url.is_some() {
        return Ok(());
    }
    let why = format!("{} {} was released from {before}, and this is {url}", opened.service, last.version);
    Err(CliError::refused("other-repository", why).hint(
        "another service needs another name; if the repository has moved, say so in the procedure file with `repository: { url: … }`",
    ))
}

/// Host and path of an address, the same for all ways to get there.
fn repository_of(url: &str) -> String {
    let rest = url.split_once("://").map_or_else(|| url.replacen(':', "/", 1), |(_, rest)| rest.to_owned());
    let rest = match rest.split_once('/') {
        Some((host, path)) => format!("{}/{path}", host.rsplit('@').next().unwrap_or_default()),
        None => rest,
    };
    rest.trim_end_matches('/').trim_end_matches(".git").to_lowercase()
}

fn tell_difference(app: &App, committed: &Policy, in_force: &Policy) {
    if committed.hash() != in_force.hash() {
        app.output.say(format!(
            "{} the environments, gates or people in this commit are not the ones in force; see `tollgate policy show`",
            styled(WAITS, "note:")
        ));
    }
}

fn url_of(rules: &Rules, checkout: Option<&tollgate_engine::ports::Checkout>) -> Result<String, CliError> {
    let named = rules.definition.repository.url.clone();
    let remote = checkout.and_then(|checkout| checkout.remote_url.clone());
    let own = checkout.map(|checkout| checkout.root.display().to_string());
    named.or(remote).or(own).ok_or_else(|| {
        CliError::refused("no-repository", "there is no git repository here, and `repository.url` names none")
            .hint("name it in the procedure file: `repository: { url: … }`")
    })
}

fn procedure_of(rules: &Rules, named: Option<&str>) -> Result<ProcedureName, CliError> {
    let procedures = &rules.definition.procedures;
    if let Some(named) = named {
        return Ok(named.parse()?);
    }
    if let (Some((one, _)), 1) = (procedures.first(), procedures.len()) {
        return Ok(one.clone());
    }
    match procedures.keys().find(|name| name.as_str() == "release") {
        Some(release) => Ok(release.clone()),
        None => Err(CliError::refused(
            "which-procedure",
            format!("there are several procedures: {}", list(procedures.keys())),
        )
        .hint("name the one you mean: `tollgate start PROCEDURE`")),
    }
}

/// Where plans are kept until they are carried out.
pub(crate) fn plan_file(app: &App, service: &ServiceName, id: &str) -> Result<PathBuf, CliError> {
    Ok(app.state_folder(service)?.join("plans").join(format!("{id}.json")))
}

/// Keeps a plan, so that `start --plan` can tell what moved since.
pub(crate) fn keep(app: &App, service: &ServiceName, plan: &Plan) -> Result<(), CliError> {
    let file = plan_file(app, service, &plan.id().to_string())?;
    let failed = |error: std::io::Error| CliError::error("state", format!("{}: {error}", file.display()));
    let text = serde_json::to_string(plan).map_err(|error| CliError::error("json", error.to_string()))?;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(&file, text).map_err(failed)
}

/// A plan for people; `more` stands before the command that carries it out.
pub(crate) fn render(plan: &Plan, diff: Option<&str>, more: &str) -> String {
    let mut text = String::new();
    let version = &plan.version;
    let from =
        version.previous.as_ref().map(|previous| format!(" after {}", previous.text)).unwrap_or_default();
    text.push_str(&format!(
        "{}  {} from {} of `{}`\n",
        styled(HEAD, format!("{} {}", plan.definition.service, version.text)),
        styled(FAINT, format!("{}{from},", version.bump)),
        plan.base.short(),
        plan.definition.repository.branch
    ));
    text.push_str(&super::respin::head(plan));
    for reason in version.because.iter().take(5) {
        text.push_str(&format!("  {} {}\n", styled(FAINT, "because"), line(reason)));
    }
    if let Some(target) = &plan.target {
        text.push_str(&format!(
            "  {} {}\n",
            styled(FAINT, "released on"),
            target.day.strftime("%a %Y-%m-%d")
        ));
    }
    let changes = count(plan.changes_total, "commit");
    let authors: Vec<String> = plan.authors.iter().map(ToString::to_string).collect();
    let by = if authors.is_empty() { String::new() } else { format!(" by {}", authors.join(", ")) };
    let strangers = match plan.strangers {
        0 => String::new(),
        1 => ", 1 author the policy does not know".into(),
        some => format!(", {some} authors the policy does not know"),
    };
    text.push_str(&format!("  {} {changes}{by}{strangers}\n", styled(FAINT, "content")));
    if let Some(risk) = of_plan(plan, &plan.policy) {
        let words = wrapped(&line(&risk.words()), 10);
        text.push_str(&format!("  {}    {}\n", styled(FAINT, "risk"), words.trim()));
    }
    text.push('\n');
    let width = plan.steps.iter().map(|step| step.id.as_str().len()).max().unwrap_or(0);
    for step in &plan.steps {
        let condition: Vec<&str> = step.conditions.iter().map(tollgate_core::expr::Expr::source).collect();
        let only = match condition.is_empty() {
            true => String::new(),
            false => format!("  if {}", line(&condition.join(" && "))),
        };
        let what = wrapped(&format!("{}{}{only}", line(&what(plan, step)), timing(plan, step)), width + 4);
        text.push_str(&format!("  {}  {}", styled(NAME, format!("{:width$}", step.id)), what.trim_start()));
    }
    text.push_str(&cut(plan, diff));
    text.push_str(more);
    text.push_str(&format!(
        "\n{} {}\n",
        styled(FAINT, "carry out exactly this with"),
        styled(NAME, how_to_start(plan))
    ));
    text
}

/// When a step begins, and by when it should be done, as far as it says so.
fn timing(plan: &Plan, step: &PlannedStep) -> String {
    let calendar = &plan.policy.calendar;
    let moment =
        |at: Option<Timestamp>| at.map(|at| format!(" ({})", crate::when::at(at))).unwrap_or_default();
    let mut text = String::new();
    if let Some(at) = &step.at {
        let when = match at {
            StepAt::Moment(one) => moment(plan.instant(one, calendar)),
            StepAt::Times(_) | StepAt::Window(_) => String::new(),
        };
        text.push_str(&format!("  at {at}{when}"));
    }
    if let Some(due) = &step.due {
        text.push_str(&format!("  due {due}{}", moment(plan.due(step, calendar))));
    }
    text
}

/// The command that carries a plan out.
fn how_to_start(plan: &Plan) -> String {
    let id = plan.id();
    match &plan.respin {
        Some(respin) => format!("tollgate respin {} --plan {} --why REASON", respin.release, id.short()),
        None => format!("tollgate start --plan {}", id.short()),
    }
}

/// What the cut changes: the files line by line, and the refs.
fn cut(plan: &Plan, diff: Option<&str>) -> String {
    let mut text = String::new();
    let width = plan.cut.files.iter().map(|file| line(&file.path).chars().count()).max().unwrap_or(0);
    if !plan.cut.files.is_empty() {
        text.push_str(&format!("\n{} {}\n", styled(HEAD, "edits"), count(plan.cut.files.len(), "file")));
    }
    for file in &plan.cut.files {
        let sign = |sign: &str, number: u64, style| match number {
            0 => String::new(),
            number => format!(" {}", styled(style, format!("{sign}{number}"))),
        };
        let (added, removed) = (sign("+", file.added, GOOD), sign("-", file.removed, BAD));
        text.push_str(&format!("  {:width$} {added}{removed}\n", line(&file.path)));
    }
    if let Some(diff) = diff.filter(|diff| !diff.is_empty()) {
        text.push_str(&format!("\n{}", coloured(diff)));
    }
    if !plan.cut.refs.is_empty() {
        let url = line(&plan.url);
        text.push_str(&format!("\n{} to {url}\n", styled(HEAD, "pushes")));
        for name in &plan.cut.refs {
            text.push_str(&format!("  {}\n", line(name)));
        }
    }
    if !plan.cut.unless.is_empty() {
        let (steps, how) = (list(&plan.cut.unless), "what they do is known when they are reached");
        text.push_str(&format!("\n{} not with {steps}: {how}\n", styled(WAITS, "note:")));
    }
    text
}

/// The most lines of a diff that people are shown; programs get all of it.
const DIFF_LINES_MAX: usize = 400;

/// A unified diff for people.
pub(super) fn coloured(diff: &str) -> String {
    let mut text = String::new();
    let lines: Vec<&str> = diff.lines().collect();
    for shown in lines.iter().take(DIFF_LINES_MAX) {
        let style = match shown.as_bytes().first() {
            _ if shown.starts_with("+++ ") || shown.starts_with("--- ") => HEAD,
            // What these lines say stands in the two names below; the first one sets files apart.
            _ if shown.starts_with("diff --git ") => {
                if !text.is_empty() {
                    text.push('\n');
                }
                continue;
            }
            _ if shown.starts_with("index ") => continue,
            Some(b'+') => GOOD,
            Some(b'-') => BAD,
            Some(b'@') => NAME,
            _ => Style::new(),
        };
        text.push_str(&format!("{}\n", styled(style, line(shown))));
    }
    if let Some(more) = lines.len().checked_sub(DIFF_LINES_MAX).filter(|more| *more > 0) {
        text.push_str(&format!("{}\n", styled(FAINT, format!("… {}", count(more, "more line")))));
    }
    text
}

/// What a planned step does, in words.
fn what(plan: &Plan, step: &PlannedStep) -> String {
    let fill = |text: &Template| fill(plan, step, text);
    let by = step.by.as_ref().map(|who| format!(" ({who})")).unwrap_or_default();
    if let Some(name) = &step.name {
        return format!("{}{by}", fill(name));
    }
    match &step.body {
        Body::Step(StepKind::Checklist(list)) if !step.items.is_empty() => {
            let items = (list.items().count() * step.items.len()) as u64;
            format!("a checklist{by} of {}", crate::output::count(items, "item"))
        }
        Body::Enter => format!("waits until every gate of {} is open", environment(step)),
        Body::Deploy(Deploy::Command { shell, .. }) => {
            format!("deploys to {}: {}", environment(step), first_line(&shell.command))
        }
        Body::Deploy(Deploy::Manual { instruction, by }) => {
            let by = by.as_ref().map(|who| format!(" ({who})")).unwrap_or_default();
            format!("a person deploys to {}{by}: {}", environment(step), first_line(&fill(instruction)))
        }
        Body::Deploy(Deploy::Merge { branch, .. }) => {
            format!("deploys to {} by merging it into {} and pushing that", environment(step), fill(branch))
        }
        Body::Deploy(Deploy::Observed) => format!("others deploy to {}", environment(step)),
        Body::Live(Some(probe)) => {
            let wanted = probe.expect.as_ref().map_or(plan.version.text.clone(), &fill);
            format!("waits until {} answers with {}", probe.url, first_line(&wanted))
        }
        Body::Live(None) => format!("{} has no probe: the deployer's word is taken", environment(step)),
        Body::Settle => format!("notes that it is verified in {}", environment(step)),
        Body::Step(kind) => kind_in_words(plan, step, kind, &by, &fill),
    }
}

fn kind_in_words(
    plan: &Plan,
    step: &PlannedStep,
    kind: &StepKind,
    by: &str,
    fill: &dyn Fn(&tollgate_core::model::Template) -> String,
) -> String {
    match kind {
        StepKind::GitCheck(_) => "looks whether the working copy is fit to release from".into(),
        StepKind::GitBranch { name } => format!("branch {}", fill(name)),
        StepKind::VersionBump => {
            let files: Vec<&str> =
                plan.definition.version.files.iter().map(|file| file.path.as_str()).collect();
            format!("writes {} into {}", plan.version.text, list(files))
        }
        StepKind::Changelog => {
            let file = plan
                .definition
                .changelog
                .as_ref()
                .map(|changelog| changelog.file.clone())
                .unwrap_or_default();
            let whole = plan.definition.changelog.as_ref().is_some_and(|changelog| changelog.whole);
            match whole {
                true => format!("makes {file} anew, with {} on top", plan.version.text),
                false => format!("adds the section of {} to {file}", plan.version.text),
            }
        }
        StepKind::GitCommit { message, .. } => format!("commits “{}”", first_line(&fill(message))),
        StepKind::GitTag { sign, .. } => {
            let signed = if *sign == Some(true) { "signed tag" } else { "tag" };
            format!("{signed} {}", plan.version.tag)
        }
        StepKind::GitPush { branch, tag } => {
            let own = [(*branch, "the branch"), (*tag, "the tag")];
            let own = own.iter().filter(|(is, _)| *is).map(|(_, what)| (*what).to_owned());
            let merged: Vec<String> =
                plan.merged_along(step).map(|branch| format!("the merge into {branch}")).collect();
            let at_once = if merged.is_empty() { "" } else { ", all at once" };
            format!("pushes {}{at_once}", and(own.chain(merged).collect()))
        }
        StepKind::GitMerge(merge) => match &merge.way {
            MergeWay::Into(branch) if merge.later => {
                format!("merges it into {}, for the next push to take along", fill(branch))
            }
            MergeWay::Into(branch) => format!("merges it into {} and pushes that", fill(branch)),
            MergeWay::From(branch) => {
                let at = plan.pinned.get(branch).map(|commit| format!(" ({})", commit.short()));
                format!("merges {branch}{} into it", at.unwrap_or_default())
            }
        },
        StepKind::GitVerify(verify) => {
            let what: Vec<&str> = [(verify.tag, "the tag"), (verify.commits, "the commits")]
                .iter()
                .filter(|(is, _)| *is)
                .map(|(_, what)| *what)
                .collect();
            format!("looks whether {} signed by {}", what.join(" and ") + " are", verify.signers.file)
        }
        StepKind::GitCherryPick(pick) => {
            let commits: Vec<String> = pick.commits.iter().map(|commit| first_line(&fill(commit))).collect();
            format!("takes {} over", commits.join(", "))
        }
        StepKind::Shell(shell) => format!("runs {}", first_line(&shell.command)),
        StepKind::LoadTest(test) => {
            let measures = list(test.rule.measures.keys());
            format!("runs the load test {}, and judges {measures}", first_line(&test.shell.command))
        }
        StepKind::Pack(spec) => crate::describe::packing(spec, plan),
        StepKind::Publish(spec) => {
            let filled = spec.target.try_map(|text| Ok::<_, std::convert::Infallible>(fill(text)));
            let Ok(target) = filled;
            crate::describe::publication(&target, &plan.version.text)
        }
        StepKind::Manual { instruction, .. } => format!("a person{by}: {}", first_line(&fill(instruction))),
        StepKind::Ask { questions } => format!("asks {}", list(questions)),
        StepKind::Approval(rule) => format!("waits for {} of {} to approve", rule.count, rule.by),
        StepKind::Checklist(list) => {
            format!("a checklist{by} of {}", crate::output::count(list.items().count() as u64, "item"))
        }
        StepKind::HandOver { role, to } => format!("hands `{role}` over to {to}"),
        StepKind::Vote(rule) => vote(rule),
        StepKind::Wait(wait) => {
            let fact = fact_text(wait.spec(), &fill);
            match wait {
                FactWait::Ci(_) => format!("waits until {fact} is good"),
                FactWait::Artifact { component, .. } => {
                    format!("waits for the digest of {component}: {fact}")
                }
            }
        }
        StepKind::Message(message) => format!("tells people: “{}”", first_line(&fill(&message.subject))),
        StepKind::Promote { .. } | StepKind::Parallel { .. } | StepKind::Phase { .. } => String::new(),
    }
}

/// How a fact is asked for.
fn fact_text(spec: &FactSpec, fill: &impl Fn(&Template) -> String) -> String {
    match (&spec.name, &spec.ask) {
        (Some(name), _) => format!("`{name}`"),
        (None, FactAsk::Command(shell)) => format!("`{}`", first_line(&shell.command)),
        (None, FactAsk::Http { url, .. }) => first_line(&fill(url)),
    }
}

/// What it takes for a vote to pass.
pub(crate) fn vote(rule: &VoteRule) -> String {
    let mut takes = Vec::new();
    if rule.quorum > 0 {
        takes.push(format!("{} × +1 of {}", rule.quorum, rule.by));
    }
    takes.push(match rule.lazy {
        true => format!("no -1 of {}", rule.by),
        false => rule.majority.to_string(),
    });
    takes.extend(rule.at_least.map(|period| format!("{} at least", crate::when::length(period))));
    format!("waits for a vote: {}", takes.join(", "))
}

/// A text filled in as far as it can be before the run; what only the run knows stays as it is written.
/// Words for a sentence: `a, b and c`.
fn and(mut words: Vec<String>) -> String {
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last } else { format!("{} and {last}", words.join(", ")) }
}

fn fill(plan: &Plan, step: &PlannedStep, text: &tollgate_core::model::Template) -> String {
    Context::planned(plan, Some(step)).fill(text).unwrap_or_else(|_| text.0.clone())
}

fn environment(step: &PlannedStep) -> String {
    step.environment.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn first_line(text: &str) -> String {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let shown: String = first.chars().take(90).collect();
    if shown.len() < text.trim().len() { format!("{shown} …") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::repository_of;

    #[test]
    fn one_repository_has_several_addresses() {
        let same = [
            "git@example.org:team/shop.git",
            "https://example.org/team/shop",
            "ssh://git@Example.org/team/shop.git/",
        ];
        assert_eq!(same.map(repository_of), ["example.org/team/shop"; 3]);
        assert_ne!(repository_of("https://example.org/team/ship"), repository_of(same[0]));
        assert_eq!(repository_of("/srv/shop.git"), "/srv/shop");
    }
}

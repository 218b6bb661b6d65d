//! `tollgate version`: the next version, and why.

use clap::Args;
use serde::Serialize;
use tollgate_core::version::{COUNTER_FIRST, Known, OddTag, Oddity, Version, Wish};
use tollgate_engine::planning::format_of;

use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{FAINT, HEAD, NAME, WAITS, count, line, styled};
use crate::project::Rules;

/// What about the version.
#[derive(Debug, Clone, Args)]
pub(crate) struct VersionArgs {}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Next {
    last: Option<Version>,
    next: Option<Version>,
    tag: Option<String>,
    bump: Option<String>,
    commits: usize,
    because: Vec<String>,
    odd_tags: Vec<OddTag>,
}

pub(crate) async fn run(app: &App, _: &VersionArgs) -> Result<Exit, CliError> {
    let project = app.project()?;
    let rules: Rules = project.rules(app)?;
    let world = app.world(&rules.definition.service)?;
    let survey = super::changelog::unreleased(app, &world, &project, &rules).await?;
    let format = format_of(&rules.definition)?;
    let known =
        Known { last: survey.last.as_ref(), pre: survey.pre.as_ref(), used: &survey.used, initial: None };
    let next = match survey.advice.bump {
        Some(bump) => {
            let wish = Wish { bump, pre: None, today: world.today(), first: COUNTER_FIRST };
            let next = format.next(&known, &wish);
            Some(next.map_err(|error| CliError::refused("no-next", error.to_string()))?)
        }
        None => None,
    };
    let tag = next.as_ref().and_then(|next| format.tag_name(next).ok());
    let because =
        survey.advice.because.iter().map(|reason| format!("{} {}", reason.commit.short(), reason.subject));
    let shown = Next {
        last: survey.last.clone(),
        next,
        tag,
        bump: survey.advice.bump.map(|bump| bump.to_string()),
        commits: survey.changes.len(),
        because: because.collect(),
        odd_tags: survey.odd.clone(),
    };
    app.output.data(&shown, || human(&shown))?;
    for note in odd_tags(&survey.odd, format.as_str()) {
        app.output.say(format!("{} {note}", styled(WAITS, "note:")));
    }
    Ok(Exit::Done)
}

/// How many tags are named; all of them are in the JSON document.
const NAMED_MAX: usize = 5;

/// What is told of tags that carry no version: one line for each kind, however many there are.
fn odd_tags(odd: &[OddTag], format: &str) -> Vec<String> {
    let (mut unfit, mut early, mut doubles) = (Vec::new(), Vec::new(), Vec::new());
    for tag in odd {
        let name = line(&tag.name);
        match &tag.oddity {
            Oddity::DoesNotFit => unfit.push(format!("`{name}`")),
            Oddity::InFuture => early.push(format!("`{name}`")),
            Oddity::Doubles { tag: other } => doubles.push(format!("`{name}` (`{}`)", line(other))),
        }
    }
    let kinds = [
        (unfit, format!("does not fit `{format}` and is"), format!("do not fit `{format}` and are")),
        (
            early,
            "is of a day that has not come and is".into(),
            "are of days that have not come and are".into(),
        ),
        (doubles, "doubles another one and is".into(), "double others and are".into()),
    ];
    let told = kinds.into_iter().filter_map(|(names, one, many)| match &names[..] {
        [] => None,
        [name] => Some(format!("tag {name} {one} left alone")),
        names => Some(format!("{} tags {many} left alone: {}", names.len(), some_of(names))),
    });
    told.collect()
}

fn some_of(names: &[String]) -> String {
    let shown = names[..names.len().min(NAMED_MAX)].join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more (`--json` names all)"),
    }
}

fn human(next: &Next) -> String {
    let last = next.last.as_ref().map_or("no release yet".into(), ToString::to_string);
    let Some(version) = &next.next else {
        let why = match next.commits {
            0 => "no commit since".to_owned(),
            1 => "the one commit since asks for no release".to_owned(),
            commits => format!("none of the {commits} commits since asks for a release"),
        };
        return format!("{last}  {}\n", styled(FAINT, why));
    };
    let bump = next.bump.clone().unwrap_or_default();
    let mut text = format!(
        "{last} → {}  {}\n",
        styled(HEAD, version),
        styled(FAINT, format!("{bump}, {}", count(next.commits, "commit")))
    );
    for reason in next.because.iter().take(10) {
        text.push_str(&format!("  {} {}\n", styled(FAINT, "because"), styled(NAME, line(reason))));
    }
    text
}

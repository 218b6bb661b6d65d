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
    let known = Known { last: survey.last.as_ref(), ..Known::default() };
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
    for odd in &survey.odd {
        let name = line(&odd.name);
        let what = match &odd.oddity {
            Oddity::DoesNotFit => {
                format!("tag `{name}` does not fit `{}` and is left alone", format.as_str())
            }
            Oddity::InFuture => format!("tag `{name}` is of a day that has not come and is left alone"),
            Oddity::Doubles { tag } => format!("tag `{name}` doubles `{}` and is left alone", line(tag)),
        };
        app.output.say(format!("{} {what}", styled(WAITS, "note:")));
    }
    Ok(Exit::Done)
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

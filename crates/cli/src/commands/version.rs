//! `tollgate version`: the next version, and why.

use clap::Args;
use serde::Serialize;
use tollgate_core::commits::MESSAGE_MAX_BYTES;
use tollgate_core::model::{BumpSource, Definition};
use tollgate_core::version::{OddTag, Oddity, Version};
use tollgate_engine::looking::VersionSurvey;
use tollgate_engine::planning::{PlanningError, format_of};

use super::plan::Growth;
use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::looked::LookArgs;
use crate::output::{FAINT, HEAD, NAME, WAITS, count, line, styled};

/// What about the version.
#[derive(Debug, Clone, Args)]
pub(crate) struct VersionArgs {
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    growth: Growth,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Next {
    last: Option<Version>,
    last_pre: Option<Version>,
    next: Option<Version>,
    tag: Option<String>,
    bump: Option<String>,
    commits: usize,
    because: Vec<String>,
    highest: Option<Version>,
    tags: usize,
    odd_tags: Vec<OddTag>,
}

pub(crate) async fn run(app: &App, args: &VersionArgs) -> Result<Exit, CliError> {
    let looked = app.looked(&args.look).await?;
    let definition = &looked.definition;
    let line = args.growth.line(definition)?;
    let wanted = args.growth.wanted(None, line);
    let survey = looked.survey(&wanted).await?;
    let format = format_of(definition)?;
    let next = match looked.world.next_version(definition, &survey, &wanted) {
        Ok(next) => Some(next),
        // That there is nothing to release is an answer here.
        Err(PlanningError::Version { code: "nothing-to-release", .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let shown = Next {
        last: survey.last.clone(),
        last_pre: survey.pre.clone(),
        tag: next.as_ref().and_then(|next| format.tag_name(&next.version).ok()),
        bump: next.as_ref().map(|next| next.bump.clone()),
        because: next.as_ref().map(|next| next.because.clone()).unwrap_or_default(),
        next: next.map(|next| next.version),
        commits: survey.commits,
        highest: survey.highest().cloned(),
        tags: survey.tags.len(),
        odd_tags: survey.odd.clone(),
    };
    let since = if survey.at_pre { 0 } else { survey.commits };
    let by = definition.version.next.bump;
    app.output.data(&shown, || human(&shown, since, by))?;
    let note = |text: String| app.output.say(format!("{} {text}", styled(WAITS, "note:")));
    if let Some(highest) = &shown.highest {
        note(format!(
            "{highest} is higher, and not the last release here: this commit does not descend from it"
        ));
    }
    tell_odd_tags(app, definition, &survey.odd, survey.tags.len());
    shortened(&survey).into_iter().for_each(note);
    Ok(Exit::Done)
}

/// What is told of messages that are too long to be read whole.
pub(super) fn shortened(survey: &VersionSurvey) -> Option<String> {
    let all = survey.changes.iter().chain(&survey.taken_back);
    let mut long: Vec<&str> = all.filter(|one| one.shortened).map(|one| one.commit.short()).collect();
    long.dedup();
    let kib = MESSAGE_MAX_BYTES / 1024;
    match &long[..] {
        [] => None,
        [one] => Some(format!("the message of {one} is longer than {kib} KiB: its middle was not read")),
        [one, ..] => Some(format!(
            "the messages of {one} and {} more are longer than {kib} KiB: their middle was not read",
            long.len() - 1
        )),
    }
}

/// How many tags are named; all of them are in the JSON document.
const NAMED_MAX: usize = 5;

/// Tells people of the tags that carry no version, of so many.
pub(super) fn tell_odd_tags(app: &App, definition: &Definition, odd: &[OddTag], all: usize) {
    for text in odd_tags(odd, all, &definition.version.format) {
        app.output.say(format!("{} {text}", styled(WAITS, "note:")));
    }
}

/// What is told of tags that carry no version: one line for each kind, however many there are.
fn odd_tags(odd: &[OddTag], all: usize, format: &str) -> Vec<String> {
    let (mut unfit, mut early, mut doubles) = (Vec::new(), Vec::new(), Vec::new());
    let mut elsewhere = Vec::new();
    for tag in odd {
        let name = line(&tag.name);
        match &tag.oddity {
            Oddity::DoesNotFit => unfit.push(format!("`{name}`")),
            Oddity::InFuture => early.push(format!("`{name}`")),
            Oddity::NotACommit => elsewhere.push(format!("`{name}`")),
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
        (elsewhere, "stands on no commit and is".into(), "stand on no commit and are".into()),
        (doubles, "doubles another one and is".into(), "double others and are".into()),
    ];
    let told = kinds.into_iter().filter_map(|(names, one, many)| match &names[..] {
        [] => None,
        [name] => Some(format!("tag {name} {one} left alone")),
        names => Some(format!("{} of {all} tags {many} left alone: {}", names.len(), some_of(names))),
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

/// The version for people; `since` is how many commits there are since what is named as the last one.
fn human(next: &Next, since: usize, by: BumpSource) -> String {
    let last = next.last_pre.as_ref().or(next.last.as_ref());
    let last = last.map_or("no release yet".into(), ToString::to_string);
    let Some(version) = &next.next else {
        let why = match since {
            _ if by == BumpSource::Files => "no change file since asks for a release".to_owned(),
            0 => "no commit since".to_owned(),
            _ if by == BumpSource::Labels => "no label of a pull request since asks for a release".to_owned(),
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

//! `tollgate changelog`: what is not released yet, or everything.

use std::ops::ControlFlow;

use clap::Args;
use serde::Serialize;
use tollgate_core::changelog::{ChangelogRules, Style};
use tollgate_core::version::{OddTag, Version};
use tollgate_engine::whole::Span;

use super::plan::Growth;
use super::version::tell_odd_tags;
use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::looked::{LookArgs, Looked};
use crate::output::{WAITS, plain, stream, styled};

/// What about the changelog.
#[derive(Debug, Clone, Args)]
pub(crate) struct ChangelogArgs {
    /// Every release, the newest first, and what is not released yet
    #[arg(long)]
    all: bool,
    /// Without what is in this tag, version or commit; as `--all` for the rest
    #[arg(long, value_name = "REVISION")]
    from: Option<String>,
    /// Up to this tag, version or commit; as `--all` for what is in it
    #[arg(long, value_name = "REVISION")]
    to: Option<String>,
    /// The style: `clog`, `keep-a-changelog` or `conventional-changelog`
    #[arg(long, value_name = "STYLE", value_parser = style)]
    style: Option<Style>,
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    growth: Growth,
}

fn style(name: &str) -> Result<Style, String> {
    match name {
        "clog" => Ok(Style::Clog),
        "keep-a-changelog" => Ok(Style::KeepAChangelog),
        "conventional-changelog" => Ok(Style::ConventionalChangelog),
        _ => Err("it is `clog`, `keep-a-changelog` or `conventional-changelog`".into()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Section {
    version: String,
    text: String,
    odd_tags: Vec<OddTag>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Whole {
    sections: Vec<Told>,
    odd_tags: Vec<OddTag>,
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Told {
    version: Option<Version>,
    tag: Option<String>,
    date: Option<String>,
    commits: usize,
}

pub(crate) async fn run(app: &App, args: &ChangelogArgs) -> Result<Exit, CliError> {
    let mut looked = app.looked(&args.look).await?;
    looked.changelog_rules(args.style.clone().map(ChangelogRules::of_style)).await?;
    if args.all || args.from.is_some() || args.to.is_some() {
        return whole(app, &looked, args).await;
    }
    let line = args.growth.line(&looked.definition)?;
    let wanted = args.growth.wanted(None, line);
    let survey = looked.survey(&wanted).await?;
    let (world, repository) = (&looked.world, &looked.repository);
    let section = world.changelog_section(repository, &looked.definition, &survey, &wanted).await?;
    let shown = {
        let (version, odd_tags) = (section.version.to_string(), survey.odd.clone());
        Section { version, text: section.text, odd_tags }
    };
    app.output.data(&shown, || plain(&shown.text))?;
    tell_odd_tags(app, &looked.definition, &survey.odd, survey.tags.len());
    if let Some(note) = super::version::shortened(&survey) {
        app.output.say(format!("{} {note}", styled(WAITS, "note:")));
    }
    Ok(Exit::Done)
}

/// Every release. People see it as it is written.
async fn whole(app: &App, looked: &Looked, args: &ChangelogArgs) -> Result<Exit, CliError> {
    let from = match &args.from {
        Some(from) => Some(looked.commit(from).await?),
        None => None,
    };
    let to = match &args.to {
        Some(to) => looked.commit(to).await?,
        None => looked.head.clone(),
    };
    let asked = looked.asked()?;
    let rules = looked.definition.changelog.as_ref().map(|spec| spec.rules.clone()).unwrap_or_default();
    let span = Span { to: &to, from: from.as_ref() };
    let (mut text, mut failed) = (String::new(), None);
    let json = app.output.json;
    let mut sink = |piece: &str| {
        if json {
            text.push_str(piece);
            return ControlFlow::Continue(());
        }
        match stream(&plain(piece)) {
            Ok(flow) => flow,
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    let made =
        looked.world.whole_changelog(&looked.repository, span, &asked, &rules, None, &mut sink).await?;
    let tollgate_engine::whole::Whole { sections, odd, tags } = made;
    if let Some(error) = failed {
        return Err(error);
    }
    if json {
        let sections = sections.into_iter().map(|one| Told {
            version: one.version,
            tag: one.tag,
            date: one.date.map(|date| date.to_string()),
            commits: one.commits,
        });
        app.output.data(&Whole { sections: sections.collect(), odd_tags: odd.clone(), text }, String::new)?;
    }
    tell_odd_tags(app, &looked.definition, &odd, tags);
    Ok(Exit::Done)
}

//! The next version: what tags, commits and people say about it, put together.

use jiff::civil::Date;
use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::ids::{LineName, RiskLevel, ServiceName};
use tollgate_core::model::{BumpSource, Definition, LineSpec};
use tollgate_core::version::{Bump, Known, PreLabel, Unfit, Version, VersionError, VersionFormat, Wish};
use tollgate_core::view::release_id;

use crate::looking::VersionSurvey;
use crate::planning::{PlanningError, format_of};
use crate::{Engine, EngineError, World};

/// The most releases of a service whose versions are looked at, the newest first. Older ones have their tags.
pub(crate) const RELEASES_MAX: usize = 200;
/// The most commits that are named as reasons.
const REASONS_MAX: usize = 20;

/// What somebody asks of the next version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Exactly this one.
    pub version: Option<String>,
    /// That it grows so much, whatever the commits say.
    pub bump: Option<Bump>,
    /// That it is a pre-release.
    pub pre: Option<PreLabel>,
    /// That it is one of a line of older versions.
    pub line: Option<Line>,
    /// How risky it is: never less than the rules say.
    pub risk: Option<RiskLevel>,
    /// That it is released on this day.
    pub target: Option<Date>,
    /// That it is released on this day where neither anybody says so nor the procedure.
    pub departs: Option<Date>,
}

impl Wanted {
    /// Exactly this version.
    pub fn exactly(version: &str) -> Self {
        Self { version: Some(version.to_owned()), ..Self::default() }
    }
}

/// A line of older versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is called.
    pub name: LineName,
    /// Where it is, and which versions it has.
    pub spec: LineSpec,
}

/// A version, and why it is this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The version.
    pub version: Version,
    /// How it was raised: `major`, `minor`, `patch`, `given` when a person named it, `initial` at the first release.
    pub bump: String,
    /// The commits that made it so, or who gave it.
    pub because: Vec<String>,
}

impl World {
    /// The day by a service's clocks: what versions and headings say.
    pub fn today_of(&self, definition: &Definition) -> Date {
        definition.version.next.zone.date(self.clock.now())
    }

    /// The next version.
    pub fn next_version(
        &self,
        definition: &Definition,
        survey: &VersionSurvey,
        wanted: &Wanted,
    ) -> Result<Proposal, PlanningError> {
        next_version_on(self.today_of(definition), definition, survey, wanted)
    }
}

/// The next version, on a day.
pub(crate) fn next_version_on(
    today: Date,
    definition: &Definition,
    survey: &VersionSurvey,
    wanted: &Wanted,
) -> Result<Proposal, PlanningError> {
    let format = format_of(definition)?;
    if let (Some(line), Some(last)) = (&wanted.line, &survey.last)
        && !line.spec.within.holds(last)
    {
        let why = format!(
            "`{}` holds {last} already, and the line `{}` stays within {}",
            line.spec.branch, line.name, line.spec.within
        );
        return Err(refused("outside-line", why, "correct `branch` or `within` of the line"));
    }
    let proposal = match &wanted.version {
        Some(text) => given(&format, text)?,
        None => proposed(&format, definition, survey, wanted, today)?,
    };
    let next = &proposal.version;
    for last in [&survey.last, &survey.pre].into_iter().flatten() {
        next.check_follows(last).map_err(|error| {
            refused("not-higher", error.to_string(), "choose a higher version with `--set-version`")
        })?;
    }
    next.check_date(today).map_err(|error| {
        refused("in-future", error.to_string(), "write the day of the release, or leave `--set-version` out")
    })?;
    match &wanted.line {
        Some(line) if !line.spec.within.holds(next) => Err(outside(line, &proposal, wanted)),
        _ => not_taken(&format, survey, wanted, proposal),
    }
}

/// A version whose tag is there already can only be that of another commit: on another branch, most of the time. Whether what
/// is here is to be called less than it is, or more, is for a person to say.
fn not_taken(
    format: &VersionFormat,
    survey: &VersionSurvey,
    wanted: &Wanted,
    proposal: Proposal,
) -> Result<Proposal, PlanningError> {
    let version = &proposal.version;
    let name = format.tag_name(version).ok();
    let Some(tag) = name.and_then(|name| survey.tags.iter().find(|tag| tag.name == name)) else {
        return Ok(proposal);
    };
    let (name, commit) = (&tag.name, tag.commit.short());
    let mut why = format!(
        "{version} is taken: the tag `{name}` stands on {commit}, which is no release before this commit"
    );
    if let (None, None, Some(reason)) = (&wanted.version, wanted.bump, proposal.because.first()) {
        let reason = plain_text(reason, Lines::Join);
        why.push_str(&format!("; {version} is asked for ({}): {reason}", proposal.bump));
    }
    let hint = match (&wanted.version, proposal.bump.as_str()) {
        (None, "major" | "minor") if format.numbers() > 2 => {
            "on a line of older versions, say with `--bump patch` that it is less than that; or choose another version with `--set-version`"
        }
        _ => "a tag is never moved or used again: choose another version with `--set-version`",
    };
    Err(refused("tag-exists", why, hint))
}

fn refused(code: &'static str, why: String, hint: &str) -> PlanningError {
    PlanningError::Version { code, why, hint: Some(hint.into()) }
}

/// A version that a person named.
pub(crate) fn given(format: &VersionFormat, text: &str) -> Result<Proposal, PlanningError> {
    let shown = || plain_text(text, Lines::Join).chars().take(60).collect::<String>();
    let version = match (format.read_text(text), format.read_tag(text)) {
        (Ok(version), _) | (_, Ok(version)) => version,
        (Err(Unfit::NoSuchDate), _) | (_, Err(Unfit::NoSuchDate)) => {
            let why = format!("`{}` names a date that is not in the calendar", shown());
            return Err(refused(
                "no-version",
                why,
                "write the day of the release, or leave `--set-version` out",
            ));
        }
        (Err(Unfit::Form), Err(Unfit::Form)) => {
            let why = format!("`{}` is no version of the form `{format}`", shown());
            let hint = "write it like the versions before, such as the one `tollgate version` proposes";
            return Err(refused("no-version", why, hint));
        }
    };
    Ok(Proposal { version, bump: "given".into(), because: vec!["chosen by a person".into()] })
}

fn proposed(
    format: &VersionFormat,
    definition: &Definition,
    survey: &VersionSurvey,
    wanted: &Wanted,
    today: Date,
) -> Result<Proposal, PlanningError> {
    let initial = match &definition.version.initial {
        Some(initial) if survey.last.is_none() => Some(format.parse_text(initial).ok_or_else(|| {
            let why = format!("`version.initial` is `{initial}`, which is no version of the form `{format}`");
            refused("no-version", why, "correct `version.initial`")
        })?),
        _ => None,
    };
    if let (Some(label), Some(pre)) = (&wanted.pre, &survey.pre)
        && survey.at_pre
        && pre.pre_label() == Some(label.as_str())
    {
        let why = format!("there is no commit since {pre}");
        let hint = "leave `--pre` out for the final version, or give it the next label";
        return Err(refused("nothing-to-release", why, hint));
    }
    let (bump, said, because) = match (&initial, wanted.bump) {
        (Some(_), _) => (Bump::Minor, "initial".to_owned(), vec!["the first release".to_owned()]),
        (None, Some(bump)) => (bump, bump.to_string(), vec!["chosen by a person".to_owned()]),
        (None, None) => asked_for(format, definition, survey)?,
    };
    let known = Known {
        last: survey.last.as_ref(),
        pre: survey.pre.as_ref(),
        initial: initial.as_ref(),
        used: &survey.used,
    };
    let (first, restart) = (definition.version.next.first, definition.version.next.restart);
    let wish = Wish { bump, pre: wanted.pre.clone(), today, first, restart };
    let next = |known: &Known<'_>| {
        format.next(known, &wish).map_err(|error| refused("no-next", error.to_string(), way_out(&error)))
    };
    let (version, passed) = above_lost(format, survey, next(&known)?, &wish);
    let with_passed = |mut because: Vec<String>| {
        because.extend(passed.iter().map(|lost| {
            format!("{lost} was given up when it may have been out already, and is not used again")
        }));
        because
    };
    // A series of pre-releases may have promised more than the commits ask for now.
    if let (Some(pre), Some(last)) = (&survey.pre, &survey.last)
        && version.is_of_more_than(&next(&Known { pre: None, used: &[], ..known })?)
    {
        let bump = version.raised_since(last).map_or(said, |bump| bump.to_string());
        let because = with_passed(vec![format!("{pre} was released before")]);
        return Ok(Proposal { version, bump, because });
    }
    Ok(Proposal { version, bump: said, because: with_passed(because) })
}

/// The next version above those that were given up and are used up all the same, with these: else whatever starts releases
/// by itself would ask for the same one again and again.
fn above_lost(
    format: &VersionFormat,
    survey: &VersionSurvey,
    mut version: Version,
    wish: &Wish,
) -> (Version, Vec<Version>) {
    let mut passed = Vec::new();
    // Each is passed once at most.
    while survey.lost.contains(&version) && passed.len() < survey.lost.len() {
        let known = Known { last: Some(&version), used: &survey.used, ..Known::default() };
        let wish = Wish { bump: Bump::Patch, pre: None, ..wish.clone() };
        match format.next(&known, &wish) {
            Ok(next) if next > version => passed.push(std::mem::replace(&mut version, next)),
            // It is refused when it starts, with the reason.
            _ => break,
        }
    }
    (version, passed)
}

fn way_out(error: &VersionError) -> &'static str {
    match error {
        VersionError::Backwards { .. } => {
            "give it the label that is there or a later one, or leave `--pre` out for the final version"
        }
        VersionError::NoPreReleases { .. } => "correct `version.format`, or leave `--pre` out",
        VersionError::NoCounter { .. } => "correct `version.format`",
        _ => "choose the version with `--set-version`",
    }
}

/// How much the version grows where nobody said so at the start.
fn asked_for(
    format: &VersionFormat,
    definition: &Definition,
    survey: &VersionSurvey,
) -> Result<(Bump, String, Vec<String>), PlanningError> {
    if definition.version.next.bump == BumpSource::Ask && format.is_decided() {
        let why = "how much the version grows is for a person to say (`version.bump` is `ask`)".to_owned();
        return Err(refused(
            "which-bump",
            why,
            "say it with `--bump major`, `--bump minor` or `--bump patch`",
        ));
    }
    if definition.version.next.label_rules().is_some() && !survey.labelled {
        let why =
            "how much the version grows is for labels of pull requests to say (`version.bump` is `labels`), \
                   and none were asked for here"
                .to_owned();
        return Err(refused("which-bump", why, "say it with `bump`, or give changes their `labels`"));
    }
    let Some(bump) = survey.advice.bump else {
        let since =
            survey.previous.as_ref().map_or("the beginning".into(), |previous| format!("`{}`", previous.tag));
        let why = match survey.commits {
            _ if survey.filed.is_some() => format!("no change file since {since} asks for a release"),
            _ if survey.labelled && survey.commits > 0 => {
                format!("no label of a pull request since {since} asks for a release")
            }
            0 => format!("there is no commit since {since}"),
            1 => format!("the one commit since {since} asks for no release"),
            count => format!("none of the {count} commits since {since} asks for a release"),
        };
        let hint = "release all the same with `--set-version VERSION`";
        return Err(refused("nothing-to-release", why, hint));
    };
    let because = survey.advice.because.iter().take(REASONS_MAX);
    let because = because.map(|reason| match &reason.file {
        Some(file) => format!("{file}: {}", reason.subject),
        None => format!("{} {}", reason.commit.short(), reason.subject),
    });
    let because = because.collect();
    Ok((bump, bump.to_string(), because))
}

/// A version that its line cannot have.
fn outside(line: &Line, proposal: &Proposal, wanted: &Wanted) -> PlanningError {
    let Line { name, spec } = line;
    let (version, within) = (&proposal.version, &spec.within);
    if wanted.version.is_some() || wanted.bump.is_some() {
        let why = format!("the line `{name}` stays within {within}, and {version} is not");
        return refused("outside-line", why, "choose one of the line, or release it without `--line`");
    }
    let commit = proposal.because.first().map(String::as_str).unwrap_or_default();
    let commit = plain_text(commit, Lines::Join);
    let why = format!(
        "the line `{name}` stays within {within}, and {version} is asked for ({}): {commit}",
        proposal.bump
    );
    let hint = format!(
        "take the commit back on `{}`, or say with `--bump` or `--set-version` that it is less than that",
        spec.branch
    );
    refused("outside-line", why, &hint)
}

impl Engine {
    /// The versions of a service that are under way, released or burnt: no counter gives one of them again.
    pub(crate) async fn used_versions(
        &self,
        service: &ServiceName,
        format: &VersionFormat,
    ) -> Result<Vec<Version>, EngineError> {
        if !format.looks_back() {
            return Ok(Vec::new());
        }
        self.taken_versions(service, format).await
    }

    /// The same, whether the format counts or not.
    pub(crate) async fn taken_versions(
        &self,
        service: &ServiceName,
        format: &VersionFormat,
    ) -> Result<Vec<Version>, EngineError> {
        let mut used = Vec::new();
        for row in self.releases(service, RELEASES_MAX).await? {
            used.extend(row.also.iter().filter_map(|name| format.parse_text(name)));
            let Some(version) = format.parse_text(&row.version) else { continue };
            // One that was given up before its tag was made can be had again.
            let free = row.status == "aborted"
                && !self.view(service, release_id(service, &row.version)).await?.release.is_burnt();
            if !free {
                used.push(version);
            }
        }
        Ok(used)
    }
}

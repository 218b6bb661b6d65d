//! Versions as Debian writes them, held against versions of releases. The one place that does, for files that were built and
//! for lists of repositories alike, and for `debian/changelog`.
//!
//! A Debian version is `[epoch:]upstream[-revision]`; the epoch and the revision are the packagers'. In it `~` sorts before
//! everything, so that `1.9.0~rc.1` comes before `1.9.0`, and is what packagers write for `1.9.0-rc.1`.

use super::read::pieces;

/// Words in front of which a `-` begins a pre-release, and no revision.
const PRE_RELEASES: [&str; 14] = [
    "a", "alpha", "b", "beta", "c", "canary", "dev", "m", "next", "nightly", "pre", "preview", "rc",
    "snapshot",
];
/// Words that stand behind `~` where a package was built once more for an older system. Everything else there is a pre-release.
const REBUILT: [&str; 3] = ["bpo", "deb", "ubuntu"];

/// What begins the mark of a source that files were taken out of.
const REPACKED: [&str; 3] = ["+dfsg", "+ds", "+repack"];

/// A version of a release.
struct Release<'a> {
    /// Its numbers; all of it where it is of another form.
    core: &'a str,
    /// What makes it a pre-release, such as `rc.1`.
    pre: Option<&'a str>,
    /// What stands behind the plus.
    build: Option<&'a str>,
}

/// Whether a Debian version, such as `1:1.9.0~rc.1-2`, is one of a release, such as `1.9.0-rc.1`. The codename is that of the
/// distribution that it is for: builds for it can end with `~bookworm1`.
pub(crate) fn is_of_release(found: &str, version: &str, codename: &str) -> bool {
    let found = found.split_once(':').map_or(found, |(_, rest)| rest);
    let release = Release::of(version);
    let Some(rest) = found.strip_prefix(release.core) else { return false };
    match release.pre {
        None => ends(rest, &release, codename),
        Some(pre) => {
            let rest = rest.strip_prefix(['~', '-', '.', '_']).unwrap_or(rest);
            let hyphens = |text: &str| text.matches('-').count();
            let ends_at = |at: usize| {
                // A hyphen begins the revision, but for those of the pre-release itself.
                let (own, end) = rest.split_at(at);
                hyphens(own) == hyphens(pre) && pieces(own) == pieces(pre) && ends(end, &release, codename)
            };
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(ends_at)
        }
    }
}

/// What packagers call a release, without epoch and revision: `1.9.0~rc.1` for `1.9.0-rc.1`, and for `1.9.0rc1` as well
/// `1.9.0~rc1`. Whether that can stand in a Debian version is not looked at.
pub(crate) fn upstream(version: &str) -> String {
    let Release { core, pre, build } = Release::of(version);
    let pre = pre.map(|pre| format!("~{pre}")).unwrap_or_default();
    let build = build.map(|build| format!("+{build}")).unwrap_or_default();
    format!("{core}{pre}{build}")
}

/// The release that a Debian version is of: without epoch, revision, and what says that files were taken out of the source.
pub(crate) fn release_of(found: &str) -> String {
    let found = found.split_once(':').map_or(found, |(_, rest)| rest);
    let upstream = found.rsplit_once('-').map_or(found, |(upstream, _)| upstream);
    let cut = REPACKED.iter().filter_map(|mark| upstream.find(mark)).min();
    upstream[..cut.unwrap_or(upstream.len())].replace('~', "-")
}

/// Whether a text is only what packagers put behind a version.
fn ends(rest: &str, release: &Release<'_>, codename: &str) -> bool {
    let rest = match release.build.and_then(|build| Some((rest.strip_prefix('+')?, build))) {
        Some((rest, build)) => match rest.strip_prefix(build) {
            Some(rest) => rest,
            None => return false,
        },
        None if release.build.is_some() => return false,
        None => rest,
    };
    let mut chars = rest.chars();
    let (first, rest) = (chars.next(), chars.as_str());
    let word = rest.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_ascii_lowercase();
    match first {
        None | Some('+') => true,
        Some('-') => !rest.is_empty() && !rest.contains('-') && !PRE_RELEASES.contains(&word.as_str()),
        Some('~') => REBUILT.contains(&word.as_str()) || (!codename.is_empty() && rest.starts_with(codename)),
        Some(_) => false,
    }
}

impl<'a> Release<'a> {
    fn of(version: &'a str) -> Self {
        let (plain, build) = match version.split_once('+') {
            Some((plain, build)) => (plain, Some(build)),
            None => (version, None),
        };
        let bytes = plain.as_bytes();
        let mut end = 0;
        while let Some(byte) = bytes.get(end) {
            // The hyphens of a date, `2026-11-21`, are no pre-release's.
            let of_date = *byte == b'-'
                && !plain[..end].contains('.')
                && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
            if !byte.is_ascii_digit() && *byte != b'.' && !of_date {
                break;
            }
            end += 1;
        }
        let rest = plain[end..].trim_start_matches(['-', '.', '_']);
        // A version after the release is a release of its own.
        if rest.is_empty() || end == 0 || rest.starts_with("post") {
            return Self { core: plain, pre: None, build };
        }
        Self { core: plain[..end].trim_end_matches('.'), pre: Some(rest), build }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_debian_version_is_of_one_release() {
        let check = |version: &str, yes: &[&str], no: &[&str]| {
            for found in yes {
                assert!(is_of_release(found, version, "bookworm"), "{found} is {version}");
            }
            for found in no {
                assert!(!is_of_release(found, version, "bookworm"), "{found} is not {version}");
            }
        };
        let finals = [
            "1.9.0",
            "1:1.9.0-2",
            "1.9.0+dfsg-1",
            "1.9.0-0ubuntu1~22.04.1",
            "1.9.0-1~bpo12+1",
            "1.9.0~bpo12+1",
            "1.9.0~ubuntu22.04.1",
            "1.9.0~bookworm1",
            "1.9.0-r3",
        ];
        let candidates =
            ["1.9.0~rc.1", "1.9.0~rc1-1", "3:1.9.0~rc.1-2~bpo12+1", "1.9.0-rc.1", "1.9.0-rc.1-1", "1.9.0rc1"];
        let others = [
            "1.9.01",
            "1.9",
            "1.9.0.1",
            "1.8.0",
            "11.9.0",
            "1.9.0~",
            "1.9.0-",
            "1.9.0-1-1",
            "",
            "1.9.0~git20261122-1",
        ];
        let all = |lists: &[&[&'static str]]| lists.concat();
        check("1.9.0", &finals, &all(&[&candidates, &others]));
        let more = ["1.9.0~rc.2", "1.9.0~rc.10-1", "1.9.0~rc-1", "1.9.0~beta.1", "1.9.0~rc.1~git2"];
        check("1.9.0-rc.1", &candidates, &all(&[&finals, &others, &more]));
        check("1.9.0rc1", &candidates, &all(&[&finals, &others, &more]));
        check("1.9.0.dev4", &["1.9.0~dev4-1", "1.9.0.dev4"], &["1.9.0-1", "1.9.0~dev5"]);
        check("1.9.0.post1", &["1.9.0.post1-1"], &["1.9.0-1", "1.9.0.post2-1"]);
        check("1.9.0-1", &["1.9.0~1", "1.9.0~1-1", "1.9.0-1"], &["1.9.0", "1.9.0~2-1"]);
        check("1.9.0-alpha-x.1", &["1.9.0~alpha-x.1-1"], &["1.9.0~alpha-1"]);
        check("1.9.0+b7", &["1.9.0+b7", "1.9.0+b7-1"], &["1.9.0", "1.9.0+b8-1"]);
        check("2026-11-21", &["2026-11-21", "2026-11-21-1"], &["2026-11-22-1", "2026-11-2"]);
        check("42", &["42", "42-1"], &["420", "4", "42.1-1"]);
    }

    #[test]
    fn a_release_has_one_name_among_packagers() {
        let cases = [
            ("1.9.0", "1.9.0"),
            ("1.9.0-rc.1", "1.9.0~rc.1"),
            ("1.9.0rc1", "1.9.0~rc1"),
            ("1.9.0.dev4", "1.9.0~dev4"),
            ("1.9.0.post1", "1.9.0.post1"),
            ("1.9.0-rc.1+b7", "1.9.0~rc.1+b7"),
            ("2026.05.1", "2026.05.1"),
            ("2026-11-21", "2026-11-21"),
            ("42", "42"),
        ];
        for (version, name) in cases {
            assert_eq!(upstream(version), name);
        }
        for (found, release) in [
            ("2:1.9.0~rc.1-1~bpo12+1", "1.9.0-rc.1"),
            ("1.9.0+dfsg1-3", "1.9.0"),
            ("1.9.0+ds", "1.9.0"),
            ("1.9.0+b7", "1.9.0+b7"),
            ("1.9.0~rc1", "1.9.0-rc1"),
            ("2026-11-21-1", "2026-11-21"),
            ("", ""),
        ] {
            assert_eq!(release_of(found), release);
        }
    }

    proptest! {
        #[test]
        fn what_a_release_is_called_is_of_it(
            version in "[1-9](\\.[0-9]{1,2}){0,2}(-?(alpha|beta|rc|dev)\\.?[0-9]{1,2}|\\.post1|-[0-9])?(\\+[a-z][0-9])?",
            epoch in "([0-9]:)?",
            revision in "-[0-9]",
        ) {
            let found = format!("{epoch}{}{revision}", upstream(&version));
            prop_assert!(is_of_release(&found, &version, ""), "{} {}", found, version);
            prop_assert!(is_of_release(&found, &release_of(&found), ""), "{}", found);
        }

        #[test]
        fn whatever_packagers_add_it_stays_one_version(
            numbers in "[1-9]\\.[0-9]{1,2}\\.[0-9]{1,2}",
            pre in "(~(alpha|beta|rc)\\.?[0-9]{1,2})?",
            other in "(~(alpha|beta|rc)\\.?[0-9]{1,2})?",
            packaging in "(-[1-9](ubuntu[0-9]|\\+deb12u[0-9])?)?(~bpo12\\+[0-9])?",
            epoch in "([0-9]:)?",
        ) {
            let release = |pre: &str| format!("{numbers}{}", pre.replace('~', "-"));
            let found = format!("{epoch}{numbers}{pre}{packaging}");
            prop_assert!(is_of_release(&found, &release(&pre), "bookworm"), "{}", found);
            let same = pre.replace('.', "") == other.replace('.', "");
            prop_assert_eq!(is_of_release(&found, &release(&other), "bookworm"), same, "{} {}", found, other);
        }

        #[test]
        fn any_texts_are_held_against_each_other(found in ".{0,20}", version in "([0-9a-z.+~_-]|é){0,12}") {
            let _ = is_of_release(&found, &version, "bookworm");
            let _ = is_of_release(&format!("{version}{found}"), &version, "");
            let _ = (upstream(&found), release_of(&found));
        }
    }
}

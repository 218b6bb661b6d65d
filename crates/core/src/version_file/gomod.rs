//! The path of a Go module, which has to name the first number of the version from 2 on.

use super::known::Finder;
use super::tree::text;
use super::{Place, ReadError, RepoPath, Spot, Write};
use crate::commits::one_line;

pub(super) fn find(finder: &mut Finder<'_>, path: &RepoPath) -> Option<()> {
    let bytes = finder.must(path)?;
    let (start, source) = finder.take(text(path, bytes))?;
    let mut at = start;
    for (index, line) in source.split_inclusive('\n').enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let mut words = code.split_ascii_whitespace();
        if words.next() == Some("module")
            && let Some(word) = words.next().filter(|word| *word != "(")
        {
            let module = word.trim_matches(['"', '`']);
            let from = at + code.find(word).unwrap_or_default() + word.find(module).unwrap_or_default();
            let place = Place { at: from..from + module.len(), line: index + 1 };
            let found = module.to_owned();
            finder.spots.push(Spot { path: path.clone(), place, found, write: Write::GoModule });
            return Some(());
        }
        at += line.len();
    }
    finder.error(ReadError::NoVersion { path: path.clone(), what: "`module` line".to_owned() });
    None
}

/// Whether a module of this path can have this version.
pub(super) fn check(module: &str, version: &str) -> Result<(), String> {
    let digits = version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let major: u64 = digits.parse().unwrap_or(u64::MAX);
    let old = module.starts_with("gopkg.in/");
    let split = module.rsplit_once(if old { ".v" } else { "/v" });
    let named = split.and_then(|(base, number)| Some((base, Some(number.parse::<u64>().ok()?))));
    let (base, named) = named.unwrap_or((module, None));
    let fits = match named {
        Some(named) => named == major && (old || major > 1),
        None => major < 2,
    };
    if fits {
        return Ok(());
    }
    let wanted = match (old, major) {
        (true, _) => format!("{base}.v{major}"),
        (false, 0 | 1) => base.to_owned(),
        (false, _) => format!("{base}/v{major}"),
    };
    Err(format!(
        "{version} asks for the module path `{}`, and this is `{}`: change it here and in every import, in a commit before the release",
        one_line(&wanted, 120),
        one_line(module, 120)
    ))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn the_path_fits_the_first_number() {
        let cases = [
            ("example.org/x", "0.9.0", None),
            ("example.org/x", "1.9.0", None),
            ("example.org/x", "2.0.0", Some("`example.org/x/v2`")),
            ("example.org/x/v2", "2.3.0", None),
            ("example.org/x/v2", "3.0.0-rc.1", Some("`example.org/x/v3`")),
            ("example.org/x/v2", "1.0.0", Some("`example.org/x`")),
            ("example.org/x/v1", "1.0.0", Some("`example.org/x`")),
            ("example.org/vault", "1.0.0", None),
            ("gopkg.in/yaml.v3", "3.0.1", None),
            ("gopkg.in/yaml.v3", "4.0.0", Some("`gopkg.in/yaml.v4`")),
        ];
        for (module, version, wanted) in cases {
            match (check(module, version), wanted) {
                (Ok(()), None) => {}
                (Err(why), Some(part)) => assert!(why.contains(part), "{module} {version}: {why}"),
                (got, _) => panic!("{module} {version}: {got:?}"),
            }
        }
    }
}

//! Taking the changes of single commits over.

use tollgate_core::commits::co_authors;
use tollgate_engine::ports::{ObjectId, PickOutcome, PickRequest, PortError, Repository};

use super::Git;
use super::environment::UserSetup;
use super::fault::permanent;
use super::lock::Writing;
use super::merge::{clashes, merge_tree, shown};
use super::read::{is_ancestor, object, types};
use super::refresh::need_clone;
use super::run::Call;
use super::write::{commit_tree, date, signs};

/// The git that merges against a base that it is told.
const PICKS: (u32, u32) = (2, 40);
/// What starts the line that says where a commit is from.
const ORIGIN: &str = "(cherry picked from commit ";

/// A commit as it is taken over.
struct Original {
    parents: Vec<ObjectId>,
    author: String,
    email: String,
    date: String,
    message: String,
}

/// Takes the changes of a commit over onto another.
pub(super) async fn cherry_pick(
    git: &Git,
    repository: &Repository,
    request: &PickRequest,
) -> Result<PickOutcome, PortError> {
    let what = format!("take {} over onto {}", request.commit, request.onto);
    git.needs(&what, PICKS, "taking a commit over without a working copy")?;
    let committed = date(&what, request.at)?;
    need_clone(repository, &what)?;
    let (onto, commit) = (&request.onto, &request.commit);
    let asked = [object(onto)?.to_owned(), object(commit)?.to_owned()];
    let kinds: Vec<_> = types(git, repository, &what, &asked).await?;
    let kinds: Vec<Option<&str>> =
        kinds.iter().map(|found| found.as_ref().map(|(_, kind)| kind.as_str())).collect();
    match kinds[..] {
        [Some("commit"), Some("commit")] => {}
        [Some("commit"), None] => {
            let hint = "push it to a branch of the remote, then retry";
            return Ok(refused("is not in the repository", Some(hint)));
        }
        [Some("commit"), Some(kind)] => return Ok(refused(&format!("is not a commit but a {kind}"), None)),
        _ => return Err(permanent(what, format!("{onto} is not a commit in the clone"), None)),
    }
    if is_ancestor(git, repository, commit, onto).await? == Some(true) {
        return Ok(PickOutcome::Contained);
    }
    let original = original(git, repository, &what, commit).await?;
    let parent = match parent(&original, request.mainline) {
        Ok(parent) => parent.clone(),
        Err((why, hint)) => return Ok(refused(&why, Some(hint))),
    };
    if original.parents.len() == 1 && has_same_patch(git, repository, &what, onto, commit, &parent).await? {
        return Ok(PickOutcome::Contained);
    }
    let user = UserSetup::read(git, repository).await?;
    let sign = signs(git, repository, &user, request.sign).await?;
    let _turn = Writing::in_clone(git, repository).await?;
    let tree = match merge_tree(git, repository, &what, Some(&parent), onto, commit).await? {
        Ok(tree) => tree,
        Err(paths) => {
            let ranges = [(onto, &parent), (commit, &parent)];
            return Ok(PickOutcome::Conflict(clashes(git, repository, &what, paths, &ranges).await?));
        }
    };
    let same = types(git, repository, &what, &[format!("{}^{{tree}}", onto.0)]).await?;
    if same.into_iter().flatten().next().is_some_and(|(id, _)| id == tree) {
        // Nothing is left to change: it is there in other words.
        return Ok(PickOutcome::Contained);
    }
    let call = Call::within(git, repository, &what)
        .user(&user)
        .variable("GIT_AUTHOR_NAME", &original.author)
        .variable("GIT_AUTHOR_EMAIL", &original.email)
        .variable("GIT_AUTHOR_DATE", &original.date);
    let message = with_origin(&original.message, commit);
    let commit = commit_tree(call, &tree, std::slice::from_ref(onto), &committed, sign, message).await?;
    let others = co_authors(&original.message).into_iter().map(|person| person.email);
    let authors = std::iter::once(shown(original.email.as_bytes())).chain(others).collect();
    Ok(PickOutcome::Picked { commit, authors })
}

fn refused(why: &str, hint: Option<&str>) -> PickOutcome {
    PickOutcome::Refused { why: why.to_owned(), hint: hint.map(Into::into) }
}

/// The commit that the changes are counted against.
fn parent(original: &Original, mainline: Option<u32>) -> Result<&ObjectId, (String, &'static str)> {
    let count = original.parents.len();
    match (original.parents.as_slice(), mainline) {
        ([], _) => Err((
            "is the first of its history: there is nothing it changed".to_owned(),
            "pick commits that have one before them",
        )),
        // A mainline says how merge commits are taken; those with one parent have no choice.
        ([only], None | Some(1)) => Ok(only),
        ([_], Some(number)) => Err((
            format!("has one parent, and `mainline` is {number}"),
            "leave `mainline` out, or pick merge commits in a step of their own",
        )),
        (_, None) => Err((
            format!(
                "is a merge of {count} parents, so what it changed depends on which one it is compared with"
            ),
            "pick the commits that it merged, or say with `mainline: 1` that its first parent counts",
        )),
        (parents, Some(number)) => parents.get((number as usize).wrapping_sub(1)).ok_or_else(|| {
            (format!("has {count} parents, and `mainline` is {number}"), "name one of its parents, from 1")
        }),
    }
}

async fn original(
    git: &Git,
    repository: &Repository,
    what: &str,
    commit: &ObjectId,
) -> Result<Original, PortError> {
    let printed = Call::within(git, repository, what)
        .args(["log", "-1", "-z", "--no-mailmap", "--no-notes", "--no-patch", "--date=raw"])
        .args(["--format=tformat:%P%x00%an%x00%ae%x00%ad%x00%B", object(commit)?])
        .stdout()
        .await?;
    let printed = String::from_utf8_lossy(&printed).into_owned();
    let fields: Vec<&str> = printed.splitn(5, '\0').collect();
    let [parents, author, email, date, message] = fields[..] else {
        return Err(permanent(what, "git answered something unexpected", None));
    };
    let parents = parents.split(' ').filter(|id| !id.is_empty()).map(|id| ObjectId(id.to_owned())).collect();
    let message = message.trim_end_matches('\0').to_owned();
    let [author, email] = [author, email].map(ToOwned::to_owned);
    // With the sign that tells git that these are seconds, however many digits they have.
    Ok(Original { parents, author, email, date: format!("@{date}"), message })
}

/// Whether a commit with the same patch is in `onto` and not in what the commit stands on.
async fn has_same_patch(
    git: &Git,
    repository: &Repository,
    what: &str,
    onto: &ObjectId,
    commit: &ObjectId,
    parent: &ObjectId,
) -> Result<bool, PortError> {
    let listed = Call::within(git, repository, what)
        .args(["cherry", object(onto)?, object(commit)?, object(parent)?])
        .stdout()
        .await?;
    let line = format!("- {commit}");
    Ok(String::from_utf8_lossy(&listed).lines().any(|one| one == line))
}

/// The message with a line that says where the commit is from, set as `git cherry-pick -x` sets it.
fn with_origin(message: &str, commit: &ObjectId) -> String {
    let message = message.trim_end();
    let between = if ends_with_trailers(message) { "\n" } else { "\n\n" };
    format!("{message}{between}{ORIGIN}{commit})\n")
}

/// Whether the last paragraph, unless it is the subject, is made of lines such as `Signed-off-by: …` only.
fn ends_with_trailers(message: &str) -> bool {
    let Some((_, last)) = message.rsplit_once("\n\n") else { return false };
    last.lines().all(|line| {
        let key = line.split_once(": ").map(|(key, _)| key);
        let trailer = key
            .is_some_and(|key| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        trailer || line.starts_with(ORIGIN)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(c: char) -> ObjectId {
        ObjectId(c.to_string().repeat(40))
    }

    #[test]
    fn the_origin_stands_where_git_puts_it() {
        let line = format!("(cherry picked from commit {})\n", id('a'));
        let cases = [
            ("fix: x\n", format!("fix: x\n\n{line}")),
            ("fix: x\n\nbecause\n", format!("fix: x\n\nbecause\n\n{line}")),
            ("fix: x\n\nSigned-off-by: A <a@b>\n", format!("fix: x\n\nSigned-off-by: A <a@b>\n{line}")),
            (
                "fix: x\n\n(cherry picked from commit b)",
                format!("fix: x\n\n(cherry picked from commit b)\n{line}"),
            ),
            ("Fixes: all", format!("Fixes: all\n\n{line}")),
        ];
        for (message, want) in cases {
            assert_eq!(with_origin(message, &id('a')), want, "{message:?}");
        }
    }

    #[test]
    fn only_what_has_one_meaning_is_picked() {
        let of = |parents: &[char]| Original {
            parents: parents.iter().map(|c| id(*c)).collect(),
            author: String::new(),
            email: String::new(),
            date: String::new(),
            message: String::new(),
        };
        let cases: &[(&[char], Option<u32>, Option<char>)] = &[
            (&['a'], None, Some('a')),
            (&['a'], Some(1), Some('a')),
            (&['a'], Some(2), None),
            (&['a', 'b'], None, None),
            (&['a', 'b'], Some(1), Some('a')),
            (&['a', 'b', 'c'], Some(3), Some('c')),
            (&['a', 'b'], Some(3), None),
            (&['a', 'b'], Some(0), None),
            (&[], None, None),
        ];
        for (parents, mainline, want) in cases {
            let found = of(parents);
            assert_eq!(parent(&found, *mainline).ok().cloned(), want.map(id), "{parents:?} {mainline:?}");
        }
    }
}

//! Finding pull requests by what forges write into the messages of commits.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::commits::{Lines, plain_text};
use crate::ids::ObjectId;

/// The most digits of a number.
const DIGITS_MAX: usize = 10;
/// The longest title, in characters.
const TITLE_MAX_CHARS: usize = 200;

/// The number of a pull request, as forges count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PullNumber(u64);

impl fmt::Display for PullNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl PullNumber {
    /// A number as forges write it: digits, and no zero in front.
    pub fn new(digits: &str) -> Option<Self> {
        let plain = (1..=DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        plain.then(|| digits.parse().ok().map(Self)).flatten()
    }

    /// The bare number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The pull request that a commit says it is: a merge of it, or all of it in one.
    ///
    /// Known are the messages of GitHub, GitLab, Forgejo and Gitea, Bitbucket and Azure; a number in the middle of a text is
    /// only spoken of.
    pub fn of_message(message: &str) -> Option<Self> {
        let mut lines = message.lines().map(str::trim);
        let subject = lines.by_ref().find(|line| !line.is_empty())?;
        Self::of_subject(subject).or_else(|| {
            // The last one: what comes before can be quoted.
            let mut said = lines.filter_map(|line| line.strip_prefix("See merge request "));
            Self::new(said.next_back()?.rsplit_once('!')?.1)
        })
    }

    fn of_subject(subject: &str) -> Option<Self> {
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        for start in ["Merge pull request #", "Merged PR ", "Pull request #"] {
            if let Some(rest) = subject.strip_prefix(start) {
                return Self::new(&digits(rest));
            }
        }
        if subject.starts_with("Merge pull request '") {
            // In the title between the quotes can stand anything.
            let (_, rest) = subject.rsplit_once("' (#")?;
            return Self::new(rest.split_once(')')?.0);
        }
        let (_, last) = subject.strip_suffix(')')?.rsplit_once('(')?;
        let last = last.strip_prefix("pull request ").unwrap_or(last);
        Self::new(last.strip_prefix(['#', '!'])?)
    }
}

/// What a pull request is called, by the message of the commit that says it is it. Plain, on one line.
pub fn title(message: &str) -> String {
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let subject = lines.next().unwrap_or_default();
    let of_merge = ["Merge ", "Merged ", "Pull request #"].iter().any(|start| subject.starts_with(start));
    let said = match of_merge {
        true => lines.find(|line| !line.starts_with("See merge request ")).unwrap_or(subject),
        false => subject,
    };
    let plain = plain_text(said, Lines::Join);
    plain.trim().chars().take(TITLE_MAX_CHARS).collect()
}

/// A commit of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// The commit.
    pub commit: ObjectId,
    /// Its parents, the branch it was made on first.
    pub parents: Vec<ObjectId>,
    /// The pull request that it says it is.
    pub number: Option<PullNumber>,
}

/// By which pull request each commit came; those that are not here came by none. `heads` are what the commits were found from.
///
/// What a merge brings came by the merge's pull request, unless it says that it is one itself. What was there on the branch
/// before came by none of them, however often it was merged into theirs: so each branch is gone through from its oldest commit
/// on.
pub fn came_by(commits: &[Walked], heads: &[ObjectId]) -> HashMap<ObjectId, PullNumber> {
    let at: HashMap<&str, &Walked> = commits.iter().map(|one| (one.commit.0.as_str(), one)).collect();
    let mut known: HashSet<&str> = HashSet::new();
    let mut found = HashMap::new();
    for head in heads {
        let mut lines = vec![(line_of(head, &at, &known), None)];
        while let Some((line, number)) = lines.last_mut() {
            let number: Option<PullNumber> = *number;
            let Some(walked) = line.pop() else {
                lines.pop();
                continue;
            };
            if !known.insert(&walked.commit.0) {
                continue;
            }
            let number = walked.number.or(number);
            if let Some(number) = number {
                found.insert(walked.commit.clone(), number);
            }
            // The last one pushed is gone through first, and each looks again at what is known by then.
            for parent in walked.parents.iter().skip(1).rev() {
                lines.push((line_of(parent, &at, &known), number));
            }
        }
    }
    found
}

/// A commit and its first parents, the newest first, as far as they are in a walk and not known.
fn line_of<'w>(from: &ObjectId, at: &HashMap<&str, &'w Walked>, known: &HashSet<&str>) -> Vec<&'w Walked> {
    let mut line = Vec::new();
    let mut next = at.get(from.0.as_str());
    // Git has no circles; whatever else is told comes to an end all the same.
    while let Some(walked) =
        next.filter(|walked| !known.contains(walked.commit.0.as_str()) && line.len() < at.len())
    {
        line.push(*walked);
        next = walked.parents.first().and_then(|parent| at.get(parent.0.as_str()));
    }
    line
}

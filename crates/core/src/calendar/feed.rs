//! What an outside calendar holds: stretches of time with titles.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::CalendarError;
use super::rule::Cover;
use crate::commits::{Lines, plain_text};

/// The most stretches that one outside calendar can have.
pub const STRETCHES_MAX: usize = 100_000;

/// A stretch of time: its start belongs to it, its end does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stretch {
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

impl Stretch {
    /// Whether an instant is in it.
    pub fn contains(self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

/// A stretch of time with what goes on in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Titled {
    /// When.
    pub when: Stretch,
    /// What, plain and on one line.
    pub title: String,
}

/// What an outside calendar holds. What overlaps or follows at once is one stretch, with the titles of all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Titled>", into = "Vec<Titled>")]
pub struct Busy(Vec<Titled>);

/// The longest title of joined stretches, in characters.
const TITLE_MAX: usize = 200;

impl Busy {
    /// Puts stretches in order; what is empty is left out.
    ///
    /// # Errors
    ///
    /// There are more than [`STRETCHES_MAX`].
    pub fn new(mut all: Vec<Titled>) -> Result<Self, CalendarError> {
        if all.len() > STRETCHES_MAX {
            let why = format!("{} stretches are more than {STRETCHES_MAX}; take a shorter time", all.len());
            return Err(CalendarError::new("an outside calendar", "", why));
        }
        all.retain(|one| one.when.start < one.when.end);
        all.sort_by_key(|one| one.when);
        let mut joined: Vec<Titled> = Vec::new();
        for one in all {
            let title: String = plain_text(&one.title, Lines::Join).chars().take(TITLE_MAX).collect();
            match joined.last_mut().filter(|last| one.when.start <= last.when.end) {
                Some(last) => {
                    last.when.end = last.when.end.max(one.when.end);
                    // A title can hold commas itself.
                    if !format!(", {}, ", last.title).contains(&format!(", {title}, "))
                        && last.title.len() + title.len() < TITLE_MAX
                    {
                        last.title = format!("{}, {title}", last.title);
                    }
                }
                None => joined.push(Titled { when: one.when, title }),
            }
        }
        Ok(Self(joined))
    }

    /// The stretches, in order; none touches the next.
    pub fn stretches(&self) -> &[Titled] {
        &self.0
    }

    /// What goes on at an instant.
    pub fn at(&self, at: Timestamp) -> Option<&Titled> {
        let after = self.0.partition_point(|one| one.when.start <= at);
        self.0.get(after.checked_sub(1)?).filter(|one| one.when.contains(at))
    }

    pub(crate) fn cover(&self, at: Timestamp) -> Cover {
        match self.at(at) {
            Some(one) => Cover::Inside { until: one.when.end },
            None => {
                let after = self.0.partition_point(|one| one.when.start <= at);
                Cover::Outside { until: self.0.get(after).map(|one| one.when.start) }
            }
        }
    }
}

impl TryFrom<Vec<Titled>> for Busy {
    type Error = CalendarError;
    fn try_from(all: Vec<Titled>) -> Result<Self, CalendarError> {
        Self::new(all)
    }
}

impl From<Busy> for Vec<Titled> {
    fn from(busy: Busy) -> Self {
        busy.0
    }
}

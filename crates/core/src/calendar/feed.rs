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
///
/// Where it is asked who is on, it also holds the shifts: every event by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Busy {
    joined: Vec<Titled>,
    shifts: Vec<Titled>,
}

/// As data: a list, and two of them where there are shifts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Joined(Vec<Titled>),
    WithShifts { busy: Vec<Titled>, shifts: Vec<Titled> },
}

/// The longest title of joined stretches, in characters.
const TITLE_MAX: usize = 200;

impl Busy {
    /// Puts stretches in order; what is empty is left out.
    ///
    /// # Errors
    ///
    /// There are more than [`STRETCHES_MAX`].
    pub fn new(mut all: Vec<Titled>) -> Result<Self, CalendarError> {
        not_too_many(&all)?;
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
        Ok(Self { joined, shifts: Vec::new() })
    }

    /// The same, with shifts: what overlaps or follows at once stays apart, and the same one twice is one.
    ///
    /// # Errors
    ///
    /// There are more than [`STRETCHES_MAX`].
    pub fn with_shifts(self, mut shifts: Vec<Titled>) -> Result<Self, CalendarError> {
        not_too_many(&shifts)?;
        shifts.retain(|one| one.when.start < one.when.end);
        for one in &mut shifts {
            one.title = plain_text(&one.title, Lines::Join).chars().take(TITLE_MAX).collect();
        }
        shifts.sort_by(|one, other| (one.when, &one.title).cmp(&(other.when, &other.title)));
        shifts.dedup();
        Ok(Self { shifts, ..self })
    }

    /// The shifts, in order; they can overlap. None where nobody asks who is on.
    pub fn shifts(&self) -> &[Titled] {
        &self.shifts
    }

    /// The shifts that are running at an instant.
    pub(crate) fn shifts_at(&self, at: Timestamp) -> impl Iterator<Item = &Titled> {
        self.shifts
            .iter()
            .take_while(move |one| one.when.start <= at)
            .filter(move |one| one.when.contains(at))
    }

    /// The first instant after another one at which a shift begins or ends.
    pub(crate) fn next_hand_over(&self, after: Timestamp) -> Option<Timestamp> {
        let edges = self.shifts.iter().flat_map(|one| [one.when.start, one.when.end]);
        edges.filter(|edge| *edge > after).min()
    }

    /// The stretches, in order; none touches the next.
    pub fn stretches(&self) -> &[Titled] {
        &self.joined
    }

    /// What goes on at an instant.
    pub fn at(&self, at: Timestamp) -> Option<&Titled> {
        let after = self.joined.partition_point(|one| one.when.start <= at);
        self.joined.get(after.checked_sub(1)?).filter(|one| one.when.contains(at))
    }

    pub(crate) fn cover(&self, at: Timestamp) -> Cover {
        match self.at(at) {
            Some(one) => Cover::Inside { until: one.when.end },
            None => {
                let after = self.joined.partition_point(|one| one.when.start <= at);
                Cover::Outside { until: self.joined.get(after).map(|one| one.when.start) }
            }
        }
    }
}

fn not_too_many(all: &[Titled]) -> Result<(), CalendarError> {
    if all.len() <= STRETCHES_MAX {
        return Ok(());
    }
    let why = format!("{} stretches are more than {STRETCHES_MAX}; take a shorter time", all.len());
    Err(CalendarError::new("an outside calendar", "", why))
}

impl TryFrom<Written> for Busy {
    type Error = CalendarError;
    fn try_from(written: Written) -> Result<Self, CalendarError> {
        match written {
            Written::Joined(all) => Self::new(all),
            Written::WithShifts { busy, shifts } => Self::new(busy)?.with_shifts(shifts),
        }
    }
}

impl From<Busy> for Written {
    fn from(busy: Busy) -> Self {
        match busy.shifts.is_empty() {
            true => Self::Joined(busy.joined),
            false => Self::WithShifts { busy: busy.joined, shifts: busy.shifts },
        }
    }
}

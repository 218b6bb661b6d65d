//! Pull requests: by which of them commits came, and what their labels ask of the next version.

mod found;
mod labels;

pub use found::{PullNumber, Walked, came_by, title};
pub use labels::{
    LABELS_MAX, LabelAsk, LabelRules, Labelled, Unlabelled, Unsaid, advise_by_labels, counted, is_label, read,
};

#[cfg(test)]
mod tests;

/// The most pull requests that one release asks for.
pub const PULLS_MAX: usize = 300;

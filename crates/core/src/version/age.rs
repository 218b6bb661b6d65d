//! Which of two versions is the older one, whatever format they are of: those of maintenance lines can have formats of their own.

/// The place of a version among all others: of two, the lower one is the older. A total order of texts that agrees with the
/// formats' own orders, so far as these tell two versions apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    epoch: Number,
    numbers: Vec<Number>,
    stage: Stage,
    rest: Vec<Piece>,
    text: String,
}

/// A whole number of any length, without leading zeros: its length first, so that longer ones are larger.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Number(usize, String);

/// How far a version with these numbers has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// `1.0.dev1`.
    Development,
    /// `1.0-rc.1`.
    Before,
    /// `1.0`.
    Final,
    /// `1.0.post1`.
    After,
}

/// A piece of what stands behind the numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    Number(Number),
    Word(String),
}

impl Number {
    fn of(digits: &str) -> Self {
        let digits = digits.trim_start_matches('0');
        Self(digits.len(), digits.to_owned())
    }
}

impl Age {
    /// The place of a version.
    pub fn of(version: &str) -> Self {
        let text = version.to_owned();
        let from = version.find(|c: char| c.is_ascii_digit()).unwrap_or(version.len());
        let (first, left) = digits(&version[from..]);
        let (epoch, mut left) = match left.strip_prefix('!') {
            Some(left) if !first.is_empty() => (Number::of(first), left),
            _ => (Number::default(), &version[from..]),
        };
        let mut numbers = Vec::new();
        loop {
            let (number, behind) = digits(left);
            if number.is_empty() {
                break;
            }
            numbers.push(Number::of(number));
            left = behind;
            match behind.strip_prefix('.') {
                Some(next) if next.starts_with(|c: char| c.is_ascii_digit()) => left = next,
                _ => break,
            }
        }
        while numbers.last() == Some(&Number::default()) {
            numbers.pop();
        }
        // What stands behind a plus says how it was built, not which version it is.
        let behind = left.split('+').next().unwrap_or_default().trim_start_matches(['.', '-', '_']);
        let behind = behind.to_ascii_lowercase();
        let stage = match behind.as_str() {
            "" => Stage::Final,
            post if post.starts_with("post") => Stage::After,
            dev if dev.starts_with("dev") => Stage::Development,
            _ => Stage::Before,
        };
        Self { epoch, numbers, stage, rest: pieces(&behind), text }
    }
}

/// The digits that a text begins with, and what stands behind them.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut left = text;
    while let Some(first) = left.chars().next() {
        let (number, behind) = digits(left);
        if !number.is_empty() {
            found.push(Piece::Number(Number::of(number)));
            left = behind;
        } else if first.is_alphabetic() {
            let end = left.find(|c: char| !c.is_alphabetic()).unwrap_or(left.len());
            found.push(Piece::Word(left[..end].to_owned()));
            left = &left[end..];
        } else {
            left = &left[first.len_utf8()..];
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Age;

    #[test]
    fn older_versions_come_first() {
        let sorted = [
            "0.9",
            "1.0.dev3",
            "1.0a2",
            "1.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.post1",
            "1.2.9",
            "1.2.10",
            "v1.3.0",
            "2.0.0-rc.1",
            "2.0.0",
            "2026.11",
            "2026.11.2",
            "99999999999999999999999999.1",
            "1!0.1",
        ];
        for pair in sorted.windows(2) {
            assert!(Age::of(pair[0]) < Age::of(pair[1]), "{} is older than {}", pair[0], pair[1]);
        }
    }

    proptest! {
        /// Any two texts stand in one order, and only a text is as old as itself.
        #[test]
        fn any_two_texts_stand_in_one_order(one in "\\PC{0,12}", other in "[0-9a-c.+!-]{0,12}", third in "[v0-9.]{0,6}") {
            let (a, b, c) = (Age::of(&one), Age::of(&other), Age::of(&third));
            prop_assert_eq!(a == b, one == other);
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }

        /// The order is that of the semantic versions themselves.
        #[test]
        fn semantic_versions_stand_as_they_should(
            one in (0..4_u64, 0..12_u64, 0..12_u64, proptest::option::of("(alpha|beta|rc)\\.(0|[1-9][0-9]?)")),
            other in (0..4_u64, 0..12_u64, 0..12_u64, proptest::option::of("(alpha|beta|rc)\\.(0|[1-9][0-9]?)")),
        ) {
            let text = |(major, minor, patch, pre): &(u64, u64, u64, Option<String>)| {
                let pre = pre.as_ref().map(|pre| format!("-{pre}")).unwrap_or_default();
                format!("{major}.{minor}.{patch}{pre}")
            };
            let parsed = |text: &str| text.parse::<semver::Version>().unwrap();
            let (one, other) = (text(&one), text(&other));
            prop_assert_eq!(Age::of(&one).cmp(&Age::of(&other)), parsed(&one).cmp(&parsed(&other)));
        }
    }
}

//! Lengths of time as they are written: `90s`, `60m`, `72h`, `2d`, `1h30m`.

use jiff::SignedDuration;

/// The longest length of time: a year.
const MAX_SECONDS: i64 = 366 * 24 * 3600;

/// Why a text is no length of time: what is wrong, and what to write.
pub(crate) type Refusal = (String, Option<String>);

/// Reads a length of time.
pub(crate) fn parse(text: &str) -> Result<SignedDuration, Refusal> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let short: String = text.chars().take(6).collect();
        let hint = format!("write `{short}s` for seconds, `{short}m` for minutes or `{short}h` for hours");
        return Err(("has no unit".to_owned(), Some(hint)));
    }
    let mut total: i64 = 0;
    let mut largest = i64::MAX;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..digits].parse().map_err(|_| no_duration(text))?;
        rest = &rest[digits..];
        let seconds = match rest.as_bytes().first() {
            Some(b'd') => 24 * 3600,
            Some(b'h') => 3600,
            Some(b'm') => 60,
            Some(b's') => 1,
            _ => return Err(no_duration(text)),
        };
        if seconds >= largest {
            return Err(no_duration(text));
        }
        largest = seconds;
        rest = &rest[1..];
        total = number.checked_mul(seconds).and_then(|part| total.checked_add(part)).ok_or_else(too_long)?;
    }
    match total {
        0 if text.is_empty() => Err(no_duration(text)),
        0 => Err(("is no time at all".to_owned(), None)),
        total if total > MAX_SECONDS => Err(too_long()),
        total => Ok(SignedDuration::from_secs(total)),
    }
}

fn too_long() -> Refusal {
    ("is longer than a year".to_owned(), None)
}

fn no_duration(text: &str) -> Refusal {
    let hint = guess(text).map_or_else(
        || "write a number with its unit: `90s`, `60m`, `72h`, `2d`, or `1h30m`".to_owned(),
        |guess| format!("write `{guess}`"),
    );
    ("is no length of time".to_owned(), Some(hint))
}

/// `5 minutes`, `30min`, `2 weeks`: what was meant.
fn guess(text: &str) -> Option<String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let unit = text.get(digits..)?.trim().to_ascii_lowercase();
    let unit = match unit.as_str() {
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" => "h",
        "day" | "days" => "d",
        "w" | "wk" | "week" | "weeks" => return Some(format!("{}d", number.checked_mul(7)?)),
        "s" | "m" | "h" | "d" => unit.as_str(),
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [
            ("90s", 90),
            ("60m", 3600),
            ("72h", 72 * 3600),
            ("2d", 172_800),
            ("1h30m", 5400),
            ("1d1s", 86_401),
        ] {
            assert_eq!(parse(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn others_are_refused_with_a_way_out() {
        for (text, hint) in [
            ("90", "`90s`"),
            ("5 minutes", "write `5m`"),
            ("2w", "write `14d`"),
            ("30m1h", "a number with its unit"),
            ("1h1h", "a number with its unit"),
            ("", "a number with its unit"),
            ("h", "a number with its unit"),
            ("-5m", "a number with its unit"),
            ("1.5h", "a number with its unit"),
        ] {
            let (_, given) = parse(text).unwrap_err();
            assert!(given.unwrap().contains(hint), "{text}");
        }
        for text in ["0s", "99999999999999999999s", "9223372036854775807d", "400d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

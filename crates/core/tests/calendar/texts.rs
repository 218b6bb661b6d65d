//! Texts: what is understood comes back the same, what is not says what to write.

use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tollgate_core::calendar::{
    CalendarError, Days, Exemption, FixedTime, Holiday, LongRule, Moment, RecurrenceRule, Rule, Weekdays,
    Yearly,
};

/// The text is read, and is written as `written`, which is read as the same, also as data.
fn reads<T>(text: &str, written: &str)
where
    T: FromStr<Err = CalendarError> + Display + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let value: T = text.parse().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(value.to_string(), written);
    assert_eq!(written.parse::<T>().unwrap_or_else(|error| panic!("{error}")), value);
    let json = serde_json::to_string(&value).expect("JSON");
    assert_eq!(json, serde_json::to_string(written).expect("JSON"));
    assert_eq!(serde_json::from_str::<T>(&json).expect("back"), value);
}

fn same<T>(text: &str)
where
    T: FromStr<Err = CalendarError> + Display + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    reads::<T>(text, text);
}

fn refused<T: FromStr<Err = CalendarError> + std::fmt::Debug>(text: &str, because: &str) {
    let error = text.parse::<T>().expect_err(text).to_string();
    assert!(error.contains(because), "{error}");
}

#[test]
fn rules_come_back_the_same() {
    for text in [
        "Mon-Fri 09:30-17:00 Europe/London",
        "Fri America/Los_Angeles",
        "daily 00:00-23:30 UTC",
        "Sun 20:00 - Mon 08:30 Africa/Nairobi",
        "Fri 18:00 - Mon 08:00 Europe/London",
        "Mon 09:00 - Mon 08:00 UTC",
        "Fri 22:00-24:00 AoE",
        "Mon-Fri 22:00-06:00 Europe/London",
        "Tue,Thu 09:00-10:00 America/Los_Angeles /2w from 2026-01-06",
        "16 monthly 09:00-17:00 Europe/London",
        "last day monthly UTC",
        "1st Mon monthly Europe/London",
        "last working day monthly 09:00-12:00 Europe/London",
        "working days 14:00-15:00 America/New_York",
        "holidays Europe/London",
        "holidays of UK Europe/London",
        "25 Dec Europe/London",
        "Easter -2 Europe/London",
        "4th Thu Nov +1 America/New_York",
        "2026-12-24 - 2027-01-03 Europe/London",
        "2026-12-24 09:00-12:00 Europe/London",
        "2026-12-24 18:00 - 2027-01-03 08:00 Europe/London",
        "RRULE:FREQ=MONTHLY;BYDAY=-1FR from 2026-01-30 09:00 lasts 2h Europe/London",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH from 2026-01-06 09:00 lasts 1h30m America/Los_Angeles",
        "events of oncall",
    ] {
        same::<Rule>(text);
    }
    for (text, written) in [
        ("friday 22:00-06:00 europe/london", "Fri 22:00 - Sat 06:00 Europe/London"),
        ("  Mon-Sun   Utc ", "daily UTC"),
        ("Fri-Mon UTC", "Mon,Fri-Sun UTC"),
        ("Mon 00:00-24:00 UTC", "Mon UTC"),
        ("Mon 10:00 - 12:00 UTC", "Mon 10:00-12:00 UTC"),
        ("first Mon UTC", "1st Mon monthly UTC"),
        ("2026-12-24 to 2026-12-24 UTC", "2026-12-24 UTC"),
        ("2026-12-24 18:00 - 20:00 UTC", "2026-12-24 18:00 - 2026-12-24 20:00 UTC"),
        (
            "RRULE:FREQ=DAILY from 2026-01-01 09:00 lasts 90m UTC",
            "RRULE:FREQ=DAILY from 2026-01-01 09:00 lasts 1h30m UTC",
        ),
    ] {
        reads::<Rule>(text, written);
    }
}

#[test]
fn a_rule_that_is_wrong_says_what_to_write() {
    for (text, because) in [
        ("", "it is empty"),
        ("Mon-Fri 09:30-17:00", "the time zone is missing"),
        ("Wed 07:30-08:00 /2w from 2026-01-07", "the time zone is missing before `/2w`"),
        ("Mon-Fri 09:30-17:00 PST", "write `America/Los_Angeles`"),
        ("Mon-Fri 09:30-17:00 +01:00", "an offset does not say when clocks change"),
        ("Mon-Fri 9:30-17:00 Europe/London", "with two digits"),
        ("Mon-Fri 09:30 Europe/London", "a start without an end"),
        ("Mon-Fri 09:30-09:30 Europe/London", "starts and ends at the same time"),
        ("Mon-Fri 25:00-26:00 Europe/London", "hours such as `09:30-17:00`"),
        ("Mon, Wed Europe/London", "without spaces between them"),
        ("Mon–Fri Europe/London", "a plain `-`"),
        ("Mon-Fri 20:00 - Mon 08:30 UTC", "one day as its start"),
        ("Wed UTC /2w", "`/2w from 2026-01-07`"),
        ("Wed UTC /2w from 2026-01-08", "2026-01-08 is a Thu, which is not among Wed"),
        ("Wed UTC /1w from 2026-01-07", "from `/2w` to `/52w`"),
        ("Wed UTC /2 weeks", "from `/2w` to `/52w`"),
        ("16 monthly UTC /2w from 2026-01-16", "goes with days of the week only"),
        ("32 monthly UTC", "no month has a day 32"),
        ("16 UTC", "`monthly` has to be"),
        ("6th Mon UTC", "no month has a 6th"),
        ("30 Feb UTC", "Feb has no day 30"),
        ("2026-02-29 UTC", "days such as"),
        ("20226-01-01 UTC", "days such as"),
        ("2026-12-24 - 2026-01-03 UTC", "2026-01-03 is before 2026-12-24"),
        ("2026-12-24 18:00 - 2026-01-03 08:00 UTC", "it ends before it starts"),
        ("2026-12-24 18:00 UTC", "a start without an end"),
        ("Mon UTC and Tue", "`and` stands where it should end"),
        ("RRULE:FREQ=DAILY from 2026-01-01 09:00 UTC", "`lasts` has to be"),
        ("RRULE:FREQ=DAILY from 2026-01-01 09:00 lasts 40d UTC", "up to 31 days"),
        (
            "RRULE:FREQ=WEEKLY;BYDAY=MO from 2026-01-06 09:00 lasts 2h UTC",
            "let it begin at its first, 2026-01-12 09:00",
        ),
        ("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30 from 2026-01-06 09:00 lasts 2h UTC", "it never occurs"),
        ("RRULE:FREQ=HOURLY from 2026-01-06 09:00 lasts 1h UTC", "no oftener"),
        ("events of", "the name of a calendar"),
        ("sometimes UTC", "days such as"),
    ] {
        refused::<Rule>(text, because);
    }
    let hostile = format!("Mon {} UTC", "\u{1b}[2Jx".repeat(400));
    let error = hostile.parse::<Rule>().expect_err("too long").to_string();
    assert!(error.len() < 400 && !error.contains('\u{1b}'), "{error}");
}

#[test]
fn days_times_and_moments() {
    for text in [
        "16 monthly",
        "Mon-Fri",
        "Wed /2w from 2026-01-07",
        "last working day monthly",
        "3rd Wed monthly",
        "holidays",
    ] {
        same::<Days>(text);
    }
    for text in [
        "Wed 07:30 Africa/Nairobi /2w from 2026-01-07",
        "16 monthly 10:00 Europe/London",
        "last working day monthly 16:00 UTC",
        "RRULE:FREQ=MONTHLY;BYDAY=-1FR from 2026-01-30 09:00 Europe/London",
    ] {
        same::<FixedTime>(text);
    }
    refused::<FixedTime>("Wed 07:30-08:30 UTC", "one time of day");
    refused::<FixedTime>("Wed UTC", "a time such as `09:30`");
    refused::<FixedTime>("Wed 07:30 EAT", "write `Africa/Nairobi`");
    for text in [
        "T",
        "T-8wd 10:00",
        "T+3d",
        "T-2w 10:00 Europe/London",
        "next Mon after T 10:00",
        "next Mon after 2026-03-02 10:00 Europe/London",
        "2026-03-02 10:00 Europe/London",
    ] {
        same::<Moment>(text);
    }
    reads::<Moment>("+next Monday 10:00 Europe/London", "next Mon after T 10:00 Europe/London");
    refused::<Moment>("2026-03-02 10:00", "the time zone is missing");
    refused::<Moment>("T-8", "`T-8wd`");
    refused::<Moment>("T-9999wd", "up to 1000");
    for text in ["25 Dec", "29 Feb", "Easter", "Easter -2", "last Mon May", "4th Thu Nov +1"] {
        same::<Yearly>(text);
    }
    reads::<Yearly>("Easter+1", "Easter +1");
    for text in ["Mon-Fri", "Tue,Thu", "daily", "none", "Mon,Fri-Sun"] {
        same::<Weekdays>(text);
    }
    same::<Holiday>("2026-05-08: Victory Day");
    same::<Holiday>("25 Dec observed next: Christmas: the day");
    refused::<Holiday>("25 Dec", "after a `:`");
    refused::<Holiday>("25 Dec observed sometimes: x", "`nearest`, `next` or `never`");
    same::<Exemption>("hotfix with 1 approval");
    same::<Exemption>("by-hand");
    refused::<Exemption>("everything", "nothing is frozen");
}

#[test]
fn recurrence_rules_are_those_of_the_standard() {
    for text in [
        "FREQ=DAILY",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=SU",
        "FREQ=MONTHLY;BYDAY=2TU,-1FR;BYHOUR=9,17;COUNT=10",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;UNTIL=20301231T235959Z",
        "FREQ=YEARLY;BYYEARDAY=1,-1;UNTIL=20301231",
        "FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20301231T090000",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    ] {
        same::<RecurrenceRule>(text);
    }
    for (text, because) in [
        ("", "has no value"),
        ("BYDAY=MO", "`FREQ` is missing"),
        ("FREQ=SECONDLY", "no oftener"),
        ("FREQ=DAILY;FREQ=DAILY", "twice"),
        ("FREQ=DAILY;COUNT=0", "from 1 to 10000"),
        ("FREQ=DAILY;COUNT=99999999999999999999", "from 1 to 10000"),
        ("FREQ=DAILY;INTERVAL=-1", "from 1 to 1000"),
        ("FREQ=DAILY;COUNT=1;UNTIL=20260101", "exclude each other"),
        ("FREQ=DAILY;UNTIL=20260230", "is not understood"),
        ("FREQ=WEEKLY;BYDAY=1MO", "FREQ=MONTHLY and FREQ=YEARLY only"),
        ("FREQ=MONTHLY;BYDAY=6MO", "larger than"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "FREQ=YEARLY only"),
        ("FREQ=DAILY;BYSETPOS=1", "needs another part"),
        ("FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7;BYMINUTE=1,2,3,4,5,6,7", "more than 48"),
        ("FREQ=DAILY;X-FOO=1", "no part `X-FOO`"),
        ("FREQ=DAILY;BYMONTH=13", "from 1 to 12"),
        ("FREQ=DAILY;BYMONTHDAY=0", "from 1 to 31"),
    ] {
        refused::<RecurrenceRule>(text, because);
    }
}

#[test]
fn the_long_form_says_the_same() {
    let check = |long: &str, expected: &str| {
        let long: LongRule = serde_json::from_str(long).expect(long);
        assert_eq!(Rule::try_from(long), Ok(expected.parse().unwrap_or_else(|error| panic!("{error}"))));
    };
    check(
        r#"{"days": "Mon-Fri", "from": "09:30", "to": "17:00", "zone": "Europe/London"}"#,
        "Mon-Fri 09:30-17:00 Europe/London",
    );
    check(
        r#"{"days": "Sun", "from": "20:00", "to": "Mon 08:30", "zone": "Africa/Nairobi"}"#,
        "Sun 20:00 - Mon 08:30 Africa/Nairobi",
    );
    check(r#"{"days": "holidays of UK", "zone": "Europe/London"}"#, "holidays of UK Europe/London");
    check(
        r#"{"days": "Wed", "zone": "UTC", "every": "2w", "anchor": "2026-01-07"}"#,
        "Wed UTC /2w from 2026-01-07",
    );
    check(
        r#"{"from": "2026-12-24 18:00", "to": "2027-01-03 08:00", "zone": "UTC"}"#,
        "2026-12-24 18:00 - 2027-01-03 08:00 UTC",
    );
    check(r#"{"from": "2026-12-24", "to": "2027-01-03", "zone": "UTC"}"#, "2026-12-24 - 2027-01-03 UTC");
    check(
        r#"{"rrule": "FREQ=DAILY", "from": "2026-01-30 09:00", "lasts": "2h", "zone": "UTC"}"#,
        "RRULE:FREQ=DAILY from 2026-01-30 09:00 lasts 2h UTC",
    );
    check(r#"{"events": "oncall"}"#, "events of oncall");
    for (long, because) in [
        (r#"{}"#, "`zone` is missing"),
        (r#"{"zone": "UTC"}"#, "add `days`"),
        (r#"{"days": "Mon", "from": "09:30", "zone": "UTC"}"#, "`to` is missing"),
        (r#"{"days": "Mon", "zone": "UTC", "every": "2w"}"#, "`anchor` is missing"),
        (r#"{"days": "Mon", "zone": "UTC", "lasts": "2h"}"#, "`lasts` does not go with `days`"),
        (r#"{"events": "oncall", "zone": "UTC"}"#, "`zone` does not go with `events`"),
        (r#"{"days": "Mon", "zone": "PST"}"#, "write `America/Los_Angeles`"),
        (r#"{"days": "Mon UTC", "zone": "UTC"}"#, "stands where it should end"),
    ] {
        let long: LongRule = serde_json::from_str(long).expect(long);
        let error = Rule::try_from(long).expect_err(because).to_string();
        assert!(error.contains(because), "{error}");
    }
    assert!(serde_json::from_str::<LongRule>(r#"{"day": "Mon"}"#).is_err());
}

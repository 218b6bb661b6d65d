//! Fixed times, and days told from others.

use jiff::civil::Date;
use tollgate_core::calendar::{Calendar, Days, FixedTime, Moment, Off, Zone};

use crate::{at, calendar};

fn check(rule: &str, after: &str, expected: &[&str]) {
    let rule: FixedTime = rule.parse().unwrap_or_else(|error| panic!("{error}"));
    let found: Vec<_> = rule.after(at(after), &Calendar::default()).take(expected.len()).collect();
    assert_eq!(found, expected.iter().map(|text| at(text)).collect::<Vec<_>>(), "{rule} after {after}");
}

#[test]
fn occurrences() {
    check(
        "Wed 07:30 Africa/Nairobi /2w from 2026-01-07",
        "2025-12-01 00:00 UTC",
        &[
            "2026-01-07 07:30 Africa/Nairobi",
            "2026-01-21 07:30 Africa/Nairobi",
            "2026-02-04 07:30 Africa/Nairobi",
        ],
    );
    // Strictly after.
    check(
        "Wed 07:30 Africa/Nairobi /2w from 2026-01-07",
        "2026-01-07 07:30 Africa/Nairobi",
        &["2026-01-21 07:30 Africa/Nairobi"],
    );
    check(
        "16 monthly 10:00 Europe/London",
        "2026-03-16 10:00 Europe/London",
        &["2026-04-16 10:00 Europe/London", "2026-05-16 10:00 Europe/London"],
    );
    check("29 Feb 10:00 UTC", "2026-01-01 00:00 UTC", &["2028-02-29 10:00 UTC", "2032-02-29 10:00 UTC"]);
    check(
        "RRULE:FREQ=MONTHLY;BYDAY=-1FR from 2026-01-30 09:00 Europe/London",
        "2026-03-01 00:00 UTC",
        &["2026-03-27 09:00 Europe/London", "2026-04-24 09:00 Europe/London"],
    );
    let once: FixedTime = "2026-03-09 10:00 Europe/London".parse().expect("a time");
    assert_eq!(once.next_after(at("2026-03-09 10:00 Europe/London"), &Calendar::default()), None);
}

#[test]
fn where_clocks_change() {
    // 02:30 is left out on 8 March: the first instant after the gap, once.
    check(
        "daily 02:30 America/Los_Angeles",
        "2026-03-07 00:00 America/Los_Angeles",
        &[
            "2026-03-07 02:30 America/Los_Angeles",
            "2026-03-08 03:00 America/Los_Angeles",
            "2026-03-09 02:30 America/Los_Angeles",
        ],
    );
    // 01:30 comes twice on 1 November, and it runs once, at the first.
    check(
        "daily 01:30 America/Los_Angeles",
        "2026-10-31 12:00 America/Los_Angeles",
        &["2026-11-01 08:30 UTC", "2026-11-02 09:30 UTC"],
    );
    check("daily 01:30 America/Los_Angeles", "2026-11-01 08:30 UTC", &["2026-11-02 09:30 UTC"]);
    check(
        "Sun 01:30 Europe/London",
        "2026-03-28 00:00 UTC",
        &["2026-03-29 01:00 UTC", "2026-04-05 00:30 UTC"],
    );
    check(
        "daily 00:00 Africa/Cairo",
        "2026-04-23 12:00 Africa/Cairo",
        &["2026-04-24 01:00 Africa/Cairo", "2026-04-25 00:00 Africa/Cairo"],
    );
    // Both are in the gap and fall on one instant.
    check(
        "RRULE:FREQ=DAILY;BYHOUR=2;BYMINUTE=10,40 from 2026-03-07 02:10 America/Los_Angeles",
        "2026-03-07 12:00 UTC",
        &["2026-03-08 10:00 UTC", "2026-03-09 02:10 America/Los_Angeles"],
    );
    check("daily 23:30 AoE", "2026-12-31 12:00 UTC", &["2027-01-01 11:30 UTC"]);
}

#[test]
fn what_was_missed() {
    let rule: FixedTime = "Wed 07:30 Africa/Nairobi".parse().expect("a time");
    let missed = |after: &str, until: &str, limit| {
        rule.between(at(after), at(until), limit, &Calendar::default()).len()
    };
    let (first, third) = ("2026-01-07 07:30 Africa/Nairobi", "2026-01-21 07:30 Africa/Nairobi");
    assert_eq!(missed(first, third, 10), 2);
    assert_eq!(missed("2026-01-07 07:29 Africa/Nairobi", third, 10), 3);
    assert_eq!(missed(first, "2026-01-21 07:29 Africa/Nairobi", 10), 1);
    assert_eq!(missed(first, first, 10), 0);
    assert_eq!(missed(first, "2030-01-01 00:00 UTC", 10), 10);
}

#[test]
fn moments() {
    let calendar = calendar(Off::Any);
    let check = |text: &str, release: &str, expected: &str| {
        let moment: Moment = text.parse().unwrap_or_else(|error| panic!("{error}"));
        let release: Date = release.parse().expect("a date");
        let zone = Zone::new("America/New_York").expect("a zone");
        assert_eq!(moment.instant(release, &zone, &calendar), Some(at(expected)), "{text}, T = {release}");
    };
    check("T", "2026-03-16", "2026-03-16 00:00 America/New_York");
    check("T-8wd 10:00", "2026-01-16", "2026-01-06 10:00 America/New_York");
    // Over New Year, which is a holiday, and told from a Sunday.
    check("T-2wd 10:00", "2026-01-04", "2025-12-31 10:00 America/New_York");
    check("T+0wd 10:00", "2026-01-04", "2026-01-05 10:00 America/New_York");
    check("T+0wd 10:00", "2026-01-05", "2026-01-05 10:00 America/New_York");
    check("T+1wd 10:00", "2026-04-02", "2026-04-07 10:00 America/New_York");
    check("T-2w 10:00 Europe/London", "2026-04-02", "2026-03-19 10:00 Europe/London");
    check("T+3d", "2026-12-30", "2027-01-02 00:00 America/New_York");
    check("+next Mon 10:00 Europe/London", "2026-03-02", "2026-03-09 10:00 Europe/London");
    check("next Mon after 2026-03-03 10:00 Europe/London", "2020-01-01", "2026-03-09 10:00 Europe/London");
    check("2026-03-08 02:30 America/Los_Angeles", "2020-01-01", "2026-03-08 03:00 America/Los_Angeles");
    let days: Days = "16 monthly".parse().expect("days");
    let next =
        |text: &str| days.on_or_after(text.parse().expect("a date"), &calendar).map(|date| date.to_string());
    assert_eq!(next("2026-01-16").as_deref(), Some("2026-01-16"));
    assert_eq!(next("2026-01-17").as_deref(), Some("2026-02-16"));
}

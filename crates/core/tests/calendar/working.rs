//! Working days.

use jiff::civil::Date;
use tollgate_core::calendar::{Calendar, Holiday, HolidayCalendar, Off, Weekdays};

use crate::{UK, US, calendar, holidays, name};

fn date(text: &str) -> Date {
    text.parse().expect(text)
}

#[test]
fn holidays_of_real_places() {
    let check = |list: &HolidayCalendar, year: i16, expected: &[&str]| {
        let first = Date::constant(year, 1, 1);
        let days = first.series(jiff::Span::new().days(1)).take_while(|date| date.year() == year);
        let weekend = Weekdays::SATURDAY_AND_SUNDAY;
        let off = days.filter(|date| !weekend.contains(date.weekday()) && list.kept_on(*date).is_some());
        let off: Vec<String> = off.map(|date| date.strftime("%m-%d").to_string()).collect();
        assert_eq!(off, expected, "{year}");
    };
    // As the governments publish them.
    let uk = holidays(UK);
    check(&uk, 2021, &["01-01", "04-02", "04-05", "05-03", "05-31", "08-30", "12-27", "12-28"]);
    check(&uk, 2022, &["01-03", "04-15", "04-18", "05-02", "05-30", "08-29", "12-26", "12-27"]);
    check(&uk, 2026, &["01-01", "04-03", "04-06", "05-04", "05-25", "08-31", "12-25", "12-28"]);
    check(&uk, 2027, &["01-01", "03-26", "03-29", "05-03", "05-31", "08-30", "12-27", "12-28"]);
    let us = holidays(US);
    check(&us, 2021, &["01-01", "01-18", "05-31", "07-05", "11-25", "11-26", "12-24", "12-31"]);
    check(&us, 2026, &["01-01", "01-19", "05-25", "07-03", "11-26", "11-27", "12-25"]);
    // The next New Year's Day is a Saturday: it is kept in the year before.
    check(&us, 2027, &["01-01", "01-18", "05-31", "07-05", "11-25", "11-26", "12-24", "12-31"]);
}

#[test]
fn easter_is_when_it_is() {
    let easter: tollgate_core::calendar::Yearly = "Easter".parse().expect("a day");
    for day in
        ["2000-04-23", "2008-03-23", "2011-04-24", "2024-03-31", "2026-04-05", "2038-04-25", "2049-04-18"]
    {
        assert_eq!(easter.in_year(date(day).year()), Some(date(day)));
    }
}

#[test]
fn several_lists_at_once() {
    let (any, all) = (calendar(Off::Any), calendar(Off::All));
    // Good Friday is off in one of them, Christmas in both.
    assert!(!any.is_working(date("2026-04-03")) && all.is_working(date("2026-04-03")));
    assert!(!any.is_working(date("2026-12-25")) && !all.is_working(date("2026-12-25")));
    assert!(any.is_working(date("2026-04-02")) && !any.is_working(date("2026-04-04")));
    assert_eq!(any.holiday(date("2026-04-03")).as_deref(), Some("Good Friday (UK)"));
    assert_eq!(all.holiday(date("2026-12-25")).as_deref(), Some("Christmas Day (UK), Christmas Day (US)"));
    assert_eq!(all.holiday(date("2026-04-03")), None);
    // Without any list nothing is a holiday.
    let none = Calendar::new(Weekdays::SATURDAY_AND_SUNDAY, [].into(), Off::All).expect("a calendar");
    assert!(none.is_working(date("2026-12-25")) && none.holiday(date("2026-12-25")).is_none());
    let back: Calendar = serde_json::from_str(&serde_json::to_string(&any).expect("JSON")).expect("back");
    assert_eq!(back, any);
}

#[test]
fn other_weekends() {
    let weekend: Weekdays = "Fri,Sat".parse().expect("days");
    let calendar = Calendar::new(weekend, [].into(), Off::Any).expect("a calendar");
    assert!(calendar.is_working(date("2026-01-04")) && !calendar.is_working(date("2026-01-02")));
    let list: Holiday = "2026-01-02 observed next: a Friday".parse().expect("a holiday");
    let list = HolidayCalendar::new(weekend, vec![list]).expect("a list");
    assert!(list.kept_on(date("2026-01-04")).is_some_and(|(_, moved)| moved));
    assert!(Calendar::new(Weekdays::ALL, [].into(), Off::Any).is_err());
    assert!(serde_json::from_str::<Calendar>(r#"{"weekend":"daily"}"#).is_err());
    let seven = Calendar::new(Weekdays::NONE, [].into(), Off::Any).expect("a calendar");
    assert_eq!(seven.shift(date("2026-01-02"), 2), Some(date("2026-01-04")));
}

#[test]
fn counting() {
    let calendar = calendar(Off::Any);
    assert_eq!(calendar.between(date("2026-12-21"), date("2026-12-29")), 4);
    assert_eq!(calendar.between(date("2026-12-29"), date("2026-12-21")), -4);
    assert_eq!(calendar.between(date("2026-12-21"), date("2026-12-21")), 0);
    assert_eq!(calendar.shift(date("2026-12-24"), 1), Some(date("2026-12-29")));
    assert_eq!(calendar.shift(date("2026-12-26"), 1), Some(date("2026-12-29")));
    assert_eq!(calendar.shift(date("2026-12-29"), -1), Some(date("2026-12-24")));
    assert_eq!(calendar.shift(date("2026-12-26"), 0), Some(date("2026-12-29")));
    // More than ten years away.
    assert_eq!(calendar.shift(date("2026-12-26"), 5000), None);
    let all_off: Vec<Holiday> =
        (1..=28).map(|day| format!("2026-02-{day:02}: off").parse().expect("a day")).collect();
    let list = HolidayCalendar::new(Weekdays::SATURDAY_AND_SUNDAY, all_off).expect("a list");
    let off = Calendar::new(Weekdays::SATURDAY_AND_SUNDAY, [(name("x"), list)].into(), Off::Any)
        .expect("a calendar");
    assert_eq!(off.shift(date("2026-01-30"), 1), Some(date("2026-03-02")));
}

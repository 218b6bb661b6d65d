"""Another implementation of the calendar, on zoneinfo and dateutil, for a test to compare with.

Reads a list of questions as JSON and writes a list of answers. Times are seconds since 1970.
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, rrule, rrulestr

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def zone_of(name):
    return timezone(timedelta(hours=-12)) if name == "AoE" else ZoneInfo(name)


def seconds(aware):
    return int((aware.astimezone(timezone.utc) - EPOCH).total_seconds())


def shown(instant, zone):
    return (EPOCH + timedelta(seconds=instant)).astimezone(zone).replace(tzinfo=None, fold=0)


def instant(naive, zone, last=False):
    """When clocks show it, the first or the last time; the first instant after it where they leave it out."""
    aware = naive.replace(tzinfo=zone, fold=1 if last else 0)
    found = seconds(aware)
    if shown(found, zone) == naive:
        return found
    low, high = found - 90000, found + 90000
    while low < high:
        middle = (low + high) // 2
        if shown(middle, zone) >= naive:
            high = middle
        else:
            low = middle + 1
    return low


def offsets(question):
    zone = zone_of(question["zone"])
    return [seconds_of(shown(at, zone)) - at for at in question["at"]]


def seconds_of(naive):
    return seconds(naive.replace(tzinfo=timezone.utc))


def occurrences(question):
    zone = zone_of(question["zone"])
    first = datetime.fromisoformat(question["first"])
    rule = rrulestr(question["rule"], dtstart=first)
    found = []
    for naive in rule:
        at = instant(naive, zone)
        if at > question["until"]:
            break
        if at > question["after"] and at not in found:
            found.append(at)
    return found[: question["count"]]


def days_of(question, start):
    """The rule that gives the days of a window."""
    kind = question["days"]
    weekdays = question["weekdays"]
    if kind == "weekly":
        return rrule(WEEKLY, byweekday=weekdays, dtstart=start)
    if kind == "every":
        anchor = datetime.fromisoformat(question["anchor"])
        return rrule(WEEKLY, interval=question["interval"], byweekday=weekdays, dtstart=anchor, wkst=0)
    if kind == "day":
        return rrule(MONTHLY, bymonthday=question["nth"], dtstart=start)
    if kind == "nth":
        return rrule(MONTHLY, byweekday=weekdays, bysetpos=question["nth"], dtstart=start)
    return rrule(DAILY, dtstart=start)


def windows(question):
    """Whether it is open, and when that changes within 80 days."""
    zone = zone_of(question["zone"])
    now = question["at"]
    today = shown(now, zone).replace(hour=0, minute=0, second=0)
    start, stop = today - timedelta(days=100), today + timedelta(days=85)
    begin, end = timedelta(minutes=question["start"]), timedelta(minutes=question["end"])
    if end <= begin:
        end += timedelta(days=1)
    stretches = []
    for day in days_of(question, start.replace(day=1)):
        if day > stop:
            break
        if day >= start:
            finish = day + end
            midnight = finish.hour == 0 and finish.minute == 0
            stretches.append((instant(day + begin, zone), instant(finish, zone, last=not midnight)))
    joined = []
    for first, after in sorted(stretches):
        if first >= after:
            continue
        if joined and first <= joined[-1][1]:
            joined[-1][1] = max(after, joined[-1][1])
        else:
            joined.append([first, after])
    for first, after in joined:
        if now < first:
            return [False, first]
        if now < after:
            return [True, after]
    return [False, None]


ANSWERS = {"offsets": offsets, "occurrences": occurrences, "windows": windows}

if __name__ == "__main__":
    json.dump([ANSWERS[one["ask"]](one) for one in json.load(sys.stdin)], sys.stdout)

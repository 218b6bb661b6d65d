//! Who fills which place of an environment, where one person fills one place.
//!
//! Whether the approvals of an environment can all be given is a question about all of them at once: somebody who gives one away is
//! missing for another. It is answered by a matching of people to places that changes as little as it can of what was said.

use std::collections::{BTreeMap, BTreeSet};

use super::approvals::{Count, Counting, approval_rules};
use super::calendar::exemption_gates;
use super::gates::{Entering, of_run};
use crate::event::ApprovalTarget;
use crate::ids::{GateName, PersonName};
use crate::model::{ApprovalRule, GateKind};
use crate::state::Says;

/// What it costs to give somebody a place that they may not have: more than everything else together.
const NEVER: i64 = 1_000_000;
/// The most ways that are tried to fill gates under two rules with the same people.
const WAYS_MAX: usize = 64;

/// The people that one rule of a gate takes: so many of those who may.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Takes {
    count: usize,
    of: Vec<PersonName>,
}

/// One place: the number of its gate, and who may fill it.
type Place<'a> = (usize, &'a [PersonName]);
/// A way in which gates take people: the number of each gate, with what one of its parts takes.
type Way = Vec<(usize, Takes)>;

/// A yes that somebody takes back since they are missing elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TakeBack {
    /// Who.
    pub(super) person: PersonName,
    /// The gate that it fills.
    pub(super) gate: GateName,
    /// Who can fill that place then, where somebody has to who has filled none.
    pub(super) instead: Vec<PersonName>,
}

impl TakeBack {
    /// What is to be done, in words.
    pub(super) fn words(&self) -> String {
        let (person, gate) = (&self.person, &self.gate);
        let names: Vec<String> = self.instead.iter().map(ToString::to_string).collect();
        let instead = match names.is_empty() {
            true => String::new(),
            false => format!(", which is then for {}", names.join(", ")),
        };
        format!("{person} can take back their yes to `{gate}`{instead}, and approve here")
    }
}

/// The gates of an environment that take approvals, and who may fill and has filled their places.
#[derive(Debug, Clone, Default)]
pub(super) struct Seating {
    gates: Vec<GateName>,
    /// What each rule of a gate takes; nothing where the gate does not hold the release.
    takes: Vec<Vec<Takes>>,
    /// Whose yes counts by itself for which gate, in the order in which they were given.
    given: Vec<(PersonName, usize)>,
}

/// A way to fill all places: what it costs, and who fills which gate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Filling {
    cost: i64,
    of: Vec<(PersonName, usize)>,
}

impl Seating {
    /// Whether anybody who may fill a place could be missing elsewhere.
    fn is_tight(&self) -> bool {
        let filled = |gate: usize| self.given.iter().filter(|(_, at)| *at == gate).count();
        let missing = |gate: usize| {
            let needed: usize = self.takes[gate].iter().map(|takes| takes.count).sum();
            needed.saturating_sub(filled(gate))
        };
        let open: Vec<usize> = (0..self.gates.len()).filter(|gate| missing(*gate) > 0).collect();
        let all: usize = open.iter().map(|gate| missing(*gate)).sum();
        let free = |person: &&PersonName| !self.given.iter().any(|(other, _)| other == *person);
        open.iter()
            .any(|gate| self.takes[*gate].iter().any(|takes| takes.of.iter().filter(free).count() < all))
    }

    /// What it costs that somebody fills a place of a gate, in things that people have to do: nothing where they do, a yes, or before
    /// it that they take back another.
    fn cost(given: &[(PersonName, usize)], person: &PersonName, gate: usize) -> i64 {
        let mut theirs = given.iter().filter(|(other, _)| other == person).map(|(_, gate)| *gate);
        match theirs.next() {
            None => 1,
            Some(first) if first == gate => 0,
            // What they said there counts as soon as the other one is taken back.
            Some(_) if theirs.any(|other| other == gate) => 1,
            Some(_) => 2,
        }
    }

    /// The places, in every way in which people can count under several rules of a gate at once.
    fn ways(&self) -> Vec<Way> {
        let mut ways: Vec<Way> = vec![Vec::new()];
        for (gate, takes) in self.takes.iter().enumerate() {
            let parts = parts(takes);
            let few = ways.len() * parts.len() <= WAYS_MAX;
            let parts = if few { &parts[..] } else { &parts[..1] };
            let with = |way: &Way, part: &Vec<Takes>| -> Way {
                way.iter().cloned().chain(part.iter().map(|takes| (gate, takes.clone()))).collect()
            };
            ways = ways.iter().flat_map(|way| parts.iter().map(|part| with(way, part))).collect();
        }
        ways
    }

    /// The way to fill all places that asks least of people; none where there is none.
    fn filling(&self, given: &[(PersonName, usize)]) -> Option<Filling> {
        let fill = |way: &Way| {
            let places = |(gate, takes): &'_ (usize, Takes)| {
                std::iter::repeat_n((*gate, takes.of.clone()), takes.count).collect::<Vec<_>>()
            };
            let places: Vec<(usize, Vec<PersonName>)> = way.iter().flat_map(places).collect();
            let places: Vec<Place<'_>> = places.iter().map(|(gate, of)| (*gate, of.as_slice())).collect();
            fill(&places, given)
        };
        self.ways().iter().filter_map(fill).min_by_key(|filling| filling.cost)
    }

    fn number(&self, gate: &GateName) -> Option<usize> {
        self.gates.iter().position(|other| other == gate)
    }

    fn with(&self, person: &PersonName, gate: usize) -> Vec<(PersonName, usize)> {
        self.given.iter().cloned().chain([(person.clone(), gate)]).collect()
    }

    fn without(&self, person: &PersonName, gate: usize) -> Vec<(PersonName, usize)> {
        self.given.iter().filter(|(other, at)| (other, *at) != (person, gate)).cloned().collect()
    }

    /// The same with as few people as it takes to answer for all: of those who may fill the same places and have said the same, no
    /// more than there are places. And for each person one of them who stands for them.
    fn with_few(&self) -> (Self, BTreeMap<PersonName, PersonName>) {
        let mut marks: BTreeMap<&PersonName, Vec<usize>> = BTreeMap::new();
        let rules: Vec<&Takes> = self.takes.iter().flatten().collect();
        for (number, takes) in rules.iter().enumerate() {
            takes.of.iter().for_each(|person| marks.entry(person).or_default().push(number));
        }
        for (person, gate) in &self.given {
            marks.entry(person).or_default().push(rules.len() + gate);
        }
        let mut alike: BTreeMap<Vec<usize>, Vec<&PersonName>> = BTreeMap::new();
        for (person, marks) in marks {
            alike.entry(marks).or_default().push(person);
        }
        let places: usize = rules.iter().map(|takes| takes.count).sum();
        let enough = |people: &Vec<&'_ PersonName>| -> Vec<PersonName> {
            people.iter().take(places.max(1)).map(|person| (*person).clone()).collect()
        };
        let said = self.given.iter().map(|(person, _)| person.clone());
        let few: BTreeSet<PersonName> = alike.values().flat_map(enough).chain(said).collect();
        let less = |takes: &Takes| Takes {
            count: takes.count,
            of: takes.of.iter().filter(|person| few.contains(*person)).cloned().collect(),
        };
        let takes = self.takes.iter().map(|rules| rules.iter().map(less).collect()).collect();
        let stands_for = |people: &Vec<&PersonName>| -> Vec<(PersonName, PersonName)> {
            let first = people.first().map(|first| (*first).clone());
            people.iter().filter_map(|person| Some(((*person).clone(), first.clone()?))).collect()
        };
        let stands_for = alike.values().flat_map(stands_for).collect();
        (Self { gates: self.gates.clone(), takes, given: self.given.clone() }, stands_for)
    }

    /// Leaves those who can approve a gate without being missing for another, and says for which one the others are. Where nobody
    /// is left, gives who takes back another yes. Where it cannot be done at all, everything stays as it is.
    fn arrange(&self, gate: &GateName, count: &mut Count) -> Option<TakeBack> {
        let (few, stands_for) = self.with_few();
        few.arrange_by(&stands_for, &few.filling(&few.given)?, gate, count)
    }

    fn arrange_by(
        &self,
        stands_for: &BTreeMap<PersonName, PersonName>,
        least: &Filling,
        gate: &GateName,
        count: &mut Count,
    ) -> Option<TakeBack> {
        let number = self.number(gate)?;
        let mut known: BTreeMap<PersonName, bool> = BTreeMap::new();
        let mut leads = |person: &PersonName| {
            let one = stands_for.get(person).unwrap_or(person);
            *known.entry(one.clone()).or_insert_with(|| {
                let filling = self.filling(&self.with(one, number));
                filling.is_some_and(|filling| filling.cost == least.cost - 1)
            })
        };
        let (can, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut count.can).into_iter().partition(|person| leads(person));
        let wanted = |person: &PersonName| {
            let place = least.of.iter().find(|(other, _)| other == person)?.1;
            (place != number).then(|| self.gates[place].clone())
        };
        count.kept = kept.iter().filter_map(|person| Some((person.clone(), wanted(person)?))).collect();
        count.can = can;
        if !count.can.is_empty() || !count.refused.is_empty() {
            return None;
        }
        let found = self.take_back(number, least);
        if found.is_none() {
            // Nothing is known that would be better.
            (count.can, count.kept) = (kept, Vec::new());
        }
        found
    }

    fn take_back(&self, number: usize, least: &Filling) -> Option<TakeBack> {
        let elsewhere = self.given.iter().filter(|(_, gate)| *gate != number);
        for (person, gate) in elsewhere {
            let without = self.without(person, *gate);
            let after = match without.contains(&(person.clone(), number)) {
                true => (without.clone(), 1),
                false => (without.iter().cloned().chain([(person.clone(), number)]).collect(), 2),
            };
            let Some(filling) = self.filling(&after.0).filter(|filling| filling.cost == least.cost - after.1)
            else {
                continue;
            };
            if self.filling(&without).is_none_or(|filling| filling.cost != least.cost - 1) {
                continue;
            }
            let silent = |person: &PersonName| !self.given.iter().any(|(other, _)| other == person);
            let instead = filling.of.into_iter().filter(|(other, at)| at == gate && silent(other));
            let instead = instead.map(|(other, _)| other).collect();
            return Some(TakeBack { person: person.clone(), gate: self.gates[*gate].clone(), instead });
        }
        None
    }
}

/// The ways to split what several rules of a gate take into people who count under one of them, and under both.
fn parts(takes: &[Takes]) -> Vec<Vec<Takes>> {
    let mut rules: Vec<&Takes> = Vec::new();
    for one in takes {
        let within = |one: &Takes, other: &Takes| {
            one.count <= other.count && other.of.iter().all(|person| one.of.contains(person))
        };
        // Whoever fills the narrower one fills the wider one as well.
        if rules.iter().any(|other| within(one, other)) {
            continue;
        }
        rules.retain(|other| !within(other, one));
        rules.push(one);
    }
    let [one, other] = rules.as_slice() else { return vec![rules.into_iter().cloned().collect()] };
    let both: Vec<PersonName> = one.of.iter().filter(|person| other.of.contains(person)).cloned().collect();
    let most = one.count.min(other.count);
    (0..=most)
        .rev()
        .map(|shared| {
            let rest = |takes: &Takes| Takes { count: takes.count - shared, of: takes.of.clone() };
            vec![Takes { count: shared, of: both.clone() }, rest(one), rest(other)]
        })
        .collect()
}

/// Fills places at the least cost; none where that cannot be done.
fn fill(places: &[Place<'_>], given: &[(PersonName, usize)]) -> Option<Filling> {
    let mut seen: BTreeSet<&PersonName> = BTreeSet::new();
    let all = places.iter().flat_map(|(_, of)| of.iter());
    let people: Vec<&PersonName> = all.filter(|person| seen.insert(person)).collect();
    if people.len() < places.len() {
        return None;
    }
    let cost = |(gate, of): &Place<'_>, person: &PersonName| match of.contains(person) {
        true => Seating::cost(given, person, *gate),
        false => NEVER,
    };
    let costs: Vec<Vec<i64>> =
        places.iter().map(|place| people.iter().map(|person| cost(place, person)).collect()).collect();
    let columns = assign(&costs, people.len());
    let total: i64 = columns.iter().enumerate().map(|(row, column)| costs[row][*column]).sum();
    let of = columns.iter().enumerate().map(|(row, column)| (people[*column].clone(), places[row].0));
    (total < NEVER).then(|| Filling { cost: total, of: of.collect() })
}

/// A column for each row, no two the same, at the least cost: the Hungarian method, with potentials. There are as many columns as
/// rows at least.
fn assign(costs: &[Vec<i64>], columns: usize) -> Vec<usize> {
    const FAR: i64 = i64::MAX / 4;
    // Row and column 0 stand for nothing.
    let mut of_row = vec![0_i64; costs.len() + 1];
    let mut of_column = vec![0_i64; columns + 1];
    let mut row_of = vec![0_usize; columns + 1];
    for row in 1..=costs.len() {
        row_of[0] = row;
        let mut column = 0;
        let mut least = vec![FAR; columns + 1];
        let mut before = vec![0_usize; columns + 1];
        let mut used = vec![false; columns + 1];
        while row_of[column] != 0 {
            used[column] = true;
            let (from, mut delta, mut next) = (row_of[column], FAR, 0);
            for other in 1..=columns {
                if used[other] {
                    continue;
                }
                let reduced = costs[from - 1][other - 1] - of_row[from] - of_column[other];
                if reduced < least[other] {
                    (least[other], before[other]) = (reduced, column);
                }
                if least[other] < delta {
                    (delta, next) = (least[other], other);
                }
            }
            for other in 0..=columns {
                if used[other] {
                    of_row[row_of[other]] += delta;
                    of_column[other] -= delta;
                } else {
                    least[other] -= delta;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[before[column]];
            column = before[column];
        }
    }
    let mut found = vec![0; costs.len()];
    for (column, row) in row_of.iter().enumerate().skip(1).filter(|(_, row)| **row != 0) {
        found[*row - 1] = column - 1;
    }
    found
}

/// Whether people can fill all places of some gates, each one place: of each gate how many it takes, and of whom.
pub fn can_be_filled(gates: &[Vec<(u32, Vec<PersonName>)>]) -> bool {
    let takes = |(count, of): &(u32, Vec<PersonName>)| Takes { count: *count as usize, of: of.clone() };
    let takes: Vec<Vec<Takes>> = gates.iter().map(|rules| rules.iter().map(takes).collect()).collect();
    let seating = Seating { gates: Vec::new(), takes, given: Vec::new() };
    seating.with_few().0.filling(&[]).is_some()
}

impl<'a> Entering<'a> {
    /// The gates of this environment that take approvals, each once, and whether it holds the release.
    fn approval_gates(&self) -> Vec<(GateName, Option<bool>)> {
        let mut found: Vec<(GateName, Option<bool>)> = Vec::new();
        for (name, gate) in of_run(self.view, self.plan, self.environment) {
            let GateKind::Approval(_) = &gate.kind else { continue };
            let holds = match self.waiver(name) {
                Some(_) => Some(false),
                None => self.applies(gate),
            };
            match found.iter_mut().find(|(other, _)| other == name) {
                None => found.push((name.clone(), holds)),
                // One that holds it by one of the rules holds it.
                Some((_, known)) if *known != Some(true) && holds != Some(false) => *known = holds,
                Some(_) => {}
            }
        }
        found.extend(exemption_gates(self).into_iter().map(|gate| (gate, None)));
        found
    }

    fn seating(&self, gates: &[(GateName, Option<bool>)], holds: impl Fn(Option<bool>) -> bool) -> Seating {
        let targets: Vec<ApprovalTarget> = gates
            .iter()
            .map(|(gate, _)| ApprovalTarget::Gate(self.environment.clone(), gate.clone()))
            .collect();
        let rules: Vec<Vec<&ApprovalRule>> = gates
            .iter()
            .map(|(gate, _)| approval_rules(self.view, self.plan, self.environment, gate))
            .collect();
        let counting = |gate: usize, rule| Counting { entering: *self, rule, target: &targets[gate] };
        let mut given: Vec<(PersonName, usize)> = Vec::new();
        let mut takes: Vec<Vec<Takes>> = gates
            .iter()
            .enumerate()
            .map(|(number, (_, known))| match holds(*known) {
                true => {
                    let of = |rule: &&'a ApprovalRule| counting(number, rule).could();
                    let of =
                        rules[number].iter().map(|rule| Takes { count: rule.count as usize, of: of(rule) });
                    of.collect()
                }
                false => Vec::new(),
            })
            .collect();
        for opinion in &self.view.release.opinions {
            let live = opinion.revoked.is_none() && opinion.candidate == self.run.candidate;
            if !live || !matches!(opinion.says, Says::Yes { .. }) {
                continue;
            }
            let Some(number) = targets.iter().position(|target| *target == opinion.target) else { continue };
            let Some(person) = opinion.by.person() else { continue };
            let standing: Vec<usize> = (0..rules[number].len())
                .filter(|at| counting(number, rules[number][*at]).stands(opinion))
                .collect();
            if !standing.is_empty() && !given.contains(&(person.clone(), number)) {
                given.push((person.clone(), number));
            }
            for at in standing {
                // Whoever was asked then need not be asked now.
                if let Some(takes) = takes[number].get_mut(at)
                    && !takes.of.contains(person)
                {
                    takes.of.push(person.clone());
                }
            }
        }
        Seating { gates: gates.iter().map(|(gate, _)| gate.clone()).collect(), takes, given }
    }

    /// Leaves of those who can approve a gate whoever is not missing for another one then, and gives who has to take back another
    /// yes where nobody is left.
    pub(super) fn arrange(&self, gate: &GateName, count: &mut Count) -> Option<TakeBack> {
        let gates = self.approval_gates();
        if gates.len() < 2 {
            return None;
        }
        // What may come to hold it is thought of where that is possible.
        let all = self.seating(&gates, |holds| holds != Some(false));
        if !all.is_tight() {
            return None;
        }
        let (few, stands_for) = all.with_few();
        match few.filling(&few.given) {
            Some(least) => few.arrange_by(&stands_for, &least, gate, count),
            None => self.seating(&gates, |holds| holds == Some(true)).arrange(gate, count),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn person(number: usize) -> PersonName {
        PersonName::new(format!("p{number}")).expect("a name")
    }

    fn group(bits: u16) -> Vec<PersonName> {
        (0..10).filter(|bit| bits & (1 << bit) != 0).map(person).collect()
    }

    fn seating() -> impl Strategy<Value = Seating> {
        let rule = (0..3_usize, any::<u16>().prop_map(group)).prop_map(|(count, of)| Takes { count, of });
        let takes = prop::collection::vec(prop::collection::vec(rule, 0..3), 2..5);
        (takes, prop::collection::vec((0..10_usize, 0..4_usize), 0..4)).prop_map(|(takes, said)| {
            let gates: Vec<GateName> =
                (0..takes.len()).map(|gate| GateName::new(format!("g{gate}")).expect("a name")).collect();
            let mut given: Vec<(PersonName, usize)> = Vec::new();
            for (one, gate) in said {
                let one = (person(one), gate % takes.len());
                if !given.contains(&one) {
                    given.push(one);
                }
            }
            Seating { gates, takes, given }
        })
    }

    proptest! {
        /// Those who are alike are as good as each other: nothing comes out otherwise when few of them are looked at.
        #[test]
        fn few_answer_for_all(seating in seating(), gate in 0..4_usize) {
            let number = gate % seating.gates.len();
            let cost = |seating: &Seating| seating.filling(&seating.given).map(|filling| filling.cost);
            prop_assert_eq!(cost(&seating), cost(&seating.with_few().0));
            let silent = |person: &PersonName| !seating.given.iter().any(|one| *one == (person.clone(), number));
            let can = (0..10).map(person).filter(silent).filter(|person| {
                seating.takes[number].iter().any(|takes| takes.of.contains(person))
            });
            let mut all = Count { can: can.collect(), ..Count::default() };
            let mut few = all.clone();
            let name = seating.gates[number].clone();
            let least = seating.filling(&seating.given);
            let back = least.and_then(|least| seating.arrange_by(&BTreeMap::new(), &least, &name, &mut all));
            let fewer = seating.arrange(&name, &mut few);
            prop_assert_eq!(all.can, few.can);
            let words = |back: &Option<TakeBack>| {
                back.as_ref().map(|back| (back.person.clone(), back.gate.clone(), back.instead.len()))
            };
            prop_assert_eq!(words(&back), words(&fewer));
        }
    }

    /// A thousand people who are alike are looked at as few: otherwise this would take minutes.
    #[test]
    fn large_groups_are_looked_at_as_few() {
        let all: Vec<PersonName> = (0..1_000).map(person).collect();
        let takes =
            vec![vec![Takes { count: 1, of: vec![person(0)] }], vec![Takes { count: 3, of: all.clone() }]];
        let gates: Vec<GateName> = ["boss", "any"].map(|name| GateName::new(name).expect("a name")).into();
        let seating = Seating { gates: gates.clone(), takes, given: Vec::new() };
        let few = seating.with_few().0;
        assert!(few.takes.iter().flatten().all(|takes| takes.of.len() <= 5), "{few:?}");
        let mut count = Count { can: all, ..Count::default() };
        assert_eq!(seating.arrange(&gates[1], &mut count), None);
        assert_eq!(count.can.len(), 999, "the boss is needed elsewhere");
        assert_eq!(count.kept, [(person(0), gates[0].clone())]);
    }
}

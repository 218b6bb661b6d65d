//! Forecasts, gates and explanations: how long what people look at takes to be made, without the store.

use std::hint::black_box;

use jiff::{SignedDuration, Timestamp};
use tollgate_core::decide::{Entering, gates};
use tollgate_core::explain::explain;
use tollgate_core::forward::forecast::{forecast, forecast_start};
use tollgate_core::forward::scenario::{Does, Part, Scenario, When};
use tollgate_core::forward::script::{play, starter};
use tollgate_core::model::Place;
use tollgate_core::state::PolicyState;
use tollgate_core::view::View;
use tollgate_engine::rehearsal::Rehearsal;

use crate::{Outcome, now};

/// Three environments with every kind of gate that people have, and 40 steps.
const FILE: &str = r#"
tollgate: 1
service: shop
repository: { branch: main }
version: { format: vX.Y.Z, initial: 1.0.0, files: [VERSION] }
people: { ada: {}, brian: {}, chris: {}, dana: {}, eve: {} }
groups: { developers: [ada, brian], qa: [chris, dana, eve] }
gates:
  quiet: { ask: "No incident?", valid: 24h }
environments:
  dev:
    deploy: { command: ./deploy dev }
  stage:
    from: dev
    gates: { hours: { window: "Mon-Fri 08:00-18:00 Europe/Berlin" } }
    deploy: { command: ./deploy stage }
    probe: { url: "https://stage.example.org/version", body: true }
    verify:
      - checklist: [{ id: cart, do: The cart. }, { id: pay, do: Paying. }, { id: mail, do: The mail. }]
        by: qa
  production:
    from: stage
    gates:
      hours: { window: { open: "Mon-Thu 09:00-16:00 Europe/Berlin", closed: "25 Dec Europe/Berlin" } }
      soak: { soak: 24h }
      approved: { approval: { count: 2 }, by: qa }
      size: { require: "version.bump != 'major'" }
    deploy: { command: ./deploy production }
    probe: { url: "https://example.org/version", body: true, times: 3 }
procedures:
  release:
    start: { by: developers }
    steps:
      - version.bump: {}
      - git.commit: "Version {{ version }}"
      - git.tag: {}
      - git.push: [branch, tag]
      - shell: make
        each: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r]
      - promote: dev
      - promote: stage
      - promote: production
"#;

/// Measures `count` releases.
#[expect(clippy::print_stdout, reason = "this is a command")]
pub(crate) fn run(count: usize) -> Outcome {
    let loaded = tollgate_procedure::load(FILE, "tollgate.yaml", &|_| Err("none".into()));
    let (Some(definition), Some(policy)) = (&loaded.definition, &loaded.policy) else {
        return Err(loaded.render(false).into());
    };
    let start: Timestamp = "2026-11-23T08:00:00Z".parse()?;
    let zone = tollgate_core::calendar::Zone::new("Europe/Berlin")?;
    let mut scenario = Scenario::good_day(start, zone);
    let plan = Rehearsal::new(definition, policy, &scenario).plan()?;
    let rules = PolicyState::default();
    let actor = starter(&plan, None);

    let begin = now();
    let runs = 20;
    for _ in 0..runs {
        black_box(forecast_start(&plan, None, &rules, &actor, start));
    }
    let each = begin.elapsed() / runs;
    println!("forecast before the start, {} steps: {:.1} ms", plan.steps.len(), each.as_secs_f64() * 1e3);

    // The same release where it waits for production, with nobody there to approve.
    let point = "gate production/approved".to_owned().try_into().map_err(|why: String| why)?;
    let (when, by, place) = (When::After(SignedDuration::ZERO), None, Place::default());
    let does = Does::Nothing(point);
    scenario.people = vec![Part { when, by, does, respins: 0, release: None, place }];
    scenario.until = start + SignedDuration::from_hours(12);
    let driven = play(&scenario, plan.clone(), &Rehearsal::new(definition, policy, &scenario));
    let (view, at): (View, Timestamp) = (driven.stage.view, driven.stage.now);

    let begin = now();
    for _ in 0..runs {
        black_box(forecast(&view, &rules, at));
    }
    let each = begin.elapsed() / runs;
    println!("forecast while it waits: {:.1} ms", each.as_secs_f64() * 1e3);

    let (run, plan) = view.active().next().ok_or("the release has ended")?;
    let environment = "production".parse()?;
    let entering = Entering { view: &view, run, plan, environment: &environment, now: at };
    let reports = gates(entering);
    let begin = now();
    for _ in 0..count {
        black_box(gates(entering));
    }
    let each = begin.elapsed() / u32::try_from(count)?;
    println!(
        "{} gates of production: {:.1} µs, {:.2} µs a gate",
        reports.len(),
        each.as_secs_f64() * 1e6,
        each.as_secs_f64() * 1e6 / reports.len() as f64
    );

    let begin = now();
    for _ in 0..count {
        black_box(explain(&view, at));
    }
    println!("why of {count} waiting releases: {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

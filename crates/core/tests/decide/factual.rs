//! Facts by chance, and a world in which all of them are as they have to be.

use jiff::Timestamp;
use proptest::prelude::*;
use tollgate_core::decide::Sight;
use tollgate_core::facts::{FactLook, FactValue, LookAsk, Reading, Want};
use tollgate_core::model::*;
use tollgate_core::signatures::{Judged, SignedObject, Signers, Verdict};

use crate::build::*;
use crate::world::*;

fn at(url: &str, read: FactRead) -> Box<FactSpec> {
    Box::new(crate::facts::at(url, read))
}

pub(crate) fn ci() -> Box<CiRule> {
    let result = *at("https://ci/{{ commit }}", FactRead::Text);
    Box::new(CiRule { result, passed: vec!["success".into()], failed: vec!["failure".into()] })
}

pub(crate) fn metric(baseline: Option<Baseline>, quiet: Option<i64>) -> FactGate {
    let number = *at("https://m/{{ env.name }}", FactRead::Text);
    let bound = Bound::AtMost("100".parse().unwrap());
    FactGate::Metrics(Box::new(MetricRule { number, from: None, bound, baseline, quiet: quiet.map(mins) }))
}

/// A list that has to be empty.
pub(crate) fn blockers() -> FactGate {
    let list = at("https://bugs/{{ env.name }}", FactRead::Json(String::new()));
    FactGate::Blockers { list, from: None, not_in: None }
}

/// A gate that rests on a fact of any kind.
pub(crate) fn any_fact_gate() -> impl Strategy<Value = Gate> + Clone {
    let other = proptest::option::of(Just(n("stage")));
    let baseline = prop_oneof![
        Just(None),
        Just(Some(Baseline::Start)),
        Just(Some(Baseline::Environment(n("production")))),
    ];
    let signers = Signers::parse("keys/signers", &"a".repeat(40)).unwrap();
    let signed = GitVerify { tag: false, commits: true, signers };
    let gate = prop_oneof![
        other.prop_map(|other| match blockers() {
            FactGate::Blockers { list, from, .. } => FactGate::Blockers { list, from, not_in: other },
            gate => gate,
        }),
        (baseline, proptest::option::of(1..60_i64)).prop_map(|(baseline, quiet)| metric(baseline, quiet)),
        Just(FactGate::Ci(ci())),
        Just(FactGate::Signed(Box::new(signed))),
    ];
    gate.prop_map(|gate| gate_of(GateKind::Fact(gate)))
}

/// The digest of an image.
pub(crate) fn image() -> Box<FactSpec> {
    at("https://r/{{ version }}", FactRead::Text)
}

/// A step that waits for a fact.
pub(crate) fn any_fact_step(id: &'static str) -> impl Strategy<Value = Step> {
    let wait = prop_oneof![
        Just(FactWait::Ci(ci())),
        Just(FactWait::Artifact { digest: image(), component: n("shop") }),
    ];
    wait.prop_map(move |wait| step(id, StepKind::Wait(wait)))
}

/// A look at something that is as it has to be, and has been for long.
pub(crate) fn good_sight(look: &FactLook, now: Timestamp) -> Sight {
    let digest = matches!(&look.ask, LookAsk::Http { url, .. } if url.starts_with("https://r/"));
    let value = match look.want {
        Want::List => FactValue::List { items: Vec::new(), more: 0 },
        Want::Number => FactValue::Number("50".parse().unwrap()),
        Want::Word if digest => FactValue::Word(format!("sha256:{}", "a".repeat(64))),
        Want::Word => FactValue::Word("success".into()),
        Want::Signatures => {
            let mut judged = Judged::default();
            judged.take_in(SignedObject::Commit(commit("change")), Verdict::Good("key A".into()));
            FactValue::Signatures(judged)
        }
    };
    Sight { at: now, unbroken: now - hours(200), reading: Reading::Is(value) }
}

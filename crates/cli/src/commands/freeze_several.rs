//! `tollgate freeze` of several services: each has a record of its own, so all are asked first, and what was done is told exactly.

use std::collections::BTreeSet;

use serde::Serialize;
use tollgate_core::calendar::Only;
use tollgate_core::ids::ServiceName;
use tollgate_core::plan::list;
use tollgate_core::state::FreezeState;

use super::freeze::{FreezeArgs, made, shown};
use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{BAD, HEAD, NAME, line, styled};

/// What came of it for one service.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Done {
    service: ServiceName,
    /// The freeze; none where it was not made.
    freeze: Option<FreezeState>,
    /// Why it was not made.
    why: Option<String>,
}

pub(super) async fn freeze(app: &App, args: &FreezeArgs) -> Result<Exit, CliError> {
    let named = args.named()?;
    let services: BTreeSet<ServiceName> =
        if named.is_empty() { app.services()?.into_iter().collect() } else { named };
    if services.is_empty() {
        return Err(CliError::refused("no-state", "no service has a state on this machine"));
    }
    let mut ready = Vec::new();
    for service in &services {
        // All are asked before anything is written: a refusal of one is no surprise in the middle.
        let nothing = |error: CliError| CliError {
            message: format!("{service}: {}; nothing was frozen", error.message),
            ..error
        };
        let opened = app.look(service.clone()).map_err(nothing)?;
        let now = opened.engine.world.clock.now();
        let scope = Only::These(services.clone());
        let (freeze, actor) = made(app, &opened, args, scope, now).await.map_err(nothing)?;
        let may = opened.engine.may_freeze(service, &freeze, args.sure(), &actor).await;
        may.map_err(|error| nothing(error.into()))?;
        ready.push((opened, freeze, actor, now));
    }
    let mut all = Vec::new();
    let mut text = String::new();
    for (opened, freeze, actor, now) in ready {
        let service = opened.service.clone();
        match opened.engine.freeze(&service, &freeze, args.sure(), &actor).await {
            Ok(decision) => {
                let lift = format!("tollgate thaw {} --service {service}", decision.freeze.number);
                text.push_str(&format!("{} {}\n", styled(HEAD, &service), styled(NAME, lift)));
                text.push_str(&shown(&decision.freeze, now));
                all.push(Done { service, freeze: Some(decision.freeze), why: None });
            }
            Err(error) => {
                let why = CliError::from(error).message;
                text.push_str(&format!("{} {} {}\n", styled(HEAD, &service), styled(BAD, "✗"), line(&why)));
                all.push(Done { service, freeze: None, why: Some(why) });
            }
        }
    }
    app.output.data(&all, || text)?;
    let of = |frozen: bool| {
        list(all.iter().filter(|one| one.freeze.is_some() == frozen).map(|one| one.service.as_str()))
    };
    match all.iter().all(|one| one.freeze.is_some()) {
        true => Ok(Exit::Done),
        false => {
            let why = format!("not frozen: {}; frozen: {}", of(false), of(true));
            Err(CliError::refused("partly", why)
                .hint("freeze the others again, once what is told above is mended"))
        }
    }
}

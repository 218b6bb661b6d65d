//! What every implementation of the storage port has to do, written against the port alone.

mod concurrency;
mod lists;
mod outbox;
pub mod samples;
mod streams;

use std::sync::Arc;

use tollgate_engine::store::Store;

/// Runs the whole suite, each case on a new, empty store. Panics at the first thing that is not as it has to be.
///
/// Needs tokio's clock. On a runtime with several threads the concurrent cases are worth more.
pub async fn store_conformance(fresh: impl AsyncFn() -> Arc<dyn Store>) {
    macro_rules! run {
        ($($module:ident :: $case:ident),* $(,)?) => {$(
            eprint(concat!(stringify!($module), "::", stringify!($case)));
            $module::$case(fresh().await).await;
        )*};
    }
    run! {
        streams::events_are_appended_and_chained,
        streams::a_conflict_writes_nothing,
        streams::a_stream_only_read_guards_the_commit,
        streams::one_of_several_streams_conflicts,
        streams::all_kinds_of_change_are_one,
        streams::breaches_of_the_contract_are_refused,
        streams::snapshots_shorten_what_is_read,
        streams::records_are_paged,
        streams::heads_are_listed_by_prefix,
        streams::checkpoints_record_what_changed,
        streams::a_large_checkpoint_takes_several_events,
        streams::times_are_kept_to_the_nanosecond,
        lists::rows_are_put_replaced_and_removed,
        lists::rows_are_listed_in_order_and_in_pages,
        lists::rows_are_filtered,
        lists::a_list_that_was_read_guards_the_commit,
        lists::blobs_are_kept_and_pruned,
        lists::a_large_blob_is_kept,
        outbox::timers_come_due_in_order,
        outbox::tasks_are_claimed_once,
        outbox::a_stale_claim_is_fenced,
        outbox::a_withdrawn_task_is_gone_for_its_worker,
        outbox::a_task_can_be_finished_and_put_back_at_once,
        outbox::claimed_tasks_are_recovered,
        outbox::polls_are_shared,
        outbox::the_earliest_due_time_is_known,
        outbox::times_out_of_range_become_the_nearest,
        concurrency::every_commit_lands_exactly_once,
        concurrency::readers_see_whole_commits,
        concurrency::one_claim_of_many_wins,
        concurrency::changes_are_hinted,
        concurrency::one_process_works,
    }
}

/// Names the case, which a panic in it does not; the test runner shows it only then.
#[expect(clippy::print_stderr, reason = "this is a test")]
fn eprint(case: &str) {
    eprintln!("case {case}");
}

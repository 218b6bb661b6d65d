//! The engine, case by case: on a simulated world and the store in memory.

mod along;
mod artifacts;
mod bench;
mod calendars;
mod conflicts;
mod ended;
mod faults;
mod labels;
mod loads;
mod loops;
mod merges;
mod orders;
mod own_tags;
mod packing;
mod publishing;
mod repairs;
mod train_days;
mod train_notices;
mod trains;

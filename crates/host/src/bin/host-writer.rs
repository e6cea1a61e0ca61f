//! The writer's child as a program of its own, for this crate's tests: they
//! run in a test harness, which cannot be started again as `passthru` can.

use std::process::ExitCode;

fn main() -> ExitCode {
    match host::write::run_child() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

//! The writer's child as a program of its own, for this crate's tests: they
//! run in a test harness, which cannot be started again as `passthru` can.

use std::io::{stdin, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    match host::write::serve(stdin().lock(), stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

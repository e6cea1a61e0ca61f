//! The `passthru` program. Everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os())
}

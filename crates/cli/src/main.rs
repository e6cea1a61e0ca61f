//! The `passthru` program. Everything is in the library beside it, but for
//! one look that must be taken before Rust's runtime begins.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

fn main() -> ExitCode {
    cli::main(std::env::args_os(), STDOUT_CLOSED.load(Ordering::Relaxed))
}

static STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether there is a standard output. By the time that `main` runs, Rust's
/// runtime has put `/dev/null` where there was none (`sanitize_standard_fds()`
/// in library/std/src/sys/pal/unix), and that takes everything in silence.
extern "C" fn look_at_stdout() {
    let closed = rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err();
    STDOUT_CLOSED.store(closed, Ordering::Relaxed);
}

/// Functions of this section are called before anything of Rust's (System V
/// ABI, "Initialization and Termination Functions").
#[expect(unsafe_code, reason = "only so can a function be called before the runtime begins")]
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = look_at_stdout;

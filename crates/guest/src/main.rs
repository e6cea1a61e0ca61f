//! The init of a guest: it tells on the console which devices arrived, and nothing else.
//!
//! What comes in: the kernel's command line, `/sys`, lines typed on the console. What goes out: lines that start
//! with `guest:`, made to be read by people and by tests alike:
//!
//! ```text
//! guest: linux 6.12.43+deb13-amd64
//! guest: pci 0000:01:00.0 1b36:0010 class 010802 driver nvme
//! guest: disk nvme0n1 sector0 sha256 0f3c…
//! guest: ready
//! guest: pci added 0000:02:00.0 1234:11e8 class 00ff00 driver -
//! guest: pci removed 0000:02:00.0
//! ```
//!
//! It needs no other program, and it writes to a disk only when told to.

mod button;
mod console;
mod disks;
mod kernel;
mod pci;
mod watch;

use std::time::{Duration, Instant};

use console::Console;
use watch::Watch;

/// How often the buses are looked at: quick for a person, cheap for a machine.
const TICK: Duration = Duration::from_millis(250);
/// NVMe controllers make their disks a moment after their driver is bound.
const SETTLE: Duration = Duration::from_secs(15);

fn main() {
    kernel::mount_all();
    let started = Instant::now();
    kernel::load_modules();
    say(&format!("linux {}", kernel::release()));

    let mut watch = Watch::default();
    watch.wait_for_disks(SETTLE);
    watch.tell_all();
    say("ready");

    let end = kernel::argument("guest.poweroff=").and_then(|text| text.parse().ok());
    let end = end.map(|seconds| started + Duration::from_secs(seconds));
    let mut console = Console::open();
    let mut buttons = button::Buttons::open();
    loop {
        console.serve(TICK);
        watch.tell_changes();
        let pressed = buttons.pressed();
        if pressed || console.asked_for_poweroff || end.is_some_and(|end| Instant::now() >= end) {
            say(if pressed { "power button" } else { "poweroff" });
            kernel::power_off();
        }
    }
}

/// One line on the console, in one write, so that the kernel's lines do not cut it.
fn say(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().lock().write_all(format!("guest: {text}\n").as_bytes());
}

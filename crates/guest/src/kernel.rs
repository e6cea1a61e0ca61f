//! What an init asks of the kernel: file systems, modules, the end.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, finit_module, reboot};

use crate::say;

/// A failure is told and not fatal: the rest may still be worth reading.
pub fn mount_all() {
    for (kind, path) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        if let Err(error) = mount(kind, path, kind, MountFlags::empty(), None)
            // The kernel may have mounted devtmpfs itself.
            && error != rustix::io::Errno::BUSY
        {
            say(&format!("cannot mount {path}: {error}"));
        }
    }
}

/// Loads what the initramfs brought: lines of a file name and its parameters, in the order in which they stand.
pub fn load_modules() {
    let folder = Path::new("/lib/modules");
    let order = fs::read_to_string(folder.join("order")).unwrap_or_default();
    for line in order.lines() {
        let (name, parameters) = line.split_once(' ').unwrap_or((line, ""));
        if let Err(error) = load(&folder.join(name), parameters) {
            say(&format!("cannot load {name}: {error}"));
        }
    }
}

fn load(path: &Path, parameters: &str) -> io::Result<()> {
    let parameters = CString::new(parameters)?;
    Ok(finit_module(&File::open(path)?, &parameters, 0)?)
}

pub fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// The value of a kernel argument, `name` with its `=`.
pub fn argument(name: &str) -> Option<String> {
    let line = fs::read_to_string("/proc/cmdline").ok()?;
    line.split_whitespace().find_map(|word| word.strip_prefix(name)).map(str::to_owned)
}

pub fn power_off() -> ! {
    rustix::fs::sync();
    loop {
        // Returns only when there is nothing to turn the power off with.
        let _ = reboot(RebootCommand::PowerOff);
        say("cannot power off; halted");
        std::thread::sleep(std::time::Duration::from_secs(3600));
    }
}

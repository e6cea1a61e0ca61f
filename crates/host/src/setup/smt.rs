//! Simultaneous multithreading, as the kernel or its processors say it.
//!
//! In: a root directory. Out: how it can be switched, and whether it is on.
//! Kernels before 6.6 have no switch for POWER (`HOTPLUG_SMT`): there
//! ppc64_cpu(8) takes threads off, and brings them back.

use model::Why;
use model::setup::Smt;

use super::{boot, text};
use crate::paths::Root;
use crate::read;

/// The program that switches it where the kernel does not.
pub(crate) const PROGRAM: &str = "ppc64_cpu";

/// What the kernel says of a switch that is none.
const NOT_IMPLEMENTED: &str = "notimplemented";

pub(crate) fn smt(root: &Root) -> Result<Smt, Why> {
    let (control, active) = match switch(root) {
        Ok(switch) => switch,
        Err(why) => return Ok(without(root, threads(root).ok_or(why)?)),
    };
    match (control == NOT_IMPLEMENTED).then(|| threads(root)).flatten() {
        Some(active) => Ok(without(root, active)),
        None => Ok(Smt { control, active }),
    }
}

/// Whether the kernel has a switch of its own.
pub(crate) fn has_switch(root: &Root) -> bool {
    switch(root).is_ok_and(|(control, _)| control != NOT_IMPLEMENTED)
}

/// The kernel's own switch.
fn switch(root: &Root) -> Result<(String, bool), Why> {
    let control = text(root, &root.smt("control"))?.trim().to_owned();
    Ok((control, text(root, &root.smt("active"))?.trim() == "1"))
}

/// The program's words where it is there, and otherwise the kernel's.
fn without(root: &Root, active: bool) -> Smt {
    let control = match (boot::has(root, PROGRAM), active) {
        (false, _) => NOT_IMPLEMENTED,
        (true, true) => "on",
        (true, false) => "off",
    };
    Smt { control: control.to_owned(), active }
}

/// Whether two threads of one core are there: each processor says which ones
/// of its core are (Documentation/ABI/stable/sysfs-devices-system-cpu).
fn threads(root: &Root) -> Option<bool> {
    let names = read::names(&root.cpus()).ok()?;
    let is_cpu = |name: &&String| {
        let number = name.strip_prefix("cpu").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let siblings = names.iter().filter(is_cpu).filter_map(|name| {
        read::text(&root.cpus().join(name).join("topology/thread_siblings_list")).ok()
    });
    let several = siblings.map(|list| list.trim().contains(['-', ',']));
    several.reduce(|one, other| one || other)
}

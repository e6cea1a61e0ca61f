//! Memory: what can be given to guests, and what they may lock.

use super::{Check, Finding, Found, Run, Severity, Subject, known, size};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "memory",
        about: "There is memory for guests: all of a guest's is pinned while it has a device.",
        severity: Severity::Advised,
        run: Run::Host(memory),
    },
    Check {
        name: "hugepages",
        about: "Pools of hugepages, which guests with devices start faster from (told only).",
        severity: Severity::Advised,
        run: Run::Host(hugepages),
    },
    Check {
        name: "memlock",
        about: "This user's processes may lock as much memory as a guest has.",
        severity: Severity::Advised,
        run: Run::Host(memlock),
    },
];

/// Below this, hardly a guest starts.
const LITTLE: u64 = 1 << 30;

fn memory(subject: &Subject<'_>) -> Found {
    let machine = &subject.snapshot.machine;
    let available = *known(&machine.memory_available, "how much memory is available")?;
    let total = *known(&machine.memory_total, "how much memory there is")?;
    let pools = subject.setup.memory.pools.known().into_iter().flatten();
    let guests = subject.setup.guests.known().into_iter().flatten();
    let pinned = match guests.map(|guest| guest.pinned).sum() {
        0 => String::new(),
        pinned => format!("; guests of passthru have pinned {}", size(pinned)),
    };
    let text = match pools.map(|pool| pool.free.saturating_mul(pool.size)).sum() {
        0 => format!("{} of {} can be given to guests", size(available), size(total)),
        more => format!(
            "{} of {} can be given to guests, and {} more in hugepages",
            size(available),
            size(total),
            size(more)
        ),
    };
    let text = text + &pinned;
    Ok(match available < LITTLE {
        true => Finding::warn(text, "end programs, or leave fewer hugepages reserved"),
        false => Finding::pass(text),
    })
}

fn hugepages(subject: &Subject<'_>) -> Found {
    let pools = known(&subject.setup.memory.pools, "which hugepages there are")?;
    let filled: Vec<String> = pools
        .iter()
        .filter(|pool| pool.total > 0)
        .map(|pool| {
            let room = size(pool.free.saturating_mul(pool.size));
            let (free, total, size) = (pool.free, pool.total, size(pool.size));
            format!("{free} of {total} pages of {size} free: room for guests of {room} together")
        })
        .collect();
    Ok(Finding::pass(match filled.is_empty() {
        true => "no hugepages are reserved; passthru uses transparent ones".to_owned(),
        false => filled.join(", "),
    }))
}

/// A guest's memory is locked by QEMU, within the limit of whoever runs it.
fn memlock(subject: &Subject<'_>) -> Found {
    match known(&subject.setup.memory.lock_limit, "the limit of locked memory")? {
        None => Ok(Finding::pass("no limit of locked memory")),
        Some(limit) if *limit < LITTLE => Ok(Finding::warn(
            format!(
                "this user's processes may lock {} of memory, less than any guest has",
                size(*limit)
            ),
            "`passthru prepare --group NAME` lifts it for a group, `--service UNIT` for a service; root is not bound by it, nor are passthru's own guests",
        )),
        Some(limit) => Ok(Finding::pass(format!(
            "up to {} of memory can be locked; a guest with devices that has more does not start",
            size(*limit)
        ))),
    }
}

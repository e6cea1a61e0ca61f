//! What `/proc/PID` says of a process.
//!
//! In: `stat`, `status`, `limits` and `cgroup`. Out: the start time, what it
//! may do, the systemd unit.

use crate::fact::Why;
use crate::parse::attribute::number;

/// Start time in clock ticks after boot: field 22 of `stat`. The program's
/// name, field 2, stands in parentheses and may hold blanks and parentheses.
pub fn start_time(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(22 - 3)?.parse().ok()
}

/// What it does now: field 3 of `stat`. `R` runs, `S` sleeps, `D` waits in the
/// kernel and cannot be interrupted, `Z` and `X` have ended (proc_pid_stat(5)).
pub fn state(stat: &str) -> Option<char> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut letters = rest.split_whitespace().next()?.chars();
    letters.next().filter(|_| letters.next().is_none())
}

/// How many threads it has: field 20 of `stat`, 0 once it is being taken down.
pub fn threads(stat: &str) -> Option<usize> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(20 - 3)?.parse().ok()
}

/// The number of the capability to lock memory without a limit (capabilities(7)).
pub const CAP_IPC_LOCK: u32 = 14;

/// Whether a capability is in force: `CapEff` of `status`, a bit for each.
pub fn has_capability(status: &str, number: u32) -> Option<bool> {
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    let set = u64::from_str_radix(set.trim(), 16).ok()?;
    Some(set.checked_shr(number).unwrap_or(0) & 1 == 1)
}

/// Bytes that it may lock (`Max locked memory` of `limits`, the soft limit);
/// without a limit `u64::MAX`.
pub fn locked_memory(limits: &str) -> Result<u64, Why> {
    let row = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"));
    match row.ok_or(Why::NotProvided)?.split_whitespace().next().unwrap_or_default() {
        "unlimited" => Ok(u64::MAX),
        bytes => number(bytes),
    }
}

/// The user in whose login it runs: `user-1000.slice` in its control group's
/// path (`cg_path_get_owner_uid()` in systemd's src/basic/cgroup-util.c).
pub fn login(cgroup: &str) -> Option<u32> {
    let slice = |part: &str| part.strip_prefix("user-")?.strip_suffix(".slice")?.parse().ok();
    paths(cgroup).find_map(|path| path.split('/').find_map(slice))
}

/// Bytes that it may lock, `None` without a limit. Whoever has CAP_IPC_LOCK
/// has none; root in a container often has not that capability.
pub fn lock_limit(status: &str, limits: &str) -> Result<Option<u64>, Why> {
    let limit = locked_memory(limits)?;
    let limitless = limit == u64::MAX || has_capability(status, CAP_IPC_LOCK) == Some(true);
    Ok((!limitless).then_some(limit))
}

/// The unit that the system's systemd runs it in: the first part of the
/// control group's path that is no slice (`cg_path_get_unit()` in systemd's
/// src/basic/cgroup-util.c). What a user's own systemd makes of it below that
/// is nothing that the system could stop alone.
pub fn unit(cgroup: &str) -> Option<&str> {
    paths(cgroup).find_map(unit_in)
}

/// Of the unified hierarchy; of version 1's, of the one that systemd keeps.
fn paths(cgroup: &str) -> impl Iterator<Item = &str> {
    let path = |hierarchy: &str| {
        cgroup.lines().find_map(|line| line.split_once(':')?.1.strip_prefix(hierarchy))
    };
    [path(":"), path("name=systemd:")].into_iter().flatten()
}

fn unit_in(path: &str) -> Option<&str> {
    path.split('/').find(|part| part.ends_with(".service") || part.ends_with(".scope"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn started() {
        let plain = "1234 (bash) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 2 3";
        assert_eq!(start_time(plain), Some(4711));
        let odd = "1234 (a) b (c)) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 2 3";
        assert_eq!(start_time(odd), Some(4711));
        assert_eq!((threads(plain), threads(odd)), (Some(1), Some(1)));
        for text in ["", "1 (x", "1 (x) S 1 1", ")"] {
            assert_eq!((start_time(text), threads(text)), (None, None), "{text:?}");
        }
    }

    #[test]
    fn states() {
        for (stat, want) in [
            ("1 (sh) S 1", Some('S')),
            ("1 (R) Z (D) D 1 1", Some('D')),
            ("1 (sh) Z", Some('Z')),
            ("1 (sh) ", None),
            ("1 (sh) 17 S", None),
            ("", None),
        ] {
            assert_eq!(state(stat), want, "{stat:?}");
        }
    }

    #[test]
    fn capabilities() {
        let status = |set: &str| format!("Name:\tsh\nCapPrm:\t0000000000000000\nCapEff:\t{set}\n");
        for (set, want) in [
            ("000001ffffffffff", Some(true)),
            ("00000000a80425fb", Some(false)),
            ("0000000000004000", Some(true)),
            ("0", Some(false)),
            ("many", None),
        ] {
            assert_eq!(has_capability(&status(set), CAP_IPC_LOCK), want, "{set}");
        }
        assert_eq!(has_capability("Name:\tsh\n", CAP_IPC_LOCK), None);
        assert_eq!(has_capability(&status("1"), 64), Some(false));
    }

    #[test]
    fn limits() {
        let head =
            "Limit                     Soft Limit           Hard Limit           Units     \n";
        let row = |soft: &str| format!("{head}Max locked memory         {soft}  9999  bytes\n");
        assert_eq!(locked_memory(&row("8388608")), Ok(8 << 20));
        assert_eq!(locked_memory(&row("unlimited")), Ok(u64::MAX));
        assert_eq!(locked_memory(&row("much")), Err(Why::Malformed("much".to_owned())));
        assert_eq!(locked_memory(head), Err(Why::NotProvided));
    }

    #[test]
    fn root_without_the_capability_has_a_limit() {
        let limits = |soft: &str| format!("Max locked memory         {soft}   unlimited   bytes\n");
        let (with, without) = ("CapEff:\t000001ffffffffff\n", "CapEff:\t00000000a80425fb\n");
        for (status, soft, want) in [
            (with, "65536", Ok(None)),
            (without, "65536", Ok(Some(65536))),
            (without, "unlimited", Ok(None)),
            ("", "65536", Ok(Some(65536))),
            (without, "much", Err(Why::Malformed("much".to_owned()))),
        ] {
            assert_eq!(lock_limit(status, &limits(soft)), want, "{status} {soft}");
        }
        assert_eq!(lock_limit("", ""), Err(Why::NotProvided));
    }

    #[test]
    fn units() {
        for (cgroup, want) in [
            ("0::/system.slice/nvidia-persistenced.service\n", Some("nvidia-persistenced.service")),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n",
                Some("user@1000.service"),
            ),
            ("0::/user.slice/user-1000.slice/session-2.scope\n", Some("session-2.scope")),
            (
                "0::/system.slice/system-getty.slice/getty@tty1.service\n",
                Some("getty@tty1.service"),
            ),
            ("12:devices:/x\n1:name=systemd:/system.slice/gdm.service\n", Some("gdm.service")),
            ("1:name=systemd:/system.slice/gdm.service\n0::/\n", Some("gdm.service")),
            ("0::/init.scope\n", Some("init.scope")),
            ("0::/\n", None),
            ("", None),
            ("alas", None),
        ] {
            assert_eq!(unit(cgroup), want, "{cgroup:?}");
        }
    }
}

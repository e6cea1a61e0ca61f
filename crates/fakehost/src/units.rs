//! systemd's units: which are active, which cannot be without which, and the
//! processes that come and go with them.

use std::path::PathBuf;

use model::port::Output;

use crate::host::FakeHost;
use crate::machine::Machine;
use crate::runner::ended;

/// What `systemctl show` says of a unit, and the rest of which is nothing here.
const SHOWN: &str = "--property=Id,Names,ActiveState,RequiredBy,RequisiteOf,BoundBy,ConsistsOf";

impl FakeHost {
    /// A systemd unit.
    #[must_use]
    pub fn unit(self, name: &str, active: bool) -> Self {
        self.with(|state| {
            state.machine.units.insert(name.to_owned(), active);
        })
    }

    /// A unit cannot be without another (`Requires=`): it is stopped with it.
    #[must_use]
    pub fn requires(self, unit: &str, needed: &str) -> Self {
        self.with(|state| {
            state.machine.needs.push((unit.to_owned(), needed.to_owned()));
        })
    }

    /// A socket that starts a unit, to which somebody connects all the time.
    #[must_use]
    pub fn triggers(self, socket: &str, unit: &str) -> Self {
        self.with(|state| {
            state.machine.triggers.push((socket.to_owned(), unit.to_owned()));
        })
    }

    /// A process that stays when its unit stops (`KillMode=process`).
    #[must_use]
    pub fn lingers(self, pid: u32) -> Self {
        self.with(|state| {
            state.machine.lingering.insert(pid);
        })
    }
}

impl Machine {
    /// Statuses and words of systemctl(1): 3 for a unit that is not active, 5
    /// for one that is not there.
    pub(crate) fn systemctl(&mut self, args: &[&str]) -> Output {
        match args {
            ["is-active", unit] => match self.units.get(*unit) {
                Some(true) => ended(0, "active\n", ""),
                _ => ended(3, "inactive\n", ""),
            },
            [verb @ ("start" | "stop"), units @ ..] => {
                if let Some(unit) = units.iter().find(|unit| !self.units.contains_key(**unit)) {
                    return ended(
                        5,
                        "",
                        &format!("Failed to {verb} {unit}: Unit {unit} not found.\n"),
                    );
                }
                if let Some(busy) = units.iter().find(|unit| *verb == "start" && self.is_busy(unit))
                {
                    return ended(1, "", &format!("Job for {busy} failed.\n"));
                }
                match *verb {
                    "start" => units.iter().for_each(|unit| self.start(unit)),
                    _ => units.iter().for_each(|unit| self.stop(unit)),
                }
                self.connect();
                ended(0, "", "")
            }
            ["show", first, units @ ..] if first.starts_with(SHOWN) => {
                let shown: Vec<String> = units.iter().map(|unit| self.show(unit)).collect();
                ended(0, &shown.join("\n"), "")
            }
            _ => ended(1, "", &format!("Unknown command verb '{}'.\n", args.join(" "))),
        }
    }

    /// A socket is not started while the service behind it runs
    /// (`socket_start()` in systemd's src/core/socket.c).
    fn is_busy(&self, unit: &str) -> bool {
        let active = |unit: &str| self.units.get(unit) == Some(&true);
        let mut behind = self.triggers.iter().filter(|(socket, _)| socket == unit);
        !active(unit) && behind.any(|(_, unit)| active(unit))
    }

    /// Somebody connects to every socket there is.
    fn connect(&mut self) {
        let active = |(socket, _): &&(String, String)| self.units.get(socket) == Some(&true);
        let behind: Vec<String> =
            self.triggers.iter().filter(active).map(|(_, unit)| unit.clone()).collect();
        behind.iter().for_each(|unit| self.start(unit));
    }

    /// A unit that a drop-in file has a condition for which is not met is passed
    /// over, without an error (systemd.unit(5)). Of the conditions only
    /// `ConditionPathExists=!PATH` is known here.
    fn is_passed_over(&self, unit: &str) -> bool {
        let folder = format!("etc/systemd/system/{unit}.d");
        let names = self.tree.names(&folder).into_iter().filter(|name| name.ends_with(".conf"));
        let mut texts = names.filter_map(|name| self.tree.text(format!("{folder}/{name}")));
        texts.any(|text| {
            let mut lines =
                text.lines().filter_map(|line| line.strip_prefix("ConditionPathExists=!/"));
            lines.any(|path| self.tree.exists(path))
        })
    }

    fn start(&mut self, unit: &str) {
        if self.is_passed_over(unit) {
            return;
        }
        if self.units.insert(unit.to_owned(), true) == Some(true) {
            return;
        }
        let needed = self.needs.iter().filter(|(own, _)| own == unit);
        let needed: Vec<String> = needed.map(|(_, needed)| needed.clone()).collect();
        needed.iter().for_each(|needed| self.start(needed));
        for pid in self.away.remove(unit).unwrap_or_default() {
            self.tree.bring_from(&self.place_of(pid), format!("proc/{pid}"));
        }
    }

    fn stop(&mut self, unit: &str) {
        if self.units.insert(unit.to_owned(), false) == Some(false) {
            return;
        }
        self.needing(unit).iter().for_each(|unit| self.stop(unit));
        let end = format!("/{unit}");
        for pid in self.processes() {
            let cgroup = self.tree.text(format!("proc/{pid}/cgroup")).unwrap_or_default();
            if cgroup.ends_with(&end) && !self.lingering.contains(&pid) {
                self.tree.move_to(format!("proc/{pid}"), &self.place_of(pid));
                self.away.entry(unit.to_owned()).or_default().push(pid);
            }
        }
    }

    fn show(&self, unit: &str) -> String {
        let state = if self.units.get(unit) == Some(&true) { "active" } else { "inactive" };
        let needing = self.needing(unit).join(" ");
        let triggers = self.triggers.iter().filter(|(_, own)| own == unit);
        let triggers: Vec<&str> = triggers.map(|(socket, _)| socket.as_str()).collect();
        let triggers = triggers.join(" ");
        format!(
            "Id={unit}\nNames={unit}\nRequiredBy={needing}\nBoundBy=\nConsistsOf=\nTriggeredBy={triggers}\nActiveState={state}\n"
        )
    }

    fn needing(&self, unit: &str) -> Vec<String> {
        let needing = self.needs.iter().filter(|(_, needed)| needed == unit);
        needing.map(|(unit, _)| unit.clone()).collect()
    }

    fn processes(&self) -> Vec<u32> {
        self.tree.names("proc").iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// Where a process is kept that will be back: the tree is to look the same.
    fn place_of(&self, pid: u32) -> PathBuf {
        self.shelf.path().join(format!("process-{pid}"))
    }
}

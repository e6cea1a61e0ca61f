//! A table of scenarios on one lab host. A start of a lab host is dear, so a test file shares one: its scenarios
//! run one after the other, and each must leave the machine as it found it, which is checked in between.
//!
//! `PASSTHRU_LAB_HOST=NAME` runs them on a lab host that is up already (`cargo xtask lab up`).

// Each test file uses its own part of this.
#![allow(dead_code, clippy::unwrap_used)]

pub mod access;
pub mod boot;
pub mod faults;
pub mod story;

use std::collections::BTreeSet;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lab::{Lab, LabHost, Output};
use serde_json::Value;

pub const EDU: &str = "0000:01:00.0";
pub const IGB: &str = "0000:02:00.0";
pub const NVME: &str = "0000:03:00.0";
/// The disk's content is known to other scenarios.
pub const KEEP: &str = "dd if=/dev/nvme0n1 of=/root/kept bs=1M status=none";
pub const PUT_BACK: &str =
    "dd if=/root/kept of=/dev/nvme0n1 bs=1M conv=fsync status=none; rm /root/kept";

/// Exit codes of `passthru`.
pub const REFUSED: i32 = 3;
pub const IN_DOUBT: i32 = 4;

/// Names the lab host that is up.
const LENT: &str = "PASSTHRU_LAB_HOST";

/// A name to select it by, and what it does.
pub type Scenario = (&'static str, fn(&Host));

/// The lab host of a test file.
#[derive(Debug)]
pub struct Host {
    host: LabHost,
}

impl Deref for Host {
    type Target = LabHost;

    fn deref(&self) -> &LabHost {
        &self.host
    }
}

impl Host {
    /// Boots a topology, or takes the lab host that is up.
    pub fn start(topology: &str) -> Self {
        let host = match std::env::var(LENT) {
            Ok(name) => Lab::find(&name).inspect(|host| host.refresh().unwrap()),
            Err(_) => Lab::start(topology),
        };
        Self { host: host.unwrap_or_else(|error| panic!("{error}")) }
    }

    fn is_lent() -> bool {
        std::env::var_os(LENT).is_some()
    }

    /// A shell command that must succeed; its output without the last line feed.
    #[track_caller]
    pub fn sh(&self, command: &str) -> String {
        self.sh_ok(command).unwrap_or_else(|error| panic!("{error}")).trim_end().to_owned()
    }

    /// `passthru` with these arguments, however it ends.
    #[track_caller]
    pub fn passthru(&self, arguments: &str) -> Output {
        self.run(&format!("passthru {arguments}")).unwrap_or_else(|error| panic!("{error}"))
    }

    /// `passthru`, which must succeed.
    #[track_caller]
    pub fn ok(&self, arguments: &str) -> String {
        self.sh(&format!("passthru {arguments}"))
    }

    /// `passthru --json`, which must succeed.
    #[track_caller]
    pub fn json(&self, arguments: &str) -> Value {
        let text = self.ok(&format!("--json {arguments}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// `passthru --json`, which must end with this exit code: its error, and the codes of its reasons.
    #[track_caller]
    pub fn fails(&self, status: i32, arguments: &str) -> Failed {
        let output = self.passthru(&format!("--json {arguments}"));
        assert_eq!(output.status, status, "passthru {arguments}: {output:?}");
        Failed::read(&output)
    }

    /// A refusal: nothing was changed, and this is one of the reasons.
    #[track_caller]
    pub fn refuses(&self, code: &str, arguments: &str) {
        let failed = self.fails(REFUSED, arguments);
        assert!(failed.codes.iter().any(|found| found == code), "no {code} in {failed:?}");
    }

    /// The driver of a function, `-` for none.
    #[track_caller]
    pub fn driver(&self, address: &str) -> String {
        self.sh(&format!("basename $(readlink /sys/bus/pci/devices/{address}/driver || echo -)"))
    }

    /// The members of a function's IOMMU group.
    #[track_caller]
    pub fn group(&self, address: &str) -> String {
        self.sh(&format!("ls /sys/bus/pci/devices/{address}/iommu_group/devices | paste -sd ' '"))
    }

    /// What the listing says about one function.
    #[track_caller]
    pub fn listed(&self, address: &str) -> Value {
        let list = self.json("list --all");
        let rows = list["functions"].as_array().unwrap();
        let row = rows.iter().find(|row| row["address"] == address);
        row.unwrap_or_else(|| panic!("no {address} in {list}")).clone()
    }

    /// The verdict on one function: its kind and the codes of its reasons.
    #[track_caller]
    pub fn verdict(&self, address: &str) -> (String, Vec<String>) {
        let verdict = self.listed(address)["verdict"].clone();
        (verdict["kind"].as_str().unwrap().to_owned(), codes(&verdict["reasons"]))
    }

    #[track_caller]
    pub fn until(&self, condition: &str) {
        self.wait_for(condition, Duration::from_secs(60)).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Whether the machine runs any command at all.
    fn answers(&self) -> bool {
        self.run_within("true", b"", Duration::from_secs(30)).is_ok_and(|output| output.success())
    }

    /// All that a scenario must leave as it found it.
    #[track_caller]
    fn state(&self) -> BTreeSet<String> {
        self.sh(STATE).lines().map(str::to_owned).collect()
    }
}

/// Drivers, overrides and power of all functions, network names and disks; what guests there are; what is unfinished.
/// It is asked for after each scenario: a process for each attribute would take most of the time of many.
const STATE: &str = r#"
devices=/sys/bus/pci/devices
cd $devices
for function in *; do
    line=$function
    cd -P $function/driver 2>/dev/null && line="$line ${PWD##*/}"
    cd $devices
    for attribute in driver_override power/control d3cold_allowed sriov_numvfs; do
        value=
        test -e $function/$attribute && read -r value <$function/$attribute
        line="$line $attribute=$value"
    done
    echo "$line"
done
bound() { ls -d /sys/bus/pci/drivers/nvme/*:* 2>/dev/null | wc -l; }
until test $(ls /dev/nvme*n1 2>/dev/null | wc -l) = $(bound); do sleep 0.1; done
echo /dev/vfio: $(ls /dev/vfio 2>/dev/null)
echo mounts: $(grep -c /mnt /proc/mounts)
echo processes: $(pgrep -x 'qemu-system-x86' | wc -l)
passthru instance list
passthru recover --dry-run"#;

/// After a scenario that failed half way, for the sake of those that come after it.
const PUT_IN_ORDER: &str = r"
umount /mnt; swapoff -a; pkill -KILL -x qemu-system-x86; sleep 1
for name in $(passthru instance list | awk 'NR > 1 { print $1 }'); do
    passthru instance stop $name; passthru instance delete $name
done
passthru release $(ls /sys/bus/pci/drivers/vfio-pci | grep :)
for card in /sys/bus/pci/devices/*/sriov_numvfs; do echo 0 > $card; done";

#[track_caller]
fn assert_same(before: &BTreeSet<String>, after: &BTreeSet<String>) {
    let lost: Vec<_> = before.difference(after).collect();
    let new: Vec<_> = after.difference(before).collect();
    assert!(lost.is_empty() && new.is_empty(), "was {lost:#?}\nis {new:#?}");
}

/// How a command ended that did not succeed.
#[derive(Debug)]
pub struct Failed {
    pub code: String,
    pub message: String,
    pub codes: Vec<String>,
}

impl Failed {
    #[track_caller]
    fn read(output: &Output) -> Self {
        let error: Value = serde_json::from_str(&output.stderr)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        Self {
            code: error["code"].as_str().unwrap().to_owned(),
            message: error["message"].as_str().unwrap().to_owned(),
            codes: codes(&error["details"]["reasons"]),
        }
    }
}

/// Every lab host records itself; what is told about the recording is what is told about the machine. Masked, names
/// and addresses are others, and every verdict is the same.
pub fn a_record_replays_the_same(host: &Host) {
    let rows = |list: Value| list["functions"].as_array().unwrap().clone();
    let told = rows(host.json("list --all"));
    let replayed = |options: &str| {
        host.sh("rm -rf /root/recording; mkdir /root/recording");
        host.ok(&format!("record {options} /root/recording"));
        rows(host.json("list --all --machine /root/recording"))
    };
    let unmasked = replayed("--unmasked");
    assert_eq!(told.len(), unmasked.len());
    told.iter().zip(&unmasked).for_each(|(live, again)| assert_eq!(live, again));
    let verdict = |row: &Value| {
        (row["address"].clone(), row["verdict"]["kind"].clone(), codes(&row["verdict"]["reasons"]))
    };
    let verdicts = |rows: &[Value]| rows.iter().map(verdict).collect::<Vec<_>>();
    assert_eq!(verdicts(&told), verdicts(&replayed("")));
    host.sh("rm -r /root/recording");
}

/// The codes of a list of reasons.
pub fn codes(reasons: &Value) -> Vec<String> {
    let reasons = reasons.as_array().into_iter().flatten();
    reasons.filter_map(|reason| reason["code"].as_str()).map(str::to_owned).collect()
}

/// The `main` of a test file some of whose scenarios run only when they are asked for: all by `cargo xtask test --long`
/// or `-- --long`, one by its name.
pub fn main_and_long(topology: &str, scenarios: &[Scenario], long: &[Scenario]) -> ExitCode {
    let asked = |argument: String| argument == "--long" || !argument.starts_with('-');
    if std::env::args().skip(1).any(asked) {
        return main(topology, &[scenarios, long].concat());
    }
    println!("{} more scenarios on {topology} are run with --long", long.len());
    main(topology, scenarios)
}

/// The `main` of a test file: what `cargo test` passes on selects by name.
pub fn main(topology: &str, scenarios: &[Scenario]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        scenarios.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let words: Vec<&String> = arguments.iter().filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(*word));
    let chosen: Vec<_> = scenarios.iter().filter(|(name, _)| wanted(name)).collect();
    if chosen.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} scenarios on {topology}", chosen.len());
    let failed = run(topology, &chosen);
    println!("\n{} of {} scenarios failed", failed.len(), chosen.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run<'a>(topology: &str, scenarios: &[&'a Scenario]) -> Vec<&'a str> {
    let mut failed = Vec::new();
    let (mut host, mut before) = begin(topology);
    for (name, scenario) in scenarios {
        let start = Instant::now();
        let mut held = catch_unwind(AssertUnwindSafe(|| scenario(&host))).is_ok();
        // An emulated machine can stand still by itself (see the lab's `stall`) and may not wake: the scenario is tried
        // once more, on another. What passthru does to a machine, it does again.
        if !held && !host.answers() {
            println!("scenario {name} ... the lab host has stopped; once more");
            drop(host);
            (host, before) = begin(topology);
            held = catch_unwind(AssertUnwindSafe(|| scenario(&host))).is_ok();
        }
        if !held {
            let _ = host.run(PUT_IN_ORDER);
        }
        let clean = catch_unwind(AssertUnwindSafe(|| assert_same(&before, &host.state()))).is_ok();
        let how = match (held, clean) {
            (true, true) => "ok",
            (false, _) => "FAILED",
            (true, false) => "FAILED (the machine is not as it was)",
        };
        println!("scenario {name} ... {how} ({:.1} s)", start.elapsed().as_secs_f64());
        if !(held && clean) {
            failed.push(*name);
        }
        if !clean {
            println!("the scenarios after {name} would run on a machine that it left in disorder");
            break;
        }
    }
    if catch_unwind(AssertUnwindSafe(|| assert_gone(host))).is_err() {
        failed.push("the lab host ends");
    }
    failed
}

/// A lab host ends with its value, and only its logs stay; one that was up before stays up.
fn assert_gone(host: Host) {
    let (name, logs, was_up) = (host.name().to_owned(), host.logs(), Host::is_lent());
    drop(host);
    assert_eq!(lab::running().unwrap().iter().any(|record| record.name == name), was_up);
    assert!(logs.join("console.log").exists());
    assert_eq!(logs.join("data.raw").exists(), was_up);
}

/// A lab host, and what each scenario must leave it like.
fn begin(topology: &str) -> (Host, BTreeSet<String>) {
    let host = Host::start(topology);
    // A machine that has not been used yet has no state directory, and its modules are not loaded.
    host.sh("modprobe vfio-pci");
    let before = host.state();
    (host, before)
}

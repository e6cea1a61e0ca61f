//! `cargo xtask demo`: the main job in a lab host, as a user would type it: a device goes from its host driver into
//! a guest that sees it, and back. Each command is printed before its output; the first that fails ends the demo.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use lab::{Lab, LabHost};

use crate::guide;

const NVME: &str = "0000:03:00.0";
const EDU: &str = "0000:01:00.0";
/// One sector, past the host's cache.
const READ_SECTOR: &str = "dd if=/dev/nvme0n1 bs=512 count=1 iflag=direct status=none | sha256sum";
const DRIVER: &str = "basename $(readlink /sys/bus/pci/devices/0000:03:00.0/driver)";
const LOGS: &str = "passthru instance logs demo";
/// The pages that tell of this.
const PAGES: &[&str] = &["README.md", "docs/guide/first-device.md"];

/// The lab host, and all that was typed and printed there.
struct Session<'a> {
    host: &'a LabHost,
    transcript: String,
}

pub fn run() -> anyhow::Result<()> {
    let start = Instant::now();
    say("preparing: the lab host's image, the guest, passthru (the first time takes minutes)");
    lab::prepare()?;
    say("starting an emulated machine with an IOMMU and three PCI devices");
    let booted = Instant::now();
    let host = Lab::start("basic")?;
    say(&format!(
        "up after {:.0} s; from here on, every command runs in it",
        booted.elapsed().as_secs_f64()
    ));
    let mut session = Session { host: &host, transcript: String::new() };
    let result = main_job(&mut session);
    if result.is_err() {
        eprintln!("\nthe demo failed; what the instance and the console said last:");
        let logs = host.run(&format!("{LOGS} | tail -n 30"))?;
        eprintln!("{}{}\n{}", logs.stdout, logs.stderr, host.console_tail(10));
    }
    result?;
    PAGES.iter().try_for_each(|page| guide::check(page, &session.transcript))?;
    say(&format!("done in {:.0} s; the emulated machine is gone", start.elapsed().as_secs_f64()));
    Ok(())
}

fn main_job(session: &mut Session<'_>) -> anyhow::Result<()> {
    let host = session.host;
    say("1. what is there, and can it be passed through?");
    session.typed("passthru list")?;
    session.typed(&format!("passthru show {NVME}"))?;

    say("2. the host reads the first sector of its NVMe drive");
    let before = first_word(&session.typed(READ_SECTOR)?);

    say("3. a guest with the NVMe drive and the accelerator");
    session.typed(&format!(
        "passthru run demo --device {NVME} --device {EDU} \
         --kernel /lab/guest/vmlinuz --initrd /lab/guest/initrd.img"
    ))?;
    host.wait_for(&format!("{LOGS} | grep -q 'guest: ready'"), Duration::from_secs(120))
        .context("the guest did not come up")?;
    let told = session.typed(&format!("{LOGS} | grep 'guest:'"))?;
    compare(&told, &before)?;

    say("4. stop it: the devices come back");
    session.typed("passthru instance stop demo")?;
    ensure!(session.typed(DRIVER)?.trim() == "nvme", "the NVMe drive is not back on its driver");
    host.wait_for("test -b /dev/nvme0n1", Duration::from_secs(30))?;
    ensure!(first_word(&session.typed(READ_SECTOR)?) == before, "the NVMe drive reads differently");
    say(&format!("the NVMe drive is back on its driver and reads as before: {before}"));
    session.typed("passthru list").map(drop)
}

/// The guest's own listing must show both devices and the sector that the host read.
fn compare(told: &str, before: &str) -> anyhow::Result<()> {
    for (name, ids) in [("NVMe drive", "1b36:0010"), ("accelerator", "1234:11e8")] {
        ensure!(told.contains(ids), "the guest does not see the {name} ({ids})");
    }
    let in_guest = told.lines().find_map(|line| line.split_once("nvme0n1 sector0 sha256 "));
    match in_guest {
        Some((_, hash)) if hash.trim() == before => {
            say(&format!("the guest reads the same sector as the host did: {before}"));
            Ok(())
        }
        Some((_, hash)) => bail!("the guest reads {hash}, the host read {before}"),
        None => bail!("the guest has read no sector"),
    }
}

impl Session<'_> {
    /// Runs a command as a user would see it, and returns what it printed.
    fn typed(&mut self, command: &str) -> anyhow::Result<String> {
        println!("\nlab# {command}");
        let output = self.host.run(command)?;
        print!("{}{}", output.stdout, output.stderr);
        ensure!(output.success(), "`{command}` exited with {}", output.status);
        self.transcript += &format!("lab# {command}\n{}{}", output.stdout, output.stderr);
        Ok(output.stdout)
    }
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

fn say(text: &str) {
    println!("\n── {text}");
}

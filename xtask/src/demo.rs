//! `cargo xtask demo`: the main job, as a user would type it: a device goes from its host driver into a guest that sees
//! it, and back. Each command is printed before its output; the first that fails ends the demo.
//!
//! It runs in a lab host, with an NVMe drive and an accelerator, or on this machine with the devices that are named.

mod place;

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use lab::{Lab, guide};

use place::{Here, Place};

/// The lab host's NVMe drive and accelerator.
const LAB_DEVICES: [&str; 2] = ["0000:03:00.0", "0000:01:00.0"];
const LOGS: &str = "passthru instance logs demo";
/// The pages that tell of this.
const PAGES: &[&str] = &["README.md", "docs/guide/first-device.md"];

#[derive(Debug, Args)]
pub struct Demo {
    /// Do it on this machine with these devices, which go to a guest and come back
    devices: Vec<String>,
}

/// The place, and all that was typed and printed there.
struct Session<'a> {
    place: &'a dyn Place,
    devices: Vec<String>,
    /// Where the guest's kernel and its initramfs are, as seen from the place.
    boot: [String; 2],
    transcript: String,
}

impl Demo {
    pub fn run(&self) -> anyhow::Result<()> {
        say("preparing: the lab host's image, the guest, passthru (the first time takes minutes)");
        let start = Instant::now();
        let guest = lab::prepare()?;
        if self.devices.is_empty() {
            in_the_lab()?;
            say(&format!(
                "done in {:.0} s; the emulated machine is gone",
                start.elapsed().as_secs_f64()
            ));
            return Ok(());
        }
        let place = Here::new()?;
        let boot = [guest.kernel, guest.initrd].map(|path| path.display().to_string());
        let devices = self.devices.clone();
        let mut session = Session { place: &place, devices, boot, transcript: String::new() };
        ensure!(
            !place.run("passthru instance show demo")?.success,
            "there is an instance `demo` already"
        );
        let result = told(&mut session);
        // Whatever became of it: this machine is to be as it was.
        place.run("passthru instance delete demo --stop")?;
        result?;
        say(&format!("done in {:.0} s", start.elapsed().as_secs_f64()));
        Ok(())
    }
}

fn in_the_lab() -> anyhow::Result<()> {
    say("starting an emulated machine with an IOMMU and three PCI devices");
    let booted = Instant::now();
    let host = Lab::start("basic")?;
    say(&format!(
        "up after {:.0} s; from here on, every command runs in it",
        booted.elapsed().as_secs_f64()
    ));
    let devices = LAB_DEVICES.map(str::to_owned).into();
    let boot = ["/lab/guest/vmlinuz", "/lab/guest/initrd.img"].map(str::to_owned);
    let mut session = Session { place: &host, devices, boot, transcript: String::new() };
    told(&mut session)?;
    let prompt = session.place.prompt();
    PAGES.iter().try_for_each(|page| Ok(guide::check(page, prompt, &session.transcript)?))
}

/// The main job; when it fails, with what was said last.
fn told(session: &mut Session<'_>) -> anyhow::Result<()> {
    let result = main_job(session);
    if result.is_err() {
        eprintln!("\nthe demo failed; what the instance and the console said last:");
        let logs = session.place.run(&format!("{LOGS} | tail -n 30"))?;
        eprintln!("{}{}\n{}", logs.stdout, logs.stderr, session.place.console_tail());
    }
    result
}

fn main_job(session: &mut Session<'_>) -> anyhow::Result<()> {
    let first = session.devices[0].clone();
    say("1. what is there, and can it be passed through?");
    session.typed("passthru list")?;
    session.typed(&format!("passthru show {first}"))?;

    // Its full address: what was typed may be short, or a name.
    let first = session
        .quiet(&format!("passthru show {first} --json | grep -om1 '[0-9a-f]*:..:..\\..'"))?;
    let folder = format!("/sys/bus/pci/devices/{first}");
    let driver = format!("basename $(readlink {folder}/driver)");
    let before = session.quiet(&format!("{driver} || true"))?;
    // Where several controllers may lead to a drive, each has a part of its own (`nvme0c0n1`).
    let disk = session.quiet(&format!(
        "ls {folder}/nvme/*/ 2>/dev/null | sed -En 's/^(nvme[0-9]+)(c[0-9]+)?n1$/\\1n1/p'"
    ))?;
    let sector = match disk.is_empty() {
        true => None,
        false => {
            say("2. the host reads the first sector of its NVMe drive");
            // Past the host's cache.
            let read =
                format!("dd if=/dev/{disk} bs=512 count=1 iflag=direct status=none | sha256sum");
            Some((first_word(&session.typed(&read)?), read))
        }
    };

    say("3. a guest with the device");
    let devices: Vec<String> =
        session.devices.iter().map(|device| format!("--device {device}")).collect();
    let [kernel, initrd] = &session.boot;
    let run =
        format!("passthru run demo {} --kernel {kernel} --initrd {initrd}", devices.join(" "));
    session.typed(&run)?;
    session
        .wait_for(&format!("{LOGS} | grep -q 'guest: ready'"), Duration::from_secs(120))
        .context("the guest did not come up")?;
    let told = session.typed(&format!("{LOGS} | grep 'guest:'"))?;
    compare(session, &told, sector.as_ref().map(|(hash, _)| hash.as_str()))?;

    say("4. stop it: the devices come back");
    session.typed("passthru instance stop demo")?;
    if !before.is_empty() {
        ensure!(session.typed(&driver)?.trim() == before, "{first} is not back on {before}");
    }
    if let Some((hash, read)) = &sector {
        session.wait_for(&format!("test -b /dev/{disk}"), Duration::from_secs(30))?;
        ensure!(first_word(&session.typed(read)?) == *hash, "{disk} reads differently");
        say(&format!("{disk} is back on its driver and reads as before: {hash}"));
    }
    session.typed("passthru list").map(drop)
}

/// The guest's own listing must show each device, and the sector that the host read.
fn compare(session: &Session<'_>, told: &str, sector: Option<&str>) -> anyhow::Result<()> {
    for device in &session.devices {
        let ids = format!("passthru show {device} | awk '$1 == \"ids\" {{ print $2 }}'");
        let ids = session.quiet(&ids)?;
        ensure!(!ids.is_empty() && told.contains(&ids), "the guest does not see {device} ({ids})");
    }
    let Some(before) = sector else { return Ok(()) };
    match told.lines().find_map(|line| line.split_once("sector0 sha256 ")) {
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
        let prompt = self.place.prompt();
        println!("\n{prompt} {command}");
        let said = self.place.run(command)?;
        print!("{}{}", said.stdout, said.stderr);
        ensure!(said.success, "`{command}` failed");
        self.transcript += &format!("{prompt} {command}\n{}{}", said.stdout, said.stderr);
        Ok(said.stdout)
    }

    /// The first line of what a command prints that is no part of the story.
    fn quiet(&self, command: &str) -> anyhow::Result<String> {
        let said = self.place.run(command)?;
        ensure!(said.success, "`{command}` failed: {}", said.stderr);
        Ok(said.stdout.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// Until a command succeeds.
    fn wait_for(&self, command: &str, patience: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + patience;
        while !self.place.run(command)?.success {
            ensure!(Instant::now() < until, "`{command}` did not succeed within {patience:?}");
            std::thread::sleep(Duration::from_millis(500));
        }
        Ok(())
    }
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

fn say(text: &str) {
    println!("\n── {text}");
}

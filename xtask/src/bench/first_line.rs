//! `passthru run` against the same QEMU command typed by hand, to the guest's first line, in a lab host.

use std::time::Duration;

use anyhow::{Context, ensure};
use lab::LabHost;
use serde_json::Value;

use super::stats::{median, spread};
use super::times::Times;

const SCRIPT: &str = include_str!("first_line.sh");
const ROUNDS: usize = 7;

pub fn table(rounds: Option<usize>) -> anyhow::Result<String> {
    let host = super::lab_host()?;
    let rounds = rounds.unwrap_or(ROUNDS);
    let script = format!("ROUNDS={rounds}\nHAND='{}'\n{SCRIPT}", by_hand(&host)?);
    let deadline = Duration::from_secs(120 + 120 * rounds as u64);
    let output = host.run_within("exec bash -s", script.as_bytes(), deadline)?;
    ensure!(output.success(), "{}{}", output.stdout, output.stderr);
    told(&Times::parse(&output.stdout)).context("the script told no times")
}

/// The command line that passthru would use. None of its words has a blank or a quote.
fn by_hand(host: &LabHost) -> anyhow::Result<String> {
    let dry_run = "passthru run hand --device 0000:03:00.0 --kernel /lab/guest/vmlinuz \
                   --initrd /lab/guest/initrd.img --dry-run --json";
    let plan: Value = serde_json::from_str(&host.sh_ok(dry_run)?).context(dry_run)?;
    let words = plan["command"].as_array().context("the dry run tells no command")?;
    let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    let plain = |word: &&str| !word.is_empty() && !word.contains([' ', '\'', '"', '*', '?', '\\']);
    ensure!(words.iter().all(plain), "a word of the command needs quotes: {words:?}");
    Ok(words.join(" "))
}

fn told(times: &Times) -> Option<String> {
    let (ours, hand) = (times.of("passthru_run"), times.of("by_hand"));
    let ratios: Vec<f64> = ours.iter().zip(hand).map(|(ours, hand)| ours / hand).collect();
    let seconds = |values: &[f64]| median(values.iter().copied()) / 1e3;
    let text = format!(
        "| `passthru run` to the first line | bare writes and the same QEMU command by hand | ratio | spread |\n\
         |---|---|---|---|\n\
         | {:.2} s | {:.2} s | **{:.2}** | ±{:.0} % |\n",
        seconds(ours),
        seconds(hand),
        median(ratios.iter().copied()),
        spread(&ratios) * 50.0,
    );
    (!ratios.is_empty()).then_some(text)
}

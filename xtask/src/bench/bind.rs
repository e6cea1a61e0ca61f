//! `passthru bind` and `release` against bare writes and driverctl, in a lab host.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context;

use super::stats::{median, spread};
use super::times::Times;

const SCRIPT: &str = include_str!("bind.sh");
const ROUNDS: usize = 15;

pub fn table(rounds: Option<usize>) -> anyhow::Result<String> {
    let host = super::lab_host()?;
    let rounds = rounds.unwrap_or(ROUNDS);
    let script = format!("ROUNDS={rounds}\n{SCRIPT}");
    // The slow case is a driverctl that hangs until its deadline, once.
    let deadline = Duration::from_secs(180 + 20 * rounds as u64);
    let output = host.run_within("exec bash -s", script.as_bytes(), deadline)?;
    anyhow::ensure!(output.success(), "{}{}", output.stdout, output.stderr);
    told(&Times::parse(&output.stdout)).context("the script told no times")
}

fn told(times: &Times) -> Option<String> {
    let bare = times.of("bare");
    let passthru = times.of("passthru");
    let starts = times.of("starts");
    let ratios = |ours: &[f64]| -> Vec<f64> { ours.iter().zip(bare).map(|(a, b)| a / b).collect() };
    let beyond: Vec<f64> = passthru.iter().zip(starts).map(|(all, starts)| all - starts).collect();
    let mut text = String::from(
        "| way | time of bind and release | of the bare writes | spread |\n|---|---|---|---|\n",
    );
    let mut line = |way: &str, values: &[f64]| {
        let ratios = ratios(values);
        let (time, ratio) = (median(values.iter().copied()), median(ratios.iter().copied()));
        let _ = writeln!(
            text,
            "| {way} | {time:.0} ms | {ratio:.2} | ±{:.0} % |",
            spread(&ratios) * 50.0
        );
    };
    line("bare writes of a shell", bare);
    line("passthru", passthru);
    line("… starting the program twice and its child that writes", starts);
    line("… **beyond these starts**", &beyond);
    match times.of("driverctl") {
        [] => {}
        driverctl => line("driverctl", driverctl),
    }
    if times.said("driverctl stuck") {
        text.push_str(
            "\nA driverctl did not come back within a minute and was left out from then on.\n",
        );
    }
    (!bare.is_empty() && !passthru.is_empty()).then_some(text)
}

//! `cargo xtask lab …`: the emulated passthrough hosts of `crates/lab`, by hand.

use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Subcommand;
use lab::{Lab as Hosts, LabHost};

#[derive(Debug, Subcommand)]
pub enum Lab {
    /// Build the images and the guest, those that are missing or old
    Build,
    /// Start a lab host and leave it running
    Up { topology: String },
    /// Run a shell command in a lab host: one that is up, or one started for it
    Run {
        /// A lab host's name, or a topology
        #[arg(default_value = "basic")]
        host: String,
        /// Seconds after which the command is killed
        #[arg(long, default_value_t = 600)]
        deadline: u64,
        /// The command; its exit code becomes ours
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// A terminal in a lab host that is up (Ctrl-] leaves)
    Shell {
        #[arg(default_value = "basic")]
        host: String,
    },
    /// End a lab host, or all of them
    Down { host: Option<String> },
    /// Topologies, and the lab hosts that are up
    Ls,
}

pub fn run(verb: &Lab) -> anyhow::Result<()> {
    match verb {
        Lab::Build => {
            lab::ensure_all()?;
            lab::prepare()?;
            Ok(lab::prepare_power9()?)
        }
        Lab::Up { topology } => {
            let host = Hosts::up(topology)?;
            println!("{} is up; logs in {}", host.name(), host.logs().display());
            Ok(())
        }
        Lab::Run { host, deadline, command } => {
            run_command(host, &shell_line(command), Duration::from_secs(*deadline))
        }
        Lab::Shell { host } => shell(&Hosts::find(host)?),
        Lab::Down { host: Some(host) } => Ok(lab::find(host)?.end()?),
        Lab::Down { host: None } => {
            lab::running()?.iter().try_for_each(lab::Record::end).map_err(Into::into)
        }
        Lab::Ls => list(),
    }
}

/// One word is a line of the lab host's shell; several are the words of one command, as they are.
fn shell_line(words: &[String]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=,@%+".contains(&byte);
    let quoted = |word: &String| match !word.is_empty() && word.bytes().all(plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    match words {
        [line] => line.clone(),
        words => words.iter().map(quoted).collect::<Vec<_>>().join(" "),
    }
}

fn run_command(host: &str, command: &str, deadline: Duration) -> anyhow::Result<()> {
    let host = match Hosts::find(host) {
        Ok(up) => {
            up.refresh()?;
            up
        }
        Err(lab::Error::NotUp { .. }) => Hosts::start(host)?,
        Err(error) => return Err(error.into()),
    };
    let output = host.run_within(command, b"", deadline)?;
    print!("{}", output.stdout);
    eprint!("{}", output.stderr);
    std::io::stdout().flush()?;
    if output.timed_out {
        bail!("killed after {} s", deadline.as_secs());
    }
    drop(host);
    std::process::exit(output.status)
}

fn list() -> anyhow::Result<()> {
    println!("topologies:");
    for name in lab::names()? {
        println!("  {name:<12} {}", lab::Topology::named(&name)?.about);
    }
    println!("up:");
    for record in lab::running()? {
        println!("  {:<12} pid {}, {}", record.name, record.pid, record.dir().display());
    }
    Ok(())
}

/// Joins this terminal and the serial console. `stty` sets the terminal: its settings are one argument, and it is there.
fn shell(host: &LabHost) -> anyhow::Result<()> {
    const LEAVE: u8 = 0x1d; // Ctrl-]
    let mut console = host.console()?;
    eprintln!("console of {}; Ctrl-] leaves it (and leaves the lab host running)", host.name());
    let saved = Command::new("stty").arg("-g").stdin(std::process::Stdio::inherit()).output();
    let saved = saved.context("stty")?;
    Command::new("stty").args(["raw", "-echo"]).status().context("stty")?;
    let mut screen = console.try_clone()?;
    std::thread::spawn(move || std::io::copy(&mut screen, &mut std::io::stdout()));
    let mut keys = [0; 256];
    let mut keyboard = std::io::stdin();
    console.write_all(b"\n")?;
    loop {
        let len = keyboard.read(&mut keys)?;
        if len == 0 || keys[..len].contains(&LEAVE) {
            break;
        }
        console.write_all(&keys[..len])?;
    }
    let saved = String::from_utf8_lossy(&saved.stdout).trim().to_owned();
    Command::new("stty").arg(saved).status().context("stty")?;
    println!();
    Ok(())
}

//! Starts QEMU for a lab host. What comes in: a topology, what it boots from, a prepared run directory. What goes out: a
//! process, and nothing else on this machine; every file it makes lies in the run directory.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;

use crate::boot::Boot;
use crate::error::{AtPath, Error, Result};
use crate::platform::Platform;
use crate::topology::Topology;

/// The agent's socket in the run directory.
pub(crate) const AGENT: &str = "agent.sock";
/// The serial console's socket.
pub(crate) const CONSOLE: &str = "console.sock";
/// What the serial console said.
pub(crate) const CONSOLE_LOG: &str = "console.log";
/// QEMU's control socket.
pub(crate) const QMP: &str = "qmp.sock";
/// What QEMU itself said.
pub(crate) const QEMU_LOG: &str = "qemu.log";
/// The directory that the lab host sees at `/lab`.
pub(crate) const SHARE: &str = "share";

/// Who outlives whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// The lab host ends with this process, however this process ends.
    WithProcess,
    /// The lab host stays until `lab down`.
    OfItsOwn,
}

/// Starts QEMU in `dir`.
pub(crate) fn start(topology: &Topology, boot: &Boot, dir: &Path, life: Life) -> Result<Child> {
    let log = dir.join(QEMU_LOG);
    let log = File::create(&log).at("create", &log)?;
    let program = topology.platform.words().qemu;
    // setpriv only sets the death signal and becomes QEMU: the process id stays the same.
    let mut command = match life {
        Life::WithProcess => {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", program]);
            command
        }
        Life::OfItsOwn => Command::new(program),
    };
    command
        .args(fixed_args(topology))
        .args(boot.qemu_args())
        .args(topology.qemu_args())
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone().at("open", dir.join(QEMU_LOG))?)
        .stderr(log)
        // Ctrl-C in a terminal is for the one who typed it; the lab host is ended in order.
        .process_group(0);
    match life {
        Life::WithProcess => spawn_from_keeper(command),
        Life::OfItsOwn => command.spawn(),
    }
    .map_err(|source| Error::Spawn {
        program: program.to_owned(),
        hint: " (setup/install installs it)",
        source,
    })
}

/// What all lab hosts have. Socket paths are relative: a path to a Unix socket may have 107 bytes only.
fn fixed_args(topology: &Topology) -> Vec<String> {
    let words = topology.platform.words();
    let kvm = topology.platform == Platform::X86
        && std::env::var("PASSTHRU_LAB_ACCEL").is_ok_and(|accel| accel == "kvm");
    let (accel, cpu) =
        if kvm { ("kvm", "host") } else { ("tcg,thread=multi", topology.cpu.as_str()) };
    let pairs = [
        ("-machine", topology.machine.as_str()),
        ("-accel", accel),
        ("-cpu", cpu),
        (
            "-chardev",
            &format!("socket,id=console,path={CONSOLE},server=on,wait=off,logfile={CONSOLE_LOG}"),
        ),
        ("-serial", "chardev:console"),
        ("-chardev", &format!("socket,id=agent,path={AGENT},server=on,wait=off")),
        ("-device", &format!("virtio-serial-pci,{}", words.agent_slot)),
        ("-device", &format!("virtserialport,chardev=agent,name={}", crate::wire::PORT)),
        ("-fsdev", &format!("local,id=share,path={SHARE},security_model=none,readonly=on")),
        ("-device", &format!("virtio-9p-pci,fsdev=share,mount_tag=lab,{}", words.share_slot)),
        ("-qmp", &format!("unix:{QMP},server=on,wait=off")),
    ];
    let plain = ["-no-user-config", "-display", "none", "-vga", "none"];
    let pairs = pairs.iter().flat_map(|(option, value)| [*option, *value]);
    plain.into_iter().chain(words.bare.iter().copied()).chain(pairs).map(str::to_owned).collect()
}

type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

/// The death signal comes when the *thread* that started QEMU ends, and a test's thread ends before the
/// process that shares the lab host with other tests. So one thread that never ends starts them all.
fn spawn_from_keeper(command: Command) -> std::io::Result<Child> {
    static KEEPER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in inbox {
                let _ = reply.send(command.spawn());
            }
        });
        orders
    });
    let (reply, answer) = mpsc::channel();
    let gone = |_| std::io::Error::other("the thread that starts QEMU is gone");
    keeper.send((command, reply)).map_err(|_| gone(mpsc::RecvError))?;
    answer.recv().map_err(gone)?
}

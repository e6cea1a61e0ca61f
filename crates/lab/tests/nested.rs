//! A guest in a lab host, by QEMU alone: the init of `crates/guest` shows what arrives, comes and goes.

// A test's helper functions may fail as its test does; clippy excuses only the test itself.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use lab::{Lab, LabHost, disk};
use sha2::{Digest, Sha256};

/// Binds to vfio-pci by bare writes and starts a guest with one spare slot; its console is a pair of fifos.
const START: &str = r#"
cd /root
modprobe vfio-pci
for device in 0000:01:00.0 0000:03:00.0; do
    echo vfio-pci > /sys/bus/pci/devices/$device/driver_override
    if [ -e /sys/bus/pci/devices/$device/driver ]; then
        echo $device > /sys/bus/pci/devices/$device/driver/unbind
    fi
    echo $device > /sys/bus/pci/drivers_probe
done
mkfifo keys.in keys.out monitor.in monitor.out
setsid sh -c 'exec 3<>keys.in 4<>monitor.in 5<>monitor.out
exec qemu-system-x86_64 -accel kvm -cpu host -machine q35 -m 384M -nodefaults -display none \
    -chardev pipe,id=console,path=keys -serial chardev:console \
    -chardev pipe,id=monitor,path=monitor -mon chardev=monitor \
    -kernel /lab/guest/vmlinuz -initrd /lab/guest/initrd.img -append "console=ttyS0 quiet" \
    -device pcie-root-port,id=rp1,chassis=1,slot=1 -device vfio-pci,host=03:00.0,bus=rp1 \
    -device pcie-root-port,id=rp2,chassis=2,slot=2' > qemu.log 2>&1 &
echo $! > qemu.pid
setsid cat keys.out > console.log &
"#;

struct Guest(LabHost);

impl Guest {
    /// Waits for a line on the guest's console.
    #[track_caller]
    fn says(&self, line: &str) {
        let condition = format!("grep -q '{line}' /root/console.log");
        if let Err(error) = self.0.wait_for(&condition, Duration::from_secs(120)) {
            let log = self.0.run("tail -n 40 /root/console.log /root/qemu.log");
            panic!("{error}\n{log:?}");
        }
    }

    fn is_typed(&self, fifo: &str, line: &str) {
        self.0
            .sh_ok(&format!("echo '{line}' > /root/{fifo}"))
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

fn hash(sector: u64) -> String {
    lab::hex(&Sha256::digest(disk::sector("data", sector)))
}

#[test]
fn a_guest_shows_what_it_has_and_what_comes_and_goes() {
    let host = Lab::start("basic").unwrap_or_else(|error| panic!("{error}"));
    host.sh_ok(START).unwrap_or_else(|error| panic!("{error}"));
    let guest = Guest(host);
    guest.says("guest: ready");
    guest.says("guest: pci 0000:01:00.0 1b36:0010 class 010802 driver nvme");
    guest.says(&format!("guest: disk nvme0n1 sector0 sha256 {}", hash(0)));

    guest.is_typed("keys.in", "sector nvme0n1 9");
    guest.says(&format!("guest: sector nvme0n1 9 sha256 {}", hash(9)));

    guest.is_typed("monitor.in", "device_add vfio-pci,host=01:00.0,bus=rp2,id=late");
    guest.says("guest: pci added 0000:02:00.0 1234:11e8 class 00ff00 driver -");
    guest.is_typed("monitor.in", "device_del late");
    guest.says("guest: pci removed 0000:02:00.0");

    guest.is_typed("monitor.in", "system_powerdown");
    guest.says("guest: power button");
    guest.0.wait_for("test ! -d /proc/$(cat /root/qemu.pid)", Duration::from_secs(60)).unwrap();
}

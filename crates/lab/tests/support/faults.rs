//! What is done to a lab host so that passthru fails there.

use lab::Output;
use serde_json::json;

use super::Host;

/// In a mount namespace of its own, so that the machine keeps its /sys.
pub fn read_only(host: &Host, command: &str) -> Output {
    host.run(&format!("unshare -m sh -c 'mount -o remount,bind,ro /sys && {command}'")).unwrap()
}

/// Puts the disk behind a throttle outside of the machine: one byte a second, or none at all.
pub fn throttle(host: &Host, bytes_per_second: u32) {
    let limits = json!({
        "device": "data", "bps": bytes_per_second, "bps_rd": 0, "bps_wr": 0, "iops": 0, "iops_rd": 0, "iops_wr": 0
    });
    host.qmp("block_set_io_throttle", &limits).unwrap();
}

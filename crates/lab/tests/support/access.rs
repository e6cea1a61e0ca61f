//! Who may use devices besides root.

use super::{EDU, Host};

/// Whom `prepare` lets run guests: they get the nodes, and lock as much memory as a guest has.
pub fn a_group_and_a_service_without_root(host: &Host) {
    const UNIT: &str =
        "[Service]\nType=oneshot\nUser=guests\nExecStart=/bin/sh -c 'ulimit -l >/tmp/limit'\n";
    host.sh("useradd --system --groups kvm guests");
    host.write_file("/run/systemd/system/vm@.service", UNIT.as_bytes(), 0o644).unwrap();
    let of_a_login =
        || host.sh("prlimit --memlock=65536 runuser -l guests -s /bin/sh -c 'ulimit -l'");
    let of_the_service =
        || host.sh("systemctl daemon-reload; systemctl start vm@1; cat /tmp/limit; rm /tmp/limit");
    let before = (of_a_login(), of_the_service());
    assert!(before.0 != "unlimited" && before.1 != "unlimited", "{before:?}");

    host.ok("prepare --group kvm --service vm@1 --yes");
    assert_eq!((of_a_login().as_str(), of_the_service().as_str()), ("unlimited", "unlimited"));
    host.ok(&format!("bind {EDU}"));
    let group = host.listed(EDU)["group"].clone();
    host.until(&format!("stat -c '%G %a' /dev/vfio/{group} | grep -qx 'kvm 660'"));
    host.ok(&format!("release {EDU}"));

    host.ok("prepare --undo --yes");
    assert_eq!((of_a_login(), of_the_service()), before);
    host.sh("userdel guests; rm /run/systemd/system/vm@.service; systemctl daemon-reload");
}

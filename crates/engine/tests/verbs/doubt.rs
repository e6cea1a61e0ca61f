//! Writes that do not come back from the kernel.

use engine::Error;
use fakehost::On;

use crate::given::*;

#[test]
fn a_write_that_hangs_puts_its_group_in_doubt_and_nothing_else() {
    let given = Given::new();
    given.host.hang(On::path("drivers/nvidia/unbind"));
    let error = given.engine().bind(&request(&[NVME, GPU])).unwrap_err();
    assert_eq!(error.code(), "in_doubt");
    let Error::Failed(failure) = &error else { panic!("{error}") };
    assert_eq!(failure.doubts.len(), 1);
    assert!(error.to_string().contains("device_del"), "the wait channel is named: {error}");
    // The other group went back; the service might open the card: it waits.
    assert_eq!(given.host.driver_of(NVME).as_deref(), Some("nvme"));
    assert_eq!(given.host.is_active("nvidia-persistenced.service"), Some(false));

    // Nothing of the group is used, all else goes on.
    for device in [GPU, AUDIO] {
        let error = given.engine().bind(&request(&[device])).unwrap_err();
        assert!(codes(&error).contains(&"in_doubt"), "{error}");
        let error = given.engine().release(&typed(&[device])).unwrap_err();
        assert!(codes(&error).contains(&"in_doubt"), "{error}");
    }
    given.engine().bind(&request(&[NVME])).unwrap();
    given.engine().release(&typed(&[NVME])).unwrap();
    let recovered = given.engine().recover().unwrap();
    assert_eq!(recovered.pending.len(), 1);
    assert_eq!(recovered.pending[0].wait_channel.as_deref(), Some("device_del"));
}

#[test]
fn what_comes_through_late_is_undone_then() {
    for takes_effect in [true, false] {
        let given = Given::new();
        let before = given.host.snapshot_tree();
        given.host.hang(On::path("drivers/nvidia/unbind"));
        given.engine().bind(&request(&[GPU])).unwrap_err();
        match takes_effect {
            true => given.host.settle(),
            false => given.host.settle_without_effect(),
        }
        let recovered = given.engine().recover().unwrap();
        assert!(recovered.pending.is_empty());
        assert_eq!(given.host.driver_of(GPU).as_deref(), Some("nvidia"), "{takes_effect}");
        assert_eq!(given.host.is_active("nvidia-persistenced.service"), Some(true));
        let diff = before.diff(&given.host.snapshot_tree());
        let diff: Vec<_> = diff.iter().filter(|line| !line.contains("vfio")).collect();
        assert_eq!(diff, [""; 0], "{takes_effect}");
        given.engine().bind(&request(&[GPU])).unwrap();
    }
}

#[test]
fn a_hang_on_the_way_back_is_seen_to_later() {
    let given = Given::new();
    given.engine().bind(&request(&[GPU])).unwrap();
    given.host.calm();
    given.host.hang(On::path("drivers/vfio-pci/unbind"));
    let error = given.engine().release(&typed(&[GPU])).unwrap_err();
    assert_eq!(error.code(), "in_doubt");
    assert!(given.engine().recover().unwrap().settled.is_empty());
    given.host.settle();
    // Any changing verb settles it first.
    given.engine().bind(&request(&[NVME])).unwrap();
    for (function, driver) in [(GPU, "nvidia"), (AUDIO, "snd_hda_intel")] {
        assert_eq!(given.host.driver_of(function).as_deref(), Some(driver));
    }
    assert_eq!(given.host.is_active("nvidia-persistenced.service"), Some(true));
}

#[test]
fn a_hang_at_any_operation_is_settled_in_the_end() {
    let log = {
        let given = Given::new();
        given.engine().bind(&request(&[GPU, NVME])).unwrap();
        given.host.log()
    };
    // A question that goes unanswered is no obstacle.
    let asks = |op: &fakehost::Op| op.to_string().starts_with("systemctl show");
    for nth in (1..=log.len()).filter(|nth| !asks(&log[nth - 1])) {
        let given = Given::new();
        let before = given.host.snapshot_tree();
        given.host.hang(On::nth(nth));
        given.engine().bind(&request(&[GPU, NVME])).unwrap_err();
        given.host.settle();
        given.host.calm();
        let recovered = given.engine().recover().unwrap();
        assert!(recovered.pending.is_empty(), "{nth}");
        let diff = before.diff(&given.host.snapshot_tree());
        let diff: Vec<_> = diff.iter().filter(|line| !line.contains("vfio")).collect();
        assert_eq!(diff, [""; 0], "{nth}");
        assert_eq!(given.host.is_active("nvidia-persistenced.service"), Some(true), "{nth}");
    }
}

#[test]
fn a_reboot_ends_every_doubt() {
    let given = Given::new();
    given.host.hang(On::path("drivers/nvidia/unbind"));
    given.engine().bind(&request(&[GPU])).unwrap_err();
    let after = Given { host: machine(), state: given.state };
    after.boot_id("11111111-2222-3333-4444-555555555555");
    assert!(after.engine().unfinished().unwrap().iter().all(|plan| plan.void));
    assert_eq!(after.engine().recover().unwrap().voided, 1);
    after.engine().bind(&request(&[GPU])).unwrap();
}

#[test]
fn who_holds_a_device_in_doubt_is_named() {
    // The one who lets go by itself when the sessions end, and has not yet.
    let logind = Some("system.slice/systemd-logind.service");
    let host = machine().process(4242, "systemd-logind", &["nvidia0"], logind);
    let given = Given { host, ..Given::new() };
    given.host.hang(On::path("drivers/nvidia/unbind"));
    let error = given.engine().bind(&request(&[GPU])).unwrap_err();
    assert_eq!(error.code(), "in_doubt", "{error}");
    assert!(error.to_string().contains("(pid 4242) has /dev/nvidia0 open"), "{error}");
}

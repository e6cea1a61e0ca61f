//! Devices come and go, with a machine that is scripted.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use hypervisors::qemu::{Qmp, hotplug};
use hypervisors::{ControlError, Guest, Listener, Patience};
use serde_json::{Value, json};

use crate::cases::*;
use crate::server::*;

/// A pretended machine of ports and devices, with a log of what it was told.
struct Machine {
    devices: Vec<(String, String)>,
    fails_at: Option<&'static str>,
    on_delete: fn(&str, &mut Vec<(String, String)>, &mut UnixStream),
    log: std::sync::mpsc::Sender<String>,
}

impl Machine {
    fn step(&mut self, request: &Value, stream: &mut UnixStream) {
        let arguments = &request["arguments"];
        let text = |key: &str| arguments[key].as_str().unwrap_or("").to_owned();
        match request["execute"].as_str().unwrap() {
            "qom-list" if text("path") == "/machine/peripheral" => {
                let ports =
                    ["rp1", "rp2"].map(|id| json!({ "name": id, "type": "child<pcie-root-port>" }));
                let others = self
                    .devices
                    .iter()
                    .map(|(id, _)| json!({ "name": id, "type": "child<vfio-pci>" }));
                let kind = json!({ "name": "type", "type": "string" });
                let all: Vec<Value> = ports.into_iter().chain(others).chain([kind]).collect();
                answer(stream, request, json!(all));
            }
            "qom-list" => answer(stream, request, json!([])),
            "qom-get" => {
                let id = text("path").rsplit('/').next().unwrap().to_owned();
                let device = self.devices.iter().find(|device| device.0 == id);
                answer(
                    stream,
                    request,
                    match (text("property").as_str(), device) {
                        ("parent_bus", Some((_, bus))) => {
                            json!(format!("/machine/peripheral/{bus}/{bus}"))
                        }
                        ("parent_bus", None) => json!("/machine/q35/pcie.0"),
                        (_, _) if id == "rp2" => json!(64 * GIB),
                        _ => json!(u64::MAX),
                    },
                );
            }
            "device_add" => {
                self.log.send(format!("add {arguments}")).unwrap();
                if self.fails_at == Some(text("id").as_str()) {
                    return fail(stream, request, "GenericError", "vfio: group is not viable");
                }
                self.devices.push((text("id"), text("bus")));
                answer(stream, request, json!({}));
            }
            "device_del" => {
                let id = text("id");
                self.log.send(format!("del {id}")).unwrap();
                if !self.devices.iter().any(|device| device.0 == id) {
                    return fail(stream, request, "DeviceNotFound", "not found");
                }
                answer(stream, request, json!({}));
                (self.on_delete)(&id, &mut self.devices, stream);
            }
            other => panic!("{other}"),
        }
    }
}

fn goes(id: &str, devices: &mut Vec<(String, String)>, stream: &mut UnixStream) {
    devices.retain(|device| device.0 != id);
    let data = json!({ "device": id, "path": format!("/machine/peripheral/{id}") });
    let _ = writeln!(stream, "{}", json!({ "event": "DEVICE_DELETED", "data": data }));
}

/// A slot leaves whole at the first request, and only what was asked for is announced.
fn goes_whole(id: &str, devices: &mut Vec<(String, String)>, stream: &mut UnixStream) {
    devices.clear();
    goes(id, devices, stream);
}

fn stays(_: &str, _: &mut Vec<(String, String)>, _: &mut UnixStream) {}

fn says_no(id: &str, _: &mut Vec<(String, String)>, stream: &mut UnixStream) {
    let data = json!({ "device": id, "path": format!("/machine/peripheral/{id}") });
    let _ = writeln!(stream, "{}", json!({ "event": "DEVICE_UNPLUG_GUEST_ERROR", "data": data }));
}

type OnDelete = fn(&str, &mut Vec<(String, String)>, &mut UnixStream);

fn machine(
    fails_at: Option<&'static str>,
    on_delete: OnDelete,
) -> (Qmp, std::sync::mpsc::Receiver<String>) {
    let (log, lines) = std::sync::mpsc::channel();
    let mut machine = Machine { devices: Vec::new(), fails_at, on_delete, log };
    let qmp = client(Box::new(move |request, stream| machine.step(request, stream)), PATIENT);
    (qmp, lines)
}

#[test]
fn function_0_comes_last_and_leaves_last() {
    let (mut qmp, log) = machine(None, goes);
    let ids = hotplug::attach(&mut qmp, &gpu()).unwrap();
    assert_eq!(ids, ["pci-0000-65-00.0", "pci-0000-65-00.1"]);
    let error = hotplug::attach(&mut qmp, &gpu()).unwrap_err();
    assert!(error.to_string().contains("has it already"), "{error}");
    qmp.detach(&gpu(), &PATIENT.into()).unwrap();
    let lines: Vec<String> = log.try_iter().collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_guest_without_remapping_is_not_given_what_needs_it() {
    let (mut qmp, log) = machine(None, goes);
    let error = qmp.attach(&device(vec![aic100("0000:81:00.0", 81)])).unwrap_err();
    assert!(matches!(error, ControlError::Refused(_)), "{error:?}");
    assert!(error.to_string().contains("interrupt remapping"), "{error}");
    assert_eq!(log.try_iter().count(), 0);
}

#[test]
fn a_slot_may_leave_whole() {
    let (mut qmp, log) = machine(None, goes_whole);
    qmp.attach(&gpu()).unwrap();
    qmp.detach(&gpu(), &PATIENT.into()).unwrap();
    // Function 0 was asked for as well, and not found is gone.
    assert_eq!(log.try_iter().filter(|line| line.starts_with("del")).count(), 2);
}

#[test]
fn a_failure_half_way_is_taken_back() {
    let (mut qmp, log) = machine(Some("pci-0000-65-00.0"), goes);
    let error = qmp.attach(&gpu()).unwrap_err();
    let ControlError::Socket(error) = error else { panic!("{error:?}") };
    assert!(error.to_string().contains("not viable"), "{error}");
    assert_eq!(log.try_iter().last().unwrap(), "del pci-0000-65-00.1");
    assert_eq!(qmp.peripherals().unwrap().len(), 2);
}

#[test]
fn a_failure_that_cannot_be_taken_back_says_both() {
    let (mut qmp, _log) = machine(Some("pci-0000-65-00.0"), stays);
    let error = qmp.attach(&gpu()).unwrap_err();
    let ControlError::InPart { text, source, .. } = error else { panic!("{error:?}") };
    assert!(text.contains("not viable"), "{text}");
    assert!(matches!(*source, ControlError::NotLetGo { .. }), "{source:?}");
}

#[test]
fn a_guest_that_refuses_is_believed_at_once() {
    let (mut qmp, _log) = machine(None, says_no);
    qmp.attach(&gpu()).unwrap();
    let error = qmp.detach(&gpu(), &PATIENT.into()).unwrap_err();
    assert!(matches!(error, ControlError::GuestRefused { .. }), "{error:?}");
}

#[test]
fn each_device_is_promised_a_port_of_its_own() {
    let (mut qmp, log) = machine(None, goes);
    // One port has room for a card, the other only for small things.
    qmp.may_attach(&[gpu(), nvme()], &[]).unwrap();
    let error = qmp.may_attach(&[gpu(), gpu()], &[]).unwrap_err();
    assert!(matches!(error, ControlError::Refused(_)), "{error:?}");
    assert_eq!(log.try_iter().count(), 0, "nothing was changed");
    qmp.attach(&gpu()).unwrap();
    let error = qmp.may_attach(&[gpu()], &[]).unwrap_err();
    assert!(error.to_string().contains("has it already"), "{error}");
}

#[test]
fn a_lost_patience_ends_the_wait_and_not_the_request() {
    let (mut qmp, log) = machine(None, stays);
    qmp.attach(&gpu()).unwrap();
    let raised = Arc::new(AtomicBool::new(true));
    let error = qmp.detach(&gpu(), &Patience::from(PATIENT).unless(&raised)).unwrap_err();
    assert!(error.is_interrupted(), "{error:?}");
    assert_eq!(log.try_iter().filter(|line| line.starts_with("del")).count(), 2);
}

#[test]
fn a_listener_hears_what_is_let_go_of() {
    let (mut qmp, _log) = machine(None, goes);
    qmp.attach(&gpu()).unwrap();
    assert!(!qmp.let_go().unwrap());
    qmp.detach(&gpu(), &PATIENT.into()).unwrap();
    assert!(qmp.let_go().unwrap());
    assert!(!qmp.let_go().unwrap());
}

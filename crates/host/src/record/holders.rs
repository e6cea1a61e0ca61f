//! Processes that hold a recorded device node open.
//!
//! In: a machine and its devices' nodes. Out: for each such process the link
//! of the open file, and what tells which program it is. Never: arguments or
//! the environment of a process.

use model::parse::sidecar::Content;

use super::Recording;
use super::source::{Found, Source};
use crate::paths::Root;

/// What is recorded of a process besides the links.
const FILES: &[&str] = &["cgroup", "comm", "stat"];

/// Nodes of no single device through which one is held as well.
const SHARED: &[&str] = &["kfd", "nvidiactl", "nvidia-modeset", "nvidia-uvm", "vfio/vfio"];
/// Nodes of drivers that are not in sysfs.
const STARTS: &[&str] = &["nvidia", "apex_", "accel/"];

/// Adds all processes that hold a node.
pub(super) fn add(source: Source, recording: &mut Recording) {
    let nodes = recording.devices.iter().filter_map(|device| device.node.as_ref());
    let nodes: Vec<String> = nodes
        .map(|node| node.name.as_str())
        .chain(SHARED.iter().copied())
        .map(Root::node_text)
        .collect();
    let Some(processes) = source.name(&source.root().processes()) else { return };
    for pid in source.names(&processes).here().unwrap_or_default() {
        if pid.bytes().all(|byte| byte.is_ascii_digit()) {
            process(source, &format!("{processes}/{pid}"), &nodes, recording);
        }
    }
}

fn process(source: Source, folder: &str, nodes: &[String], recording: &mut Recording) {
    let files = format!("{folder}/fd");
    let is_first = folder.ends_with("/1");
    let names = match source.names(&files) {
        Found::Here(names) => names,
        // Whether the first process's files can be seen tells whether the
        // answer is whole; to others, refusal is the rule.
        Found::Refused(number) if is_first => {
            recording.sidecar.insert(files, Content::Refused(number));
            return;
        }
        Found::Refused(_) | Found::Missing => return,
    };
    if is_first {
        recording.sidecar.insert(files.clone(), Content::Folder);
    }
    let mut holds = false;
    for path in names.iter().map(|name| format!("{files}/{name}")) {
        if let Some(target) = source.link(&path).here().filter(|target| is_node(target, nodes)) {
            recording.sidecar.insert(path, Content::Link(target));
            holds = true;
        }
    }
    if !holds {
        // That the first process was looked at says that all were.
        if folder.ends_with("/1") {
            recording.sidecar.insert(files, Content::Folder);
        }
        return;
    }
    for path in FILES.iter().map(|name| format!("{folder}/{name}")) {
        if let Some(bytes) = source.bytes(&path).here() {
            recording.sidecar.insert(path, Content::File(bytes));
        }
    }
    if let Some(program) = source.link(&format!("{folder}/exe")).here() {
        recording.sidecar.insert(format!("{folder}/exe"), Content::Link(program));
    }
}

fn is_node(target: &str, nodes: &[String]) -> bool {
    let by_start = |start: &&str| target.starts_with(&Root::node_text(start));
    nodes.iter().any(|node| node == target) || STARTS.iter().any(by_start)
}

//! What a change is stuck with is looked at from afar.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::Path;

use host::observe::{Depth, InDoubt, observe, observe_with};
use host::paths::Root;
use host::record::{Options, record};
use model::port::{AttrWriter, Showed, Wrote};
use model::snapshot::GroupId;
use model::{Bdf, Fact, Snapshot, Why};
use support::tree::{Device, Tree};

const CARD: &str = "0000:01:00.0";
const SECOND: &str = "0000:01:00.1";
const OTHER: &str = "0000:02:00.0";

/// A card of two functions in a group each, and another card.
fn machine() -> (tempfile::TempDir, Root) {
    let dir = tempfile::tempdir().unwrap();
    let tree = Tree::new(dir.path());
    for (group, address) in [CARD, SECOND, OTHER].into_iter().enumerate() {
        let mut device = Device::endpoint(address, (0x144d, 0xa808), 0x01_0802);
        device.group = Some(group as u32);
        tree.add(&device);
    }
    let root = Root::new(dir.path());
    (dir, root)
}

fn bdf(text: &str) -> Bdf {
    text.parse().unwrap()
}

fn function(address: &str) -> InDoubt {
    InDoubt { functions: [bdf(address)].into(), ..InDoubt::NOTHING }
}

fn group(id: u32) -> InDoubt {
    InDoubt { groups: [GroupId(id)].into(), ..InDoubt::NOTHING }
}

fn left_alone(snapshot: &Snapshot) -> Vec<String> {
    let spared = |config: Option<&Why>| config == Some(&Why::InDoubt);
    let functions = snapshot.functions.values();
    functions.filter(|it| spared(it.config.why())).map(|it| it.bdf.to_string()).collect()
}

#[test]
fn registers_are_not_read_while_a_change_is_stuck() {
    let (_dir, root) = machine();
    for depth in [Depth::Listing, Depth::Whole] {
        for (in_doubt, want) in [
            (InDoubt::NOTHING, &[][..]),
            (function(OTHER), &[OTHER]),
            // A reset may be one of the whole slot.
            (function(CARD), &[CARD, SECOND]),
            (group(0), &[CARD]),
            (group(9), &[]),
        ] {
            let snapshot = observe(&root, depth.sparing(&in_doubt));
            assert_eq!(left_alone(&snapshot), want, "{in_doubt:?}");
            let card = snapshot.get(bdf(CARD)).unwrap();
            assert_eq!(card.revision, Fact::Known(0xa1), "there is a file of it");
        }
    }
}

/// Whoever is asked for a lock.
#[derive(Debug, Default)]
struct Asked(Vec<String>);

impl AttrWriter for Asked {
    fn write(&mut self, path: &Path, _: &str) -> Wrote {
        panic!("a look at the machine writes {}", path.display())
    }

    fn read(&mut self, path: &Path) -> Showed {
        let folder = path.parent().unwrap().file_name().unwrap();
        self.0.push(folder.to_str().unwrap().to_owned());
        Showed::Content(b"(null)\n".to_vec())
    }
}

#[test]
fn nor_is_anybody_asked_who_needs_the_lock() {
    let (_dir, root) = machine();
    let mut asked = Asked::default();
    let in_doubt = function(CARD);
    let snapshot = observe_with(&root, Depth::Whole.sparing(&in_doubt), &mut asked);
    assert_eq!(asked.0, [OTHER]);
    let left_out = Fact::Unknown(Why::NotObserved);
    assert_eq!(snapshot.get(bdf(CARD)).unwrap().driver_override, left_out);
}

#[test]
fn a_recording_leaves_it_alone_as_well() {
    let (_dir, root) = machine();
    let options = Options { in_doubt: function(CARD), ..Options::default() };
    let recording = record(&root, &options).unwrap();
    for device in &recording.devices {
        let has = device.attributes.contains_key("config");
        assert_eq!(has, device.name() == OTHER, "{}", device.name());
        assert!(device.attributes.contains_key("modalias"), "{}", device.name());
    }
}

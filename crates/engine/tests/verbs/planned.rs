//! What was prepared, and how it stands: what `check` compares with what runs.

use std::fs;

use engine::prepare::OnChanged;
use host::observe::{Depth, observe};
use host::paths::Root;
use model::plan::prepare::Preparation;
use model::setup::planned::{Planned, Stands};
use model::{Fact, Step};

use crate::given::*;

const FILE: &str = "/etc/modprobe.d/passthru.conf";
const LOAD: &str = "/etc/modules-load.d/passthru.conf";

fn write(path: &str, from: Option<&str>, to: &str) -> Step {
    Step::WriteFile { path: path.to_owned(), from: from.map(Into::into), to: Some(to.into()) }
}

fn prepare(given: &Given, steps: Vec<Step>) {
    let preparation = Preparation { steps, ..Preparation::default() };
    given.engine().prepare(&preparation).unwrap();
}

fn planned(given: &Given) -> Vec<Planned> {
    let snapshot = observe(&Root::new(given.host.root()), Depth::Listing);
    let setup = given.engine().setup(&snapshot, &[]);
    setup.planned.known().unwrap().clone()
}

/// How the files of one preparation stand, and whether the kernel was started since.
fn stands(planned: &Planned) -> (bool, Vec<&Stands>) {
    let stands = |(_, stands): &'_ (Step, Fact<Stands>)| stands.known().is_some();
    assert!(planned.steps.iter().all(stands), "{planned:?}");
    (planned.restarted, planned.steps.iter().filter_map(|(_, stands)| stands.known()).collect())
}

#[test]
fn what_was_prepared_is_seen_until_it_is_taken_back() {
    use Stands::{AsLeft, Changed, Superseded};
    let given = Given::new();
    assert_eq!(planned(&given), []);
    prepare(&given, vec![write(LOAD, None, "kvm\n"), write(FILE, None, "blacklist a\n")]);
    let one = planned(&given);
    assert_eq!(one.len(), 1);
    assert_eq!(stands(&one[0]), (false, vec![&AsLeft, &AsLeft]));
    assert!(one[0].at > 1_700_000_000, "{}", one[0].at);
    assert_eq!(one[0].modules("modules-load.d/passthru.conf"), ["kvm"]);

    // Started anew, and a second one over the first.
    given.boot_id("11111111-0000-0000-0000-000000000000");
    prepare(&given, vec![write(FILE, Some("blacklist a\n"), "blacklist b\n")]);
    let two = planned(&given);
    let found: Vec<_> = two.iter().map(stands).collect();
    assert_eq!(found, [(false, vec![&AsLeft]), (true, vec![&AsLeft, &Superseded])]);

    fs::write(given.host.root().join(FILE.trim_start_matches('/')), "mine").unwrap();
    let found = planned(&given);
    assert_eq!(stands(&found[0]), (false, vec![&Changed(None)]));

    given.engine().undo_preparations(OnChanged::PutBack).unwrap();
    assert_eq!(planned(&given), []);
}

/// What cannot be read is not known, and no reason to give up.
#[test]
fn a_journal_that_cannot_be_read() {
    let given = Given::new();
    prepare(&given, vec![write(FILE, None, "x")]);
    fs::remove_file(given.host.root().join("proc/sys/kernel/random/boot_id")).unwrap();
    let snapshot = observe(&Root::new(given.host.root()), Depth::Listing);
    let setup = given.engine().setup(&snapshot, &[]);
    assert!(matches!(setup.planned, Fact::Unknown(_)), "{:?}", setup.planned);
}

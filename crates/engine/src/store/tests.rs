//! The database against damage, other versions, a full disk, and its own rules.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use model::{Bdf, GroupId, Step};

use super::*;

fn fresh() -> (tempfile::TempDir, StateDir) {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::new(dir.path().join("state"));
    state.make().unwrap();
    (dir, state)
}

fn bdf(text: &str) -> Bdf {
    text.parse().unwrap()
}

fn unbind(text: &str) -> (Step, Option<GroupId>) {
    (Step::Unbind { bdf: bdf(text), driver: "nvme".to_owned() }, Some(GroupId(1)))
}

fn stop(unit: &str) -> (Step, Option<GroupId>) {
    (Step::StopUnit { unit: unit.to_owned(), triggers: vec![] }, None)
}

fn assignment(text: &str, group: u32, guest: &str) -> Assignment {
    Assignment {
        bdf: bdf(text),
        group: GroupId(group),
        boot_id: "boot".to_owned(),
        guest: guest.to_owned(),
        state: AssignmentState::Held,
        owner: None,
    }
}

fn binding(text: &str) -> Binding {
    Binding {
        bdf: bdf(text),
        group: GroupId(1),
        boot_id: "boot".to_owned(),
        driver: "vfio-pci".to_owned(),
        guest: None,
        identity: None,
    }
}

fn entry<'a>(steps: &'a [(Step, Option<GroupId>)], bindings: &'a [Binding]) -> Entry<'a> {
    let (guest, boot_id, writer, assignments) = (None, "boot", None, &[] as &[Assignment]);
    Entry { verb: Verb::Bind, guest, boot_id, writer, steps, bindings, assignments }
}

#[test]
fn opening_twice_migrates_once() {
    let (_dir, state) = fresh();
    for _ in 0..2 {
        let store = Store::open(&state).unwrap();
        assert_eq!(store.version().unwrap(), schema::MIGRATIONS.len());
    }
    let mode = fs::metadata(state.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let files = fs::read_dir(state.path()).unwrap();
    let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(files.into_iter().all(|name| name.starts_with("state.db")), "nothing else is left");
}

#[test]
fn reading_makes_nothing() {
    let (_dir, state) = fresh();
    assert!(Store::open_reading(&state).unwrap().is_none());
    assert!(!state.database().exists());
}

#[test]
fn a_later_schema_is_refused_and_left_alone() {
    let (_dir, state) = fresh();
    let store = Store::open(&state).unwrap();
    store.db.pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    let before = fs::read(state.database()).unwrap();
    for error in [Store::open(&state).unwrap_err(), Store::open_reading(&state).unwrap_err()] {
        assert!(matches!(error, Error::StateNewer { found: 99, known: 2, .. }), "{error}");
    }
    assert_eq!(fs::read(state.database()).unwrap(), before);
}

#[test]
fn a_database_that_is_cut_short_is_named_and_left_alone() {
    let (_dir, state) = fresh();
    Store::open(&state).unwrap().begin(&entry(&[unbind("0000:01:00.0")], &[])).unwrap();
    // Without the log, which would make up for what the file lacks.
    fs::remove_file(state.database().with_extension("db-wal")).unwrap();
    let whole = fs::read(state.database()).unwrap();
    let lengths = [0, 1, 15, 16, 99, 100, 101, 511, 512, 4095, 4096, 4097, 8192];
    for length in lengths.into_iter().chain([whole.len() / 2, whole.len() - 1]) {
        fs::write(state.database(), &whole[..length]).unwrap();
        let error = read_all(&state).unwrap_err();
        assert_eq!(error.code(), "state_damaged", "{length} bytes: {error}");
        assert!(error.to_string().contains("state.db"), "{error}");
        assert_eq!(fs::read(state.database()).unwrap(), &whole[..length], "{length} bytes");
    }
}

#[test]
fn what_is_no_database_is_named_and_left_alone() {
    let (_dir, state) = fresh();
    let text = "I am a shopping list. ".repeat(400);
    fs::write(state.database(), &text).unwrap();
    let error = read_all(&state).unwrap_err();
    assert_eq!(error.code(), "state_damaged");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("not a database"), "{cause}");
    assert_eq!(fs::read_to_string(state.database()).unwrap(), text);
}

#[test]
fn a_database_with_the_tables_of_others_is_named_and_left_alone() {
    let none = "PRAGMA user_version = 2";
    let others = "CREATE TABLE plans (x INTEGER)";
    let few = "CREATE TABLE plans (x INTEGER); PRAGMA user_version = 2";
    let marked = &format!("{few}; PRAGMA application_id = {}", file::APPLICATION);
    for (sql, code) in [
        (none, "state_of_others"),
        (others, "state_of_others"),
        (few, "state_of_others"),
        (marked, "state_damaged"),
    ] {
        let (_dir, state) = fresh();
        let db = Connection::open(state.database()).unwrap();
        db.execute_batch(sql).unwrap();
        drop(db);
        let before = fs::read(state.database()).unwrap();
        let error = read_all(&state).unwrap_err();
        assert_eq!(error.code(), code, "{sql}: {error:?}");
        assert!(error.to_string().contains("state.db") && !error.hint().is_empty(), "{error}");
        assert_eq!(fs::read(state.database()).unwrap(), before, "{sql}");
    }
}

#[test]
fn a_page_that_nobody_asked_for_is_found_damaged() {
    let (_dir, state) = fresh();
    let mut store = Store::open(&state).unwrap();
    store.begin(&entry(&[unbind("0000:01:00.0")], &[])).unwrap();
    store.read(|db| db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))).unwrap();
    store.look_through().unwrap();
    drop(store);
    let mut bytes = fs::read(state.database()).unwrap();
    bytes[2 * 4096..][..100].fill(0xee);
    fs::write(state.database(), bytes).unwrap();
    let store = Store::open(&state).unwrap();
    assert_eq!(store.look_through().unwrap_err().code(), "state_damaged");
}

fn read_all(state: &StateDir) -> Result<(), Error> {
    let store = Store::open(state)?;
    store.unfinished()?;
    store.assignments()?;
    store.instances().map(drop)
}

#[test]
fn a_lost_database_is_not_made_anew() {
    let (_dir, state) = fresh();
    drop(Store::open(&state).unwrap());
    fs::create_dir(state.instances()).unwrap();
    fs::remove_file(state.database()).unwrap();
    let error = Store::open(&state).unwrap_err();
    assert_eq!(error.code(), "state_missing");
    assert!(!state.database().exists());
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let (_dir, state) = fresh();
    let mut store = Store::open(&state).unwrap();
    store.limit_pages(1).unwrap();
    let steps: Vec<_> = (0..4000).map(|_| unbind("0000:01:00.0")).collect();
    let error = store.begin(&entry(&steps, &[])).unwrap_err();
    assert_eq!(error.code(), "state_full", "{error}");
    assert!(store.unfinished().unwrap().is_empty());
}

#[test]
fn the_keys_refuse_a_second_guest() {
    let (_dir, state) = fresh();
    let mut store = Store::open(&state).unwrap();
    store.assign(&[assignment("0000:01:00.0", 1, "a")]).unwrap();
    for (text, group) in [("0000:01:00.0", 1), ("0000:01:00.1", 1), ("0000:01:00.0", 2)] {
        store.assign(&[assignment(text, group, "b")]).unwrap_err();
    }
    store
        .assign(&[assignment("0000:01:00.1", 1, "a"), assignment("0000:02:00.0", 2, "b")])
        .unwrap();
    store.unassign(&[bdf("0000:01:00.0")]).unwrap();
    store.assign(&[assignment("0000:01:00.0", 1, "b")]).unwrap_err();
    store.unassign(&[bdf("0000:01:00.1")]).unwrap();
    store.assign(&[assignment("0000:01:00.0", 1, "b")]).unwrap();
    assert_eq!(store.assignments().unwrap().len(), 2);
}

#[test]
fn a_service_comes_back_with_the_last_function_it_was_stopped_for() {
    let (_dir, state) = fresh();
    let mut store = Store::open(&state).unwrap();
    let (one, other) = ("0000:01:00.0", "0000:02:00.0");
    let steps = [stop("dcgm.service"), unbind(one), unbind(other)];
    let plan = store.begin(&entry(&steps, &[binding(one), binding(other)])).unwrap();
    for seq in 0..3 {
        store.mark(plan, seq, &Mark::Done).unwrap();
    }
    store.set_plan(plan, PlanState::Done).unwrap();

    let first = store.in_effect(&[bdf(one)], "boot").unwrap();
    assert_eq!(first.iter().map(|step| step.seq).collect::<Vec<_>>(), [1]);
    let both = store.in_effect(&[bdf(one), bdf(other)], "boot").unwrap();
    assert_eq!(both.iter().map(|step| step.seq).collect::<Vec<_>>(), [0, 1, 2]);

    let release = store.begin(&Entry { verb: Verb::Release, ..entry(&[], &[]) }).unwrap();
    store.finish_release(release, &first, &[bdf(one)]).unwrap();
    let last = store.in_effect(&[bdf(other)], "boot").unwrap();
    assert_eq!(last.iter().map(|step| step.seq).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(store.bindings().unwrap(), [binding(other)]);
    assert_eq!(store.in_effect(&[bdf(other)], "another boot").unwrap(), []);
}

#[test]
fn a_reboot_voids_plans_and_holds() {
    let (_dir, state) = fresh();
    let mut store = Store::open(&state).unwrap();
    let text = "0000:01:00.0";
    let plan = store.begin(&entry(&[unbind(text)], &[binding(text)])).unwrap();
    store.assign(&[assignment(text, 1, "a")]).unwrap();
    assert_eq!(store.void_earlier_boots("boot").unwrap(), 0);
    assert_eq!(store.void_earlier_boots("next").unwrap(), 1);
    assert_eq!(store.void_earlier_boots("next").unwrap(), 0);
    assert_eq!(store.plan(plan).unwrap().unwrap().state, PlanState::Void);
    assert!(store.unfinished().unwrap().is_empty());
    assert!(store.bindings().unwrap().is_empty() && store.assignments().unwrap().is_empty());
}

#[test]
fn old_plans_are_forgotten_unless_something_hangs_on_them() {
    let (_dir, state) = fresh();
    let mut store = Store::open(&state).unwrap();
    let text = "0000:01:00.0";
    let kept = store.begin(&entry(&[unbind(text)], &[binding(text)])).unwrap();
    store.mark(kept, 0, &Mark::Done).unwrap();
    store.set_plan(kept, PlanState::Done).unwrap();
    let mut gone = None;
    for _ in 0..250 {
        let plan = store.begin(&entry(&[unbind("0000:02:00.0")], &[])).unwrap();
        store.finish_undone(plan, true).unwrap();
        gone.get_or_insert(plan);
    }
    assert!(store.plan(kept).unwrap().is_some());
    assert!(store.plan(gone.unwrap()).unwrap().is_none());
    assert_eq!(store.in_effect(&[bdf(text)], "boot").unwrap().len(), 1);
}

#[test]
fn a_step_reads_back_as_it_was_written() {
    let (_dir, state) = fresh();
    let mut store = Store::open(&state).unwrap();
    let steps = [stop("a.service"), unbind("10000:01:00.0")];
    let plan = store.begin(&entry(&steps, &[])).unwrap();
    let child = Child { pid: 7, start_time: 1 << 40 };
    store.mark(plan, 1, &Mark::InDoubt(child)).unwrap();
    let rows = store.steps(plan).unwrap();
    let read: Vec<_> = rows.iter().map(|row| (row.step.clone(), row.group)).collect();
    assert_eq!(read, steps);
    assert_eq!(rows[1].child, Some(child));
    assert_eq!(store.in_doubt("boot").unwrap(), rows[1..]);
}

#[test]
fn a_start_is_claimed_or_revoked_and_never_both() {
    let (_dir, state) = fresh();
    let mut store = Store::open(&state).unwrap();
    let process = |pid| Process { pid, start_time: 1 };
    for (text, claimed_first) in [("one", true), ("two", false)] {
        let name = text.parse().unwrap();
        store.put_instance(&name, "{}", "boot", process(1)).unwrap();
        store.set_instance(&name, InstanceState::Starting).unwrap();
        let claim = |store: &mut Store| store.claim_start(&name, process(1), process(2)).unwrap();
        if claimed_first {
            assert!(claim(&mut store));
        }
        assert_eq!(store.revoke_start(&name).unwrap(), !claimed_first);
        assert!(!claim(&mut store));
        let pid = store.instance(&name).unwrap().unwrap().process;
        assert_eq!(pid, claimed_first.then_some(process(2)));
    }
}

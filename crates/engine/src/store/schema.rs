//! The tables, version by version.
//!
//! A migration is never edited once it was released; a new one is added
//! behind it. `PRAGMA user_version` counts those that a database has seen.
//!
//! ```text
//! plans 1──n steps            what was planned, and how far it came
//! bindings                    functions that are with a guest's driver, by which plan
//! held_groups 1──n assignments   which guest holds what
//! instances                   guests that passthru started
//! devices                     registered names
//! events                      what happened, for people
//! ```

/// Every migration, the oldest first.
pub(super) const MIGRATIONS: &[&str] = &[V1, V2];

const V1: &str = "
CREATE TABLE plans (
    id           INTEGER PRIMARY KEY,
    verb         TEXT NOT NULL,
    guest        TEXT,
    boot_id      TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN
                 ('applying', 'undoing', 'in_doubt', 'done', 'undone', 'failed', 'void')),
    -- The process that writes to the kernel for it: while it lives, a write
    -- that nobody waits for any more may still take effect.
    writer_pid   INTEGER,
    writer_start INTEGER,
    made_at      INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX plans_unfinished ON plans (state)
    WHERE state IN ('applying', 'undoing', 'in_doubt');

CREATE TABLE steps (
    plan         INTEGER NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    seq          INTEGER NOT NULL,
    bdf          TEXT,
    -- The IOMMU group, which is in doubt or not as a whole.
    grp          INTEGER,
    step         TEXT NOT NULL,
    text         TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN
                 ('planned', 'done', 'already', 'failed', 'undone', 'in_doubt')),
    error        TEXT,
    child_pid    INTEGER,
    child_start  INTEGER,
    PRIMARY KEY (plan, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE bindings (
    bdf          TEXT PRIMARY KEY,
    grp          INTEGER NOT NULL,
    boot_id      TEXT NOT NULL,
    driver       TEXT NOT NULL,
    plan         INTEGER NOT NULL REFERENCES plans (id),
    -- The guest that it was bound for and is released with; NULL when a
    -- person bound it, who releases it too.
    guest        TEXT
) STRICT, WITHOUT ROWID;

-- At most one guest per group, and at most one guest per function.
CREATE TABLE held_groups (
    boot_id      TEXT NOT NULL,
    grp          INTEGER NOT NULL,
    guest        TEXT NOT NULL,
    PRIMARY KEY (boot_id, grp),
    UNIQUE (boot_id, grp, guest)
) STRICT, WITHOUT ROWID;

CREATE TABLE assignments (
    bdf          TEXT PRIMARY KEY,
    boot_id      TEXT NOT NULL,
    grp          INTEGER NOT NULL,
    guest        TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('attaching', 'held', 'detaching')),
    -- Who sees to it while it is on its way; if that process is gone, recovery does.
    owner_pid    INTEGER,
    owner_start  INTEGER,
    FOREIGN KEY (boot_id, grp, guest) REFERENCES held_groups (boot_id, grp, guest)
) STRICT, WITHOUT ROWID;

CREATE TABLE instances (
    name         TEXT PRIMARY KEY,
    state        TEXT NOT NULL CHECK (state IN
                 ('preparing', 'starting', 'running', 'stopped', 'failed')),
    spec         TEXT NOT NULL,
    boot_id      TEXT NOT NULL,
    -- Who sees to it: first the command that starts it, then its supervisor.
    owner_pid    INTEGER,
    owner_start  INTEGER,
    -- The hypervisor's process.
    pid          INTEGER,
    start_time   INTEGER,
    exit_status  INTEGER,
    error        TEXT,
    made_at      INTEGER NOT NULL DEFAULT (unixepoch()),
    changed_at   INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    name         TEXT PRIMARY KEY,
    bdf          TEXT NOT NULL UNIQUE,
    identity     TEXT NOT NULL,
    made_at      INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    id           INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL DEFAULT (unixepoch()),
    subject      TEXT NOT NULL,
    text         TEXT NOT NULL
) STRICT;
";

/// What was bound, and not only where.
const V2: &str = "ALTER TABLE bindings ADD COLUMN identity TEXT";

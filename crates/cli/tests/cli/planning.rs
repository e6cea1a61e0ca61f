//! Dry runs: what would be done, by the real program on pretended machines.

use crate::desk::{desktop, on};

macro_rules! snapshots {
    ($($name:ident: $($arg:literal)*;)*) => {$(
        #[test]
        fn $name() {
            let host = desktop();
            let before = host.snapshot_tree();
            insta::assert_snapshot!(on(&host, &[$($arg),*, "--dry-run"]));
            assert_eq!(host.snapshot_tree(), before, "a dry run changed something");
        }
    )*};
}

snapshots! {
    bind: "bind" "03:00.0";
    bind_with_company: "bind" "01:00.0";
    bind_with_company_json: "bind" "01:00.0" "--json";
    bind_refused: "bind" "02:00.0" "04:00.0";
    bind_refused_json: "bind" "02:00.0" "--json";
    bind_overridden: "bind" "02:00.0" "--override" "root_disk";
    release_what_is_not_bound: "release" "03:00.0";
    reset: "reset" "01:00.0";
    recover: "recover";
    recover_json: "recover" "--json";
    device_add: "device" "add" "01:00.0" "--name" "gpu0";
    device_add_json: "device" "add" "01:00.0" "--name" "gpu0" "--json";
}

//! How long a fuzz target runs: a second or more in a debug build.

use std::env;

use proptest::prelude::ProptestConfig;

/// As many cases as `PROPTEST_CASES` says, else enough for a second or more.
pub fn seconds() -> ProptestConfig {
    let asked = ProptestConfig::default();
    match env::var_os("PROPTEST_CASES") {
        Some(_) => asked,
        None => ProptestConfig { cases: 64 * asked.cases, ..asked },
    }
}

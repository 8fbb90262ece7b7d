//! The one door to the research data sets that some tests measure on. They are not part of the repository; where they are absent
//! a test says so by name and does nothing.

use std::io::Write;
use std::path::PathBuf;

/// Path of a file below the data folder (`BACKMASK_DATA`, else `../shared/data` beside the checkout), or `None` with a loud note when it is absent.
pub(crate) fn real_data(test: &str, relative: &str) -> Option<PathBuf> {
    let root =
        std::env::var_os("BACKMASK_DATA").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = root.join(relative);
    if path.exists() {
        return Some(path);
    }
    // Written to the process's own stderr, which the test harness does not capture.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: real data file {relative} is absent (set BACKMASK_DATA)");
    None
}

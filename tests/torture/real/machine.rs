//! What this machine can do, and its programs.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// The argument that says that mounts of this process are its own and go with it.
const OWN_MOUNTS: &str = "--own-mounts";
const UNSHARE: [&str; 3] = ["-m", "--propagation", "private"];

/// Goes on in a mount namespace of its own where it may, so that no mount of ours is left behind, whatever happens.
pub(crate) fn enter_own_mounts(args: &[String]) {
    if args.iter().any(|arg| arg == OWN_MOUNTS)
        || run("unshare", &[&UNSHARE[..], &["true"]].concat()).is_err()
    {
        return;
    }
    let Ok(this_program) = std::env::current_exe() else { return };
    let failed = Command::new("unshare").args(UNSHARE).arg(this_program).args(args).arg(OWN_MOUNTS).exec();
    eprintln!("unshare: {failed}");
}

/// Whether file systems may be mounted; if not, why.
pub(crate) fn may_mount() -> Result<(), String> {
    if std::env::args().any(|arg| arg == OWN_MOUNTS) {
        return Ok(());
    }
    Err("unshare -m is not allowed here or is not installed: mounting needs root on Linux".to_owned())
}

/// Whether a program is there.
pub(crate) fn needs(program: &str) -> Result<(), String> {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    if found { Ok(()) } else { Err(format!("{program} is not installed")) }
}

/// Runs a program to its end; what it printed, or what it complained of.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        Err(format!("{program} {}: {complaint}", args.join(" ")))
    }
}

/// A directory for case `number`: mostly in memory, where a sync takes no time, and every fourth time on disk. Neither
/// matters to a process that is killed, nor to what is mounted in a file.
pub(crate) fn temporary_dir(number: u64) -> tempfile::TempDir {
    if number % 4 != 3
        && let Ok(dir) = tempfile::tempdir_in("/dev/shm")
    {
        return dir;
    }
    tempfile::tempdir().expect("temporary directory")
}

//! File systems made for a test: in memory, in a file. Each is unmounted when it goes out of sight.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::machine::{may_mount, needs, run};

/// A mounted file system.
#[derive(Debug)]
pub(crate) struct Mounted {
    at: PathBuf,
}

impl Mounted {
    /// One in memory.
    pub(crate) fn tmpfs(at: &Path, bytes: u64) -> Result<Self, String> {
        Self::mount(at, &["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
    }

    /// The one in this image, through a loop device that goes with it.
    pub(crate) fn image(image: &Path, at: &Path, options: &str) -> Result<Self, String> {
        let options = format!("loop{}{options}", if options.is_empty() { "" } else { "," });
        Self::mount(at, &["-t", "ext4", "-o", &options, &image.display().to_string()])
    }

    /// A directory once more, without leave to write.
    pub(crate) fn read_only(dir: &Path, at: &Path) -> Result<Self, String> {
        let mounted = Self::mount(at, &["--bind", &dir.display().to_string()])?;
        run("mount", &["-o", "remount,ro,bind", &at.display().to_string()])?;
        Ok(mounted)
    }

    fn mount(at: &Path, how: &[&str]) -> Result<Self, String> {
        may_mount()?;
        fs::create_dir_all(at).map_err(|error| format!("{}: {error}", at.display()))?;
        let at_text = at.display().to_string();
        run("mount", &[how, &[&at_text]].concat())?;
        Ok(Self { at: at.to_owned() })
    }

    pub(crate) fn at(&self) -> &Path {
        &self.at
    }

    /// Fails when a process still uses it.
    pub(crate) fn unmount(self) -> Result<(), String> {
        let unmounted = run("umount", &[&self.at.display().to_string()]);
        if unmounted.is_ok() {
            // Nothing is left to do when it goes.
            std::mem::forget(self);
        }
        unmounted.map(drop)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Whatever still uses it may finish; the directory is free at once.
        let _ = run("umount", &["-l", &self.at.display().to_string()]);
    }
}

/// A file with an empty ext4 in it.
pub(crate) fn make_ext4(image: &Path, bytes: u64, options: &[&str]) -> Result<(), String> {
    needs("mkfs.ext4")?;
    let file = File::create(image).map_err(|error| format!("{}: {error}", image.display()))?;
    file.set_len(bytes).map_err(|error| format!("{}: {error}", image.display()))?;
    run("mkfs.ext4", &[&["-q", "-F", "-m", "0"], options, &[&image.display().to_string()]].concat()).map(drop)
}

/// Whether ext4 in a file can be mounted here; if not, why.
pub(crate) fn may_mount_ext4(dir: &Path) -> Result<(), String> {
    let image = dir.join("trial");
    make_ext4(&image, 8 << 20, &[])?;
    Mounted::image(&image, &dir.join("mount"), "")?.unmount()
}

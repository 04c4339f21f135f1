//! Files and directories that only their owner can read.
//!
//! The database, the sealing key and the letters of the built-in mailbox lie beside whatever else runs on the machine.
//! The mode is given when a file is made, since one narrowed afterwards was open to everybody for a moment. What is
//! there already keeps its mode: its owner may have widened it on purpose. Where there are no modes, the directory's
//! own rights decide.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    path::Path,
};

/// Options under which a file is made with mode 0600.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Whether somebody else than its owner may do anything with what is at `path`.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    let open = fs::metadata(path)
        .is_ok_and(|found| std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o077 != 0);
    #[cfg(not(unix))]
    let open = false;
    open
}

/// Opens a file that is there to be written, unless it is a link; a pipe that nobody reads is not waited for.
pub(crate) fn open_itself(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    options.write(true).open(path)
}

/// Whether the open file is one that this process could have made for itself: no other user owns it or may do anything
/// with it, and it has no second name.
pub(crate) fn is_ours_alone(file: &File) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let own = rustix::process::geteuid().as_raw();
        file.metadata().is_ok_and(|found| {
            let is_open = found.mode() & 0o077 != 0;
            found.is_file() && found.uid() == own && !is_open && found.nlink() == 1
        })
    }
    #[cfg(not(unix))]
    {
        file.metadata().is_ok_and(|found| found.is_file())
    }
}

/// Gives an open file to the owner of what is at `path`, where that is another. Only root can.
pub(crate) fn give_to_owner_of(path: &Path, file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let (owner, own) = (fs::metadata(path)?, file.metadata()?);
        if owner.uid() != own.uid() {
            fchown(file, Some(owner.uid()), Some(owner.gid()))?;
        }
    }
    #[cfg(not(unix))]
    let _ = (path, file);
    Ok(())
}

/// Makes a directory and those above it, with mode 0700, unless they are there.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

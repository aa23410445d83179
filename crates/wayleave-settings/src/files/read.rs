//! Reading a file that may be no file, may be endless, or may hang for ever.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Why a file was not read: the rest of a sentence that began with its path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unread {
    /// This user may not.
    Denied,
    /// It did not answer in time.
    Hangs,
    /// There is none.
    Missing,
    /// It is something else, named here.
    NoFile(&'static str),
    /// The system says what.
    Other(String),
    /// It is longer than anything that belongs here: so many bytes are allowed.
    TooLong(u64),
}

/// The bytes of the regular file at `path`, at most `most` of them.
///
/// It is read on a thread of its own, and waited for no longer than some seconds: a mount whose server is gone hangs for
/// ever, and would take the whole process with it. While it hangs, later attempts fail at once.
///
/// # Errors
/// Why it was not read.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Unread> {
    let named = path.to_owned();
    within(path, PATIENCE, move || bytes(&named, most))
}

/// Does `work` about `path` on a thread of its own and waits for it, at most for `patience`.
pub(super) fn within(
    path: &Path,
    patience: Duration,
    work: impl FnOnce() -> Result<Vec<u8>, Unread> + Send + 'static,
) -> Result<Vec<u8>, Unread> {
    if hanging().contains(path) {
        return Err(Unread::Hangs);
    }
    let (tell, told) = sync_channel(1);
    let working = path.to_owned();
    thread::Builder::new().name("wayleave-file".into()).spawn(move || {
        let result = work();
        // Under the lock, so that it is either heard in time or no longer listed.
        let mut hanging = hanging();
        hanging.remove(&working);
        let _ = tell.send(result);
    })?;
    told.recv_timeout(patience).unwrap_or_else(|_| {
        let mut hanging = hanging();
        told.try_recv().unwrap_or_else(|_| {
            hanging.insert(path.to_owned());
            Err(Unread::Hangs)
        })
    })
}

/// The files that have not answered yet, and are waited for no more.
fn hanging() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    static HANGING: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    HANGING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, Unread> {
    // Looked at before it is opened: to open a device can do something.
    check(fs::metadata(path)?.file_type())?;
    let file = open(path)?;
    check(file.metadata()?.file_type())?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(Unread::TooLong(most)) } else { Ok(bytes) }
}

/// Opens a file, and does not wait for the other end of what became a FIFO in between.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    options.open(path)
}

fn check(kind: FileType) -> Result<(), Unread> {
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(Unread::NoFile("a directory"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return Err(Unread::NoFile("a pipe"));
        }
        if kind.is_socket() {
            return Err(Unread::NoFile("a socket"));
        }
        if kind.is_block_device() || kind.is_char_device() {
            return Err(Unread::NoFile("a device"));
        }
    }
    Err(Unread::NoFile("something else"))
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Missing,
            ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => f.write_str("this user may not read it; change its owner or its mode"),
            Self::Hangs => write!(
                f,
                "it did not answer within {} s; is it on a mount whose server is gone?",
                PATIENCE.as_secs()
            ),
            Self::Missing => f.write_str("there is no such file"),
            Self::NoFile(kind) => write!(f, "this is {kind}; give a regular file"),
            Self::Other(error) => write!(f, "it cannot be read: {error}"),
            Self::TooLong(most) => write!(f, "it has more than {most} bytes; is it the right file?"),
        }
    }
}

/// How long a file may take.
const PATIENCE: Duration = Duration::from_secs(5);

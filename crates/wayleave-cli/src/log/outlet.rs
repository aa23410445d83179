//! Standard error as an outlet.

use std::fs::File;
use std::io::{self, Write};

use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use wayleave_settings::relay::LogFormat;

use crate::lines::Outlet;

/// Standard error by a descriptor of its own. The one of the standard library has a lock, which a reader that stands still
/// would keep from everybody else.
#[derive(Debug)]
pub(super) struct StandardError {
    pub(super) format: LogFormat,
}

impl Outlet for StandardError {
    fn open(&mut self) -> io::Result<Box<dyn Write + Send>> {
        #[cfg(unix)]
        let owned = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned()?;
        #[cfg(windows)]
        let owned = std::os::windows::io::AsHandle::as_handle(&io::stderr()).try_clone_to_owned()?;
        Ok(Box::new(File::from(owned)))
    }

    fn left_out(&self, count: u64) -> String {
        let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let message =
            format!("{count} lines of the log were left out here: whoever reads it stood still or was gone");
        match self.format {
            LogFormat::Json => {
                let line =
                    json!({ "timestamp": now, "level": "WARN", "message": message, "left_out": count });
                format!("{line}\n")
            }
            LogFormat::Text => format!("{now}  WARN {message}\n"),
        }
    }
}

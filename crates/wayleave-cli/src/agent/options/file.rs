//! The same options in a TOML file.

use std::path::Path;

use super::AgentArgs;
use crate::Failure;
use crate::options;

/// Reads the text of the file at `path`.
///
/// The text itself is never shown: the line that is wrong may hold the token.
pub(super) fn parse(path: &Path, text: &str) -> Result<AgentArgs, Failure> {
    let args: AgentArgs = options::parse(path, text)?;
    if args.token.is_some() && args.token_file.is_some() {
        return Err(Failure::usage(format!(
            "{}: token and token-file exclude each other; keep one of them",
            path.display()
        )));
    }
    Ok(args)
}

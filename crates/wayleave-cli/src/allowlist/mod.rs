//! `wayleave allowlist`: what a firewall has to permit, no more and no less.

mod client;
mod entry;
mod options;
mod relay;
mod write;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use crate::Failure;
use crate::stdout::print;

use entry::Addresses;

pub(crate) use options::AllowlistArgs;

/// Prints the list, and says whether it is whole.
///
/// # Errors
/// An argument is wrong, or standard output cannot be written.
pub(crate) async fn run(args: AllowlistArgs) -> Result<bool, Failure> {
    let format = args.format.unwrap_or_default();
    let list = args.list().await?;
    print(&write::list(&list, format))?;
    let mut is_whole = true;
    for entry in &list.entries {
        if let Addresses::Unknown(why) = &entry.addresses
            && format.is_by_address()
        {
            is_whole = false;
            let _ = writeln!(io::stderr(), "wayleave: there is no rule for {}: {why}", entry.host);
        }
    }
    Ok(is_whole)
}

//! `wayleave token app-sign`.

use std::path::PathBuf;

use clap::Args;
use wayleave_proto::auth::AppId;
use wayleave_settings::keys;
use wayleave_settings::options::read;

use crate::Failure;
use crate::stdout::print;

/// Print the lines for a relay's key file that accept the app sign of an application
///
/// They hold its public key alone. Prefer tokens where the application has a server: an app sign sits inside the
/// application and does not expire.
#[derive(Debug, Args)]
pub(super) struct AppSignArgs {
    /// The application, a number or a short name
    #[arg(long, value_name = "ID", value_parser = read::<AppId>)]
    app_id: AppId,

    /// The file with the app sign: 64 hexadecimal characters
    #[arg(long, value_name = "FILE")]
    sign_file: PathBuf,
}

pub(super) fn run(args: &AppSignArgs) -> Result<(), Failure> {
    print(&lines(args)?)
}

fn lines(args: &AppSignArgs) -> Result<String, Failure> {
    let sign = keys::app_sign(&args.app_id, &args.sign_file)?;
    Ok(keys::app_sign_lines(&sign.public()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wayleave_settings::testing::Directory;

    #[test]
    fn the_lines_hold_the_public_key_and_a_relay_reads_them() {
        let directory = Directory::new();
        let sign = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let sign_file = directory.file("sign.txt", &format!("{sign}\n"));
        let args = AppSignArgs { app_id: 1001.into(), sign_file };
        let lines = lines(&args).unwrap();
        assert!(!lines.contains(sign), "{lines}");
        let file = directory.file("relay-keys.toml", &lines);
        assert_eq!(keys::together(&[file], keys::for_relay).unwrap().len(), 1);
        let short = directory.file("short.txt", "9d61");
        let error = super::lines(&AppSignArgs { sign_file: short, ..args }).unwrap_err().to_string();
        assert!(
            error.contains("short.txt: an app sign is 64 hexadecimal") && !error.contains("9d61"),
            "{error}"
        );
    }
}

//! The `wayleave` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    wayleave_cli::main()
}

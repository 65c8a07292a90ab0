//! The `plimsoll` program.

fn main() -> std::process::ExitCode {
    plimsoll::cli::main(std::env::args_os()).into()
}

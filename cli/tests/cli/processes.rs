//! The command among other processes: pipes that close, signals, folders.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::support::Sandbox;

#[test]
fn closed_pipes_are_no_error() {
    let sandbox = Sandbox::new();
    let mut lines = 0;
    for arguments in [
        &["formats", "fp16", "bf16", "--codes"][..],
        &["formats", "--codes", "--json"],
    ] {
        let mut child = sandbox
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines += reader.read_line(&mut line).unwrap().min(1);
        drop(reader);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
    assert_eq!(lines, 2);
}

#[cfg(target_os = "linux")]
#[test]
fn full_standard_output_is_an_error() {
    let sandbox = Sandbox::new();
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = sandbox.command(&["formats"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("standard output"), "{stderr}");
}

#[test]
fn help_of_every_command_has_examples() {
    let sandbox = Sandbox::new();
    let help = sandbox.line("--help").ok();
    let listed: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(listed.len() >= 7, "{listed:?}");
    for command in listed {
        let help = sandbox.run(&[command, "--help"]).ok();
        assert!(help.contains("EXAMPLES:"), "{command}");
        let example = format!("  quaver {command}");
        assert!(help.contains(&example), "{command}");
    }
    assert!(help.contains("EXAMPLES:") && help.contains("EXIT STATUS:"));
}

#[test]
fn paths_are_those_of_the_working_directory() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("in")).unwrap();
    std::fs::create_dir(sandbox.path("out")).unwrap();
    sandbox.save("in/x.npy", &[3], vec![1.0_f32; 3]);
    sandbox
        .line("convert --from fp32 --to e4m3fn in/x.npy -o out/y.npy")
        .ok();
    let mut command = sandbox.command(&["convert", "--from", "e4m3fn", "--to", "fp32"]);
    command.current_dir(sandbox.path("out"));
    let output = command.args(["y.npy", "-o", "../z.npy"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(sandbox.load::<f32>("z.npy").1, [1.0; 3]);
}

#[cfg(unix)]
#[test]
fn signals_leave_no_file() {
    use std::os::unix::process::ExitStatusExt as _;
    use std::time::{Duration, Instant};

    /// Whether a temporary file is being written.
    fn writing(sandbox: &Sandbox) -> bool {
        sandbox.files().iter().any(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(".quaver-")
        })
    }

    for (name, number) in [("INT", 2), ("TERM", 15)] {
        let sandbox = Sandbox::new();
        // Long enough to write that the signal comes in between: 64 MiB.
        sandbox.save("x.npy", &[1 << 24], vec![0x38_u8; 1 << 24]);
        let before = sandbox.files();
        let mut child = sandbox
            .command(&[
                "convert", "--from", "e4m3fn", "--to", "fp32", "x.npy", "-o", "y.npy",
            ])
            .spawn()
            .unwrap();
        let start = Instant::now();
        while !writing(&sandbox) {
            assert!(child.try_wait().unwrap().is_none(), "nothing was caught");
            assert!(start.elapsed() < Duration::from_secs(120));
            std::thread::sleep(Duration::from_micros(200));
        }
        let kill = std::process::Command::new("kill")
            .args(["-s", name, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(kill.success());
        assert_eq!(child.wait().unwrap().signal(), Some(number));
        assert_eq!(sandbox.files(), before, "{name}");
    }
}

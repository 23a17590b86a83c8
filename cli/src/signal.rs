//! Ctrl-C and `kill` leave no temporary file behind.

/// Starts the thread that waits for the end. The process then dies of the signal itself, so that
/// shells and build tools see what happened.
///
/// # Errors
/// The operating system's reason why handlers cannot be installed.
#[cfg(unix)]
pub(crate) fn install() -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};

    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                crate::output::discard_pending(|| {
                    // Does not return for these two; if it did, the process would go on.
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                });
            }
        })?;
    Ok(())
}

/// Nothing to install: there, the console ends the process.
#[cfg(not(unix))]
pub(crate) fn install() -> std::io::Result<()> {
    Ok(())
}

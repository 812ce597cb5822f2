use crate::failure::{Exit, Failure};
use tokio::signal::unix::{SignalKind, signal};

/// Calls `stop` when the user presses ctrl-C. The second time, or where `stop` says that nothing is
/// under way that would have to be ended well, the process ends at once.
pub(crate) fn on_interrupt(stop: impl FnOnce() -> bool + Send + 'static) -> Result<(), Failure> {
    let cannot =
        |error: std::io::Error| Failure::failed(format!("cannot watch for ctrl-C: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(cannot)?;
    // Listening begins here and not on the thread, so that no ctrl-C falls in between.
    let mut interrupts = {
        let _context = runtime.enter();
        signal(SignalKind::interrupt()).map_err(cannot)?
    };
    let listen = move || {
        runtime.block_on(async {
            interrupts.recv().await;
            if stop() {
                interrupts.recv().await;
            }
            std::process::exit(i32::from(Exit::Interrupted as u8));
        });
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(listen)
        .map_err(cannot)?;
    Ok(())
}

/// Waits for ctrl-C or SIGTERM. From then on a second one ends the process at once.
pub(crate) fn wait_for_stop() -> Result<(), Failure> {
    let cannot =
        |error: std::io::Error| Failure::failed(format!("cannot watch for signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(cannot)?;
    let (mut interrupts, mut terminations) = {
        let _context = runtime.enter();
        let interrupts = signal(SignalKind::interrupt()).map_err(cannot)?;
        (interrupts, signal(SignalKind::terminate()).map_err(cannot)?)
    };
    let mut told = async move || {
        tokio::select! {
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {}
        }
    };
    runtime.block_on(told());
    let again = move || {
        runtime.block_on(told());
        std::process::exit(i32::from(Exit::Interrupted as u8));
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(again)
        .map_err(cannot)?;
    Ok(())
}

use crate::failure::{Exit, Failure};

/// Calls `stop` when the user presses ctrl-C; the second time, ends the process at once.
pub(crate) fn on_interrupt(stop: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let cannot =
        |error: std::io::Error| Failure::failed(format!("cannot watch for ctrl-C: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(cannot)?;
    let listen = move || {
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
            stop();
            let _ = tokio::signal::ctrl_c().await;
            std::process::exit(i32::from(Exit::Interrupted as u8));
        });
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(listen)
        .map_err(cannot)?;
    Ok(())
}

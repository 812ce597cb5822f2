//! Images that rows name by a path.

use base64::Engine;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use workload::DatasetRow;

/// The largest image that is sent unless the user says otherwise.
const BYTES_MAX: u64 = 32 << 20;

/// Whether a server can take it as it is.
fn is_url(image: &str) -> bool {
    ["http://", "https://", "data:"]
        .iter()
        .any(|scheme| image.starts_with(scheme))
}

/// Puts the files that rows name by their paths, which begin at `folder`, into them as `data:` URLs.
pub(super) fn open(rows: &mut [DatasetRow], folder: &Path, large: bool) -> Result<(), String> {
    for (row, number) in rows.iter_mut().zip(1..) {
        if row.images.iter().all(|image| is_url(image)) {
            continue;
        }
        let images = row.images.iter().map(|image| {
            if is_url(image) {
                Ok(image.clone())
            } else {
                file(&folder.join(&**image), large)
            }
        });
        let images: Result<Arc<[Arc<str>]>, String> = images.collect();
        row.images = images.map_err(|why| format!("row {number}: {why}"))?;
    }
    Ok(())
}

/// A data set of the hub must not say which files of this machine are sent.
pub(super) fn refuse_paths(rows: &[DatasetRow]) -> Result<(), String> {
    let mut images = rows.iter().flat_map(|row| row.images.iter());
    match images.find(|image| !is_url(image)) {
        None => Ok(()),
        Some(image) => Err(format!(
            "its rows name images by paths (`{}`), which are not part of its tables; fetch the data set and name \
             its file",
            image.chars().take(80).collect::<String>().escape_debug()
        )),
    }
}

fn file(path: &Path, large: bool) -> Result<Arc<str>, String> {
    let shown = path.display().to_string();
    let shown = shown.escape_debug();
    let found =
        fs::metadata(path).map_err(|error| format!("cannot read the image {shown}: {error}"))?;
    if !large && found.len() > BYTES_MAX {
        return Err(format!(
            "the image {shown} has {} bytes, above the limit of {BYTES_MAX}; \"unsafe_allow_large_images\": true in \
             --dataset-config sends it",
            found.len()
        ));
    }
    let bytes =
        fs::read(path).map_err(|error| format!("cannot read the image {shown}: {error}"))?;
    let kind = match &*bytes {
        [0x89, b'P', b'N', b'G', ..] => "png",
        [0xFF, 0xD8, 0xFF, ..] => "jpeg",
        [b'G', b'I', b'F', b'8', ..] => "gif",
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => "webp",
        _ => {
            return Err(format!(
                "the image {shown} is none of PNG, JPEG, GIF and WebP"
            ));
        }
    };
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    Ok(format!("data:image/{kind};base64,{text}").into())
}

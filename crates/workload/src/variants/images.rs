//! Images of noise, no two of them alike.

use crate::WorkloadError;
use crate::printable::printable;
use crate::seed::{purpose_seed, stream};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use png::{BitDepth, ColorType, Compression, Encoder};
use rand::Rng;
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest side of an image, in pixels.
pub const IMAGE_SIDE_MAX: u32 = 4_096;
/// The most images of a request.
pub const IMAGES_MAX: u32 = 32;

/// How large images are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSize {
    width: u32,
    height: u32,
}

impl Default for ImageSize {
    /// 512 by 512 pixels.
    fn default() -> Self {
        Self {
            width: 512,
            height: 512,
        }
    }
}

impl FromStr for ImageSize {
    type Err = WorkloadError;

    /// Reads `512x512`: width and height in pixels.
    fn from_str(text: &str) -> Result<Self, WorkloadError> {
        let side = |text: &str| {
            let pixels: u32 = text.trim().parse().ok()?;
            (1..=IMAGE_SIDE_MAX).contains(&pixels).then_some(pixels)
        };
        let sides = text.split_once(['x', 'X']);
        sides
            .and_then(|(width, height)| Some((side(width)?, side(height)?)))
            .map(|(width, height)| Self { width, height })
            .ok_or_else(|| WorkloadError::ImageSize {
                text: printable(text),
                limit: IMAGE_SIDE_MAX,
            })
    }
}

impl fmt::Display for ImageSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}x{}", self.width, self.height)
    }
}

/// Images of evenly distributed noise: no compression makes them smaller, and no server knows one
/// from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseImages {
    count: u32,
    size: ImageSize,
}

impl NoiseImages {
    /// So many for each request, of that size.
    pub fn new(count: u32, size: ImageSize) -> Result<Self, WorkloadError> {
        if (1..=IMAGES_MAX).contains(&count) {
            return Ok(Self { count, size });
        }
        Err(WorkloadError::ImageCount {
            count,
            limit: IMAGES_MAX,
        })
    }

    /// The images of the request at that position, as `data:` URLs of PNG files.
    pub fn urls(self, seed: u64, position: u64) -> Result<Arc<[Arc<str>]>, WorkloadError> {
        let mut noise = stream(purpose_seed(seed, "images"), position);
        let bytes = self.size.width as usize * self.size.height as usize * 3;
        let mut pixels = vec![0; bytes];
        let url = |_| {
            noise.fill_bytes(&mut pixels);
            let file = encode(self.size, &pixels).map_err(|error| WorkloadError::Image {
                reason: error.to_string(),
            })?;
            Ok(format!("data:image/png;base64,{}", STANDARD.encode(file)).into())
        };
        (0..self.count).map(url).collect()
    }

    /// For result files.
    pub fn description(self) -> Value {
        json!({ "per_request": self.count, "size": self.size.to_string() })
    }
}

/// Three bytes per pixel, uncompressed: noise does not get smaller, and the attempt costs time.
fn encode(size: ImageSize, pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::with_capacity(pixels.len() + 1_024);
    let mut encoder = Encoder::new(&mut file, size.width, size.height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::NoCompression);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::{ImageSize, NoiseImages};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use std::collections::HashSet;
    use std::io::Cursor;

    fn images(count: u32, size: &str) -> NoiseImages {
        NoiseImages::new(count, size.parse().unwrap()).unwrap()
    }

    #[test]
    fn an_image_is_a_png_of_the_size_that_was_asked_for() {
        for (size, width, height) in [("1x1", 1, 1), ("33x7", 33, 7), ("320x240", 320, 240)] {
            let urls = images(1, size).urls(3, 9).unwrap();
            let data = urls[0].strip_prefix("data:image/png;base64,").unwrap();
            let file = STANDARD.decode(data).unwrap();
            let mut reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut pixels).unwrap();
            assert_eq!((info.width, info.height), (width, height));
        }
    }

    #[test]
    fn no_two_images_are_alike_and_each_follows_from_its_position() {
        let images = images(3, "16x16");
        let all: Vec<_> = (0..50)
            .map(|position| images.urls(1, position).unwrap())
            .collect();
        let distinct: HashSet<_> = all.iter().flat_map(|urls| urls.iter()).collect();
        assert_eq!(distinct.len(), 150);
        assert_eq!(all[7], images.urls(1, 7).unwrap());
        assert_ne!(all[7], images.urls(2, 7).unwrap());
    }

    #[test]
    fn sizes_and_counts_out_of_bounds_are_refused_with_the_bound() {
        for text in ["", "512", "0x5", "5x0", "4097x1", "-1x5", "axb", "1x2x3"] {
            let error = text.parse::<ImageSize>().unwrap_err().to_string();
            assert!(error.contains("4096"), "{error}");
        }
        for count in [0, 33] {
            assert!(NoiseImages::new(count, "8x8".parse().unwrap()).is_err());
        }
    }
}

//! Undoes a content encoding within a bound: what unpacks to more is refused before it is unpacked.
//! Unaware of what is inside.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// What we say that we understand.
pub(super) const ACCEPT_ENCODING: &str = "gzip, zstd, deflate";
/// Bytes out per byte in, beyond the first MiB: feeds pack to a twentieth, bombs to a thousandth.
const INFLATION_RATIO_MAX: usize = 100;
/// Bytes for which the ratio is not looked at.
const INFLATION_FREE_BYTES: usize = 1 << 20;
/// Memory that a zstd frame may ask for, as a power of two.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// A content encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
    Deflate,
}

/// Why a body cannot be had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InflateError {
    TooLarge,
    /// Broken or cut off.
    Broken(String),
}

impl Encoding {
    /// Of a `Content-Encoding` header; nothing for one that we never asked for, or for several.
    pub(super) fn of(header: &str) -> Option<Self> {
        match header.trim().to_ascii_lowercase().as_str() {
            "" | "identity" | "none" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            "deflate" => Some(Self::Deflate),
            _ => None,
        }
    }
}

/// Unpacks a whole body of at most `bytes_max` bytes.
pub(super) fn inflate(encoding: Encoding, packed: Vec<u8>, bytes_max: usize) -> Result<Vec<u8>, InflateError> {
    let bytes_max = bytes_max.min(INFLATION_FREE_BYTES.max(packed.len().saturating_mul(INFLATION_RATIO_MAX)));
    match encoding {
        Encoding::Identity => Ok(packed),
        // Some servers label what they did not pack.
        Encoding::Gzip if !packed.starts_with(&[0x1f, 0x8b]) => Ok(packed),
        Encoding::Gzip => read(MultiGzDecoder::new(&packed[..]), bytes_max),
        Encoding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(&packed[..]).map_err(|error| broken(&error))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|error| broken(&error))?;
            read(decoder, bytes_max)
        }
        // The name means zlib, and some servers send the bare stream.
        Encoding::Deflate if is_zlib(&packed) => read(ZlibDecoder::new(&packed[..]), bytes_max),
        Encoding::Deflate => read(DeflateDecoder::new(&packed[..]), bytes_max),
    }
}

fn is_zlib(packed: &[u8]) -> bool {
    let Some(&[first, second]) = packed.first_chunk() else { return false };
    first & 0x0f == 8 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

fn read(decoder: impl Read, bytes_max: usize) -> Result<Vec<u8>, InflateError> {
    let mut body = Vec::new();
    decoder.take(bytes_max as u64 + 1).read_to_end(&mut body).map_err(|error| broken(&error))?;
    if body.len() > bytes_max { Err(InflateError::TooLarge) } else { Ok(body) }
}

fn broken(error: &io::Error) -> InflateError {
    InflateError::Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = b"<rss>a feed</rss>";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_encoding_that_is_asked_for_is_understood() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(TEXT).unwrap();
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
        bare.write_all(TEXT).unwrap();
        for (encoding, packed) in [
            ("identity", TEXT.to_vec()),
            ("GZIP ", gzip(TEXT)),
            ("x-gzip", TEXT.to_vec()),
            ("gzip", [gzip(&TEXT[..5]), gzip(&TEXT[5..])].concat()),
            ("zstd", zstd::encode_all(TEXT, 3).unwrap()),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", bare.finish().unwrap()),
        ] {
            assert_eq!(inflate(Encoding::of(encoding).unwrap(), packed, 1000).unwrap(), TEXT, "{encoding}");
        }
        assert_eq!(Encoding::of("br"), None);
        assert_eq!(Encoding::of("gzip, gzip"), None);
    }

    #[test]
    fn bombs_are_refused_before_they_fill_memory() {
        let zeros = vec![0; 64 << 20];
        let packed = gzip(&zeros);
        assert_eq!(inflate(Encoding::Gzip, packed.clone(), 8 << 20), Err(InflateError::TooLarge));
        assert_eq!(inflate(Encoding::Gzip, packed, usize::MAX), Err(InflateError::TooLarge), "a ratio of a thousand");
        let packed = zstd::encode_all(&zeros[..], 3).unwrap();
        assert_eq!(inflate(Encoding::Zstd, packed, usize::MAX), Err(InflateError::TooLarge));
    }

    #[test]
    fn what_is_broken_or_cut_off_is_an_error_and_never_half_a_body() {
        let packed = gzip(&TEXT.repeat(100));
        for bad in [&packed[..packed.len() - 9], &packed[..12], b"\x1f\x8b\x08garbage"] {
            assert!(matches!(inflate(Encoding::Gzip, bad.to_vec(), 1 << 20), Err(InflateError::Broken(_))));
        }
        let packed = zstd::encode_all(&TEXT.repeat(100)[..], 3).unwrap();
        assert!(matches!(
            inflate(Encoding::Zstd, packed[..packed.len() - 4].to_vec(), 1 << 20),
            Err(InflateError::Broken(_))
        ));
        assert!(matches!(inflate(Encoding::Zstd, b"no".to_vec(), 1 << 20), Err(InflateError::Broken(_))));
        assert!(matches!(inflate(Encoding::Deflate, b"\xff\xff\xff".to_vec(), 1 << 20), Err(InflateError::Broken(_))));
    }
}

//! Bytes to characters: byte order mark, HTTP charset, XML declaration or meta, then a guess from the bytes.
//! Unaware of what the characters say.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Bytes at the start of a document in which its own declaration is looked for.
const DECLARATION_BYTES_MAX: usize = 1024;
/// Bytes shown to the detector: it converges long before.
const DETECTION_BYTES_MAX: usize = 64 << 10;
/// One replaced character in this many is still noise; more of them mean a wrong guess.
const CHARS_PER_REPLACEMENT_MIN: usize = 100;

/// A document as characters.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    pub text: Cow<'a, str>,
    /// The name of the encoding that was believed, as `windows-1251`.
    pub encoding: &'static str,
    /// Whether some bytes were no characters and became U+FFFD.
    pub replaced: bool,
}

/// Decodes a whole document. `content_type` is the HTTP header; `tld` the last label of the host, for the guess.
pub fn decode<'a>(bytes: &'a [u8], content_type: Option<&str>, tld: Option<&str>) -> Decoded<'a> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return decoded(encoding, &bytes[mark..]);
    }
    let labelled = content_type.and_then(charset_of).and_then(|label| Encoding::for_label(label.as_bytes()));
    for encoding in labelled.into_iter().chain(declared(bytes)) {
        // A single-byte charset admits every byte, so UTF-8 under such a label is found by being valid.
        if encoding.is_single_byte() && std::str::from_utf8(bytes).is_ok() {
            return decoded(UTF_8, bytes);
        }
        let attempt = decoded(encoding, bytes);
        if !attempt.replaced || is_noise(&attempt.text) {
            return attempt;
        }
    }
    decoded(guess(bytes, tld), bytes)
}

/// The charset of a `Content-Type` header.
pub fn charset_of(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty()).then_some(value)
    })
}

fn decoded<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Decoded<'a> {
    let (text, replaced) = encoding.decode_without_bom_handling(bytes);
    Decoded { text, encoding: encoding.name(), replaced }
}

fn is_noise(text: &str) -> bool {
    let replacements = text.matches('\u{fffd}').count();
    replacements * CHARS_PER_REPLACEMENT_MIN <= text.chars().count()
}

/// What the document says of itself: an XML declaration, a meta element, or the zero bytes of UTF-16.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    if bytes.starts_with(b"<\0") {
        return Some(UTF_16LE);
    }
    if bytes.starts_with(b"\0<") {
        return Some(UTF_16BE);
    }
    let head = &bytes[..bytes.len().min(DECLARATION_BYTES_MAX)];
    let head: String = head.iter().map(|&byte| char::from(byte).to_ascii_lowercase()).collect();
    let after = ["encoding", "charset"].into_iter().find_map(|key| {
        let rest = head.split_once(key)?.1.trim_start();
        Some(rest.strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']))
    })?;
    let end = after.find(|letter: char| !(letter.is_ascii_alphanumeric() || "-_:.".contains(letter)));
    let encoding = Encoding::for_label(&after.as_bytes()[..end.unwrap_or(after.len())])?;
    // A declaration that could be read as ASCII is not in UTF-16, whatever it says.
    Some(if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding })
}

fn guess(bytes: &[u8], tld: Option<&str>) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(&bytes[..bytes.len().min(DETECTION_BYTES_MAX)], true);
    // The detector takes a lower-case ASCII label without dots, and panics on others.
    let tld = tld.map(str::to_ascii_lowercase).filter(|tld| tld.bytes().all(|byte| byte.is_ascii_lowercase()));
    detector.guess(tld.as_deref().map(str::as_bytes), Utf8Detection::Allow)
}

#[cfg(test)]
mod tests {
    use encoding_rs::{EUC_KR, GBK, SHIFT_JIS, WINDOWS_1251};

    use super::*;

    #[test]
    fn a_byte_order_mark_outranks_every_label() {
        let decoded = decode(b"\xef\xbb\xbfna\xc3\xafve", Some("text/xml; charset=windows-1251"), None);
        assert_eq!((&*decoded.text, decoded.encoding), ("naïve", "UTF-8"));
        let decoded = decode(b"\xff\xfe<\0a\0", None, None);
        assert_eq!((&*decoded.text, decoded.encoding), ("<a", "UTF-16LE"));
    }

    #[test]
    fn the_http_charset_outranks_the_declaration_and_the_declaration_outranks_a_guess() {
        let bytes = WINDOWS_1251.encode("<?xml version='1.0' encoding='koi8-r'?><t>Отзыв</t>").0;
        assert!(decode(&bytes, Some("text/xml; Charset=\"windows-1251\""), None).text.contains("Отзыв"));
        let bytes = GBK.encode("<?xml version='1.0' encoding='gbk'?><t>产品评论</t>").0;
        assert!(decode(&bytes, Some("text/xml"), None).text.contains("产品评论"));
        let bytes = EUC_KR.encode("<html><meta charset=euc-kr><p>제품 후기</p>").0;
        assert!(decode(&bytes, None, None).text.contains("제품 후기"));
    }

    #[test]
    fn utf_8_under_a_single_byte_label_is_still_utf_8() {
        let decoded = decode("<t>zażółć</t>".as_bytes(), Some("text/xml; charset=ISO-8859-1"), None);
        assert_eq!((&*decoded.text, decoded.replaced), ("<t>zażółć</t>", false));
    }

    #[test]
    fn a_label_that_cannot_be_true_gives_way_to_a_guess() {
        let text = "<rss><title>新製品のレビューを書きました。とても良い製品です。</title></rss>";
        let bytes = SHIFT_JIS.encode(text).0;
        assert_eq!(decode(&bytes, Some("text/xml; charset=utf-8"), Some("jp")).text, text);
        assert_eq!(decode(&bytes, None, Some("JP")).text, text);
    }

    #[test]
    fn one_bad_byte_costs_one_character() {
        let mut bytes =
            "<t>Akme überall und noch viel mehr Text, damit ein Fehler selten ist</t>".repeat(2).into_bytes();
        bytes[5] = 0xff;
        let decoded = decode(&bytes, Some("text/xml; charset=utf-8"), None);
        assert!(decoded.replaced && decoded.text.contains("überall"));
    }

    #[test]
    fn utf_16_is_found_without_a_mark_and_not_believed_when_it_is_only_said() {
        let bytes: Vec<u8> = "<rss>é</rss>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&bytes, None, None).text, "<rss>é</rss>");
        let decoded = decode("<?xml version='1.0' encoding='utf-16'?><t>é</t>".as_bytes(), None, None);
        assert!(decoded.text.ends_with("<t>é</t>"));
    }

    #[test]
    fn odd_top_level_domains_are_no_trouble() {
        for tld in ["", "xn--p1ai", "127", "a.b", "ÄÖ"] {
            assert_eq!(decode(b"plain", None, Some(tld)).text, "plain");
        }
    }
}

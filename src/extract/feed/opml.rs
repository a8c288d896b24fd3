//! Lists of feeds in OPML: every `xmlUrl`, wherever it stands.
//! Unaware of what is behind the addresses.

use std::collections::HashSet;

use quick_xml::errors::Error;
use quick_xml::escape::unescape;
use quick_xml::events::Event;
use quick_xml::reader::Reader;
use url::Url;

use crate::extract::site;
use crate::model::Rejected;

/// Feeds read of one list.
pub const OUTLINES_MAX: usize = 100_000;
/// Attributes read of one outline.
const ATTRIBUTES_MAX: usize = 32;

/// The addresses of the feeds in a list, each once, in its order.
pub fn addresses(text: &str) -> Result<Vec<Url>, Rejected> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    let mut seen = HashSet::new();
    let mut addresses = Vec::new();
    let mut is_list = false;
    loop {
        match reader.read_event() {
            Ok(Event::Start(element) | Event::Empty(element)) => {
                is_list |= element.name().0.eq_ignore_ascii_case("opml");
                let mut attributes = element.html_attributes();
                let attributes = attributes.with_checks(false).take(ATTRIBUTES_MAX).flatten();
                for attribute in attributes.filter(|attribute| attribute.key.0.eq_ignore_ascii_case("xmlurl")) {
                    let text = unescape(&attribute.value).unwrap_or(attribute.value.clone());
                    addresses.extend(site::resolve(&text, None).filter(|url| seen.insert(url.clone())));
                }
            }
            Ok(Event::Eof) if is_list => return Ok(addresses),
            Ok(Event::Eof) => return Err(Rejected::Shape),
            Ok(_) | Err(Error::IllFormed(_)) => {}
            Err(_) => return Err(Rejected::Syntax),
        }
        if addresses.len() > OUTLINES_MAX {
            return Err(Rejected::TooLarge);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_found_in_nested_outlines_once_each() {
        let list = addresses(
            "\u{feff}<?xml version='1.0'?><opml version='2.0'><body><outline text='News'>\
             <outline type='rss' xmlUrl='https://a.example/feed?x=1&amp;y=2' htmlUrl='https://a.example/'/>\
             <outline type=\"rss\" xmlurl=\"https://b.example/rss\"/></outline>\
             <outline xmlUrl='https://a.example/feed?x=1&amp;y=2'/><outline xmlUrl='ftp://c.example/'/></body></opml>",
        );
        let list: Vec<String> = list.unwrap().into_iter().map(String::from).collect();
        assert_eq!(list, ["https://a.example/feed?x=1&y=2", "https://b.example/rss"]);
    }

    #[test]
    fn what_is_no_list_or_half_a_list_is_an_error() {
        assert_eq!(addresses("<html><body>no</body></html>"), Err(Rejected::Shape));
        assert_eq!(addresses(""), Err(Rejected::Shape));
        assert_eq!(addresses("<opml><outline xmlUrl='https://a.example/"), Err(Rejected::Syntax));
    }
}

//! Markup to text, feeds to entries, dates to times, bytes to characters: all of it pure and bounded.
//! Unaware of the network, of the present time and of what a post is.

pub mod charset;
pub mod dates;
pub mod feed;
pub mod html;
pub mod site;

/// Cuts a text to at most `bytes_max` bytes at a char boundary. Says whether anything was cut.
pub fn cut(text: &mut String, bytes_max: usize) -> bool {
    let fits = text.len() <= bytes_max;
    if !fits {
        text.truncate(text.floor_char_boundary(bytes_max));
    }
    !fits
}

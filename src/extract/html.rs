//! HTML to text, links and images in one pass of the tokenizer: no tree, no depth, time linear in the input.
//! Unaware of where the markup comes from.

use std::borrow::Cow;
use std::cell::RefCell;

use html5ever::LocalName;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use memchr::memmem;
use url::Url;

use super::site;

/// Bytes of markup that are read; what follows is cut off.
pub const HTML_BYTES_MAX: usize = 512 << 10;
/// Links kept of one text.
pub const LINKS_MAX: usize = 64;
/// Images kept of one text.
pub const IMAGES_MAX: usize = 32;
/// Bytes of a name between `&` and `;`: the longest of HTML has 31.
const ENTITY_BYTES_MAX: usize = 32;
/// Bytes of one tag. The tokenizer compares each attribute with all before it, so a longer tag is skipped.
const TAG_BYTES_MAX: usize = 8 << 10;
/// Bytes fed to the tokenizer between two looks at how far it came.
const CHUNK_BYTES_MAX: usize = 4 << 10;
/// Bytes of a `data:` URI that may stay in place.
const DATA_URI_BYTES_MAX: usize = 512;

/// What a reader of some markup sees.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// One line per block, runs of white space made one space, no control characters.
    pub text: String,
    /// Absolute http and https links in their order, each once.
    pub links: Vec<String>,
    /// Absolute addresses of images in their order, each once.
    pub images: Vec<String>,
    /// Whether the markup was over `HTML_BYTES_MAX`.
    pub truncated: bool,
}

/// Reads markup. Relative links are resolved against `base`, and dropped without one.
pub fn text(html: &str, base: Option<&Url>) -> Text {
    let end = html.floor_char_boundary(HTML_BYTES_MAX);
    let tamed = tame(&html[..end]);
    let page = tokenize(&tamed, Page { base: base.cloned(), ..Page::default() });
    Text { text: page.out, links: page.links, images: page.images, truncated: end < html.len() }
}

/// Reads markup that is one line, as a title or a name.
pub fn line(html: &str) -> String {
    let mut line = text(html, None).text;
    if line.contains('\n') {
        line = line.replace('\n', " ");
    }
    line
}

/// Plain text as `text` would give it: white space made even, control characters gone.
pub fn plain(text: &str) -> String {
    let mut page = Page { pre: 1, ..Page::default() };
    page.push(text);
    page.out
}

/// The characters that the reference `&name;` stands for, by all names of HTML and by number.
pub fn entity(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > ENTITY_BYTES_MAX {
        return None;
    }
    let digits = name.strip_prefix('#').unwrap_or(name);
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let reference = format!("&{name};");
    let seen = tokenize(&reference, Page { verbatim: true, ..Page::default() }).out;
    (seen != reference && !seen.is_empty()).then_some(seen)
}

/// Takes out what costs much and shows nothing: comments and the bytes of embedded files.
fn tame(html: &str) -> Cow<'_, str> {
    let without = strip(html, "<!--", |rest| rest[2..].find("-->").map_or(rest.len(), |at| at + 5));
    match without {
        Cow::Borrowed(html) => strip(html, "data:", data_uri_bytes),
        Cow::Owned(html) => Cow::Owned(strip(&html, "data:", data_uri_bytes).into_owned()),
    }
}

/// Removes every stretch that starts with `needle`; `extent` tells its bytes, zero to leave it.
fn strip<'a>(html: &'a str, needle: &str, extent: impl Fn(&str) -> usize) -> Cow<'a, str> {
    let finder = memmem::Finder::new(needle);
    let mut kept = String::new();
    let (mut copied, mut from) = (0, 0);
    while let Some(at) = finder.find(&html.as_bytes()[from..]).map(|at| from + at) {
        let bytes = extent(&html[at..]);
        if bytes > 0 {
            kept.push_str(&html[copied..at]);
            copied = at + bytes;
        }
        from = at + bytes.max(needle.len());
    }
    if copied == 0 {
        return Cow::Borrowed(html);
    }
    kept.push_str(&html[copied..]);
    Cow::Owned(kept)
}

fn data_uri_bytes(rest: &str) -> usize {
    let is_uri = |byte: &u8| byte.is_ascii_alphanumeric() || b":;,/+=%-_.".contains(byte);
    let bytes = rest.bytes().take_while(|byte| is_uri(byte)).count();
    if bytes > DATA_URI_BYTES_MAX { bytes } else { 0 }
}

fn tokenize(html: &str, page: Page) -> Page {
    let mut sink = Sink(RefCell::new(page));
    let mut from = 0;
    while from < html.len() {
        let (next, back) = tokenize_until_stuck(&html[from..], sink);
        sink = back;
        from += next;
    }
    sink.0.into_inner()
}

/// Tokenizes to the end, or up to the end of the first tag that is too long; gives the bytes that are behind.
fn tokenize_until_stuck(html: &str, sink: Sink) -> (usize, Sink) {
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let input = BufferQueue::default();
    let (mut fed, mut token_at, mut tokens) = (0, 0, 0);
    while fed < html.len() {
        let end = html.ceil_char_boundary((fed + CHUNK_BYTES_MAX).min(html.len()));
        input.push_back(StrTendril::from_slice(&html[fed..end]));
        // A script needs nobody to run it: the tokenizer goes on where it stopped.
        while !input.is_empty() {
            std::mem::drop(tokenizer.feed(&input));
        }
        fed = end;
        let seen = tokenizer.sink.0.borrow().tokens;
        if seen != tokens {
            (token_at, tokens) = (fed, seen);
        } else if fed - token_at > TAG_BYTES_MAX {
            let behind = html[fed..].find('>').map_or(html.len(), |at| fed + at + 1);
            return (behind, tokenizer.sink);
        }
    }
    tokenizer.end();
    (html.len(), tokenizer.sink)
}

struct Sink(RefCell<Page>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut page = self.0.borrow_mut();
        page.tokens += 1;
        match token {
            Token::CharacterTokens(text) => page.characters(&text),
            Token::TagToken(tag) => return page.tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// White space that is owed before the next word.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
}

#[derive(Default)]
struct Page {
    out: String,
    gap: Gap,
    /// Depth of elements whose white space counts.
    pre: u32,
    /// The element that is not shown, and how often it is open.
    hidden: Option<(LocalName, u32)>,
    /// Every character is kept as it is.
    verbatim: bool,
    base: Option<Url>,
    links: Vec<String>,
    images: Vec<String>,
    tokens: u64,
}

impl Page {
    fn characters(&mut self, text: &str) {
        if self.verbatim {
            self.out.push_str(text);
        } else if self.hidden.is_none() {
            self.push(text);
        }
    }

    fn push(&mut self, text: &str) {
        for letter in text.chars() {
            if letter == '\n' && self.pre > 0 {
                self.gap = Gap::Line;
            } else if letter.is_whitespace() {
                self.gap = self.gap.max(Gap::Space);
            } else if !letter.is_control() {
                self.settle();
                self.out.push(letter);
            }
        }
    }

    /// Writes the white space that is owed; none at the start.
    fn settle(&mut self) {
        match std::mem::take(&mut self.gap) {
            _ if self.out.is_empty() => {}
            Gap::None => {}
            Gap::Space => self.out.push(' '),
            Gap::Line => self.out.push('\n'),
        }
    }

    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let opens = tag.kind == TagKind::StartTag;
        if let Some((name, depth)) = &mut self.hidden {
            if *name == tag.name && !tag.self_closing {
                *depth = if opens { *depth + 1 } else { *depth - 1 };
            }
            if *depth == 0 {
                self.hidden = None;
            }
            return TokenSinkResult::Continue;
        }
        match &*tag.name {
            "td" | "th" => self.gap = self.gap.max(Gap::Space),
            "pre" => self.pre = if opens { self.pre + 1 } else { self.pre.saturating_sub(1) },
            "a" | "area" if opens => self.link(tag),
            "img" if opens => self.image(tag),
            _ => {}
        }
        if is_block(&tag.name) {
            self.gap = Gap::Line;
        }
        if opens { self.hide(tag) } else { TokenSinkResult::Continue }
    }

    /// Leaves out what no reader sees, and reads raw what has no tags inside.
    fn hide(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let raw = match &*tag.name {
            "script" => Some(RawKind::ScriptData),
            "style" | "iframe" | "noembed" | "noframes" | "xmp" => Some(RawKind::Rawtext),
            "title" | "textarea" => Some(RawKind::Rcdata),
            "template" | "svg" if !tag.self_closing => None,
            _ => return TokenSinkResult::Continue,
        };
        self.hidden = Some((tag.name.clone(), 1));
        raw.map_or(TokenSinkResult::Continue, TokenSinkResult::RawData)
    }

    fn link(&mut self, tag: &Tag) {
        let Some(url) = attribute(tag, "href").and_then(|href| self.absolute(href)) else { return };
        if self.links.len() < LINKS_MAX && !self.links.contains(&url) {
            self.links.push(url);
        }
    }

    fn image(&mut self, tag: &Tag) {
        let Some(url) = attribute(tag, "src").and_then(|source| self.absolute(source)) else { return };
        if self.images.len() < IMAGES_MAX && !self.images.contains(&url) {
            self.images.push(url);
        }
    }

    fn absolute(&self, text: &str) -> Option<String> {
        if text.trim_start().starts_with('#') {
            return None;
        }
        site::resolve(text, self.base.as_ref()).map(String::from)
    }
}

fn attribute<'a>(tag: &'a Tag, name: &str) -> Option<&'a str> {
    tag.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| &*attribute.value)
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "body"
            | "br"
            | "caption"
            | "center"
            | "dd"
            | "details"
            | "dialog"
            | "dir"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hr"
            | "html"
            | "legend"
            | "li"
            | "main"
            | "menu"
            | "nav"
            | "ol"
            | "option"
            | "p"
            | "pre"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "tfoot"
            | "thead"
            | "tr"
            | "ul"
    )
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn seen(html: &str) -> String {
        text(html, None).text
    }

    #[test]
    fn blocks_are_lines_and_inline_markup_is_not() {
        assert_eq!(seen("<p>One <b>bold</b>er</p><p>two<br>three</p>"), "One bolder\ntwo\nthree");
        assert_eq!(seen("<ul><li>a<li>b</ul>c"), "a\nb\nc");
        assert_eq!(seen("<table><tr><td>a</td><td>b</td></tr><tr><td>c"), "a b\nc");
        assert_eq!(seen("  a \n\t b&nbsp;c  "), "a b c");
        assert_eq!(seen("x<pre>a\n  b</pre>y"), "x\na\nb\ny");
    }

    #[test]
    fn entities_are_read_with_and_without_their_semicolons() {
        assert_eq!(seen("AT&amp;T &lt;b&gt; &eacute;&#x88FD;&#21697; R&D &copy 2026"), "AT&T <b> é製品 R&D © 2026");
        assert_eq!(seen("5 < 6 & 7 > 3"), "5 < 6 & 7 > 3");
    }

    #[test]
    fn scripts_styles_and_comments_show_nothing() {
        assert_eq!(seen("a<script>if (1<2) document.write('<p>x</p>')</script>b"), "ab");
        assert_eq!(seen("a<style>p{}</style><!-- c --><svg><title>t</title><svg></svg><text>u</text></svg>b"), "ab");
        assert_eq!(seen("a<script>never closed <p>b"), "a");
        assert_eq!(seen("a<!-->b<!-- never closed <p>c"), "ab");
        assert_eq!(seen("<iframe src=x><p>f</iframe>a<textarea><p>t</textarea>b"), "ab");
    }

    #[test]
    fn links_and_images_are_absolute_web_addresses_once_each() {
        let base = Url::parse("https://example.com/blog/post").unwrap();
        let page = text(
            "<a href='/a'>a</a><a href=\"/a\">again</a><a href='javascript:x'>j</a><a href='#top'>t</a>\
             <a href='http://other.example/?q=1&amp;r=2'>o</a><img src=pic.png><img src='data:image/png;base64,AAAA'>",
            Some(&base),
        );
        assert_eq!(page.links, ["https://example.com/a", "http://other.example/?q=1&r=2"]);
        assert_eq!(page.images, ["https://example.com/blog/pic.png"]);
        assert!(text("<a href='/a'>a</a>", None).links.is_empty());
    }

    #[test]
    fn the_lists_of_links_and_images_are_bounded() {
        let html: String =
            (0..1000).map(|n| format!("<a href='https://e.example/{n}'><img src='https://e.example/{n}'>")).collect();
        let page = text(&html, None);
        assert_eq!((page.links.len(), page.images.len()), (LINKS_MAX, IMAGES_MAX));
    }

    #[test]
    fn control_characters_and_bad_entities_do_no_harm() {
        assert_eq!(seen("a\u{8}b\0c&#0;d&#xD800;e&bogus;f"), "abc\u{fffd}d\u{fffd}e&bogus;f");
    }

    #[test]
    fn long_tags_are_skipped_and_embedded_files_are_not_read() {
        let many: String = (0..40_000).map(|n| format!(" a{n}")).collect();
        assert_eq!(seen(&format!("before<p{many}>after")), "before\nafter".replace('\n', ""));
        let image = format!("<img src='data:image/png;base64,{}'>after", "QUJD".repeat(20_000));
        assert_eq!(seen(&format!("before {image}")), "before after");
    }

    #[test]
    fn hostile_markup_takes_linear_time() {
        let attributes: String = (0..80_000).map(|n| format!(" a{n}")).collect();
        for html in [
            format!("<p{attributes}"),
            "<p ".to_owned() + &"<p a='".repeat(80_000),
            "<!--".repeat(120_000),
            "<div>".repeat(100_000),
            "data:".repeat(100_000),
            "&".repeat(500_000),
            "<svg>".repeat(100_000),
            "<script>".repeat(60_000),
        ] {
            let start = Instant::now();
            text(&html, None);
            assert!(start.elapsed() < Duration::from_secs(5), "{}", &html[..20]);
        }
    }

    #[test]
    fn too_much_markup_is_cut_and_said_to_be() {
        let page = text(&"é".repeat(HTML_BYTES_MAX), None);
        assert!(page.truncated && page.text.len() <= HTML_BYTES_MAX);
    }

    #[test]
    fn entities_are_known_by_every_name_of_html_and_by_number() {
        assert_eq!(entity("nbsp").as_deref(), Some("\u{a0}"));
        assert_eq!(entity("hellip").as_deref(), Some("…"));
        assert_eq!(entity("amp").as_deref(), Some("&"));
        assert_eq!(entity("#8217").as_deref(), Some("’"));
        assert_eq!(entity("#x27").as_deref(), Some("'"));
        for name in ["", "bogus", "#", "#x", "a<b", "lol9", &"a".repeat(100)] {
            assert_eq!(entity(name), None, "{name}");
        }
    }

    #[test]
    fn a_title_is_one_line() {
        assert_eq!(line("Answer for <p>I wonder about <b>Acme</b></p>\n "), "Answer for I wonder about Acme");
        assert_eq!(plain(" a\tb \n\n c\u{7} "), "a b\nc");
    }
}

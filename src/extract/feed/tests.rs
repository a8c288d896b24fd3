//! Feeds by hand for every rule and every fault, and the answers of real programs where they are to be had.

use std::path::PathBuf;

use super::*;
use crate::extract::site::Scope;

fn at() -> Url {
    Url::parse("https://blog.example.com/feed/").unwrap()
}

fn scope() -> Scope {
    Scope::of(&at()).unwrap()
}

#[track_caller]
fn read(text: &str) -> Feed {
    parse(text, &at()).unwrap()
}

/// The only entry of an RSS document with this item.
#[track_caller]
fn item(inner: &str) -> Entry {
    let mut feed = read(&format!("<rss version='2.0'><channel><title>t</title><item>{inner}</item></channel></rss>"));
    assert_eq!(feed.entries.len(), 1, "{inner}");
    feed.entries.remove(0)
}

#[track_caller]
fn atom(inner: &str) -> Entry {
    let mut feed =
        read(&format!("<feed xmlns='http://www.w3.org/2005/Atom'><title>t</title><entry>{inner}</entry></feed>"));
    assert_eq!(feed.entries.len(), 1, "{inner}");
    feed.entries.remove(0)
}

fn shown(markup: &Option<Markup>) -> String {
    markup.as_ref().map(|markup| markup.read(None).text).unwrap_or_default()
}

#[test]
fn an_rss_item_has_its_fields() {
    let entry = item(
        "<title>Fish &amp; &lt;b&gt;chips&lt;/b&gt;</title><link> https://blog.example.com/1 </link><guid>https://blog.example.com/1</guid>\
         <description>short</description><content:encoded><![CDATA[<p>long <b>text</b></p>]]></content:encoded>\
         <pubDate>Sun, 22 Nov 2026 05:07:35 +0000</pubDate><dc:creator><![CDATA[Ann]]></dc:creator><category>Fish</category>\
         <category><![CDATA[#Chips]]></category><category>Fish</category><comments>/1#comments</comments><source><title>x</title></source>",
    );
    assert_eq!(entry.title.as_ref().unwrap().line(), "Fish & chips");
    assert_eq!(shown(&entry.content), "long text");
    assert_eq!(entry.link.as_deref(), Some("https://blog.example.com/1"));
    assert_eq!(entry.guid, Some(Guid { value: "https://blog.example.com/1".to_owned(), permalink: true }));
    assert_eq!(entry.author.unwrap().name.as_deref(), Some("Ann"));
    assert_eq!(entry.categories, ["Fish", "Chips"]);
    assert_eq!(entry.comments.as_deref(), Some("https://blog.example.com/1#comments"));
    assert_eq!(entry.published.unwrap().to_string(), "2026-11-22T05:07:35.000Z");
}

#[test]
fn an_atom_entry_has_its_fields() {
    let feed = read(
        "<feed xmlns='http://www.w3.org/2005/Atom' xml:lang='de' xml:base='https://blog.example.com/x/'>\
         <title type='html'>A &amp;amp; B</title><link rel='self' href='/feed'/><link href='/'/><link rel='hub' href='https://hub.example/'/>\
         <author><name>Feed Author</name></author>\
         <entry xml:lang='fr' xml:base='y/'><id>urn:1</id><title>1 &lt; 2</title><link rel='alternate' type='text/html' href='z'/>\
         <link rel='enclosure' href='a.mp3'/><link rel='replies' type='text/html' href='z#comments'/>\
         <published>2026-11-22T05:07:35Z</published><updated>2026-11-23T05:07:35+01:00</updated><category term='news'/>\
         <content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>1 &lt; 2 <a href='w'>link</a><br/>end</p></div></content>\
         <author><name>Bob</name><uri>https://bob.example/</uri><email>bob@bob.example</email></author></entry>\
         <entry><id>urn:2</id><title type='html'>&lt;i&gt;two&lt;/i&gt;</title><summary>plain <b>not markup</summary></entry></feed>",
    );
    assert_eq!((feed.title.as_deref(), feed.language.as_deref()), (Some("A & B"), Some("de")));
    assert_eq!(feed.self_link.as_deref(), Some("https://blog.example.com/feed"));
    assert_eq!(feed.hub.as_deref(), Some("https://hub.example/"));
    let [first, second] = &feed.entries[..] else { panic!("{feed:?}") };
    assert_eq!(first.title.as_ref().unwrap().line(), "1 < 2");
    assert_eq!(first.link.as_deref(), Some("https://blog.example.com/x/y/z"));
    assert_eq!(first.comments.as_deref(), Some("https://blog.example.com/x/y/z#comments"));
    let base = Url::parse(first.base.as_deref().unwrap()).unwrap();
    let content = first.content.as_ref().unwrap().read(Some(&base));
    assert_eq!(
        (content.text.as_str(), &content.links[..]),
        ("1 < 2 link\nend", &["https://blog.example.com/x/y/w".to_owned()][..])
    );
    assert_eq!(
        first.author,
        Some(Person { name: Some("Bob".to_owned()), url: Some("https://bob.example/".to_owned()) })
    );
    assert_eq!((first.language.as_deref(), &first.categories[..]), (Some("fr"), &["news".to_owned()][..]));
    assert_eq!(second.title.as_ref().unwrap().line(), "two");
    assert_eq!(second.author.as_ref().unwrap().name.as_deref(), Some("Feed Author"));
    assert_eq!(second.language.as_deref(), Some("de"));
    assert!(feed.salvaged, "an element that never ended was closed");
}

#[test]
fn rdf_items_are_known_by_what_they_are_about() {
    let feed = read(
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/' xmlns:dc='http://purl.org/dc/elements/1.1/'>\
         <channel rdf:about='https://blog.example.com/'><title>t</title><link>https://blog.example.com/</link><dc:language>ja</dc:language>\
         <items><rdf:Seq><rdf:li rdf:resource='https://blog.example.com/1'/></rdf:Seq></items></channel>\
         <item rdf:about='https://blog.example.com/1'><title>One</title><link>https://blog.example.com/1</link>\
         <dc:date>2026-11-22T05:00:00+09:00</dc:date><dc:creator>Ann</dc:creator><dc:subject>s</dc:subject><description>d</description></item></rdf:RDF>",
    );
    assert_eq!((feed.entries.len(), feed.language.as_deref(), feed.salvaged), (1, Some("ja"), false));
    let entry = &feed.entries[0];
    assert_eq!(entry.guid, Some(Guid { value: "https://blog.example.com/1".to_owned(), permalink: false }));
    assert_eq!(entry.published.unwrap().to_string(), "2026-11-21T20:00:00.000Z");
    assert_eq!(entry.categories, ["s"]);
}

#[test]
fn a_json_feed_is_read_whatever_the_types_of_its_fields() {
    let feed = read(
        r#"{"version":"https://jsonfeed.org/version/1.1","title":"T","home_page_url":"/","language":"en","authors":[{"name":"Ann"}],
        "items":[{"id":1,"url":"1","content_html":"<p>a</p>","date_published":"2026-11-22T05:00:00Z","tags":["x",3]},
        {"id":"2","content_text":"b <c>","author":{"name":"Bob","url":"https://bob.example"},"title":7},{"title":[]},3]}"#,
    );
    assert_eq!(feed.entries.len(), 2);
    assert_eq!(feed.entries[0].guid.as_ref().unwrap().value, "1");
    assert_eq!(feed.entries[0].link.as_deref(), Some("https://blog.example.com/feed/1"));
    assert_eq!(feed.entries[0].author.as_ref().unwrap().name.as_deref(), Some("Ann"));
    assert_eq!(shown(&feed.entries[1].content), "b <c>");
    assert_eq!(feed.entries[1].author.as_ref().unwrap().name.as_deref(), Some("Bob"));
    assert_eq!(parse("{\"items\":3}", &at()), Err(Rejected::Shape));
    assert_eq!(parse("{\"items\":[", &at()), Err(Rejected::Syntax));
    assert_eq!(parse(&"{\"a\":".repeat(100_000), &at()), Err(Rejected::Syntax));
}

#[test]
fn entities_ampersands_and_brackets_that_xml_forbids_are_understood() {
    let entry = item(
        "<title>A&nbsp;&eacute; R&D & &bogus; &#8217;</title><link>https://blog.example.com/?a=1&b=2</link><description>5 < 6 <3</description>",
    );
    assert_eq!(entry.title.as_ref().unwrap().line(), "A é R&D & &bogus; ’");
    assert_eq!(entry.link.as_deref(), Some("https://blog.example.com/?a=1&b=2"));
    assert_eq!(shown(&entry.content), "5 < 6 <3");
}

#[test]
fn markup_that_was_not_escaped_is_kept_as_markup() {
    let entry =
        item("<description>one<br>two <b>three</b> <a href='/4'>four</a></description><title>T <i>x</i></title>");
    assert_eq!(shown(&entry.content), "one\ntwo three four");
    assert_eq!(entry.title.as_ref().unwrap().line(), "T x");
}

#[test]
fn elements_that_never_end_cost_only_themselves() {
    let feed = read(
        "<rss><channel><item><title>one<link>https://blog.example.com/1</link></item>\
         <item><title>two</title></wrong></item><item><title>three</title><item><title>four</title></item></channel></rss>",
    );
    let titles: Vec<String> = feed.entries.iter().map(|entry| shown(&entry.title)).collect();
    assert_eq!(titles.len(), 4);
    assert!(titles[0].starts_with("one") && titles[1..] == ["two", "three", "four"]);
    assert!(feed.salvaged && !feed.cut);
}

#[test]
fn a_truncated_document_gives_the_entries_before_the_cut_and_says_so() {
    let whole = "<?xml version='1.0'?><rss><channel><title>t</title><item><guid>1</guid><title>one</title></item>\
                 <item><guid>2</guid><description><![CDATA[<p>two</p>]]></description></item><item><guid>3</guid></item></channel></rss>";
    assert!(!read(whole).cut);
    for end in 30..whole.len() {
        let Ok(feed) = parse(&whole[..end], &at()) else { continue };
        assert!(feed.cut && feed.salvaged, "{}", &whole[..end]);
        for (number, entry) in feed.entries.iter().enumerate() {
            assert_eq!(entry.guid.as_ref().unwrap().value, (number + 1).to_string(), "{}", &whole[..end]);
        }
    }
    assert_eq!(parse(&whole[..whole.len() - 30], &at()).unwrap().entries.len(), 2);
}

#[test]
fn after_a_fault_reading_goes_on_with_the_next_entry() {
    let feed = read(
        "<rss><channel><item><guid>1</guid></item><item><guid>2</guid><description><![CDATA[never closed</description></item>\
         <item><guid>3</guid></item></channel></rss>",
    );
    let ids: Vec<&str> = feed.entries.iter().map(|entry| entry.guid.as_ref().unwrap().value.as_str()).collect();
    assert_eq!((&ids[..], feed.salvaged), (&["1", "3"][..], true));
}

#[test]
fn warnings_of_the_program_before_the_feed_are_passed_over() {
    let feed = read(
        "<br />\n<b>Warning</b>: foo() in <b>x.php</b><br />\n<?xml version='1.0'?><rss><channel><item><guid>1</guid></item></channel></rss>",
    );
    assert_eq!((feed.entries.len(), feed.salvaged), (1, true));
}

#[test]
fn what_is_no_feed_is_rejected() {
    for (text, reason) in [
        ("", Rejected::Empty),
        ("  \u{feff}\n", Rejected::Empty),
        ("<!DOCTYPE html><html><body>Not found</body></html>", Rejected::Shape),
        ("<sitemap><url/></sitemap>", Rejected::Shape),
        ("Service unavailable", Rejected::Syntax),
        ("\u{fffd}PNG\r\n", Rejected::Syntax),
        ("[1,2]", Rejected::Syntax),
        ("<", Rejected::Syntax),
    ] {
        assert_eq!(parse(text, &at()).unwrap_err(), reason, "{text}");
    }
    assert_eq!(parse(&format!("<rss>{}", "<a>".repeat(200_000)), &at()), Err(Rejected::TooDeep));
}

#[test]
fn a_huge_language_is_cut_and_not_inherited_whole() {
    let huge = "é".repeat(100_000);
    let entries = "<entry><id>1</id><title>t</title></entry>".repeat(100);
    let feed = read(&format!(
        "<feed xmlns='http://www.w3.org/2005/Atom' xml:lang='{huge}'><entry xml:lang='{huge}'><id>0</id></entry>{entries}</feed>"
    ));
    let languages = feed.entries.iter().map(|entry| &entry.language).chain([&feed.language]);
    let held: Vec<usize> = languages.map(|language| language.as_ref().map_or(0, String::capacity)).collect();
    assert_eq!((held.len(), held.iter().max()), (102, Some(&64)));
}

#[test]
fn what_is_too_much_is_cut() {
    let many: String = (0..ENTRIES_MAX + 10).map(|n| format!("<item><guid>{n}</guid></item>")).collect();
    let feed = read(&format!("<rss><channel>{many}</channel></rss>"));
    assert_eq!((feed.entries.len(), feed.cut, feed.beyond), (ENTRIES_MAX, true, 10));
    let exact: String = (0..ENTRIES_MAX).map(|n| format!("<item><guid>{n}</guid></item>")).collect();
    let feed = read(&format!("<rss><channel>{exact}</channel></rss>"));
    assert_eq!((feed.entries.len(), feed.cut, feed.beyond), (ENTRIES_MAX, false, 0));
    let items = vec![r#"{"id":"1"}"#; ENTRIES_MAX + 10].join(",");
    let feed = read(&format!(r#"{{"version":"https://jsonfeed.org/version/1.1","items":[{items}]}}"#));
    assert_eq!((feed.entries.len(), feed.cut, feed.beyond), (ENTRIES_MAX, true, 10));
    let entry = item(&format!(
        "<title>{}</title><description>{}</description>",
        "é".repeat(9000),
        "x".repeat(MARKUP_BYTES_MAX * 2)
    ));
    assert!(shown(&entry.title).len() <= FIELD_BYTES_MAX && shown(&entry.content).len() == MARKUP_BYTES_MAX);
    let deep =
        format!("<rss><channel><item><guid>1</guid></item><item>{}</item></channel></rss>", "<b>".repeat(100_000));
    assert_eq!(read(&deep).entries.len(), 1);
}

#[test]
fn bombs_of_entities_stay_small() {
    let bomb = "<!DOCTYPE rss [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;'><!ENTITY x SYSTEM 'file:///etc/passwd'>]>\
                <rss><channel><item><guid>1</guid><title>&b;&x;</title></item></channel></rss>";
    assert_eq!(shown(&read(bomb).entries[0].title), "&b;&x;");
}

#[test]
fn people_are_named_without_their_addresses() {
    for (text, name) in [
        ("Bob", "Bob"),
        ("bob@example.org (Bob B.)", "Bob B."),
        ("ann\u{ff20}example.org (Ann)", "Ann"),
        ("\"Bob B\" <bob@example.org>", "Bob B"),
        ("bob@example.org", "bob"),
        ("@bob", "@bob"),
        ("Tom & Ann (guests)", "Tom & Ann (guests)"),
    ] {
        assert_eq!(Person::of(text).unwrap().name.as_deref(), Some(name), "{text}");
    }
    let person = Person::of("<a href=\"http://forum.example/u?id=1\">admin</a>").unwrap();
    assert_eq!((person.name.as_deref(), person.url.as_deref()), (Some("admin"), Some("http://forum.example/u?id=1")));
    assert_eq!(Person::of("  "), None);
}

#[test]
fn a_document_may_declare_entries_deleted() {
    let feed = read(
        "<feed xmlns='http://www.w3.org/2005/Atom' xmlns:at='http://purl.org/atompub/tombstones/1.0'>\
         <at:deleted-entry ref='yt:video:1' when='2026-11-22T06:00:00Z'><at:by><name>Bob</name></at:by></at:deleted-entry></feed>",
    );
    assert_eq!((&feed.deleted[..], feed.entries.len()), (&["yt:video:1".to_owned()][..], 0));
}

#[test]
fn old_atom_and_unusual_prefixes_are_read() {
    let feed = read(
        "<a:feed xmlns:a='http://purl.org/atom/ns#'><a:title>t</a:title><a:entry><a:id>1</a:id><a:title mode='escaped' type='text/html'>&lt;b&gt;x</a:title>\
         <a:issued>2026-11-22T05:00:00Z</a:issued><a:modified>2026-11-23T05:00:00Z</a:modified><a:author><a:name>Ann</a:name></a:author></a:entry></a:feed>",
    );
    let entry = &feed.entries[0];
    assert_eq!((shown(&entry.title).as_str(), entry.author.as_ref().unwrap().name.as_deref()), ("x", Some("Ann")));
    assert!(entry.published.is_some() && entry.updated > entry.published);
    assert_eq!(
        read("<feed><entry><id>1</id><author><name>Ann</name></author></entry></feed>").entries[0]
            .author
            .as_ref()
            .unwrap()
            .name
            .as_deref(),
        Some("Ann")
    );
}

#[test]
fn a_vocabulary_ends_with_the_element_that_declared_it() {
    let entry = "<entry><id>1</id><draft xmlns='http://purl.org/atom-blog/ns#'>false</draft></entry>";
    let feed = read(&format!("<feed xmlns='http://www.w3.org/2005/Atom'>{}</feed>", entry.repeat(3)));
    assert_eq!((feed.entries.len(), feed.salvaged), (3, false));
}

#[test]
fn every_entry_has_one_id_and_no_feed_speaks_for_another_site() {
    let id = |entry: &Entry| native_id(&scope(), entry, Guids::Distinct);
    let tag = |rest: &str| Some(format!("tag:example.com,{rest}"));
    for (inner, expected) in [
        ("<guid>http://BLOG.example.com/1?utm_source=x#top</guid>", Some("https://blog.example.com/1".to_owned())),
        ("<guid isPermaLink='false'>https://blog.example.com/?p=1</guid>", tag("guid:https://blog.example.com/?p=1")),
        ("<guid>https://victim.org/1</guid>", tag("guid:https://victim.org/1")),
        ("<guid>5</guid><link>https://blog.example.com/5</link>", tag("guid:5")),
        ("<link>https://www.example.com/5?utm_medium=rss</link>", Some("https://www.example.com/5".to_owned())),
        ("<link>https://victim.org/5</link>", tag("link:https://victim.org/5")),
        ("<title>T</title><pubDate>2026-11-22</pubDate>", tag("title:T,date:2026-11-22T00:00:00.000Z")),
        ("<title>T</title>", tag("title:T,date:")),
    ] {
        assert_eq!(id(&item(inner)), expected, "{inner}");
    }
    assert!(id(&item("<description>only text</description>")).unwrap().starts_with("tag:example.com,text:"));
    assert_eq!(
        id(&atom("<id>https://blog.example.com/1</id><link href='https://blog.example.com/1'/>")),
        tag("guid:https://blog.example.com/1")
    );
    let long = id(&item(&format!("<guid>{}</guid>", "x".repeat(3000)))).unwrap();
    assert!(long.starts_with("tag:example.com,hash:") && long.len() < 100);
    assert_eq!(native_id(&scope(), &Entry::default(), Guids::Distinct), None);
}

#[test]
fn guids_that_repeat_give_way_to_permalinks() {
    let broken: String =
        (0..4).map(|n| format!("<item><guid isPermaLink='false'>0</guid><link>/{n}</link></item>")).collect();
    let feed = read(&format!("<rss><channel>{broken}</channel></rss>"));
    assert_eq!(guids(&feed.entries), Guids::Repeated);
    assert_eq!(native_id(&scope(), &feed.entries[1], Guids::Repeated).as_deref(), Some("https://blog.example.com/1"));
    let twice = "<item><guid>a</guid><link>/1</link></item>".repeat(2);
    assert_eq!(guids(&read(&format!("<rss><channel>{twice}</channel></rss>")).entries), Guids::Distinct);
}

#[test]
fn a_comment_knows_what_it_is_on() {
    let parent = |entry: &Entry| parent_id(&scope(), entry);
    let comment = item(
        "<link>https://blog.example.com/hello/#comment-12</link><guid isPermaLink='false'>https://blog.example.com/?p=1#comment-12</guid>",
    );
    assert_eq!(parent(&comment).as_deref(), Some("tag:example.com,guid:https://blog.example.com/?p=1"));
    let comment = atom("<id>tag:x</id><link href='https://blog.example.com/post1/#isso-1'/>");
    assert_eq!(parent(&comment).as_deref(), Some("https://blog.example.com/post1/"));
    let reply = atom(
        "<id>2</id><thr:in-reply-to xmlns:thr='http://purl.org/syndication/thread/1.0' ref='tag:blogger.com,1999:1'/>",
    );
    assert_eq!(parent(&reply).as_deref(), Some("tag:example.com,guid:tag:blogger.com,1999:1"));
    for link in
        ["https://blog.example.com/hello/", "https://blog.example.com/t#msg3", "https://other.org/hello/#comment-12"]
    {
        assert_eq!(parent(&item(&format!("<link>{link}</link>"))), None, "{link}");
    }
}

#[test]
fn an_edit_changes_the_hash_and_a_new_date_does_not() {
    let one = item("<guid>1</guid><title>T</title><description>text</description><pubDate>2026-11-22</pubDate>");
    let redated = item(
        "<guid>1</guid><title>T</title><description> &lt;p&gt;text&lt;/p&gt;</description><pubDate>2026-11-23</pubDate>",
    );
    let edited = item("<guid>1</guid><title>T</title><description>texts</description><pubDate>2026-11-22</pubDate>");
    assert_eq!(content(&one), content(&redated));
    assert_ne!(content(&one), content(&edited));
}

/// A real answer from `shared/samples`, where those are to be had.
fn sample(path: &str) -> Option<Feed> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/samples").join(path);
    if !path.exists() {
        println!("skipped: {} is not here", path.display());
        return None;
    }
    let bytes = std::fs::read(path).unwrap();
    let text = super::super::charset::decode(&bytes, None, None).text.into_owned();
    Some(parse(&text, &Url::parse("http://127.0.0.1:18080/feed/").unwrap()).unwrap())
}

/// Real answers: how many entries, and the title and the guid of the first.
const SAMPLES: &[(&str, usize, &str, &str)] = &[
    ("wordpress/feed_.body", 4, "Hello world!", "http://127.0.0.1:18080/?p=1"),
    ("wordpress/feed_atom_.body", 4, "Hello world!", "http://127.0.0.1:18080/?p=1"),
    (
        "wordpress/comments_feed_.body",
        4,
        "Comment on Hello world! by A WordPress Commenter",
        "http://127.0.0.1:18080/?p=1#comment-1",
    ),
    ("wordpress/post_comments_feed.xml", 1, "By: A WordPress Commenter", "http://127.0.0.1:18080/?p=1#comment-1"),
    ("ghost/rss_.b", 2, "Acme widgets on Ghost", "6b02867b821e3f7bdee3615b"),
    ("isso/feed.xml", 1, "Comment #1", "tag:localhost:18090,2018:/isso/1/1"),
    ("askbot/_feeds_rss_.b", 1, "Is the Acme widget any good?", "http://localhost/question/1/"),
    (
        "askbot/_feeds_question_1_.b",
        3,
        "Is the Acme widget any good?",
        "http://localhost/question/1/is-the-acme-widget-any-good/",
    ),
    ("nodebb-1.4/_recent.rss.b", 1, "Welcome to your NodeBB!", "http://127.0.0.1:14567/topic/1/welcome-to-your-nodebb"),
    (
        "nodebb-1.4/_topic_1.rss.b",
        1,
        "Reply to Welcome to your NodeBB! on Invalid Date",
        "http://127.0.0.1:14567/post/1",
    ),
    ("mybb-1.8.37/_syndication_php.html", 1, "Acme widgets thread 製品", "http://127.0.0.1:18082/showthread.php?tid=1"),
    (
        "mybb-1.8.37/_syndication_php_type_atom1_0_limit_5.html",
        1,
        "Acme widgets thread 製品",
        "http://127.0.0.1:18082/showthread.php?tid=1",
    ),
    (
        "smf-2.1.5/_index_php_action__xml_type_rss2_sa_recent_limit_10.html",
        3,
        "Re: Acme widgets in SMF",
        "tag:127.0.0.1,2026-11-22:msg=3",
    ),
    (
        "smf-2.1.5/_index_php_action__xml_type_atom_sa_news.html",
        2,
        "Acme widgets in SMF",
        "tag:127.0.0.1,2026-11-22:topic=2",
    ),
    (
        "hyperkitty/_hyperkitty_list_acme_example_org_feed_.b",
        2,
        "Re: Acme widgets list post",
        "http://example.com/hyperkitty/list/acme@example.org/message/OTLUYMYWXPT7WCYHFSCYHYHMYOGWPXJR/",
    ),
    ("snac2/alice.rss.b", 2, "second acme note, 製品...", "http://127.0.0.1:18001/alice/p/1795325277.139162"),
];

#[test]
fn the_feeds_of_real_programs_are_read_without_repair() {
    for &(path, entries, title, guid) in SAMPLES {
        let Some(feed) = sample(path) else { continue };
        let first = &feed.entries[0];
        assert_eq!((feed.entries.len(), feed.salvaged, feed.cut), (entries, false, false), "{path}");
        assert_eq!(first.title.as_ref().unwrap().line(), title, "{path}");
        assert_eq!(first.guid.as_ref().unwrap().value, guid, "{path}");
        assert!(first.link.is_some() && !shown(&first.content).is_empty(), "{path}");
        let undated = path.contains("topic_1.rss");
        assert_eq!(first.dated().is_none(), undated, "{path}");
        let ids: std::collections::HashSet<_> =
            feed.entries.iter().map(|entry| native_id(&scope(), entry, guids(&feed.entries))).collect();
        assert_eq!(ids.len(), entries, "{path}");
    }
}

#[test]
fn the_two_feeds_of_a_real_wordpress_agree_on_ids_and_its_comments_name_their_posts() {
    let (Some(rss), Some(atom), Some(comments)) =
        (sample("wordpress/feed_.body"), sample("wordpress/feed_atom_.body"), sample("wordpress/comments_feed_.body"))
    else {
        return;
    };
    let own = Scope::of(&Url::parse("http://127.0.0.1:18080/feed/").unwrap()).unwrap();
    let ids =
        |feed: &Feed| -> Vec<_> { feed.entries.iter().map(|entry| native_id(&own, entry, Guids::Distinct)).collect() };
    assert_eq!(ids(&rss), ids(&atom));
    assert_eq!(parent_id(&own, &comments.entries[0]), ids(&rss)[0]);
    assert!(ids(&rss).contains(&parent_id(&own, &comments.entries[1])));
}

//! Pushed posts: `POST /v1/posts`, one JSON object a line. A token speaks only for the networks that it names.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    Author, AuthorId, Connector, Lang, Order, Post, PostEvent, PostId, PostKind, Rejected, SourceType, TEXT_BYTES_MAX, Thread,
    ThreadId, Timestamp,
};

use super::{From, cut, is_shallow};

/// Bytes of one pushed post.
pub const LINE_BYTES_MAX: usize = 256 << 10;
const ID_BYTES_MAX: usize = 1024;
const ITEMS_MAX: usize = 128;

/// Whom a push speaks for: the first line of an arrival's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushScope {
    /// The configured source's slug.
    pub token: String,
    /// Networks it may name; without one it speaks for `push:<token>`.
    pub networks: Vec<String>,
}

/// One pushed post.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PushedPost {
    /// `upsert` (default) or `delete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// Whose name space `id` is in; the default is the token's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The post's id on its network: the same id is the same post.
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<PushedAuthor>,
    /// ISO 639-1 or BCP 47.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<String>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<String>,
    /// Grows with every version; without it the order of arrival is the order of versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The id of the post that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// The id of the thread's first post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// `post`, `reply`, `comment`, `quote`, `repost` or `article`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `social`, `forum`, `blog`, `news`, `review`, `video`, `comment` or `email`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    /// The host that shows the post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// Without `#`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hashtags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
}

/// Who wrote a pushed post.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PushedAuthor {
    /// The author's id on its network.
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The body of an arrival: the scope, then the posts as they were pushed.
pub fn encode<'l>(scope: &PushScope, lines: impl IntoIterator<Item = &'l [u8]>) -> Vec<u8> {
    let mut body = serde_json::to_vec(scope).expect("a scope is JSON");
    for line in lines {
        body.push(b'\n');
        body.extend_from_slice(line);
    }
    body
}

/// One event or reason per pushed line.
pub(super) fn events(body: &[u8], from: From<'_>) -> Result<Vec<Result<PostEvent, Rejected>>, Rejected> {
    let mut lines = body.split(|&byte| byte == b'\n');
    let scope: PushScope = serde_json::from_slice(lines.next().unwrap_or_default()).map_err(|_| Rejected::Shape)?;
    Ok(lines.map(|line| event(line, &scope, from)).collect())
}

fn event(line: &[u8], scope: &PushScope, from: From<'_>) -> Result<PostEvent, Rejected> {
    if line.len() > LINE_BYTES_MAX {
        return Err(Rejected::TooLarge);
    }
    if !is_shallow(line) {
        return Err(Rejected::TooDeep);
    }
    let line = std::str::from_utf8(line).map_err(|_| Rejected::NotUtf8)?;
    let pushed: PushedPost = serde_json::from_str(line).map_err(|error| match error.is_data() {
        true => Rejected::Shape,
        false => Rejected::Syntax,
    })?;
    let network = network_of(&pushed, scope)?;
    if pushed.id.is_empty() || pushed.id.len() > ID_BYTES_MAX {
        return Err(Rejected::NoId);
    }
    // Without a revision a later arrival is a later version.
    let order = Order(pushed.revision.unwrap_or_else(|| u64::try_from(from.fetched_at.millis()).unwrap_or(0)));
    match pushed.op.as_deref() {
        None | Some("upsert") => {
            let post = post(pushed, network, from)?;
            Ok(PostEvent::Upsert { post: Box::new(post), order, quiet: false })
        }
        Some("delete") => Ok(PostEvent::Delete { id: PostId::of(&network, &pushed.id), order }),
        Some(_) => Err(Rejected::Value),
    }
}

fn network_of(pushed: &PushedPost, scope: &PushScope) -> Result<Arc<str>, Rejected> {
    let own = format!("push:{}", scope.token);
    match pushed.network.as_deref() {
        None => Ok(scope.networks.first().cloned().unwrap_or(own).into()),
        Some(named) if named == own || scope.networks.iter().any(|network| network == named) => Ok(named.into()),
        Some(_) => Err(Rejected::Scope),
    }
}

fn post(pushed: PushedPost, network: Arc<str>, from: From<'_>) -> Result<Post, Rejected> {
    let text = pushed.text.unwrap_or_default();
    if text.trim().is_empty() && pushed.title.as_deref().unwrap_or("").trim().is_empty() {
        return Err(Rejected::Empty);
    }
    if pushed.hashtags.len() > ITEMS_MAX || pushed.links.len() > ITEMS_MAX {
        return Err(Rejected::Value);
    }
    let kind = match pushed.kind.as_deref() {
        None if pushed.reply_to.is_some() => PostKind::Reply,
        None => PostKind::Post,
        Some(name) => PostKind::parse(name).ok_or(Rejected::Value)?,
    };
    let source_type = pushed.source_type.as_deref().map_or(Some(SourceType::Social), SourceType::parse);
    let url = pushed.url.map(|url| url::Url::parse(&url).map_err(|_| Rejected::Value)).transpose()?;
    let host = url.as_ref().and_then(|url| url.host_str()).map(str::to_owned);
    let root = pushed.thread.as_deref().or(pushed.reply_to.as_deref()).filter(|root| *root != pushed.id);
    let author = pushed.author.unwrap_or_default();
    let (text, truncated) = cut(text, TEXT_BYTES_MAX);
    Ok(Post {
        id: PostId::of(&network, &pushed.id),
        source_type: source_type.ok_or(Rejected::Value)?,
        site: pushed.site.or(host).unwrap_or_else(|| network.to_string()).to_lowercase().into(),
        board: pushed.board,
        connector: Connector::Push,
        source: from.source.clone(),
        kind,
        url: url.map(String::from),
        author: Author {
            id: AuthorId::of(&network, &author.id),
            native_id: author.id,
            handle: author.handle,
            name: author.name,
            url: author.url,
        },
        title: pushed.title.map(|title| cut(title, TEXT_BYTES_MAX).0),
        text,
        truncated,
        langs: pushed.lang.as_deref().and_then(Lang::parse).into_iter().collect(),
        hashtags: pushed.hashtags.iter().map(|tag| tag.trim_start_matches('#').to_owned()).collect(),
        mentions: Vec::new(),
        links: pushed.links,
        thread: Thread {
            id: ThreadId::of(&network, root.unwrap_or(&pushed.id)),
            root: root.map(|root| PostId::of(&network, root)),
            parent: pushed.reply_to.as_deref().map(|parent| PostId::of(&network, parent)),
        },
        published_at: time(pushed.published_at)?,
        edited_at: time(pushed.edited_at)?,
        fetched_at: from.fetched_at,
        native_id: pushed.id,
        network,
    })
}

fn time(text: Option<String>) -> Result<Option<Timestamp>, Rejected> {
    text.map(|text| text.parse().map_err(|_| Rejected::Value)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<PostEvent, Rejected> {
        let source: Arc<str> = "desk".into();
        let scope = PushScope { token: "desk".to_owned(), networks: vec!["crm".to_owned()] };
        let body = encode(&scope, [line.as_bytes()]);
        events(&body, From { source: &source, fetched_at: Timestamp::from_millis(9) }).unwrap().remove(0)
    }

    #[test]
    fn a_pushed_reply_knows_its_thread() {
        let line = r#"{"id":"7","text":"Hello there","reply_to":"6","thread":"1","author":{"id":"a","handle":"ann"},"url":"https://Example.org/7"}"#;
        let PostEvent::Upsert { post, order, .. } = read(line).unwrap() else { panic!("no post") };
        assert_eq!((&*post.network, &*post.site, order), ("crm", "example.org", Order(9)));
        assert_eq!(post.thread.root, Some(PostId::of("crm", "1")));
        assert_eq!(post.kind, PostKind::Reply);
    }

    #[test]
    fn a_token_speaks_only_for_its_networks() {
        assert_eq!(read(r#"{"id":"7","text":"x","network":"bluesky"}"#), Err(Rejected::Scope));
        assert!(read(r#"{"id":"7","text":"x","network":"push:desk"}"#).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("", Rejected::Syntax),
            ("{\"id\":\"7\",\"text\":", Rejected::Syntax),
            ("{\"text\":\"x\"}", Rejected::Shape),
            ("{\"id\":7,\"text\":\"x\"}", Rejected::Shape),
            ("{\"id\":\"7\",\"txt\":\"x\"}", Rejected::Shape),
            ("{\"id\":\"\",\"text\":\"x\"}", Rejected::NoId),
            ("{\"id\":\"7\",\"text\":\" \"}", Rejected::Empty),
            ("{\"id\":\"7\",\"text\":\"x\",\"op\":\"merge\"}", Rejected::Value),
            ("{\"id\":\"7\",\"text\":\"x\",\"kind\":\"poem\"}", Rejected::Value),
            ("{\"id\":\"7\",\"text\":\"x\",\"url\":\"not a url\"}", Rejected::Value),
            ("{\"id\":\"7\",\"text\":\"x\",\"published_at\":\"yesterday\"}", Rejected::Value),
        ];
        for (line, reason) in cases {
            assert_eq!(read(line), Err(reason), "{line}");
        }
    }
}

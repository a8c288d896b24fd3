//! What is known of the posts around one: of that replied to, of the conversation's first, of that quoted.

use crate::model::{Post, PostKind};

use super::Scope;

/// The texts around a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around<'a> {
    pub parent: Said<'a>,
    pub root: Said<'a>,
    pub quoted: Said<'a>,
}

/// The text of a post around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// There is such a post, and its text is not known.
    Unknown,
    /// There is no such post.
    Nothing,
    Text(&'a str),
}

impl<'a> Around<'a> {
    /// What a post tells by itself: whether there are posts around it.
    pub fn of(post: &Post) -> Self {
        let unknown = |is_there: bool| if is_there { Said::Unknown } else { Said::Nothing };
        Self {
            parent: unknown(post.thread.parent.is_some()),
            root: unknown(post.thread.root.is_some()),
            quoted: unknown(post.kind == PostKind::Quote),
        }
    }

    /// The text that a scope searches; nothing for the texts of the post itself.
    pub fn said(&self, scope: Scope) -> Option<Said<'a>> {
        match scope {
            Scope::Title | Scope::Body | Scope::AuthorName => None,
            Scope::Parent => Some(self.parent),
            Scope::Root => Some(self.root),
            Scope::Quoted => Some(self.quoted),
        }
    }
}

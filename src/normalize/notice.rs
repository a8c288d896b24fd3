//! What a source declares about itself: `{"gap":{"from":…,"to":…,"why":…}}`.

use serde::{Deserialize, Serialize};

use crate::model::{PostEvent, Rejected};

use super::Origin;

/// The body of an arrival of `Wire::Notice`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Posts that can no longer be had: between `from` and `to`, in the source's words.
    Gap { from: String, to: String, why: String },
}

impl Notice {
    pub fn body(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a notice is JSON")
    }
}

pub(super) fn event(body: &[u8], origin: Origin<'_>) -> Result<PostEvent, Rejected> {
    let notice: Notice = serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Rejected::Shape,
        _ => Rejected::Syntax,
    })?;
    let Notice::Gap { from, to, why } = notice;
    Ok(PostEvent::Gap { source: origin.source.clone(), from, to, why })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::model::Timestamp;

    use super::*;

    #[test]
    fn a_declared_gap_is_an_event_of_its_source() {
        let source: Arc<str> = "stream".into();
        let origin = Origin { source: &source, fetched_at: Timestamp::EPOCH };
        let notice = Notice::Gap { from: "1".to_owned(), to: "9".to_owned(), why: "too old".to_owned() };
        assert_eq!(notice.body(), br#"{"gap":{"from":"1","to":"9","why":"too old"}}"#);
        let gap = PostEvent::Gap {
            source: source.clone(),
            from: "1".to_owned(),
            to: "9".to_owned(),
            why: "too old".to_owned(),
        };
        assert_eq!(event(&notice.body(), origin), Ok(gap));
        assert_eq!(event(b"{\"gap\":{}}", origin), Err(Rejected::Shape));
        assert_eq!(event(b"{", origin), Err(Rejected::Syntax));
    }
}

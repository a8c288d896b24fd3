//! What a source declares about itself: `{"gap":{"from":…,"to":…,"why":…}}`.

use serde::Deserialize;

use crate::model::{PostEvent, Rejected};

use super::From;

#[derive(Deserialize)]
struct Notice {
    gap: Gap,
}

#[derive(Deserialize)]
struct Gap {
    from: String,
    to: String,
    why: String,
}

pub(super) fn event(body: &[u8], from: From<'_>) -> Result<PostEvent, Rejected> {
    let notice: Notice = serde_json::from_slice(body).map_err(|error| match error.is_data() {
        true => Rejected::Shape,
        false => Rejected::Syntax,
    })?;
    let Gap { from: start, to, why } = notice.gap;
    Ok(PostEvent::Gap { source: from.source.clone(), from: start, to, why })
}

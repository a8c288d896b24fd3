//! The published JSON Schema of every event, made from the types that are serialised.
//! Unaware of how a body is filled.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value;

use super::body::Event;

/// A union over all events, in JSON Schema 2020-12.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with_transform(RecursiveTransform(forbid_null));
    settings.into_generator().into_root_schema_for::<Event<'static>>().to_value()
}

/// What is not known is absent, so nothing is ever null: takes the null out of the schema of an `Option`.
fn forbid_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            schema.ensure_object().extend(only);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::render::tests::{gone, hole, parsed, reply, view};
    use super::super::{EVENTS, MentionEvent, deleted, gap, mention, test};
    use super::*;
    use crate::model::Timestamp;

    /// One body of every event, with everything optional present in some.
    fn bodies() -> Vec<Value> {
        let mut known = reply();
        let matched = parsed(&mention("care", MentionEvent::Matched, &view(&known)));
        known.post.title = Some("Výpadek".into());
        known.post.board = Some("telco".into());
        known.post.author.name = Some("Jana".into());
        known.post.author.url = Some("https://example.com/jana".into());
        let mut updated = view(&known);
        updated.root = Some(&known.excerpt);
        updated.matches.clear();
        let updated = parsed(&mention("care", MentionEvent::Updated, &updated));
        let test = parsed(&test("care", Timestamp::from_millis(1000)));
        vec![matched, updated, parsed(&deleted("care", &gone())), parsed(&gap("care", &hole())), test]
    }

    /// The JSON pointers of all members of a value, at any depth.
    fn members(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (name, inner) in map {
                    found.push(format!("{at}/{name}"));
                    members(inner, &format!("{at}/{name}"), found);
                }
            }
            Value::Array(list) => {
                for (index, inner) in list.iter().enumerate() {
                    members(inner, &format!("{at}/{index}"), found);
                }
            }
            _ => (),
        }
    }

    #[test]
    fn every_event_that_is_sent_fits_the_published_schema() {
        let validator = jsonschema::draft202012::new(&schema()).unwrap();
        let bodies = bodies();
        let kinds: Vec<&str> = bodies.iter().map(|body| body["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, EVENTS);
        for body in &bodies {
            assert_eq!(validator.validate(body).map_err(|error| error.to_string()), Ok(()), "{body:#}");
        }
    }

    #[test]
    fn a_body_without_a_member_fits_only_if_the_member_may_be_absent() {
        let validator = jsonschema::draft202012::new(&schema()).unwrap();
        let optional = "url board lag_ms root_id parent_id root parent handle name title lang published_at local";
        for body in bodies() {
            let mut pointers = Vec::new();
            members(&body, "", &mut pointers);
            for pointer in pointers {
                let mut without = body.clone();
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
                let may = optional.split(' ').any(|optional| optional == name)
                    || pointer == "/data/thread/parent/author"
                    || pointer == "/data/thread/root/author"
                    || pointer == "/data/author/url";
                assert_eq!(validator.is_valid(&without), may, "{} without {pointer}", body["type"]);
            }
        }
    }

    #[test]
    fn no_member_may_be_null_and_an_id_has_its_form() {
        let validator = jsonschema::draft202012::new(&schema()).unwrap();
        for body in bodies() {
            let mut pointers = Vec::new();
            members(&body, "", &mut pointers);
            for pointer in pointers {
                let mut wrong = body.clone();
                *wrong.pointer_mut(&pointer).unwrap() = Value::Null;
                assert!(!validator.is_valid(&wrong), "{} with {pointer} null", body["type"]);
            }
        }
        let mut wrong = bodies().remove(0);
        wrong["data"]["id"] = "t1_00000000000000000000000000".into();
        assert!(!validator.is_valid(&wrong));
    }

    #[test]
    fn a_member_that_a_later_version_adds_fits() {
        let validator = jsonschema::draft202012::new(&schema()).unwrap();
        let mut body = bodies().remove(0);
        body["data"]["sentiment"] = serde_json::json!({ "label": "negative" });
        body["data"]["kind"] = "story".into();
        assert!(validator.is_valid(&body));
    }
}

//! Where the keys of a file were set: in its text, or by a variable of the environment over it. Unaware of what they mean.

use std::cell::OnceCell;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{FileError, keys_of};

/// Finds the place of a key by its dotted name.
pub struct Places<'t> {
    file: &'t Path,
    text: &'t str,
    variables: &'t [(String, String)],
    prefix: &'t str,
    /// The text as a table, made when the first mistake asks for it.
    table: OnceCell<DeTable<'t>>,
}

impl<'t> Places<'t> {
    pub fn of(file: &'t Path, text: &'t str) -> Self {
        Self { file, text, variables: &[], prefix: "", table: OnceCell::new() }
    }

    /// With variables that go over the file, as `PREFIX_TABLE__KEY`.
    pub fn with_environment(self, variables: &'t [(String, String)], prefix: &'t str) -> Self {
        Self { variables, prefix, ..self }
    }

    /// A mistake in the value of a key: at the variable that sets it, else at the key, else at the innermost table on the
    /// way to it that the text has.
    pub fn error(&self, dotted: &str, message: impl Into<String>) -> FileError {
        let path: Vec<&str> = dotted.split('.').collect();
        if let Some(variable) = self.variable(&path) {
            return FileError::whole(Path::new(variable), message);
        }
        match self.span(&path) {
            Some(span) => FileError::at(self.file, self.text, span.start, message),
            None => FileError::whole(self.file, message),
        }
    }

    /// The variable that says most of the path.
    fn variable(&self, path: &[&str]) -> Option<&'t str> {
        if self.prefix.is_empty() {
            return None;
        }
        let naming = self.variables.iter().filter_map(|(name, _)| Some((name, keys_of(name, self.prefix)?)));
        naming
            .filter(|(_, keys)| keys.len() <= path.len() && keys.iter().zip(path).all(|(key, part)| key == part))
            .max_by_key(|(_, keys)| keys.len())
            .map(|(name, _)| name.as_str())
    }

    fn span(&self, path: &[&str]) -> Option<Range<usize>> {
        let mut table = self.table.get_or_init(|| DeTable::parse_recoverable(self.text).0.into_inner());
        let mut found = None;
        for part in path {
            let Some((key, value)) = table.get_key_value(*part) else { break };
            found = Some(key.span());
            let DeValue::Table(inner) = value.get_ref() else { break };
            table = inner;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, dotted: &str) -> String {
        Places::of(Path::new("e.toml"), text).error(dotted, "wrong").to_string()
    }

    #[test]
    fn a_key_is_found_however_it_is_written() {
        let rows = [
            ("[other]\nport = 1\n[api] # of the house\nport = 2\n", "api.port", "e.toml:4:1: wrong"),
            ("[other]\nport = 1\n[api]\nport = 2 # port = 3\n", "api.port", "e.toml:4:1: wrong"),
            ("# api.port = 1\napi.port = 2\n", "api.port", "e.toml:2:5: wrong"),
            ("api = { listen = 'x', port = 2 }\n", "api.port", "e.toml:1:23: wrong"),
            ("[api]\n\"port\" = 2\n", "api.port", "e.toml:2:1: wrong"),
            ("[source.b]\nx = 1\n[source.a] # ours\ny = 1\n", "source.a", "e.toml:3:9: wrong"),
            ("[source.a] # ours\ny = 1\n", "source.a.factor", "e.toml:1:9: wrong"),
            ("[api]\n", "turn.port", "e.toml: wrong"),
            ("", "turn.port", "e.toml: wrong"),
        ];
        for (text, dotted, expected) in rows {
            assert_eq!(place(text, dotted), expected, "{text}");
        }
    }

    #[test]
    fn a_variable_over_the_file_is_the_place() {
        let variables = [("X_API".to_owned(), "{}".to_owned()), ("X_API__PORT".to_owned(), "1".to_owned())];
        let places = Places::of(Path::new("e.toml"), "[api]\nport = 2\n").with_environment(&variables, "X_");
        assert_eq!(places.error("api.port", "wrong").to_string(), "X_API__PORT: wrong");
        assert_eq!(places.error("api.listen", "wrong").to_string(), "X_API: wrong");
        assert_eq!(places.error("turn", "wrong").to_string(), "e.toml: wrong");
    }
}

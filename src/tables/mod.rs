//! TOML that people write: every error names the file, the line, the key and, for a wrong key, the nearest known one.
//! Unaware of what the keys mean.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

/// Wrong keys of one file that are told at once.
const ERRORS_MAX: usize = 20;

/// One mistake in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    pub file: PathBuf,
    /// From 1; 0 where no line is to blame.
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match self.line {
            0 => write!(f, "{file}: {}", self.message),
            line => write!(f, "{file}:{line}:{}: {}", self.column, self.message),
        }
    }
}

impl FileError {
    /// A mistake that no single line is to blame for.
    pub fn whole(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, message: message.into() }
    }

    /// A mistake at a byte of the file's text.
    pub fn at(file: &Path, text: &str, byte: usize, message: impl Into<String>) -> Self {
        let before = &text.as_bytes()[..byte.min(text.len())];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        Self { file: file.to_owned(), line, column, message: message.into() }
    }

    /// A mistake in the value of a key: the first line that sets the last part of its dotted name.
    pub fn key(file: &Path, text: &str, dotted: &str, message: impl Into<String>) -> Self {
        let last = dotted.rsplit('.').next().unwrap_or(dotted);
        let mut offset = 0;
        for line in text.split_inclusive('\n') {
            let name = line.split('=').next().unwrap_or("").trim().trim_matches('"');
            let table = line.trim().trim_matches(['[', ']']);
            if name == last || table == dotted {
                let indent = line.len() - line.trim_start().len();
                return Self::at(file, text, offset + indent, message);
            }
            offset += line.len();
        }
        Self::whole(file, message)
    }
}

/// A table of a file, with the places of its keys.
#[derive(Clone)]
pub struct Table<'t> {
    file: &'t Path,
    text: &'t str,
    table: Spanned<DeTable<'t>>,
}

/// Reads a whole file into one type as far as it can be read: the mistakes that are told with a value are wrong keys.
pub fn read_lenient<T: DeserializeOwned>(file: &Path, text: &str) -> (Option<T>, Vec<FileError>) {
    match Table::parse(file, text) {
        Ok(table) => table.read_lenient(),
        Err(errors) => (None, errors),
    }
}

impl<'t> Table<'t> {
    pub fn parse(file: &'t Path, text: &'t str) -> Result<Self, Vec<FileError>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(Self { file, text, table });
        }
        Err(errors.iter().take(ERRORS_MAX).map(|error| describe(file, text, error)).collect())
    }

    /// Reads the table into a type. All wrong keys are told, not only the first.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Vec<FileError>> {
        match self.read_lenient() {
            (Some(value), errors) if errors.is_empty() => Ok(value),
            (_, errors) => Err(errors),
        }
    }

    /// Reads the table into a type without its wrong keys, which are told: so that the rest can be checked too.
    pub fn read_lenient<T: DeserializeOwned>(mut self) -> (Option<T>, Vec<FileError>) {
        let mut errors = Vec::new();
        loop {
            let error = match T::deserialize(Deserializer::from(self.table.clone())) {
                Ok(value) => return (Some(value), errors),
                Err(error) => error,
            };
            errors.push(describe(self.file, self.text, &error));
            // A wrong key is taken out and the rest is read again, until what is wrong is no key.
            let wrong_key = error.message().starts_with("unknown field") && errors.len() < ERRORS_MAX;
            let removed = wrong_key && error.span().is_some_and(|span| remove_key(self.table.get_mut(), &span));
            if !removed {
                return (None, errors);
            }
        }
    }

    /// Keys of `below` go where this table has none; tables are merged, everything else is taken whole.
    pub fn overlay(&mut self, below: Table<'t>) {
        overlay(self.table.get_mut(), below.table.into_inner());
    }

    /// Takes a table out.
    pub fn take(&mut self, key: &str) -> Option<Table<'t>> {
        let value = self.table.get_mut().remove(key)?;
        self.inner(value)
    }

    /// A copy of a table.
    pub fn get(&self, key: &str) -> Option<Table<'t>> {
        self.inner(self.table.get_ref().get(key)?.clone())
    }

    /// Takes a text out.
    pub fn take_text(&mut self, key: &str) -> Option<String> {
        self.table.get_mut().remove(key)?.get_ref().as_str().map(str::to_owned)
    }

    /// The tables in this one, by name.
    pub fn into_tables(self) -> Vec<(String, Table<'t>)> {
        let names: Vec<String> = self.table.get_ref().keys().map(|key| key.get_ref().to_string()).collect();
        names.into_iter().filter_map(|name| self.get(&name).map(|table| (name, table))).collect()
    }

    /// A mistake in this table as a whole.
    pub fn error(&self, message: String) -> FileError {
        FileError::at(self.file, self.text, self.table.span().start, message)
    }

    /// Sets keys from environment variables: `PREFIX_TABLE__KEY=value`, where the value is TOML or a plain text.
    pub fn set_from_environment(
        &mut self,
        variables: &'t [(String, String)],
        prefix: &str,
        others: &[&str],
    ) -> Result<(), Vec<FileError>> {
        for (name, value) in variables {
            let Some(path) = name.strip_prefix(prefix).filter(|_| !others.contains(&name.as_str())) else { continue };
            let keys: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
            let value =
                DeValue::parse(value).unwrap_or_else(|_| Spanned::new(0..0, DeValue::String(value.as_str().into())));
            if !set(self.table.get_mut(), &keys, value) {
                return Err(vec![FileError::whole(
                    Path::new(name),
                    "this variable names a key inside something that is no table",
                )]);
            }
        }
        Ok(())
    }

    fn inner(&self, value: Spanned<DeValue<'t>>) -> Option<Table<'t>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Some(Table { file: self.file, text: self.text, table: Spanned::new(span, table) }),
            _ => None,
        }
    }
}

fn set<'t>(table: &mut DeTable<'t>, keys: &[String], value: Spanned<DeValue<'t>>) -> bool {
    let Some((first, rest)) = keys.split_first() else { return false };
    let key = || Spanned::new(0..0, std::borrow::Cow::Owned(first.clone()));
    if rest.is_empty() {
        table.remove(first.as_str());
        table.insert(key(), value);
        return true;
    }
    if !table.contains_key(first.as_str()) {
        table.insert(key(), Spanned::new(0..0, DeValue::Table(DeTable::new())));
    }
    match table.get_mut(first.as_str()).map(Spanned::get_mut) {
        Some(DeValue::Table(inner)) => set(inner, rest, value),
        _ => false,
    }
}

fn overlay<'t>(table: &mut DeTable<'t>, below: DeTable<'t>) {
    for (key, value) in below {
        match table.get_mut(key.get_ref().as_ref()) {
            None => drop(table.insert(key, value)),
            Some(present) => {
                if let (DeValue::Table(present), DeValue::Table(below)) = (present.get_mut(), value.into_inner()) {
                    overlay(present, below);
                }
            }
        }
    }
}

fn remove_key(table: &mut DeTable<'_>, span: &std::ops::Range<usize>) -> bool {
    let found = table.iter().find(|(key, _)| key.span() == *span).map(|(key, _)| key.get_ref().to_string());
    if let Some(key) = found {
        return table.remove(key.as_str()).is_some();
    }
    table.iter_mut().any(|(_, value)| match value.get_mut() {
        DeValue::Table(inner) => remove_key(inner, span),
        _ => false,
    })
}

fn describe(file: &Path, text: &str, error: &toml::de::Error) -> FileError {
    let message = improve(error.message());
    match error.span() {
        Some(span) if span.start < text.len() => FileError::at(file, text, span.start, message),
        _ => FileError::whole(file, message),
    }
}

/// Names the nearest known key where the message lists what was expected.
fn improve(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let Some((wrong, known)) = names.split_first() else { return message.to_owned() };
    let kind = if message.starts_with("unknown field") {
        "key"
    } else if message.starts_with("unknown variant") {
        "value"
    } else {
        return message.to_owned();
    };
    match nearest(wrong, known.iter().copied()) {
        Some(name) => format!("there is no {kind} `{wrong}`; did you mean `{name}`?"),
        None => format!("there is no {kind} `{wrong}`; known are {}", known.join(", ")),
    }
}

/// The known name that is nearest, if any is near enough to be meant.
pub fn nearest<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let bound = wrong.chars().count() / 3 + 1;
    known
        .into_iter()
        .map(|name| (distance(wrong, name), name))
        .filter(|(steps, _)| *steps <= bound)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's distance in characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, other) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(letter != *other);
            diagonal = row[place + 1];
            row[place + 1] = substituted.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        port: u16,
        inner: Inner,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        batch_wait_ms: u64,
        name: String,
    }

    const DEFAULTS: &str = "port = 1\n[inner]\nbatch_wait_ms = 2\nname = 'x'\n";

    fn over_defaults(text: &str) -> Result<Outer, Vec<FileError>> {
        let mut table = Table::parse(Path::new("e.toml"), text)?;
        table.overlay(Table::parse(Path::new("d.toml"), DEFAULTS).unwrap());
        table.read()
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let variables = [("X_INNER__NAME".to_owned(), "z".to_owned()), ("X_PORT".to_owned(), "9".to_owned())];
        let mut table = Table::parse(Path::new("e.toml"), DEFAULTS).unwrap();
        table.set_from_environment(&variables, "X_", &[]).unwrap();
        let read: Outer = table.read().unwrap();
        assert_eq!((read.port, read.inner.name.as_str()), (9, "z"));
    }

    #[test]
    fn what_a_file_leaves_out_comes_from_the_defaults() {
        let read = over_defaults("[inner]\nname = 'y'\n").unwrap();
        assert_eq!(read, Outer { port: 1, inner: Inner { batch_wait_ms: 2, name: "y".to_owned() } });
    }

    #[test]
    fn every_wrong_key_is_told_with_its_line_and_the_nearest_known_one() {
        let text = "prt = 3\n\n[inner]\nbatch_wait = 1\nname = 'y'\n";
        let errors = over_defaults(text).unwrap_err();
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.contains(&"e.toml:1:1: there is no key `prt`; did you mean `port`?".to_owned()), "{told:?}");
        assert!(
            told.contains(&"e.toml:4:1: there is no key `batch_wait`; did you mean `batch_wait_ms`?".to_owned()),
            "{told:?}"
        );
    }

    #[test]
    fn a_wrong_type_and_broken_syntax_name_their_line() {
        let errors = over_defaults("\nport = 'x'\n").unwrap_err();
        assert_eq!((errors[0].line, errors.len()), (2, 1));
        let errors = over_defaults("port = \n").unwrap_err();
        assert_eq!(errors[0].line, 1);
    }
}

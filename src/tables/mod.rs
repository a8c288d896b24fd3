//! TOML that people write: every error names the file, the line, the key and, for a wrong key, the nearest known one.
//! Unaware of what the keys mean.

mod places;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

pub use places::Places;

/// Wrong keys of one file that are told at once.
const ERRORS_MAX: usize = 20;
/// Spans from here on are no bytes of the text, but variables of the environment by their number: no text is that long.
const VARIABLES_START: usize = usize::MAX / 2;

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
}

/// Where the keys of a table come from.
#[derive(Clone, Copy)]
struct Origin<'t> {
    file: &'t Path,
    text: &'t str,
    variables: &'t [(String, String)],
}

impl Origin<'_> {
    /// A mistake at the variable or the byte that a span begins with.
    fn error(&self, span: Range<usize>, message: impl Into<String>) -> FileError {
        let variable = span.start.checked_sub(VARIABLES_START).and_then(|number| self.variables.get(number));
        match variable {
            Some((name, _)) => FileError::whole(Path::new(name), message),
            None if span.start < self.text.len() => FileError::at(self.file, self.text, span.start, message),
            None => FileError::whole(self.file, message),
        }
    }

    fn describe(&self, error: &toml::de::Error) -> FileError {
        self.error(error.span().unwrap_or(self.text.len()..self.text.len()), improve(error.message()))
    }
}

/// A table of a file, with the places of its keys.
#[derive(Clone)]
pub struct Table<'t> {
    origin: Origin<'t>,
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
        let origin = Origin { file, text, variables: &[] };
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(Self { origin, table });
        }
        Err(errors.iter().take(ERRORS_MAX).map(|error| origin.describe(error)).collect())
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
            errors.push(self.origin.describe(&error));
            // A wrong key is taken out and the rest is read again, until what is wrong is no key.
            let wrong = error.message().strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
            let removed = errors.len() < ERRORS_MAX
                && wrong.zip(error.span()).is_some_and(|(key, span)| remove_key(self.table.get_mut(), key, &span));
            if !removed {
                return (None, errors);
            }
        }
    }

    /// Keys of `below` go where this table has none; tables are merged, everything else is taken whole.
    pub fn overlay(&mut self, below: Table<'t>) {
        overlay(self.table.get_mut(), below.table.into_inner());
    }

    /// Takes a table out. Anything else that stands there is a mistake: `no_table` says what a table is there for.
    pub fn take(&mut self, key: &str, no_table: impl FnOnce() -> String) -> Result<Option<Table<'t>>, FileError> {
        let Some(value) = self.table.get_mut().remove(key) else { return Ok(None) };
        let span = value.span();
        self.inner(value).map(Some).ok_or_else(|| self.origin.error(span, no_table()))
    }

    /// A copy of a table.
    pub fn get(&self, key: &str) -> Option<Table<'t>> {
        self.inner(self.table.get_ref().get(key)?.clone())
    }

    /// Takes a text out. Anything else that stands there is a mistake.
    pub fn take_text(&mut self, key: &str) -> Result<Option<String>, FileError> {
        let Some(value) = self.table.get_mut().remove(key) else { return Ok(None) };
        let text = value.get_ref().as_str().map(str::to_owned);
        text.map(Some).ok_or_else(|| self.origin.error(value.span(), format!("{key} is a text, in quotes")))
    }

    /// The tables in this one, by name. Under a name with anything else is the mistake, which `no_table` words.
    pub fn into_tables(self, no_table: impl Fn(&str) -> String) -> Vec<(String, Result<Table<'t>, FileError>)> {
        let Self { origin, table } = self;
        let of = |value: Spanned<DeValue<'t>>, name: &str| {
            let span = value.span();
            match value.into_inner() {
                DeValue::Table(table) => Ok(Table { origin, table: Spanned::new(span, table) }),
                _ => Err(origin.error(span, no_table(name))),
            }
        };
        table
            .into_inner()
            .into_iter()
            .map(|(key, value)| {
                let name = key.into_inner().into_owned();
                let table = of(value, &name);
                (name, table)
            })
            .collect()
    }

    /// A mistake in this table as a whole.
    pub fn error(&self, message: String) -> FileError {
        self.origin.error(self.table.span(), message)
    }

    /// Sets keys from environment variables: `PREFIX_TABLE__KEY=value`, where the value is TOML or a plain text.
    pub fn set_from_environment(
        &mut self,
        variables: &'t [(String, String)],
        prefix: &str,
        others: &[&str],
    ) -> Result<(), Vec<FileError>> {
        self.origin.variables = variables;
        for (number, (name, value)) in variables.iter().enumerate() {
            let Some(keys) = keys_of(name, prefix).filter(|_| !others.contains(&name.as_str())) else { continue };
            let span = VARIABLES_START + number..VARIABLES_START + number + 1;
            let value = DeValue::parse(value)
                .map_or_else(|_| DeValue::String(value.as_str().into()), |value| value.into_inner());
            if !set(self.table.get_mut(), &keys, placed(value, &span)) {
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
            DeValue::Table(table) => Some(Table { origin: self.origin, table: Spanned::new(span, table) }),
            _ => None,
        }
    }
}

/// The keys that a variable names, outermost first; none if it names none.
fn keys_of(variable: &str, prefix: &str) -> Option<Vec<String>> {
    Some(variable.strip_prefix(prefix)?.split("__").map(str::to_ascii_lowercase).collect())
}

/// The value with this span at every place in it: the places in a variable's value are none in the file.
fn placed<'t>(value: DeValue<'t>, span: &Range<usize>) -> Spanned<DeValue<'t>> {
    let of = |value: Spanned<DeValue<'t>>| placed(value.into_inner(), span);
    let value = match value {
        DeValue::Array(items) => DeValue::Array(items.into_iter().map(of).collect::<DeArray<'t>>()),
        DeValue::Table(table) => {
            let key = |key: Spanned<std::borrow::Cow<'t, str>>| Spanned::new(span.clone(), key.into_inner());
            DeValue::Table(table.into_iter().map(|(name, value)| (key(name), of(value))).collect())
        }
        other => other,
    };
    Spanned::new(span.clone(), value)
}

/// Puts a value at the end of the keys, with tables of its own span on the way.
fn set<'t>(table: &mut DeTable<'t>, keys: &[String], value: Spanned<DeValue<'t>>) -> bool {
    let Some((first, rest)) = keys.split_first() else { return false };
    let span = value.span();
    let key = || Spanned::new(span.clone(), std::borrow::Cow::Owned(first.clone()));
    if rest.is_empty() {
        table.remove(first.as_str());
        table.insert(key(), value);
        return true;
    }
    if !table.contains_key(first.as_str()) {
        table.insert(key(), Spanned::new(span.clone(), DeValue::Table(DeTable::new())));
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

/// Takes out the key of this name at this place: the defaults have places of another text.
fn remove_key(table: &mut DeTable<'_>, key: &str, span: &Range<usize>) -> bool {
    if table.iter().any(|(found, _)| found.get_ref() == key && found.span() == *span) {
        return table.remove(key).is_some();
    }
    table.iter_mut().any(|(_, value)| match value.get_mut() {
        DeValue::Table(inner) => remove_key(inner, key, span),
        _ => false,
    })
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
    fn a_mistake_in_a_variable_names_the_variable_and_not_the_file() {
        let told = |name: &str, value: &str| {
            let variables = [("PATH".to_owned(), "/bin".to_owned()), (name.to_owned(), value.to_owned())];
            let mut table = Table::parse(Path::new("e.toml"), "# nothing\n").unwrap();
            table.overlay(Table::parse(Path::new("d.toml"), DEFAULTS).unwrap());
            table.set_from_environment(&variables, "X_", &[]).unwrap();
            let errors = table.read::<Outer>().unwrap_err();
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(told("X_PRT", "9"), "X_PRT: there is no key `prt`; did you mean `port`?");
        let inner = told("X_INNER__NAM", "z");
        assert_eq!(inner, "X_INNER__NAM: there is no key `nam`; did you mean `name`?");
        for (name, value) in [("X_PORT", "many"), ("X_PORT", "[1, 2]"), ("X_INNER", "{ name = 7, batch_wait_ms = 1 }")]
        {
            let told = told(name, value);
            assert!(told.starts_with(&format!("{name}: invalid type")), "{told}");
        }
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

//! A language's table: text in sections, read once; every mistake names its line.
//! Unaware of any language.

use std::collections::BTreeMap;
use std::fmt;

use super::ending::{self, Change, Ending, Follower, Names, Reach};
use super::pattern::{Classes, Pattern};
use super::script::{Pairs, Script};

/// Words that a table may list by name.
const IRREGULARS_MAX: usize = 150;
/// Stands at the end of a rule whose word is looked up in the rules below too.
const GO_ON: &str = "...";

/// Whom a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    Names,
    Nouns,
    Acronyms,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) scope: Scope,
    pub(super) pattern: Pattern,
    pub(super) endings: Vec<Ending>,
    /// Whether the rules below have their say too.
    pub(super) goes_on: bool,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) names: Names,
    pub(super) irregulars: BTreeMap<String, Rule>,
    pub(super) rules: Vec<Rule>,
    /// What letters that came together are written as, in the order of the table.
    pub(super) spelling: Pairs,
    /// The second script of the language, if it has one.
    pub(super) script: Option<Script>,
    /// Whether the small letter of `I` is `ı`.
    pub(super) dotless: bool,
    /// How many of the most frequent words are refused as forms of a name that is an ordinary word; all where it is not said.
    pub(super) ordinary_forms: Option<usize>,
    classes: Classes,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct TableError {
    pub(super) line: usize,
    pub(super) message: String,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl Table {
    pub(super) fn parse(texts: &[&str]) -> Result<Self, TableError> {
        let mut table = Self::default();
        for text in texts {
            table.read(text)?;
        }
        Ok(table)
    }

    fn read(&mut self, text: &str) -> Result<(), TableError> {
        let mut section = String::new();
        for (line, entry) in entries(text) {
            match entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                Some(name) => name.clone_into(&mut section),
                None => self.entry(&section, &entry).map_err(|message| TableError { line, message })?,
            }
        }
        Ok(())
    }

    fn entry(&mut self, section: &str, entry: &str) -> Result<(), String> {
        let (left, right) = entry.split_once('=').ok_or("there is no `=`")?;
        let (left, right) = (left.trim(), right.trim());
        let taken = match section {
            "options" => return self.option(left, right),
            "classes" => self.classes.insert(left.to_owned(), right.chars().filter(|c| *c != ' ').collect()).is_some(),
            "harmony" => self.follower(left, right, Reach::LastNamed)?,
            "assimilation" => self.follower(left, right, Reach::Last)?,
            "changes" => self.names.changes.insert(left.to_owned(), change(right)?).is_some(),
            "sets" => {
                let endings = ending::expand(right, &self.names)?;
                self.names.sets.insert(left.to_owned(), endings).is_some()
            }
            "spelling" => self.spelling.pair(left, right),
            "script" => self.script.get_or_insert_default().pair(left, right),
            "irregular" => {
                if self.irregulars.len() == IRREGULARS_MAX {
                    return Err(format!("more than {IRREGULARS_MAX} words are listed"));
                }
                let rule = self.rule(Scope::All, Pattern::of_word(left), right)?;
                self.irregulars.insert(left.to_owned(), rule).is_some()
            }
            "rules" => self.add_rule(Scope::All, entry)?,
            "rules names" => self.add_rule(Scope::Names, entry)?,
            "rules nouns" => self.add_rule(Scope::Nouns, entry)?,
            "rules acronyms" => self.add_rule(Scope::Acronyms, entry)?,
            other => return Err(format!("no section `{other}`")),
        };
        if taken { Err(format!("`{left}` is there twice")) } else { Ok(()) }
    }

    fn option(&mut self, name: &str, value: &str) -> Result<(), String> {
        match (name, value) {
            ("small-i", "dotless") => self.dotless = true,
            ("ordinary-forms", count) => {
                self.ordinary_forms = Some(count.parse().map_err(|_| format!("`{count}` is no number"))?);
            }
            _ => return Err(format!("no option `{name} = {value}`")),
        }
        Ok(())
    }

    fn add_rule(&mut self, scope: Scope, entry: &str) -> Result<bool, String> {
        let (left, right) = entry.split_once('=').ok_or("there is no `=`")?;
        let pattern = Pattern::parse(left.trim(), &self.classes)?;
        let rule = self.rule(scope, pattern, right)?;
        self.rules.push(rule);
        Ok(false)
    }

    fn rule(&self, scope: Scope, pattern: Pattern, right: &str) -> Result<Rule, String> {
        let right = right.trim();
        let (right, goes_on) = right.strip_suffix(GO_ON).map_or((right, false), |rest| (rest, true));
        let endings = ending::expand(right, &self.names)?;
        if let Some(number) = endings.iter().map(Ending::captures).find(|number| *number > pattern.captures()) {
            return Err(format!("`${number}` stands for nothing"));
        }
        Ok(Rule { scope, pattern, endings, goes_on })
    }

    fn follower(&mut self, letter: &str, right: &str, reach: Reach) -> Result<bool, String> {
        let letter = letter.chars().next().filter(|letter| letter.is_uppercase()).ok_or("it is no capital")?;
        let mut follower = Follower { choices: Vec::new(), otherwise: Vec::new(), reach };
        let outcomes = |text: &str| text.split('|').map(|text| text.replace('~', "")).collect();
        for choice in right.split_whitespace() {
            match choice.split_once(':') {
                Some((outcome, letters)) => follower.choices.push((outcomes(outcome), letters.chars().collect())),
                None => follower.otherwise = outcomes(choice),
            }
        }
        if follower.otherwise.is_empty() {
            return Err("what it becomes otherwise is missing".to_owned());
        }
        Ok(self.names.followers.insert(letter, follower).is_some())
    }
}

/// Entries with their lines: comments off, a line that begins with white space belonging to the one before.
fn entries(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("");
        match found.last_mut() {
            _ if line.trim().is_empty() => {}
            Some((_, entry)) if line.starts_with([' ', '\t']) => {
                entry.push(' ');
                entry.push_str(line.trim());
            }
            _ => found.push((number + 1, line.trim().to_owned())),
        }
    }
    found
}

fn change(text: &str) -> Result<Change, String> {
    let pair = |pair: &str| {
        let (from, to) = pair.split_once('>').ok_or_else(|| format!("`{pair}` has no `>`"))?;
        Ok((from.chars().collect(), to.split('|').map(|to| to.chars().collect()).collect()))
    };
    text.split_whitespace().map(pair).collect()
}

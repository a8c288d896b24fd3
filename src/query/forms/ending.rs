//! What is put on a stem: letters, letters that follow the stem's sound, and changes of the stem itself.
//! Unaware of which word a stem is of.

use std::collections::BTreeMap;

/// Endings that one expression may stand for.
const ENDINGS_MAX: usize = 1_000;
/// Stems that one ending may give.
const BRANCHES_MAX: usize = 8;
/// Parentheses inside one another.
const DEPTH_MAX: usize = 8;

/// One letter of an ending that depends on what it is put on.
#[derive(Clone, Debug)]
pub(super) struct Follower {
    /// What it becomes, and after which letters.
    pub(super) choices: Vec<(Vec<String>, Vec<char>)>,
    /// What it becomes after no such letter.
    pub(super) otherwise: Vec<String>,
    pub(super) reach: Reach,
}

/// Which letters of the stem a follower looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The last that any of its choices names: harmony of vowels.
    LastNamed,
    /// The last: assimilation of consonants.
    Last,
}

/// What the end of a stem becomes: `k>c`; the longest that fits. A stem that none fits gives no form.
pub(super) type Change = Vec<(Vec<char>, Vec<Vec<char>>)>;

#[derive(Clone, Debug)]
enum Piece {
    Letter(char),
    Follow(char),
    Change(String),
    Captured(usize),
    /// Says something of the ending; puts on nothing.
    Note(Note),
}

/// What the table says of endings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// After `/`.
    Plural,
    /// After `!`: as of an ordinary word, whatever the word is.
    Ordinary,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Ending(Vec<Piece>);

/// What the expressions of a table may name.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) followers: BTreeMap<char, Follower>,
    pub(super) changes: BTreeMap<String, Change>,
    pub(super) sets: BTreeMap<String, Vec<Ending>>,
}

impl Ending {
    /// The stems with this ending, several where a change or a follower is in doubt.
    pub(super) fn put_on(&self, stem: &[char], captured: &[Vec<char>], names: &Names) -> Vec<Vec<char>> {
        let mut words = vec![stem.to_vec()];
        for piece in &self.0 {
            words = match piece {
                Piece::Letter(letter) => grown(words, |_| vec![vec![*letter]]),
                Piece::Captured(number) => grown(words, |_| vec![captured.get(*number).cloned().unwrap_or_default()]),
                Piece::Follow(letter) => grown(words, |word| names.followers[letter].after(word)),
                Piece::Note(_) => words,
                Piece::Change(name) => words.iter().flat_map(|word| changed(word, &names.changes[name])).collect(),
            };
            words.truncate(BRANCHES_MAX);
        }
        words
    }

    pub(super) fn has(&self, note: Note) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Note(said) if *said == note))
    }

    pub(super) fn captures(&self) -> usize {
        let number = |piece: &Piece| if let Piece::Captured(number) = piece { number + 1 } else { 0 };
        self.0.iter().map(number).max().unwrap_or(0)
    }
}

fn grown(words: Vec<Vec<char>>, more: impl Fn(&[char]) -> Vec<Vec<char>>) -> Vec<Vec<char>> {
    let grow = |word: &Vec<char>| more(word).into_iter().map(|tail| [&word[..], &tail].concat()).collect::<Vec<_>>();
    words.iter().flat_map(grow).collect()
}

fn changed(word: &[char], change: &Change) -> Vec<Vec<char>> {
    let fitting = change.iter().filter(|(from, _)| word.ends_with(from)).max_by_key(|(from, _)| from.len());
    let Some((from, to)) = fitting else { return Vec::new() };
    let kept = &word[..word.len() - from.len()];
    to.iter().map(|end| [kept, end].concat()).collect()
}

impl Follower {
    fn after(&self, word: &[char]) -> Vec<Vec<char>> {
        let choice = |letter: char| self.choices.iter().find(|(_, letters)| letters.contains(&letter));
        let found = match self.reach {
            Reach::LastNamed => word.iter().rev().find_map(|&letter| choice(letter)),
            Reach::Last => word.last().and_then(|&letter| choice(letter)),
        };
        let outcome = found.map_or(&self.otherwise, |(outcome, _)| outcome);
        outcome.iter().map(|text| text.chars().collect()).collect()
    }
}

/// All endings that an expression stands for: `(lar)?(da|dan) @case <soft>e ~`. Those after a `/` are of the plural, those
/// after a `!` as of an ordinary word.
pub(super) fn expand(text: &str, names: &Names) -> Result<Vec<Ending>, String> {
    let mut found: Vec<Ending> = Vec::new();
    let mut notes = Vec::new();
    for term in text.split_whitespace() {
        match term {
            "/" => notes.push(Piece::Note(Note::Plural)),
            "!" => notes.push(Piece::Note(Note::Ordinary)),
            _ => {
                let mut reader = Reader { rest: term, names, depth: 0 };
                found.extend(reader.choices()?.into_iter().map(|ending| Ending([&ending.0[..], &notes].concat())));
                if !reader.rest.is_empty() {
                    return Err(format!("`{}` cannot stand in `{term}`", reader.rest));
                }
            }
        }
        if found.len() > ENDINGS_MAX {
            return Err(format!("more than {ENDINGS_MAX} endings"));
        }
    }
    Ok(found)
}

struct Reader<'t> {
    rest: &'t str,
    names: &'t Names,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn choices(&mut self) -> Result<Vec<Ending>, String> {
        let mut found = self.sequence()?;
        while self.eat('|') {
            found.extend(self.sequence()?);
        }
        Ok(found)
    }

    fn sequence(&mut self) -> Result<Vec<Ending>, String> {
        let mut found = vec![Ending::default()];
        while let Some(next) = self.rest.chars().next().filter(|next| !matches!(next, '|' | ')')) {
            self.rest = &self.rest[next.len_utf8()..];
            let mut tails = self.item(next)?;
            if self.eat('?') {
                tails.insert(0, Ending::default());
            }
            if found.len() * tails.len() > ENDINGS_MAX {
                return Err(format!("more than {ENDINGS_MAX} endings"));
            }
            let join = |head: &Ending| -> Vec<Ending> {
                tails.iter().map(|tail| Ending([&head.0[..], &tail.0].concat())).collect()
            };
            found = found.iter().flat_map(join).collect();
        }
        Ok(found)
    }

    fn item(&mut self, first: char) -> Result<Vec<Ending>, String> {
        let piece = match first {
            '~' => return Ok(vec![Ending::default()]),
            '(' => return self.group(),
            '@' => {
                let name = self.name();
                return self.names.sets.get(name).cloned().ok_or_else(|| format!("no set `@{name}`"));
            }
            '<' => {
                let name = self.name();
                if !self.eat('>') || !self.names.changes.contains_key(name) {
                    return Err(format!("no change `<{name}>`"));
                }
                Piece::Change(name.to_owned())
            }
            '$' => {
                let digit = self.rest.chars().next().and_then(|digit| digit.to_digit(10));
                let number = digit.and_then(|digit| digit.checked_sub(1)).ok_or("`$` is followed by no number")?;
                self.rest = &self.rest[1..];
                Piece::Captured(number as usize)
            }
            letter if self.names.followers.contains_key(&letter) => Piece::Follow(letter),
            letter if letter.is_lowercase() || "'’:-".contains(letter) => Piece::Letter(letter),
            other => return Err(format!("`{other}` is no small letter")),
        };
        Ok(vec![Ending(vec![piece])])
    }

    fn group(&mut self) -> Result<Vec<Ending>, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("too many parentheses".to_owned());
        }
        let found = self.choices()?;
        self.depth -= 1;
        if self.eat(')') { Ok(found) } else { Err("a parenthesis is not closed".to_owned()) }
    }

    /// The name of a set or a change, as far as it goes.
    fn name(&mut self) -> &'t str {
        let end = self.rest.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_');
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        name
    }

    fn eat(&mut self, sign: char) -> bool {
        let eaten = self.rest.strip_prefix(sign);
        self.rest = eaten.unwrap_or(self.rest);
        eaten.is_some()
    }
}

//! How the end of a word is described: letters, classes of letters, and what of it is cut off.
//! Unaware of what is put on instead.

use std::collections::BTreeMap;

pub(super) type Classes = BTreeMap<String, Vec<char>>;

#[derive(Clone, Debug)]
struct Step {
    letters: Vec<char>,
    /// Whether it stands for letters other than these.
    others: bool,
    /// Whether it stands for one or more.
    repeats: bool,
    is_class: bool,
}

impl Step {
    fn admits(&self, letter: char) -> bool {
        self.letters.contains(&letter) != self.others
    }
}

/// The end of a word: `{C}-ek` is a consonant and `ek`, and `ek` is cut off.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// From the last letter to the first.
    steps: Vec<Step>,
    /// Steps that are cut off, from the last letter.
    cut: usize,
    /// Whether nothing may stand before.
    whole: bool,
}

/// What of a word a pattern took.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Letters that stay.
    pub(super) stem: usize,
    /// What the classes that were cut off stood for, in the order of the word.
    pub(super) captured: Vec<Vec<char>>,
}

impl Pattern {
    /// A word as it stands, cut off whole.
    pub(super) fn of_word(word: &str) -> Self {
        let literal = |letter| Step { letters: vec![letter], others: false, repeats: false, is_class: false };
        let steps: Vec<Step> = word.chars().rev().map(literal).collect();
        Self { cut: steps.len(), steps, whole: true }
    }

    pub(super) fn parse(text: &str, classes: &Classes) -> Result<Self, String> {
        let (text, whole) = text.strip_prefix('^').map_or((text, false), |rest| (rest, true));
        let (kept, cut) = text.split_once('-').unwrap_or((text, ""));
        let mut steps = steps(kept, classes)?;
        let cut_steps = self::steps(cut, classes)?;
        let cut = cut_steps.len();
        steps.extend(cut_steps);
        steps.reverse();
        Ok(Self { steps, cut, whole })
    }

    /// A class that repeats takes all that it can: there is no second try.
    pub(super) fn take(&self, word: &[char]) -> Option<Taken> {
        let (mut at, mut stem, mut captured) = (word.len(), word.len(), Vec::new());
        for (number, step) in self.steps.iter().enumerate() {
            let end = at;
            while at > 0 && step.admits(word[at - 1]) && (step.repeats || end == at) {
                at -= 1;
            }
            if at == end {
                return None;
            }
            if number < self.cut {
                stem = at;
                if step.is_class {
                    captured.insert(0, word[at..end].to_vec());
                }
            }
        }
        (!self.whole || at == 0).then_some(Taken { stem, captured })
    }

    pub(super) fn captures(&self) -> usize {
        self.steps[..self.cut].iter().filter(|step| step.is_class).count()
    }

    /// Words that the pattern takes, the letters of each class in turn.
    #[cfg(test)]
    pub(super) fn examples(&self, count: usize) -> Vec<Vec<char>> {
        let alphabet = ['a', 'k', 'o', 'б', 'а', 'β', 'α', 'x', '7'];
        let choice = |step: &Step, number: usize| {
            let letters: Vec<char> = if step.others {
                alphabet.iter().copied().filter(|letter| step.admits(*letter)).collect()
            } else {
                step.letters.clone()
            };
            letters[number % letters.len()]
        };
        let word = |number: usize| {
            let mut rest = number;
            let mut letters = Vec::new();
            for step in &self.steps {
                letters.push(choice(step, rest));
                rest /= step.letters.len();
                rest += number % 7;
            }
            letters.reverse();
            letters
        };
        (0..count).map(word).collect()
    }
}

fn steps(text: &str, classes: &Classes) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '{' {
            steps.push(Step { letters: vec![letter], others: false, repeats: false, is_class: false });
            continue;
        }
        let inside: String = letters.by_ref().take_while(|letter| *letter != '}').collect();
        let (inside, repeats) = inside.strip_suffix('+').map_or((inside.as_str(), false), |rest| (rest, true));
        let (name, others) = inside.strip_prefix('!').map_or((inside, false), |rest| (rest, true));
        let letters = classes.get(name).ok_or_else(|| format!("no class `{name}`"))?.clone();
        steps.push(Step { letters, others, repeats, is_class: true });
    }
    Ok(steps)
}

//! Letters for letters: the second script of a language, and what letters that came together are written as.
//! Unaware of rules.

/// Letters and what is written for them, the longest first: `lj` before `l`.
#[derive(Debug, Default)]
pub(super) struct Pairs(Vec<(Vec<char>, Vec<char>)>);

/// The pairs of a language in two scripts, the script of the rules on the left.
#[derive(Debug, Default)]
pub(super) struct Script {
    to_right: Pairs,
    to_left: Pairs,
}

impl Pairs {
    /// Takes one more pair, and tells whether the left side was there already.
    pub(super) fn pair(&mut self, left: &str, right: &str) -> bool {
        let left: Vec<char> = left.chars().collect();
        let is_known = self.0.iter().any(|(known, _)| *known == left);
        self.0.push((left, right.chars().collect()));
        self.0.sort_by_key(|(left, _)| std::cmp::Reverse(left.len()));
        is_known
    }

    pub(super) fn rewrite(&self, word: &[char]) -> Vec<char> {
        let (mut at, mut found) = (0, Vec::with_capacity(word.len()));
        while at < word.len() {
            let pair = self.0.iter().find(|(from, _)| word[at..].starts_with(from));
            let (len, to) = pair.map_or((1, &word[at..=at]), |(from, to)| (from.len(), &to[..]));
            found.extend(to);
            at += len;
        }
        found
    }
}

impl Script {
    pub(super) fn pair(&mut self, left: &str, right: &str) -> bool {
        self.to_left.pair(right, left);
        self.to_right.pair(left, right)
    }

    pub(super) fn to_left(&self, word: &[char]) -> Vec<char> {
        self.to_left.rewrite(word)
    }

    pub(super) fn to_right(&self, word: &[char]) -> Vec<char> {
        self.to_right.rewrite(word)
    }
}

//! Queries shaped as real ones are, and posts in 27 languages, made by a fixed rule.
//!
//! The shape is that of the one long real query that is public, and of what is known of short ones: a median of 10 operands,
//! 270 in the longest of a hundred; of the operands 40 % bare words with forms, 32 % with a wildcard, 18 % phrases, 9 % in
//! exact case, the rest hashtags; 4 % of the operators NEAR; a NOT group in each third; several languages in one query. Names
//! are shared among queries, some by many, most by few. A post is drawn from the frequent words of its language, one word in five from
//! none; in as many as are asked for stands what one query looks for.

use std::path::Path;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::dice::Dice;

/// A language of posts: its code, its words from the most frequent on, the syllables of its invented names, and what parts
/// its words.
pub struct Language {
    pub code: &'static str,
    words: Vec<String>,
    syllables: &'static [&'static str],
    pub space: &'static str,
}

const LATIN: &[&str] = &[
    "ka", "vo", "lin", "ter", "mo", "sa", "rek", "dan", "bri", "zu", "fel", "nor", "pa", "gis", "tal", "hem", "jo",
    "cor", "wex", "lum", "ost", "ura", "quo", "vel", "thy",
];
const CYRILLIC: &[&str] =
    &["ка", "во", "лин", "тер", "мо", "са", "рек", "дан", "бри", "зу", "фел", "нор", "па", "гис", "щу"];
const GREEK: &[&str] = &["κα", "βο", "λιν", "τερ", "μο", "σα", "ρεκ", "δαν", "μπρι", "ζου", "φελ", "νορ", "ψι"];
const HEBREW: &[&str] = &["קא", "דו", "לין", "טר", "מו", "סא", "רק", "דן", "ברי", "זו", "פל", "נור", "צו"];
const ARABIC: &[&str] = &["كا", "دو", "لين", "تر", "مو", "سا", "رك", "دن", "بري", "زو", "فل", "نور", "ظو"];
const HANGUL: &[&str] = &["카", "보", "린", "터", "모", "사", "렉", "단", "브", "주", "펠", "노", "쫑"];
const KANA: &[&str] = &["カ", "ボ", "リン", "テル", "モ", "サ", "レク", "ダン", "ブ", "ズ", "フェ", "ノ", "ぴゃ"];
const HAN: &[&str] = &["卡", "沃", "林", "特", "莫", "萨", "雷", "丹", "布", "祖", "费", "诺", "帕", "吉", "龘"];
const THAI: &[&str] = &["คา", "โว", "ลิน", "เทอ", "โม", "ซา", "เรก", "ดาน", "บริ", "ซู", "เฟล", "นอ", "ฌา"];

/// Words of the languages that have no list of frequent ones.
const LISTS: [(&str, &str); 6] = [
    ("ar", "في من على هذا إلى عن مع كان اليوم الشبكة خدمة سعر جديد جدا مشكلة هاتف شركة الناس وقت بيت عمل صباح مدينة"),
    ("he", "של את על זה לא עם הוא היום רשת שירות מחיר חדש מאוד בעיה טלפון חברה אנשים זמן בית עבודה בוקר עיר"),
    ("ja", "今日 は とても 新しい 店 駅 電話 会社 人 時間 家 仕事 朝 町 料金 問題 使う 見る 行く 買う が を に で の"),
    ("ko", "오늘 매우 새로운 가게 역 전화 회사 사람 시간 집 일 아침 도시 요금 문제 쓰다 보다 가다 사다 그리고 하지만"),
    ("th", "วันนี้ มาก ใหม่ ร้าน สถานี โทรศัพท์ บริษัท คน เวลา บ้าน งาน เช้า เมือง ราคา ปัญหา ใช้ ดู ไป ซื้อ และ แต่"),
    ("zh", "今天 非常 新的 商店 车站 电话 公司 人们 时间 家里 工作 早上 城市 价格 问题 使用 看见 去了 购买 而且 但是"),
];

const CODES: [&str; 27] = [
    "ar", "bg", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hu", "it", "ja", "ko", "nl", "no", "pl", "pt",
    "ro", "ru", "sk", "sv", "th", "tr", "uk", "zh",
];

pub fn languages() -> Vec<Language> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/query/forms/frequent");
    let read = |code: &'static str| {
        let listed = LISTS.iter().find(|(known, _)| *known == code).map(|(_, words)| (*words).to_owned());
        let text = listed.unwrap_or_else(|| std::fs::read_to_string(folder.join(format!("{code}.txt"))).unwrap());
        let syllables = match code {
            "ar" => ARABIC,
            "he" => HEBREW,
            "ja" => KANA,
            "ko" => HANGUL,
            "th" => THAI,
            "zh" => HAN,
            "el" => GREEK,
            "bg" | "ru" | "uk" => CYRILLIC,
            _ => LATIN,
        };
        let space = if matches!(code, "ja" | "th" | "zh") { "" } else { " " };
        let words = text.split_whitespace().filter(|word| word.chars().all(char::is_alphabetic));
        Language { code, words: words.map(str::to_owned).collect(), syllables, space }
    };
    CODES.into_iter().map(read).collect()
}

/// Languages whose words stand between spaces with nothing joined to them: what every engine takes for words.
pub fn spaced_languages() -> Vec<Language> {
    let is_joined = |code: &str| matches!(code, "ar" | "he" | "ja" | "ko" | "th" | "zh");
    languages().into_iter().filter(|language| !is_joined(language.code)).collect()
}

/// Small letters without marks, so that engines that fold nothing find what those find that do.
pub fn folded(text: &str) -> String {
    let bare = text.nfd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase);
    let special = |letter| match letter {
        'ı' => 'i',
        'ł' => 'l',
        'đ' => 'd',
        'ø' => 'o',
        'ς' => 'σ',
        other => other,
    };
    bare.filter(|letter| !is_combining_mark(*letter)).map(special).collect::<String>().replace('ß', "ss")
}

impl Language {
    /// The name of a rank: the same in every query. Names of all ranks differ. None has the last of the syllables.
    fn name(&self, rank: usize) -> String {
        let base = self.syllables.len() - 1;
        let mut left = rank + base * base;
        let mut name = String::new();
        while left > 0 {
            name.push_str(self.syllables[left % base]);
            left /= base;
        }
        let first = name.chars().next().into_iter().flat_map(char::to_uppercase);
        first.chain(name.chars().skip(1)).collect()
    }

    /// A word that no query looks for.
    fn other_word(&self, dice: &mut Dice) -> String {
        let last = self.syllables[self.syllables.len() - 1];
        if self.space.is_empty() {
            return last.repeat(1 + dice.below(3));
        }
        let rank = dice.below(1 << 24);
        format!("{last}{}{last}", self.name(rank).to_lowercase())
    }

    fn word(&self, dice: &mut Dice) -> &str {
        &self.words[dice.zipf(self.words.len())]
    }
}

/// A query, and a text that it matches.
pub struct Query {
    pub text: String,
    pub witness: String,
    language: usize,
    /// Its groups, for engines that do not read its text: one term of each of these, and none of the others.
    pub groups: Vec<Vec<String>>,
    pub none_of: Vec<String>,
}

/// One operand, or a group of them, and what it finds.
struct Operand {
    text: String,
    witness: String,
    /// Of a plain one: what engines look for.
    terms: Vec<String>,
}

fn operand(text: String, witness: String) -> Operand {
    let terms = vec![text.trim_matches('"').to_owned()];
    Operand { text, witness, terms }
}

impl Query {
    fn folded(mut self) -> Self {
        self.text = self.text.replace(" AND NOT ", "\u{1}").replace(" AND ", "\u{2}").replace(" OR ", "\u{3}");
        self.text = folded(&self.text).replace('\u{1}', " AND NOT ").replace('\u{2}', " AND ").replace('\u{3}', " OR ");
        self.witness = folded(&self.witness);
        let terms = self.groups.iter_mut().chain([&mut self.none_of]).flatten();
        terms.for_each(|term| *term = folded(term));
        self
    }
}

pub struct Maker<'a> {
    pub languages: &'a [Language],
    pub dice: Dice,
    /// How many names there are in each language.
    pub names: usize,
    /// Only what all engines can express: words and phrases, AND, OR, NOT.
    pub is_plain: bool,
}

impl Maker<'_> {
    /// One that looks for a name; of those that must not be there the names are others.
    fn operand(&mut self, language: &Language, is_wanted: bool) -> Operand {
        let rank = self.dice.shared(self.names) + if is_wanted { 0 } else { self.names };
        let name = language.name(rank);
        let letters: Vec<char> = name.chars().collect();
        let stem: String =
            letters[..(letters.len() * 4 / 5).max(3).min(letters.len())].iter().collect::<String>().to_lowercase();
        // Words that no space parts have no wildcards and are no hashtags.
        let kind = match self.dice.below(100) {
            // What must not be there would be there by its beginning.
            40..72 if !is_wanted => 0,
            kind if language.space.is_empty() && matches!(kind, 40..72 | 81) => 0,
            kind => kind,
        };
        if self.is_plain {
            return match kind {
                0..60 => operand(format!("\"{}\"", name.to_lowercase()), name),
                _ => self.phrase(language, &name.to_lowercase()),
            };
        }
        match kind {
            0..40 => operand(name.clone(), name),
            40..66 if letters.len() > 3 => operand(format!("{stem}*"), name),
            66..69 if letters.len() > 5 => {
                let (head, tail): (String, String) = (letters[..3].iter().collect(), letters[4..].iter().collect());
                operand(format!("{head}?{tail}"), name)
            }
            69..72 if letters.len() > 4 => operand(format!("*{}", name.to_lowercase()), name),
            72..81 => operand(format!("{{{name}}}"), name),
            81..82 => operand(format!("#{name}"), format!("#{name}")),
            _ => self.phrase(language, &name),
        }
    }

    fn phrase(&mut self, language: &Language, name: &str) -> Operand {
        let second = match self.dice.below(2) {
            0 => language.word(&mut self.dice).to_owned(),
            _ => language.name(self.dice.shared(self.names)).to_lowercase(),
        };
        let phrase = format!("{name}{}{second}", language.space);
        operand(format!("\"{phrase}\""), phrase)
    }

    fn group(&mut self, language: &Language, count: usize, is_wanted: bool) -> Operand {
        let mut parts: Vec<Operand> = Vec::new();
        while parts.len() < count.max(1) {
            let one = self.operand(language, is_wanted);
            let is_near = !self.is_plain && self.dice.below(100) < 4;
            parts.push(match is_near {
                true => {
                    let other = self.operand(language, is_wanted);
                    let distance = 2 + self.dice.below(8);
                    let witness = format!("{} {}", one.witness, other.witness);
                    operand(format!("({} NEAR/{distance} {})", one.text, other.text), witness)
                }
                false => one,
            });
        }
        let shown = self.dice.below(parts.len());
        let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
        let text = format!("({})", texts.join(" OR "));
        let witness = parts[shown].witness.clone();
        Operand { text, witness, terms: parts.into_iter().flat_map(|part| part.terms).collect() }
    }

    fn context(&mut self, language: &Language, count: usize) -> Operand {
        let words: Vec<String> = (0..count.max(1)).map(|_| language.word(&mut self.dice).to_owned()).collect();
        let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let witness = self.dice.one_of(&words).clone();
        Operand { text: format!("({})", quoted.join(" OR ")), witness, terms: words }
    }

    pub fn query(&mut self) -> Query {
        let at = self.dice.below(self.languages.len());
        let languages = self.languages;
        let language = &languages[at];
        let operands = (self.dice.spread(10.0, 270.0) as usize).clamp(1, 400);
        let (has_context, has_not) = (operands > 2 && self.dice.below(3) > 0, operands > 3 && self.dice.below(3) == 0);
        let names = operands - if has_context { operands / 3 } else { 0 } - if has_not { operands / 6 } else { 0 };
        let mut whole = self.group(language, names, true);
        let (mut groups, mut none_of) = (vec![std::mem::take(&mut whole.terms)], Vec::new());
        if has_context {
            let context = self.context(language, operands / 3);
            whole.text = format!("{} AND {}", whole.text, context.text);
            groups.push(context.terms);
            whole.witness = format!("{}{}{}", whole.witness, language.space, context.witness);
        }
        if has_not {
            // Of another language, so that a post in this one is not thrown out.
            let other = &languages[(at + 1 + self.dice.below(languages.len() - 1)) % languages.len()];
            let not = self.group(other, operands / 6, false);
            whole.text = format!("{} AND NOT {}", whole.text, not.text);
            none_of = not.terms;
        }
        let second = languages[self.dice.below(languages.len())].code;
        let head = if self.is_plain { String::new() } else { format!("@lang:{},{second} ", language.code) };
        let query =
            Query { text: format!("{head}{}", whole.text), witness: whole.witness, language: at, groups, none_of };
        if self.is_plain { query.folded() } else { query }
    }

    /// A post, in which stands what a query looks for if one is given.
    pub fn post(&mut self, planted: Option<&Query>) -> String {
        let at = planted.map_or_else(|| self.dice.below(self.languages.len()), |query| query.language);
        let language = &self.languages[at];
        let count = (self.dice.spread(16.0, 90.0) as usize).clamp(3, 400);
        let place = planted.map(|_| self.dice.below(count));
        let mut words: Vec<String> = Vec::with_capacity(count + 1);
        for nth in 0..count {
            if let Some(query) = planted.filter(|_| place == Some(nth)) {
                words.push(query.witness.clone());
            }
            words.push(match self.dice.below(5) {
                0 => language.other_word(&mut self.dice),
                _ => language.word(&mut self.dice).to_owned(),
            });
        }
        let post = words.join(language.space);
        if self.is_plain { folded(&post) } else { post }
    }
}

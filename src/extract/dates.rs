//! Dates as feeds, pages and headers write them, right or nearly right: text in, a time in UTC out.
//! Unaware of the present time: nothing relative is understood.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// Bytes of a date; whatever is longer is prose.
const DATE_BYTES_MAX: usize = 80;
/// Seconds in an hour.
const HOUR_S: i64 = 3600;

/// Reads RFC 3339, RFC 2822 with obsolete zones and without names of days, `asctime`, dates with the month's name in
/// one of some twenty languages, year-first dates of East Asia, and Unix seconds or milliseconds. A time without a
/// zone is taken as UTC, as an unknown zone is; a date without a time is its midnight. What could be read in two ways
/// (`3/4/2026`) is not read, and neither is the first of January 1970, which means that nobody knew.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > DATE_BYTES_MAX {
        return None;
    }
    let time = if text.bytes().all(|byte| byte.is_ascii_digit()) { digits_only(text) } else { written(text) }?;
    (time.seconds() >= 24 * HOUR_S).then_some(time)
}

fn digits_only(text: &str) -> Option<Timestamp> {
    let number: i64 = text.parse().ok()?;
    match text.len() {
        4 | 8 => date_of(&[numeral(text)?], None, "")?.at(Clock::default()),
        9 | 10 => Some(Timestamp::from_millis(number * 1000)),
        13 => Some(Timestamp::from_millis(number)),
        14 => date_of(&[numeral(&text[..8])?], None, "")?.at(compact_clock(&text[8..])?),
        _ => None,
    }
}

fn written(text: &str) -> Option<Timestamp> {
    let lower = text.to_lowercase();
    let (before, mut clock, after) = split_at_clock(&lower);
    let mut fields = Fields::default();
    read_fields(before, &mut fields, None);
    read_fields(after, &mut fields, Some(&mut clock));
    date_of(&fields.numbers, fields.month(), &lower)?.at(clock)
}

/// The time of day, with the seconds that the zone is ahead of UTC.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
struct Clock {
    hour: i8,
    minute: i8,
    second: i8,
    millisecond: i64,
    ahead_s: i64,
    /// Whether hours are of twelve, and if so after noon.
    half: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
struct Date {
    year: i16,
    month: i8,
    day: i8,
}

impl Date {
    fn at(self, clock: Clock) -> Option<Timestamp> {
        if !(1970..=9000).contains(&self.year) {
            return None;
        }
        let hour = match clock.half {
            Some(true) if clock.hour < 12 => clock.hour + 12,
            Some(false) if clock.hour == 12 => 0,
            _ => clock.hour,
        };
        // A leap second is the second before it.
        let second = clock.second.min(59);
        let local = DateTime::new(self.year, self.month, self.day, hour, clock.minute, second, 0).ok()?;
        let seconds = TimeZone::UTC.to_timestamp(local).ok()?.as_second() - clock.ahead_s;
        Some(Timestamp::from_millis(seconds * 1000 + clock.millisecond))
    }
}

/// A number with how many digits it was written with.
#[derive(Clone, Copy, Debug)]
struct Numeral {
    value: i64,
    digits: usize,
}

fn numeral(text: &str) -> Option<Numeral> {
    Some(Numeral { value: text.parse().ok()?, digits: text.len() })
}

#[derive(Default)]
struct Fields {
    numbers: Vec<Numeral>,
    /// Words that name a month, each with how many numbers stand before it.
    months: Vec<(i8, usize)>,
}

impl Fields {
    /// Of several words the one between day and year, else the last before the day: a short name of a weekday may look
    /// like a month (`mar.` is Tuesday in French, Spanish, Italian and Romanian), and weekdays stand outside.
    fn month(&self) -> Option<i8> {
        if self.numbers.len() > 2 {
            // Day, month and year are numbers: a word can only be a weekday.
            return None;
        }
        let inner = self.months.iter().find(|(_, before)| *before == 1);
        let outer = self.months.iter().rfind(|(_, before)| *before == 0);
        inner.or(outer).or(self.months.first()).map(|(month, _)| *month)
    }
}

/// Splits around the first `H:MM`, `H:MM:SS` or `THHMMSS`.
fn split_at_clock(text: &str) -> (&str, Clock, &str) {
    for (at, _) in text.match_indices(':') {
        let start =
            text[..at].rfind(|letter: char| !letter.is_ascii_digit()).map_or(0, |last| last + char_len(text, last));
        // `+01:00` after a date alone is its zone.
        if start == at || at - start > 2 || text[..start].ends_with('+') {
            continue;
        }
        if let Some((clock, end)) = read_clock(text, start) {
            return (&text[..start], clock, &text[end..]);
        }
    }
    if let Some((date, rest)) = text.split_once('t') {
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        if date.ends_with(|last: char| last.is_ascii_digit())
            && let Some(clock) = compact_clock(&rest[..end])
        {
            return (date, clock, &rest[end..]);
        }
    }
    (text, Clock::default(), "")
}

fn char_len(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}

fn read_clock(text: &str, start: usize) -> Option<(Clock, usize)> {
    let run = |from: usize| from + text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let hour_end = run(start);
    let minute_end = run(hour_end + 1);
    if minute_end - hour_end != 3 {
        return None;
    }
    let mut clock = Clock { ..Clock::default() };
    clock.hour = text[start..hour_end].parse().ok()?;
    clock.minute = text[hour_end + 1..minute_end].parse().ok()?;
    let mut end = minute_end;
    if text[end..].starts_with(':') && run(end + 1) - end == 3 {
        clock.second = text[end + 1..end + 3].parse().ok()?;
        end += 3;
    }
    if text[end..].starts_with(['.', ',']) && run(end + 1) > end + 1 {
        let fraction = &text[end + 1..run(end + 1)];
        clock.millisecond = format!("{fraction:0<3}")[..3].parse().ok()?;
        end = run(end + 1);
    }
    Some((clock, end))
}

fn compact_clock(digits: &str) -> Option<Clock> {
    let pair = |at: usize| digits.get(at..at + 2).and_then(|pair| pair.parse::<i8>().ok());
    match digits.len() {
        4 => Some(Clock { hour: pair(0)?, minute: pair(2)?, ..Clock::default() }),
        6 => Some(Clock { hour: pair(0)?, minute: pair(2)?, second: pair(4)?, ..Clock::default() }),
        _ => None,
    }
}

/// Collects numbers and the month's name; after a clock, the zone and the half of the day too.
fn read_fields(text: &str, fields: &mut Fields, mut clock: Option<&mut Clock>) {
    let mut rest = text;
    let mut after_number = false;
    while let Some(first) = rest.chars().next() {
        let is_sign = matches!(first, '+' | '-' | '\u{2212}') && !after_number;
        let end = match first {
            _ if first.is_ascii_digit() => rest.find(|letter: char| !letter.is_ascii_digit()),
            _ if first.is_alphabetic() => rest.find(|letter: char| !letter.is_alphabetic()),
            _ => Some(first.len_utf8()),
        };
        let (token, next) = rest.split_at(end.unwrap_or(rest.len()));
        rest = next;
        if is_sign
            && let Some(clock) = clock.as_deref_mut()
            && let Some((ahead_s, next)) = offset(rest)
        {
            clock.ahead_s += if first == '+' { ahead_s } else { -ahead_s };
            rest = next;
        } else if first.is_ascii_digit() {
            fields.numbers.extend(numeral(token));
        } else if let Some(month) = month(token) {
            fields.months.push((month, fields.numbers.len()));
        } else if let Some(clock) = clock.as_deref_mut() {
            read_word(token, clock);
        }
        after_number = first.is_ascii_digit();
        // What stands in parentheses is a comment.
        if first == '(' {
            rest = rest.split_once(')').map_or("", |(_, after)| after);
        }
    }
}

fn read_word(word: &str, clock: &mut Clock) {
    match word {
        "am" => clock.half = Some(false),
        "pm" => clock.half = Some(true),
        _ => clock.ahead_s += zone_h10(word) * HOUR_S / 10,
    }
}

/// Seconds of `0100`, `01:00`, `1` or `01`, and what follows.
fn offset(text: &str) -> Option<(i64, &str)> {
    let run = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let digits = run(0);
    match digits {
        1 | 2 if text[digits..].starts_with(':') && run(digits + 1) == 2 => {
            let (hours, minutes) =
                (text[..digits].parse::<i64>().ok()?, text[digits + 1..digits + 3].parse::<i64>().ok()?);
            Some((hours * HOUR_S + minutes * 60, &text[digits + 3..]))
        }
        1 | 2 => Some((text[..digits].parse::<i64>().ok()? * HOUR_S, &text[digits..])),
        4 => {
            let (hours, minutes) = (text[..2].parse::<i64>().ok()?, text[2..4].parse::<i64>().ok()?);
            Some((hours * HOUR_S + minutes * 60, &text[4..]))
        }
        _ => None,
    }
}

/// Tenths of hours ahead of UTC of a zone by name; zero for unknown ones, as RFC 2822 asks.
fn zone_h10(name: &str) -> i64 {
    match name {
        "est" => -50,
        "edt" => -40,
        "cst" => -60,
        "cdt" => -50,
        "mst" => -70,
        "mdt" => -60,
        "pst" => -80,
        "pdt" => -70,
        "akst" => -90,
        "akdt" => -80,
        "hst" => -100,
        "bst" | "west" | "wat" | "cet" | "met" | "mez" => 10,
        "cest" | "mest" | "mesz" | "eet" | "sast" | "cat" => 20,
        "eest" | "msk" | "trt" | "eat" => 30,
        "ist" => 55,
        "wib" => 70,
        "sgt" | "hkt" | "awst" => 80,
        "jst" | "kst" => 90,
        "aest" => 100,
        "aedt" => 110,
        "nzst" => 120,
        "nzdt" => 130,
        _ => 0,
    }
}

/// Beginnings of the names of months, in lower case; a longer beginning stands before its own beginning.
#[rustfmt::skip]
const MONTHS: &[(&str, i8)] = &[
    ("marras", 11), ("červenec", 7), ("července", 7), ("červen", 6), ("jan", 1), ("feb", 2), ("mar", 3), ("apr", 4),
    ("may", 5), ("jun", 6), ("jul", 7), ("aug", 8), ("sep", 9), ("oct", 10), ("nov", 11), ("dec", 12), ("jän", 1),
    ("mär", 3), ("mrz", 3), ("mai", 5), ("okt", 10), ("dez", 12), ("fév", 2), ("fev", 2), ("avr", 4), ("juin", 6),
    ("juil", 7), ("aoû", 8), ("aou", 8), ("déc", 12), ("ene", 1), ("abr", 4), ("ago", 8), ("set", 9), ("dic", 12),
    ("out", 10), ("gen", 1), ("mag", 5), ("giu", 6), ("lug", 7), ("ott", 10), ("maa", 3), ("mrt", 3), ("mei", 5),
    ("maj", 5), ("máj", 5), ("már", 3), ("ápr", 4), ("jún", 6), ("júl", 7), ("szept", 9), ("sty", 1), ("lut", 2),
    ("kwi", 4), ("cze", 6), ("lip", 7), ("sie", 8), ("wrz", 9), ("paź", 10), ("paz", 10), ("lis", 11), ("gru", 12),
    ("led", 1), ("úno", 2), ("bře", 3), ("dub", 4), ("kvě", 5), ("čvn", 6), ("čvc", 7), ("srp", 8), ("zář", 9),
    ("říj", 10), ("pros", 12), ("ian", 1), ("iun", 6), ("iul", 7), ("noi", 11), ("tammi", 1), ("helmi", 2),
    ("huhti", 4), ("touko", 5), ("kesä", 6), ("heinä", 7), ("elo", 8), ("syys", 9), ("loka", 10), ("joulu", 12),
    ("oca", 1), ("şub", 2), ("nis", 4), ("haz", 6), ("tem", 7), ("ağu", 8), ("eyl", 9), ("eki", 10), ("kas", 11),
    ("ara", 12), ("янв", 1), ("фев", 2), ("мар", 3), ("апр", 4), ("май", 5), ("мая", 5), ("июн", 6), ("июл", 7),
    ("авг", 8), ("сен", 9), ("окт", 10), ("ноя", 11), ("ное", 11), ("дек", 12), ("яну", 1), ("юни", 6), ("юли", 7),
    ("сеп", 9), ("січ", 1), ("лют", 2), ("бер", 3), ("кві", 4), ("тра", 5), ("чер", 6), ("лип", 7), ("сер", 8),
    ("вер", 9), ("жов", 10), ("лис", 11), ("гру", 12), ("ιαν", 1), ("φεβ", 2), ("μαρ", 3), ("μάρ", 3), ("απρ", 4),
    ("μαΐ", 5), ("μαϊ", 5), ("μάι", 5), ("ιουν", 6), ("ιούν", 6), ("ιουλ", 7), ("ιούλ", 7), ("αυγ", 8), ("αύγ", 8),
    ("σεπ", 9), ("οκτ", 10), ("νοε", 11), ("νοέ", 11), ("δεκ", 12),
];

/// Beginnings of the long names of weekdays that begin like a month, in French, Spanish, Italian and Romanian
/// (Tuesday), Dutch and Finnish (Monday), Turkish (Sunday and Monday) and Ukrainian (Wednesday).
#[rustfmt::skip]
const WEEKDAYS: &[&str] = &["mardi", "martes", "martedi", "martedì", "marti", "marţi", "marți", "maandag", "maanantai",
    "pazar", "серед"];

fn month(word: &str) -> Option<i8> {
    if WEEKDAYS.iter().any(|start| word.starts_with(start)) {
        return None;
    }
    MONTHS.iter().find(|(start, _)| word.starts_with(start)).map(|&(_, month)| month)
}

/// Puts numbers in their places: by the month's name, by four digits of a year, by what no month can be.
fn date_of(numbers: &[Numeral], month: Option<i8>, text: &str) -> Option<Date> {
    let (year, month, day) = match (numbers, month) {
        ([year, day], Some(month)) if year.digits == 4 => (*year, i64::from(month), day.value),
        ([day, year], Some(month)) => (*year, i64::from(month), day.value),
        ([compact], None) if compact.digits == 8 => {
            let year = Numeral { value: compact.value / 10_000, digits: 4 };
            (year, compact.value / 100 % 100, compact.value % 100)
        }
        ([year], None) if year.digits == 4 => (*year, 1, 1),
        ([year, month], None) if year.digits == 4 => (*year, month.value, 1),
        ([year, month, day], None) if year.digits == 4 => (*year, month.value, day.value),
        ([a, b, year], None) if year.digits == 4 => {
            let day_first = text.contains('.') || a.value > 12 || a.value == b.value;
            let month_first = b.value > 12 && !text.contains('.');
            match (day_first, month_first) {
                (true, false) => (*year, b.value, a.value),
                (false, true) => (*year, a.value, b.value),
                _ => return None,
            }
        }
        _ => return None,
    };
    let year = match year.digits {
        2 if year.value < 50 => year.value + 2000,
        2 | 3 => year.value + 1900,
        4 => year.value,
        _ => return None,
    };
    Some(Date { year: i16::try_from(year).ok()?, month: i8::try_from(month).ok()?, day: i8::try_from(day).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, expected: &str) {
        assert_eq!(parse(text).map(|time| time.to_string()).as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn the_standards_are_read() {
        for (text, expected) in [
            ("2026-11-22T05:07:35Z", "2026-11-22T05:07:35.000Z"),
            ("2026-11-22T05:07:35.062876+01:00", "2026-11-22T04:07:35.062Z"),
            ("2026-11-22t05:07:35,5z", "2026-11-22T05:07:35.500Z"),
            ("Sun, 22 Nov 2026 05:07:35 +0000", "2026-11-22T05:07:35.000Z"),
            ("Sun, 22 Nov 2026 05:07:35 GMT", "2026-11-22T05:07:35.000Z"),
            ("Sun, 22 Nov 26 05:07 EST", "2026-11-22T10:07:00.000Z"),
            ("Sun, 22 Nov 2026 05:07:35 -0330", "2026-11-22T08:37:35.000Z"),
            ("Sunday, 22-Nov-26 05:07:35 GMT", "2026-11-22T05:07:35.000Z"),
            ("Sun Nov 22 05:07:35 2026", "2026-11-22T05:07:35.000Z"),
            ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z"),
        ] {
            reads(text, expected);
        }
    }

    #[test]
    fn what_is_nearly_right_is_read() {
        for (text, expected) in [
            ("22 Nov 2026 05:07:35 PDT", "2026-11-22T12:07:35.000Z"),
            ("Sun,22 Nov 2026 5:07:35 +0100 (CET)", "2026-11-22T04:07:35.000Z"),
            ("Sun, 22 November 2026 05:07:35 Z", "2026-11-22T05:07:35.000Z"),
            ("Sun, 22 Nov 2026 05:07:35 GMT+0200", "2026-11-22T03:07:35.000Z"),
            ("Sun, 22 Nov 2026 05:07:35 UTC+3", "2026-11-22T02:07:35.000Z"),
            ("Sun, 22 Nov 2026", "2026-11-22T00:00:00.000Z"),
            ("2026-11-22 05:07:35", "2026-11-22T05:07:35.000Z"),
            ("2026-11-22 05:07:35 +0100", "2026-11-22T04:07:35.000Z"),
            ("2026-11-22T05:07", "2026-11-22T05:07:00.000Z"),
            ("2026-11-22", "2026-11-22T00:00:00.000Z"),
            ("2026-11", "2026-11-01T00:00:00.000Z"),
            ("20261122T050735Z", "2026-11-22T05:07:35.000Z"),
            ("20261122050735", "2026-11-22T05:07:35.000Z"),
            ("Nov 22, 2026 5:07 PM", "2026-11-22T17:07:00.000Z"),
            ("November 22nd, 2026 12:07 am", "2026-11-22T00:07:00.000Z"),
            ("1795324055", "2026-11-22T05:07:35.000Z"),
            ("1795324055123", "2026-11-22T05:07:35.123Z"),
            ("2026/11/22 14:00:00", "2026-11-22T14:00:00.000Z"),
            ("22.11.2026 14:00", "2026-11-22T14:00:00.000Z"),
            ("14:00 22.11.2026", "2026-11-22T14:00:00.000Z"),
            ("11-22-2026, 06:30 AM", "2026-11-22T06:30:00.000Z"),
            ("Tue, 31 Dec 2030 23:59:60 GMT", "2030-12-31T23:59:59.000Z"),
        ] {
            reads(text, expected);
        }
    }

    #[test]
    fn months_have_names_in_many_languages() {
        for (text, expected) in [
            ("Вс, 22 ноя 2026 14:00:00 +0300", "2026-11-22T11:00:00.000Z"),
            ("22 мая 2026 г. 14:00", "2026-05-22T14:00:00.000Z"),
            ("dim., 22 févr. 2026 14:00:00 +0100", "2026-02-22T13:00:00.000Z"),
            ("22 de noviembre de 2026", "2026-11-22T00:00:00.000Z"),
            ("So, 22 Okt 2026 14:00:00 MESZ", "2026-10-22T12:00:00.000Z"),
            ("22 července 2026", "2026-07-22T00:00:00.000Z"),
            ("22 paź 2026", "2026-10-22T00:00:00.000Z"),
            ("22 marraskuu 2026", "2026-11-22T00:00:00.000Z"),
            ("2026年11月22日 14:00", "2026-11-22T14:00:00.000Z"),
            ("2026년 11월 22일", "2026-11-22T00:00:00.000Z"),
        ] {
            reads(text, expected);
        }
    }

    /// The names of the days from Monday to Sunday, long and short, in the languages that months are read in.
    #[rustfmt::skip]
    const DAYS: &[&str] = &[
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday Mon Tue Tues Wed Thu Thurs Fri Sat Sun",
        "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonnabend Sonntag Mo Di Mi Do Fr Sa So",
        "lundi mardi mercredi jeudi vendredi samedi dimanche lun mar mer jeu ven sam dim",
        "lunes martes miércoles jueves viernes sábado domingo lun mar mié jue vie sáb dom",
        "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo seg ter qua qui sex sáb dom",
        "lunedì martedì martedi mercoledì giovedì venerdì sabato domenica lun mar mer gio ven sab dom",
        "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag ma di wo do vr za zo",
        "måndag mandag tisdag tirsdag onsdag torsdag fredag lördag lørdag söndag søndag mån man tis ons tor fre lör søn",
        "poniedziałek wtorek środa czwartek piątek sobota niedziela pon wt śr czw pt sob niedz",
        "pondělí úterý středa čtvrtek pátek sobota neděle po út st čt pá so ne",
        "pondelok utorok streda štvrtok piatok sobota nedeľa",
        "hétfő kedd szerda csütörtök péntek szombat vasárnap h k sze cs p szo v",
        "luni marți marţi marti miercuri joi vineri sâmbătă duminică lun mar mie joi vin sâm dum",
        "maanantai maanantaina tiistai keskiviikko torstai perjantai lauantai sunnuntai ma ti ke to pe la su",
        "Pazartesi Salı Çarşamba Perşembe Cuma Cumartesi Pazar Pzt Sal Çar Per Cum Cmt Paz",
        "понедельник вторник среда четверг пятница суббота воскресенье пн вт ср чт пт сб вс",
        "понеделник вторник сряда четвъртък петък събота неделя пон вто сря чет пет съб нед",
        "понеділок вівторок середа четвер пʼятниця субота неділя",
        "Δευτέρα Τρίτη Τετάρτη Πέμπτη Παρασκευή Σάββατο Κυριακή Δευ Τρί Τετ Πέμ Παρ Σάβ Κυρ",
    ];

    #[test]
    fn a_weekday_is_no_month_in_any_language() {
        for day in DAYS.iter().flat_map(|days| days.split(' ')) {
            for month in ["novembre", "kasım", "листопада", "Nov"] {
                reads(&format!("{day}, 22 {month} 2026 14:00:00 +0100"), "2026-11-22T13:00:00.000Z");
                reads(&format!("{day}. {month} 22, 2026"), "2026-11-22T00:00:00.000Z");
                reads(&format!("22 {month} 2026 {day}"), "2026-11-22T00:00:00.000Z");
                reads(&format!("22 {month} 2026, 14:00 {day}"), "2026-11-22T14:00:00.000Z");
                reads(&format!("{day} {month} 22 14:00:00 2026"), "2026-11-22T14:00:00.000Z");
            }
            reads(&format!("{day} 22.11.2026 14:00"), "2026-11-22T14:00:00.000Z");
            reads(&format!("{day} 2026-11-22"), "2026-11-22T00:00:00.000Z");
        }
        for (text, expected) in [
            ("mar. 3 mars 2026", "2026-03-03T00:00:00.000Z"),
            ("martes, 3 de marzo de 2026", "2026-03-03T00:00:00.000Z"),
            ("Mar 3, 2026", "2026-03-03T00:00:00.000Z"),
            ("3 Mart 2026 Salı", "2026-03-03T00:00:00.000Z"),
            ("2026. március 3., kedd", "2026-03-03T00:00:00.000Z"),
            ("zo 1 maart 2026", "2026-03-01T00:00:00.000Z"),
            ("Paz, 4 Eki 2026 10:00:00 +0300", "2026-10-04T07:00:00.000Z"),
            ("середа, 5 серпня 2026", "2026-08-05T00:00:00.000Z"),
        ] {
            reads(text, expected);
        }
    }

    #[test]
    fn what_is_no_date_or_two_dates_is_not_read() {
        for text in [
            "",
            "Invalid Date",
            "now",
            "3 hours ago",
            "3/4/2026",
            "3-4-2026 10:00",
            "31 Feb 2026",
            "2026-13-01",
            "25:00",
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "0001-01-01T00:00:00Z",
            "0",
            "99999999999999999999",
            "::",
            "1:2:3",
            "t",
            "2026-11-22T25:00:00Z",
            "-",
            "+01:00",
            "é:00",
            "12:é0",
            "２０２６",
            &"9".repeat(200),
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

#!/usr/bin/env python3
"""Makes the lists of frequent lower-case words of this folder.

build.py WORDFREQ_DATA SENTENCES.tsv OUT

WORDFREQ_DATA is the folder `data` of the package wordfreq; SENTENCES has a line "language TAB origin TAB sentence" each.
A word counts by its frequency in wordfreq and in the sentences of free origins together. All sentences tell whether it is
one that is written with a capital (a name); where those of a language are few, a word that they do not hold is looked up
in hunspell's dictionary. The most frequent word comes first."""
import gzip
import re
import subprocess
import sys
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

import msgpack

LISTS = dict(bg="bg", cs="cs", da="da", de="de", el="el", en="en", es="es", et=None, fi="fi", fr="fr", hr="sh", hu="hu", it="it",
             lt="lt", lv="lv", nl="nl", no="nb", pl="pl", pt="pt", ro="ro", ru="ru", sk="sk", sl="sl", sv="sv", tr="tr", uk="uk")
HUNSPELL = dict(hr=("hr_HR", "sr_Latn_RS"), lt=("lt_LT",), lv=("lv_LV",), sk=("sk_SK",), sl=("sl_SI",))
WORDS_MAX = 4000
# Origins whose words are counted.
FREE = ("voice", "lo-help", "lo-l10n")
# Words of text that wordfreq counts for beside the sentences.
WORDFREQ_WEIGHT = 200_000
# Times that a word must be in the sentences to be counted there.
SIGHTINGS_MIN = 3
# Words of sentences from which a frequent word that they do not hold is taken for a name.
RICH_MIN = 100_000
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
LATIN = dict(zip("абвгдђежзијклмнопрстћуфхцчш", "a b v g d đ e ž z i j k l m n o p r s t ć u f h c č š".split())) | {"љ": "lj", "њ": "nj", "џ": "dž"}


def lower(text, lang):
    text = unicodedata.normalize("NFC", text)
    return (text.replace("I", "ı") if lang == "tr" else text).replace("İ", "i").lower()


def latin(text):
    return "".join(LATIN.get(letter, letter) for letter in text)


def read_sentences(path):
    small, capital, free = defaultdict(Counter), defaultdict(Counter), defaultdict(Counter)
    for line in open(path, encoding="utf-8"):
        lang, origin, text = line.rstrip("\n").split("\t", 2)
        # Serbian shares the list of Croatian.
        code = "hr" if lang == "sr" else lang
        if code not in LISTS: continue
        for number, match in enumerate(WORD.finditer(text)):
            word = match.group()
            key = latin(lower(word, lang)) if code == "hr" else lower(word, lang)
            if word == word.lower():
                small[code][key] += 1
                free[code][key] += origin in FREE
            elif number: capital[code][key] += 1
    return small, capital, free


def frequencies(data, name):
    """Of the package: bucket n holds the words that are one in 10^(n/100)."""
    if not name: return {}
    path = next(path for path in (data / f"large_{name}.msgpack.gz", data / f"small_{name}.msgpack.gz") if path.exists())
    buckets = msgpack.load(gzip.open(path), raw=False)[1:]
    return {unicodedata.normalize("NFC", word): 10 ** (-at / 100) for at, bucket in enumerate(buckets) for word in bucket}


def hunspell(option, words, dictionary):
    told = subprocess.run(["hunspell", "-d", dictionary, "-i", "utf-8", option], input="\n".join(words), capture_output=True, text=True)
    return told.stdout.split("\n")


def ordinary(words, lang):
    """Words that are spelled right in lower case and are no forms of a name."""
    right = set(hunspell("-G", words, HUNSPELL[lang][0]))
    names = set()
    for dictionary in HUNSPELL[lang]:
        for line in hunspell("-s", [word.capitalize() for word in words], dictionary):
            word, _, stem = line.partition(" ")
            if stem[:1].isupper(): names.add(word.lower())
    return right - names


def main():
    data, sentences, out = (Path(argument) for argument in sys.argv[1:4])
    small, capital, free = read_sentences(sentences)
    for lang, name in LISTS.items():
        known_of, seen = frequencies(data, name), free[lang]
        weight = WORDFREQ_WEIGHT if name else 0
        blend = lambda word: weight * known_of.get(word, 0) + (seen[word] if seen[word] >= SIGHTINGS_MIN else 0)
        words = sorted(set(known_of) | set(seen), key=lambda word: (-blend(word), word))
        words = [word for word in words if WORD.fullmatch(word) and len(word) > 1 and blend(word)][: 3 * WORDS_MAX]
        unseen = [word for word in words if not small[lang][word] + capital[lang][word]]
        rich = sum(small[lang].values()) >= RICH_MIN
        spelled = ordinary(unseen, lang) if lang in HUNSPELL and not rich else set()
        chosen = [word for word in words if word in spelled or small[lang][word] > capital[lang][word]][:WORDS_MAX]
        lines = (" ".join(chosen[at : at + 16]) for at in range(0, len(chosen), 16))
        (out / f"{lang}.txt").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        print(lang, len(chosen), "of them unseen", len(spelled & set(chosen)))


main()

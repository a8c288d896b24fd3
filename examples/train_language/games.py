"""Writes what translators of games wrote, found under the folder that is named: language, origin, sentence.

The folder holds the unpacked Debian packages freeciv-data, hedgewars-data, supertux-data, warzone2100-data and
widelands-data. Only for the languages of which there is little else that people tell each other, and their neighbours.
"""

import glob
import os
import re
import struct
import sys

CODES = {"da": "da", "nb": "no", "nb_NO": "no", "no": "no", "sk": "sk", "cs": "cs", "bg": "bg", "ru": "ru",
         "uk": "uk", "mk": "mk", "sr": "sr", "be": "be"}
CHARACTERS_MAX = 300


def of_mo(raw):
    """Pairs of original and translation in a compiled catalogue."""
    order = "<" if struct.unpack("<I", raw[:4])[0] == 0x950412DE else ">"
    count, originals, translations = struct.unpack(order + "III", raw[8:20])

    def text(table, row):
        length, start = struct.unpack(order + "II", raw[table + 8 * row:table + 8 * row + 8])
        return raw[start:start + length].decode("utf8", "replace")

    for row in range(count):
        original = text(originals, row)
        if original:
            original = original.split("\4")[-1].split("\0")[0]
            for translation in text(translations, row).split("\0"):
                yield original, translation


def of_po(text):
    """Pairs in a catalogue that is not compiled."""
    def joined(quoted):
        return "".join(re.findall(r'"(.*)"', quoted)).replace("\\n", "\n").replace('\\"', '"')

    for found in re.finditer(r'msgid ((?:".*"\s*)+)msgstr ((?:".*"\s*)+)', text):
        if joined(found[1]):
            yield joined(found[1]), joined(found[2])


def of_lua(text):
    """Pairs in a table of Hedgewars."""
    for found in re.finditer(r'^\s*\["(.*?)"\]\s*=\s*"(.*)"', text, re.M):
        yield found[1], found[2].replace('\\"', '"')


def pairs(path):
    with open(path, "rb") as file:
        raw = file.read()
    if path.endswith(".mo"):
        return of_mo(raw)
    return (of_po if path.endswith(".po") else of_lua)(raw.decode("utf8", "replace"))


def language(path):
    parts = [os.path.basename(path).rsplit(".", 1)[0], *path.split(os.sep)]
    return next((CODES[part] for part in parts if part in CODES), None)


seen = set()
paths = [path for ending in ("mo", "po", "lua") for path in glob.glob(f"{sys.argv[1]}/**/*.{ending}", recursive=True)]
for path in sorted(path for path in paths if language(path)):
    for original, translation in pairs(path):
        if original == translation:
            continue
        plain = re.sub(r"<[^>]*>|%[-+0-9.$]*[a-z]|\{[^}]*\}|[&_|]", "", translation)
        for part in re.split(r"\n+|(?<=[.!?]) (?=[^a-z])", plain):
            part = " ".join(part.split())[:CHARACTERS_MAX]
            row = (language(path), part)
            if len(part.split()) > 1 and sum(letter.isalpha() for letter in part) > 7 and row not in seen:
                seen.add(row)
                print(row[0], "games", part, sep="\t")

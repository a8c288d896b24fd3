"""Writes the most frequent words of every language that wordfreq (PyPI, 3.1.1) knows: language, word, frequency."""

from wordfreq import available_languages, get_frequency_list

CODES = {"nb": "no", "sh": "hr", "fil": "tl"}
WORDS_MAX = 40_000

for language in sorted(available_languages("best")):
    count = 0
    for frequency, words in enumerate(get_frequency_list(language, "best")):
        for word in words:
            if count < WORDS_MAX and not any(letter.isdigit() for letter in word):
                count += 1
                print(CODES.get(language, language), word, frequency, sep="\t")

#!/usr/bin/env python3
"""pyahocorasick on the files of benches/match/outside.rs: prints SECONDS MATCHES. As many processes as threads are asked for."""

import multiprocessing
import sys
import time

import ahocorasick

NONE_OF = 7
directory, threads = sys.argv[1], int(sys.argv[2])


def lines(name):
    with open(f"{directory}/{name}", encoding="utf-8") as file:
        return file.read().split("\n")


terms, uses = lines("terms.txt")[:-1], lines("uses.txt")[:-1]
wanted = [int(line) for line in lines("wanted.txt")[:-1]]
posts = lines("posts.txt")
automaton = ahocorasick.Automaton()
for term, used in zip(terms, uses):
    pairs = [(int(query), int(group)) for query, group in (use.split(":") for use in used.split())]
    automaton.add_word(term, (term, pairs))
automaton.make_automaton()


def count(part):
    matches = 0
    for post in posts[len(posts) * part // threads : len(posts) * (part + 1) // threads]:
        seen, groups = set(), {}
        for end, (term, pairs) in automaton.iter(post):
            start = end + 1 - len(term)
            if term in seen or start > 0 and post[start - 1].isalnum() or end + 1 < len(post) and post[end + 1].isalnum():
                continue
            seen.add(term)
            for query, group in pairs:
                groups[query] = groups.get(query, 0) | 1 << group
        matches += sum(wanted[query] == mask for query, mask in groups.items())
    return matches


with multiprocessing.get_context("fork").Pool(threads) as pool:
    best, matches = None, 0
    for _ in range(2):
        at = time.perf_counter()
        matches = sum(pool.map(count, range(threads)))
        taken = time.perf_counter() - at
        best = taken if best is None else min(best, taken)
print(best, matches)

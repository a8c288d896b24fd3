#!/usr/bin/env python3
"""Instructions and simulated cache misses of matching a post, which do not depend on how busy a machine is.

count.py BENCH SAVED [--save]: runs the bench under valgrind and compares with what was saved, or saves it."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

POSTS, QUERIES, TOLERANCE = 1000, 1000, 0.03
bench, saved = sys.argv[1], pathlib.Path(sys.argv[2])
with tempfile.TemporaryDirectory() as directory:
    out = f"{directory}/callgrind.out"
    command = ["valgrind", "--tool=callgrind", "--cache-sim=yes", f"--callgrind-out-file={out}"]
    # The sizes of the caches are given, so that every machine simulates the same.
    command += ["--I1=32768,8,64", "--D1=32768,8,64", "--LL=8388608,16,64"]
    command += ["--collect-atstart=no", "--toggle-collect=*counted_scan*"]
    command += [bench, "--sizes", str(QUERIES), "--count", str(POSTS)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(run.stderr[-2000:])
    text = pathlib.Path(out).read_text()
events = re.search(r"^events: (.*)$", text, re.M).group(1).split()
totals = map(int, re.search(r"^(?:totals|summary): (.*)$", text, re.M).group(1).split())
sums = dict(zip(events, totals))
now = {
    "compiler": subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip(),
    "queries": QUERIES,
    "posts": POSTS,
    "said": run.stdout.strip(),
    "instructions_per_post": sums["Ir"] / POSTS,
    "first_level_misses_per_post": (sums["D1mr"] + sums["D1mw"]) / POSTS,
    "last_level_misses_per_post": (sums["DLmr"] + sums["DLmw"]) / POSTS,
}
if not now["instructions_per_post"]:
    sys.exit("nothing was counted: the bench has no function counted_scan")
print(json.dumps(now, indent=2))
if "--save" in sys.argv:
    saved.write_text(json.dumps(now, indent=2) + "\n")
    sys.exit()
before = json.loads(saved.read_text())
if now["said"] != before["said"]:
    sys.exit(f"{saved} says {before['said']}: if the meaning of queries changed, save anew with make count-save")
if now["compiler"] != before["compiler"]:
    print(f"not compared: {saved} is of {before['compiler']}")
    sys.exit()
change = now["instructions_per_post"] / before["instructions_per_post"] - 1
print(f"{change:+.1%} instructions since {saved} was saved")
if abs(change) > TOLERANCE:
    sys.exit(f"more than {TOLERANCE:.0%}: look why, then save anew with make count-save")

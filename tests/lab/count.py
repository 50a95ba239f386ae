#!/usr/bin/env python3
"""count.py STATUS FILE…: add up JUnit files of commands that ended with these exit codes.

Prints one plain line "N passed, N failed[, N skipped]"; exit 1 unless all is well.  JUnit does not say
everything (meson leaves a crash after the last subtest out): a command that failed counts as a failure
even if its file knows none, and so does one that ran nothing.
"""

import sys
import xml.etree.ElementTree as ET

passed = failed = skipped = 0
for status, name in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        cases = list(ET.parse(name).iter("testcase"))
    except (OSError, ET.ParseError):
        cases = []
    kinds = [{child.tag for child in case} for case in cases]
    bad = sum(bool(k & {"failure", "error"}) for k in kinds)
    if bad == 0 and (status != "0" or not cases):
        print(f"{name}: exit {status}, {len(cases)} tests", file=sys.stderr)
        bad = 1
        kinds.append({"failure"})
    left_out = sum("skipped" in k and not k & {"failure", "error"} for k in kinds)
    failed += bad
    skipped += left_out
    passed += len(kinds) - bad - left_out
print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(failed > 0 or passed == 0)

#!/usr/bin/env python3
"""Sums up ctest's JUnit reports: usage: summary.py STATUS:REPORT.xml...

STATUS is what ctest ended with. Prints the failed and the skipped tests, then `N passed, N failed` as the last line.
Ends with 0 only when nothing failed and something passed. Whatever cannot be understood is a failure: a report that
is missing or broken, a test that could not be started, a ctest that failed and names no test.
"""
import re
import sys
import xml.etree.ElementTree as xml

INTENDED_SKIP = ("SKIP_RETURN_CODE", "SKIP_REGULAR_EXPRESSION", "Disabled")


def skipped_inside(output):
    """GoogleTest's skipped cases in one program's output: [(name, why)]."""
    return [(found[2], " ".join(found[1].split()) or "no reason given")
            for found in re.finditer(r": Skipped\n(.*?)\[  SKIPPED \] (\S+) \(", output, re.DOTALL)]


def reason(output):
    """Why a test was skipped: GoogleTest's words, or the line that says so, or the last one."""
    inside = skipped_inside(output)
    if inside:
        return inside[0][1]
    for line in output.splitlines():
        if re.match(r"\s*skip", line, re.IGNORECASE):
            return line.strip()
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def lines_of_failure(output, count=12):
    """What a failed test printed where it first speaks of a failure, and its last lines: at most 2 * count lines."""
    lines = output.rstrip().splitlines()
    first = next((at for at, line in enumerate(lines) if re.search(r"Failure|ERROR:|WARNING: Thread|runtime error|terminate", line)),
                 len(lines))
    head, tail = lines[first:first + count], lines[max(first + count, len(lines) - count):]
    return "".join(f"\n    {line[:300]}" for line in head + tail)


def read(report):
    """One report: the passed count, the failed [(name, why)], the skipped [(name, why)]."""
    passed, failed, skipped = 0, [], []
    for case in xml.parse(report).getroot().iter("testcase"):
        name, status, output = case.get("name"), case.get("status"), case.findtext("system-out") or ""
        mark = case.find("skipped")
        why = mark.get("message", "") if mark is not None else ""
        if status == "run":
            passed += 1   # of a program with many cases, some may have been skipped
            skipped += [(f"{name}: {inside}", words) for inside, words in skipped_inside(output)]
        elif status == "disabled":
            skipped.append((name, "disabled"))
        elif status == "notrun" and any(word in why for word in INTENDED_SKIP):
            skipped.append((name, reason(output)))
        elif status == "notrun":
            failed.append((name, "not run: " + (why or "no reason given")))
        else:
            failed.append((name, "failed; all that it printed is above" + lines_of_failure(output)))
    return passed, failed, skipped


def main(arguments):
    passed, failed, skipped = 0, [], []
    for argument in arguments:
        status, report = argument.split(":", 1)
        try:
            more = read(report)
        except (OSError, xml.ParseError) as error:
            more = (0, [("ctest", f"no usable report (status {status}): {error}")], [])
        if status != "0" and not more[1]:
            more[1].append(("ctest", f"ended with status {status} and named no test"))
        passed += more[0]
        failed += more[1]
        skipped += more[2]
    if skipped:
        print(f"\nskipped ({len(skipped)}):")
        for name, why in skipped:
            print(f"  {name}: {why}")
    if failed:
        print(f"\nfailed ({len(failed)}):")
        for name, why in failed:
            print(f"  {name}: {why}")
    if not passed and not failed:
        print("\nno test ran")
    print(f"{passed} passed, {len(failed)} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

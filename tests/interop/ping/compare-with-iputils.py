"""Runs ping and the ping of iputils side by side with each list of arguments and compares what they print.

compare-with-iputils.py LISTS PING NAMESPACE NAMESPACE...    exit code 1 if a comparison fails

The namespaces are pairs of equal networks: iputils runs in the first of a pair, ping in the second, at the same time.
LISTS has one list of arguments per line below headings in brackets; `#` begins a comment:

[equal]             standard output, standard error and exit code are equal, apart from times and identifiers
[user]              the same for an ordinary user
[unanswered]        the same, apart from the lines about missing replies, which iputils prints with -O only
[wrong]             the exit code and the streams are equal; the error of ping is one line
[differs: REASON]   they differ, and keep to it
"""

import difflib
import queue
import re
import shlex
import subprocess
import sys
import threading

IPUTILS = "/usr/bin/ping"
AS_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
RUN_TIMEOUT = 30  # seconds
MASKS = [
    (r"time=[0-9.]+ ms", "time=T ms"),
    (r"time [0-9]+ms", "time Tms"),
    (r"= [0-9.]+/[0-9.]+/[0-9.]+/[0-9.]+ ms", "= T ms"),
    (r"ipg/ewma [0-9.]+/[0-9.]+ ms", "ipg/ewma T ms"),
    (r"(?m)^\[[0-9]+\.[0-9]{6}\]", "[T]"),
    (r"pipe [0-9]+", "pipe N"),
    (r"\t-?[0-9]+( absolute)?$", r"\tT\1"),
    # With -v, iputils also prints its sockets and the result of getaddrinfo(3).
    (r"(?m)^ai->ai_family.*\n", ""),
    (r"(?m)^ping: sock4\.fd:.*\n\n?", ""),
]
MISSING = (r"(?m)^(\[T\] )?no answer yet for icmp_seq=[0-9]+\n", "")


def lists(path):
    """The lists of arguments, as (heading, line)."""
    heading = None
    for line in open(path, encoding="utf-8"):
        line = line.rstrip("\n")
        if line.startswith("[") and line.endswith("]"):
            heading = line[1:-1]
        elif line and not line.startswith("#"):
            yield heading, line


def run(program, namespace, heading, arguments):
    """Standard output, standard error and exit code, without what differs from run to run."""
    words = shlex.split(arguments)
    user = AS_USER if heading == "user" else []
    command = ["ip", "netns", "exec", namespace, *user, program, *words]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=RUN_TIMEOUT)
    except subprocess.TimeoutExpired:
        return f"no end within {RUN_TIMEOUT} s", "", None
    masks = MASKS + ([MISSING] if heading == "unanswered" else [])
    if "-e" not in words:
        masks = masks + [(r"ident=[0-9]+", "ident=N")]
    if any(word.startswith("-F") for word in words):
        masks = masks + [(r"flow 0x[0-9a-f]+", "flow N")]
    texts = []
    for output in (done.stdout, done.stderr):
        text = output.decode(errors="backslashreplace").replace("\x08", "<BS>")
        for pattern, replacement in masks:
            text = re.sub(pattern, replacement, text)
        texts.append(text)
    return *texts, done.returncode


def differences(heading, expected, actual):
    """What breaks the rule of the heading, as lines of text."""
    if heading == "wrong":
        shape = [(bool(out), bool(err), code) for out, err, code in (expected, actual)]
        found = [f"(stdout, stderr, exit code): iputils {shape[0]}, ping {shape[1]}"] if shape[0] != shape[1] else []
        if actual[1].count("\n") > 1:
            found.append(f"more than one line: {actual[1]}")
        return found
    found = []
    for name, theirs, ours in zip(("stdout", "stderr"), expected, actual):
        if theirs != ours:
            found += difflib.unified_diff(theirs.splitlines(), ours.splitlines(), f"iputils {name}", f"ping {name}", "", "", 0, "")
    if expected[2] != actual[2]:
        found.append(f"exit code: iputils {expected[2]}, ping {actual[2]}")
    if heading.startswith("differs"):
        return [] if found else ["no difference: list it below [equal]"]
    return found


def worker(ping, namespaces, work, failures):
    while True:
        try:
            heading, arguments = work.get_nowait()
        except queue.Empty:
            return
        results = {}
        runs = [
            threading.Thread(target=lambda name, *rest: results.update({name: run(*rest)}), args=(name, program, space, heading, arguments))
            for name, program, space in (("iputils", IPUTILS, namespaces[0]), ("ping", ping, namespaces[1]))
        ]
        for thread in runs:
            thread.start()
        for thread in runs:
            thread.join()
        found = differences(heading, results["iputils"], results["ping"])
        if found:
            failures.append("\n  ".join([f"[{heading}] ping {arguments}", *found]))


def main():
    path, ping, *namespaces = sys.argv[1:]
    everything = list(lists(path))
    work, failures = queue.Queue(), []
    for entry in everything:
        work.put(entry)
    pairs = zip(namespaces[::2], namespaces[1::2])
    workers = [threading.Thread(target=worker, args=(ping, pair, work, failures)) for pair in pairs]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    print(*failures, sep="\n")
    print(f"{len(everything)} lists of arguments, {len(failures)} with unexpected results")
    sys.exit(1 if failures else 0)


main()

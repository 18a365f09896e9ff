"""Runs ping and the ping of iputils side by side with each list of arguments and compares what they print.

compare-with-iputils.py LISTS PING NAMESPACE NAMESPACE...    exit code 1 if a comparison fails

The namespaces are pairs of equal networks: iputils runs in the first of a pair, ping in the second, at the same time.
LISTS has one list of arguments per line. Indented lines below it are the expected difference: `<` iputils, `>` ping. Without
such lines, standard output, standard error and exit code are equal, apart from times and identifiers. UPDATE_GOLDEN=1 writes
the differences of today. Headings in brackets name the way of comparison, and a reason behind a colon:

[equal]         the whole text
[user]          the same, run by an ordinary user
[unanswered]    without the lines about missing replies, which iputils prints with -O only
[flood]         without the order of dots and the "pipe" field
[wrong]         whether there is text on each stream, and the exit code; an error of ping is one line
"""

import concurrent.futures
import difflib
import os
import queue
import re
import shlex
import subprocess
import sys

IPUTILS = "ping"  # the first of PATH: the name appears in messages
AS_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
RUN_TIMEOUT = 15  # seconds
MASKS = [
    (r"time=[0-9.]+ ms", "time=T ms"),
    (r"time [0-9]+ms", "time Tms"),
    (r"= [0-9.]+/[0-9.]+/[0-9.]+/[0-9.]+ ms", "= T ms"),
    (r"ipg/ewma [0-9.]+/[0-9.]+ ms", "ipg/ewma T ms"),
    (r"(?m)^\[[0-9]+\.[0-9]{6}\]", "[T]"),
    (r"pipe [0-9]+", "pipe N"),
    (r"(?m)\t-?[0-9]+( absolute)?$", r"\tT\1"),
    (r"(?m)^ 4  5  .*$", "the quoted header"),
    # With -v, iputils also prints its sockets and the result of getaddrinfo(3).
    (r"(?m)^ai->ai_family.*\n", ""),
    (r"(?m)^ping: sock4\.fd:.*\n\n?", ""),
]
MASKS_OF_HEADING = {
    "unanswered": [(r"(?m)^(\[T\] )?no answer yet for icmp_seq=[0-9]+\n", "")],
    "flood": [(r", pipe N|(?m:^pipe N$)", ""), (r"(?:[.E]|<BS> <BS>|<BS>E)+", "dots")],
}


class Comparison:
    """A list of arguments with its heading and the difference that is expected."""

    def __init__(self, heading, arguments):
        self.heading, self.arguments = heading, arguments
        self.expected, self.found = [], []

    def run(self, ping, namespaces):
        """Runs both programs at the same time and keeps the difference."""
        user = AS_USER if self.heading == "user" else []
        running = [
            subprocess.Popen(
                ["ip", "netns", "exec", namespace, *user, program, *shlex.split(self.arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for program, namespace in zip((IPUTILS, ping), namespaces)
        ]
        self.compare(*(self.result(process) for process in running))

    def result(self, process):
        """Standard output, standard error and exit code, without what differs from run to run."""
        try:
            outputs = process.communicate(timeout=RUN_TIMEOUT)
        except subprocess.TimeoutExpired:
            subprocess.run(["pkill", "-KILL", "-P", str(process.pid)], check=False)
            process.kill()
            outputs = process.communicate()
            outputs = outputs[0], outputs[1] + f"no end within {RUN_TIMEOUT} s\n".encode()
        words = shlex.split(self.arguments)
        masks = MASKS + MASKS_OF_HEADING.get(self.heading, [])
        if "-e" not in words:
            masks = masks + [(r"ident=[0-9]+", "ident=N")]
        if "-F" in words and words[words.index("-F") + 1] == "0":
            masks = masks + [(r"flow 0x[0-9a-f]+", "flow N")]
        texts = []
        for output in outputs:
            text = output.decode(errors="backslashreplace").replace("\x08", "<BS>").replace("\x07", "<BEL>")
            for pattern, replacement in masks:
                text = re.sub(pattern, replacement, text)
            texts.append(text)
        return *texts, process.returncode

    def compare(self, theirs, ours):
        """Keeps the differences as lines."""
        if self.heading == "wrong":
            for name, *pair in zip(("stdout", "stderr"), theirs, ours):
                if bool(pair[0]) != bool(pair[1]):
                    self.found += [f"< {name}: {'text' if pair[0] else 'nothing'}", f"> {name}: {'text' if pair[1] else 'nothing'}"]
            if ours[2] != 0 and ours[1].count("\n") != 1:
                self.found.append(f"> not one line: {ours[1]}")
        else:
            for before, after in zip(theirs[:2], ours[:2]):
                lines = difflib.ndiff(before.splitlines(), after.splitlines())
                signs = {"- ": "< ", "+ ": "> "}
                self.found += [signs[line[:2]] + line[2:].rstrip() for line in lines if line[:2] in signs]
        if theirs[2] != ours[2]:
            self.found += [f"< exit code {theirs[2]}", f"> exit code {ours[2]}"]


def read(path):
    """The lines of the file, with a Comparison in place of each list of arguments."""
    parts, heading = [], None
    for line in open(path, encoding="utf-8").read().splitlines():
        if line.startswith("  "):
            parts[-1].expected.append(line[2:])
        elif line.startswith("["):
            heading = re.match(r"\[(\w+)", line)[1]
            parts.append(line)
        elif not line or line.startswith("#"):
            parts.append(line)
        else:
            parts.append(Comparison(heading, line))
    return parts


def write(path, parts):
    with open(path, "w", encoding="utf-8") as file:
        for part in parts:
            if isinstance(part, str):
                print(part, file=file)
            else:
                print(part.arguments, *(f"  {line}" for line in part.found), sep="\n", file=file)


def main():
    path, ping, *namespaces = sys.argv[1:]
    parts = read(path)
    comparisons = [part for part in parts if isinstance(part, Comparison)]
    pairs = queue.SimpleQueue()
    for pair in zip(namespaces[::2], namespaces[1::2]):
        pairs.put(pair)

    def run(comparison):
        pair = pairs.get()
        comparison.run(ping, pair)
        pairs.put(pair)

    with concurrent.futures.ThreadPoolExecutor(len(namespaces) // 2) as pool:
        list(pool.map(run, comparisons))
    failed = [comparison for comparison in comparisons if comparison.found != comparison.expected]
    for comparison in failed:
        print(f"[{comparison.heading}] ping {comparison.arguments}")
        print(*difflib.ndiff(comparison.expected, comparison.found), sep="\n")
    known = sum(bool(comparison.expected) for comparison in comparisons)
    print(f"{len(comparisons)} lists of arguments, {known} with a known difference, {len(failed)} failed")
    if os.environ.get("UPDATE_GOLDEN"):
        write(path, parts)
    elif failed:
        sys.exit(1)


main()

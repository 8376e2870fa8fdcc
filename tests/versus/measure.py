"""Commands and their cost, sides in turn, medians and ratios."""

import os
import subprocess
import time
from dataclasses import dataclass
from statistics import median

MIB = 1 << 20
GIB = 1 << 30


@dataclass
class Cost:
    """What a command took: wall and processor seconds, the most memory it had resident."""

    seconds: float
    cpu: float
    mib: float


class Failed(Exception):
    """A command that did not do its work: there is nothing to compare."""


def run(words, stdin=None, stdout=subprocess.DEVNULL, feeder=None):
    """Runs it to its end. `feeder` is a command whose output it reads through a pipe."""
    source = None
    if feeder:
        source = subprocess.Popen(feeder, stdout=subprocess.PIPE)
        stdin = source.stdout
    began = time.monotonic()
    child = subprocess.Popen(words, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)
    if source:
        source.stdout.close()
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    seconds = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if source:
        source.wait()
    if child.returncode:
        said = said.decode(errors="replace").strip()
        raise Failed(f"{' '.join(words)} ended with {child.returncode}: {said}")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def in_turn(rounds, sides, before=lambda: None):
    """A B A B: what `sides`, named functions, returned in each round."""
    came = {name: [] for name in sides}
    for _ in range(rounds):
        for name, work in sides.items():
            before()
            came[name].append(work())
    return came


def of(costs, field):
    return median(getattr(cost, field) for cost in costs)


def ratios(ones, others):
    """Of each round's pair; a round that another program disturbed stands out in the range."""
    return [one / other for one, other in zip(ones, others, strict=True) if other]


def spread(values, digits=2):
    """The median, and the least and the most."""
    if not values:
        return "-"
    low, high = min(values), max(values)
    return f"{median(values):.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def memory_kib(pid, field):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))


def warm(top, size):
    """Writes and removes that much. A virtual machine's free memory may be its host's again, and
    the page cache is then slow for whoever needs it first."""
    path = f"{top}/warm"
    block = bytes(MIB)
    with open(path, "wb") as file:
        for _ in range(size // MIB):
            file.write(block)
    os.remove(path)

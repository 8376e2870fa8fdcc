"""kaw beside its peers: the same work in turn, medians, ratios of each round's pair, and goals.

    python3 tests/versus [WORK…]

Needs an optimised kaw (`cargo build --release`), kcat for the clients' work, and Python 3.11. What
is not there is left out: Apache Kafka without --kafka-lib, rdkafka_performance (an example program
of librdkafka's) without --performance. Ratios are of pairs that ran one after the other, with the
least and the most of all rounds: on a machine that others use too, look at the range first.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

from brokers import Brokers
from clients import Clients
from growth import Growth
from load import Load
from measure import GIB, MIB, Failed, median

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Each with who does it; in the order in which they are done.
WORKS = {
    "produce": Clients,
    "consume": Clients,
    "formats": Clients,
    "one": Clients,
    "broker": Load,
    "round_trip": Load,
    "wire": Load,
    "commit": Load,
    "partitions": Growth,
    "connections": Growth,
    "log": Growth,
    "start": Growth,
    "topics": Growth,
}


class Table:
    """Rows of Markdown, each printed when its work is done."""

    def __init__(self):
        self.missed = 0
        print("| work | measured | goals |\n| --- | --- | --- |")

    def goal(self, words, values, at_least=None, at_most=None):
        """It is met where the median is."""
        if not values:
            return f"not measured: {words}"
        value = median(values)
        is_met = (at_least is None or at_least <= value) and (at_most is None or value <= at_most)
        self.missed += not is_met
        return f"{'met' if is_met else 'NOT MET'}: {words} ({value:.2f})"

    def row(self, work, figures, goals):
        measured = "; ".join(f"{name} {figure}" for name, figure in figures.items())
        print(f"| {work} | {measured} | {'; '.join(goals)} |", flush=True)


def arguments():
    parser = argparse.ArgumentParser(
        prog="versus", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("works", metavar="WORK", nargs="*", help=", ".join(WORKS))
    add("--rounds", type=int, default=5, help="times that each side runs [5]")
    add("--records", type=int, default=5_000_000, help="lines for the clients [5000000]")
    add("--bytes", type=int, default=GIB // 2, help="for each cell of `broker` [0.5 GiB]")
    add("--wire-bytes", type=int, default=4 * GIB, help="for `wire` [4 GiB]")
    add("--log-gib", type=int, default=30, help="for `log`; the disk needs room [30]")
    add("--durability", default="os", choices=["os", "fsync"], help="of kaw's broker [os]")
    add("--brokers", help="HOST:PORT of a running cluster for the clients' work")
    add("--kaw", default=f"{ROOT}/target/release/kaw", help="an optimised kaw")
    add("--floor", help="the floor program [examples/floor beside kaw]")
    add("--kafka-lib", help="Apache Kafka's jars, as `tests/apache-kafka.sh fetch` brings them")
    add("--performance", help="an rdkafka_performance")
    asked = parser.parse_args()
    if unknown := [work for work in asked.works if work not in WORKS]:
        parser.error(f"no work {unknown[0]!r}; there are {', '.join(WORKS)}")
    return asked


def main():
    asked = arguments()
    beside = f"{os.path.dirname(asked.kaw)}/examples/floor"
    asked.floor = asked.floor or (beside if os.path.exists(beside) else None)
    for path in [asked.kaw, asked.floor, asked.performance]:
        if path and not os.access(path, os.X_OK):
            sys.exit(f"versus: {path} is no program (cargo build --release --bins --examples)")
    for side in ["floor", "kafka_lib", "performance"]:
        if not getattr(asked, side):
            print(f"versus: left out: --{side.replace('_', '-')}", file=sys.stderr)
    asked.top = tempfile.mkdtemp(prefix="kaw-versus-")
    brokers, table = Brokers(asked.kaw, asked.floor, asked.kafka_lib, asked.top), Table()
    try:
        for work in asked.works or WORKS:
            getattr(WORKS[work](asked, brokers, table), work)()
    except Failed as why:
        sys.exit(f"versus: {why}")
    finally:
        shutil.rmtree(asked.top)
    print(f"\n{table.missed} goals not met; {machine()}")


def machine():
    with open("/proc/cpuinfo") as cpus:
        name = next(line.split(":")[1].strip() for line in cpus if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB
    date = subprocess.check_output(["date", "-I"], text=True).strip()
    load = os.getloadavg()[0]
    return f"{date}, {os.cpu_count()} cores of {name}, {memory} MiB, load {load:.1f} at the end"


if __name__ == "__main__":
    main()

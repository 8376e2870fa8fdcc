"""What kaw's broker costs as its work grows, and at its start."""

import contextlib
import os
import subprocess

from measure import GIB, MIB, in_turn, median, memory_kib, ratios, run, spread

IDLE_S = 0.5


class Growth:
    def __init__(self, asked, brokers, table):
        self.asked, self.brokers, self.table = asked, brokers, table

    def kaw(self, address, *words):
        run([self.asked.kaw, "-q", "-b", address, *words])

    def load(self, broker):
        """Records a second through the same six partitions."""
        words = ["produce", "--records", "2000000", "--partitions", "6"]
        return self.brokers.bench(broker.address, *words)["metrics"]["records/s"]

    def partitions(self):
        """The same load on six partitions beside none and beside 10,000."""
        came = in_turn(self.asked.rounds, {n: lambda n=n: self.beside(n) for n in [0, 10_000]})
        rates, anon, started = (
            {n: [it[at] for it in runs] for n, runs in came.items()} for at in range(3)
        )
        each = (median(anon[10_000]) - median(anon[0])) / 10_000
        self.grown(
            "the same load beside 10,000 partitions",
            rates.values(),
            [median(times) for times in started.values()],
            f"{each:.2f} KiB a partition",
        )

    def grown(self, work, rates, started, memory):
        """The small case and the large one."""
        small, large = rates
        rate = ratios(large, small)
        figures = {
            "kaw": f"{median(small):,.0f}/s, {median(large):,.0f}/s",
            "rate": spread(rate),
            "memory": memory,
            "start": ", ".join(f"{seconds * 1000:.0f} ms" for seconds in started),
        }
        self.table.row(work, figures, [self.table.goal("within 10 %", rate, at_least=0.9)])

    def beside(self, count):
        self.brokers.wipe("kaw")
        with self.brokers.kaw(self.asked.durability) as broker:
            if count:
                names = [f"idle-{n}" for n in range(count // 100)]
                self.kaw(broker.address, "topic", "create", "-p", "100", *names)
        with self.brokers.kaw(self.asked.durability) as broker:
            anon = memory_kib(broker.pid, "RssAnon")
            return self.load(broker), anon, broker.start_s

    def connections(self):
        """1 to 1,000 connections, batches as large as a busy client's."""
        runs = {}
        for count in [1, 10, 100, 1000]:
            words = [
                "wire",
                "--producers",
                str(count),
                "--batch-bytes",
                "16384",
                "--in-flight",
                "1",
                "--record-size",
                "100",
                "--records",
                "4000000",
            ]
            runs[count] = [self.brokers.bench(None, *words) for _ in range(self.asked.rounds)]
        rate = {n: median(run["metrics"]["records/s"] for run in them) for n, them in runs.items()}
        memory = {
            n: median(run["metrics"]["broker-memory"] for run in them) / MIB
            for n, them in runs.items()
        }
        figures = {
            "rate": ", ".join(f"{it / 1e6:.2f} M/s" for it in rate.values()),
            "memory": ", ".join(f"{it:.0f} MiB" for it in memory.values()),
            "each": f"{(memory[1000] - memory[1]) * 1024 / 999:.1f} KiB a connection",
        }
        least = [rate[n] / rate[1] for n in [10, 100, 1000]]
        goals = [
            self.table.goal(f"{n} connections within 10 %", [it], at_least=0.9)
            for n, it in zip([10, 100, 1000], least, strict=True)
        ]
        self.table.row("1, 10, 100, 1,000 connections", figures, goals)

    def log(self):
        """The same load on a new log and behind as many GiB as were asked for."""
        self.brokers.wipe("kaw")
        rates, anon, started = [], [], []
        for size in [0, self.asked.log_gib]:
            with self.brokers.kaw(self.asked.durability) as broker:
                if size:
                    self.fill(broker, size * GIB)
            with self.brokers.kaw(self.asked.durability) as broker:
                anon.append(memory_kib(broker.pid, "RssAnon"))
                started.append(broker.start_s)
                rates.append([self.load(broker) for _ in range(self.asked.rounds)])
        self.brokers.wipe("kaw")
        memory = f"{anon[0] / 1024:.1f} MiB, {anon[1] / 1024:.1f} MiB when started"
        self.grown(f"the same load, no log and {self.asked.log_gib} GiB", rates, started, memory)

    def fill(self, broker, size):
        self.kaw(broker.address, "topic", "create", "large", "-p", "1")
        block = f"{self.asked.top}/block"
        with open(block, "wb") as file:
            file.write((b"%01023d\n" % 0) * (GIB // 1024))
        while size:
            with open(block) as lines:
                run([self.asked.kaw, "-q", "-b", broker.address, "produce", "large"], stdin=lines)
            size -= GIB
        os.remove(block)

    def start(self):
        """To the first answer, and what it holds when nobody asks."""
        sides = {"kaw": lambda: self.brokers.kaw("fsync")}
        if self.asked.kafka_lib:
            sides["kafka"] = self.brokers.kafka
        came = {side: [] for side in sides}
        for _ in range(self.asked.rounds):
            for side, start in sides.items():
                self.brokers.wipe(side)
                with start() as broker:
                    idle(broker)
                    came[side].append(
                        (
                            broker.start_s * 1000,
                            memory_kib(broker.pid, "VmRSS") / 1024,
                            memory_kib(broker.pid, "RssAnon") / 1024,
                        )
                    )
                self.brokers.wipe(side)
        figures = {}
        for side, them in came.items():
            ms, rss, anon = (median(it) for it in zip(*them, strict=True))
            figures[side] = f"{ms:.0f} ms, {rss:.0f} MiB resident, {anon:.0f} MiB its own"
        ms, rss, _ = zip(*came["kaw"], strict=True)
        goals = [
            self.table.goal("10 ms", ms, at_most=10),
            self.table.goal("10 MiB", rss, at_most=10),
        ]
        self.table.row("start to the first answer; memory when idle", figures, goals)
        self.first()

    def first(self):
        """A record produced where no broker runs."""
        home = f"{self.asked.top}/home"
        ours = [self.asked.kaw, "-q", "--data-dir", home]
        took = []
        for _ in range(self.asked.rounds):
            took.append(run([*ours, "produce", "versus"], feeder=["echo", "hi"]).seconds * 1000)
            run([*ours, "broker", "stop"])
            self.brokers.wipe("home")
        self.table.row(
            "produce one record, no broker running", {"kaw": f"{spread(took, 0)} ms"}, []
        )

    def topics(self):
        """1,000 topics of 10 partitions: made and listed, then a start with them."""
        self.brokers.wipe("kaw")
        names = [f"topic-{n}" for n in range(1000)]
        with self.brokers.kaw("fsync") as broker:
            made = run(
                [self.asked.kaw, "-q", "-b", broker.address, "topic", "create", "-p", "10", *names]
            )
            listed = [self.asked.kaw, "-q", "-b", broker.address, "topic", "list"]
            count = len(subprocess.check_output(listed).splitlines())
        with self.brokers.kaw("fsync") as broker:
            again = broker.start_s * 1000
        self.brokers.wipe("kaw")
        figures = {"kaw": f"{count} made in {made.seconds:.2f} s, a start with them {again:.0f} ms"}
        self.table.row("1,000 topics of 10 partitions", figures, [])


def idle(broker):
    """Lets it come to rest: nothing that it does at its start is left to do."""
    before = None
    while True:
        with open(f"/proc/{broker.pid}/stat") as stat:
            used = stat.read().rsplit(") ", 1)[1].split()[11:13]
        if used == before:
            return
        before = used
        with contextlib.suppress(subprocess.TimeoutExpired):
            broker.process.wait(IDLE_S)

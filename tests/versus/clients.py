"""kaw's commands against kcat's and librdkafka's own rdkafka_performance, on the same broker."""

import contextlib
import re
import tempfile

from measure import in_turn, of, ratios, run, spread

LINE_BYTES = 100
FORMAT = "%t %p %o %k %s\\n"


class Clients:
    def __init__(self, asked, brokers, table):
        self.asked, self.brokers, self.table = asked, brokers, table
        self.kaw = [asked.kaw, "-q"]

    @contextlib.contextmanager
    def cluster(self):
        """The one that was named, or kaw's own for as long as it takes."""
        if self.asked.brokers:
            yield self.asked.brokers
            return
        self.brokers.wipe("kaw")
        with self.brokers.kaw(self.asked.durability) as broker:
            yield broker.address
        self.brokers.wipe("kaw")

    def lines(self):
        path = f"{self.asked.top}/lines"
        with open(path, "w") as file:
            width = LINE_BYTES - 1
            file.writelines(f"{n:0{width}}\n" for n in range(self.asked.records))
        return path

    def fresh(self, address):
        admin = [*self.kaw, "-b", address, "topic"]
        run([*admin, "delete", "--if-exists", "versus"])
        run([*admin, "create", "versus", "-p", "1"])

    def sides(self, address, ours, kcats, performance=None):
        """The words of each side; those of a side that is not there are left out."""
        words = {
            "kaw": [*self.kaw, "-b", address, *ours],
            "kcat": ["kcat", "-q", "-b", address, *kcats],
        }
        if performance and self.asked.performance:
            words["perf"] = [self.asked.performance, "-b", address, "-t", "versus", *performance]
        return words

    def compare(self, work, sides, goals, **how):
        came = in_turn(self.asked.rounds, sides, **how)
        kaw = came["kaw"]
        figures = {name: cost(costs) for name, costs in came.items()}
        compared = {}
        for name in list(came)[1:]:
            rate = ratios([it.seconds for it in came[name]], [it.seconds for it in kaw])
            cpu = ratios([it.cpu for it in kaw], [it.cpu for it in came[name]])
            compared[name] = (rate, cpu)
            figures[f"rate/{name}"], figures[f"CPU/{name}"] = spread(rate), spread(cpu)
        self.table.row(work, figures, goals(compared))

    def produce(self):
        path = self.lines()
        goal = self.table.goal

        def goals(compared):
            rate, cpu = compared["kcat"]
            yield goal("2 times kcat's rate", rate, at_least=2)
            yield goal("half of kcat's CPU", cpu, at_most=0.5)
            if "perf" in compared:
                rate, _ = compared["perf"]
                yield goal("1.2 times rdkafka_performance's rate", rate, at_least=1.2)

        with self.cluster() as address:
            count = str(self.asked.records)
            words = self.sides(
                address,
                ["produce", "versus"],
                ["-P", "-t", "versus"],
                ["-P", "-s", str(LINE_BYTES - 1), "-c", count, "-q"],
            )
            for source in ["file", "pipe"]:

                def once(words, source=source):
                    if source == "pipe":
                        return run(words, feeder=["cat", path])
                    with open(path) as lines:
                        return run(words, stdin=lines)

                sides = runs(words, once)
                work = f"produce {self.asked.records} lines from a {source}"
                self.compare(work, sides, goals, before=lambda: self.fresh(address))

    def consume(self):
        path, goal = self.lines(), self.table.goal

        def plain(compared):
            yield goal("2.5 times kcat's rate", compared["kcat"][0], at_least=2.5)
            if "perf" in compared:
                yield goal("within 15 % of rdkafka_performance", compared["perf"][0], at_least=0.87)

        def json(compared):
            yield goal("6 times kcat's rate", compared["kcat"][0], at_least=6)
            yield goal("a third of kcat's CPU", compared["kcat"][1], at_most=0.33)

        with self.cluster() as address:
            self.fill(address, path)
            performance = ["-C", "-p", "0", "-o", "beginning", "-e", "-q"]
            words = self.sides(
                address, ["consume", "-e", "versus"], ["-C", "-e", "-t", "versus"], performance
            )
            self.compare("consume them", runs(words), plain)
            words = self.sides(
                address, ["consume", "-e", "-J", "versus"], ["-C", "-e", "-J", "-t", "versus"]
            )
            self.compare("consume them with -J", runs(words), json)

    def formats(self):
        path = self.lines()
        with self.cluster() as address:
            keyed = f"{path}.keyed"
            with open(path) as lines, open(keyed, "w") as out:
                out.writelines(f"{line[-11:-1]}:{line[:-11]}\n" for line in lines)
            words = self.sides(
                address, ["produce", "versus", "-K", ":"], ["-P", "-t", "versus", "-K", ":"]
            )

            def once(words):
                with open(keyed) as lines:
                    return run(words, stdin=lines)

            sides = runs(words, once)
            before = lambda: self.fresh(address)  # noqa: E731
            self.compare("produce with keys", sides, lambda _: [], before=before)
            words = self.sides(
                address,
                ["consume", "-e", "versus", "-f", FORMAT],
                ["-C", "-e", "-t", "versus", "-f", FORMAT],
            )
            self.compare(f"consume them with -f '{FORMAT}'", runs(words), lambda _: [])

    def one(self):
        goal = self.table.goal
        with self.cluster() as address:
            words = self.sides(address, ["produce", "versus"], ["-P", "-t", "versus"])
            sides = runs(words, lambda words: run(words, feeder=["echo", "hi"]))
            before = lambda: self.fresh(address)  # noqa: E731
            self.compare("produce one record", sides, lambda _: [], before=before)
            self.fresh(address)
            run([*self.kaw, "-b", address, "produce", "versus"], feeder=["echo", "hi"])
            words = self.sides(address, ["consume", "-e", "versus"], ["-C", "-e", "-t", "versus"])
            took = []

            def ours():
                cost = run(words["kaw"])
                took.append(cost.seconds * 1000)
                return cost

            sides = runs(words) | {"kaw": ours}
            under = lambda _: [goal("under 30 ms", took, at_most=30)]  # noqa: E731
            self.compare("consume one record", sides, under)

    def fill(self, address, path):
        self.fresh(address)
        with open(path) as lines:
            run([*self.kaw, "-b", address, "produce", "versus"], stdin=lines)


def cost(costs):
    seconds, cpu, mib = (of(costs, field) for field in ["seconds", "cpu", "mib"])
    return f"{seconds:.3f} s, {cpu:.2f} s CPU, {mib:.0f} MiB"


def runs(words, once=run):
    """What runs each side's words."""
    how = {name: performance if name == "perf" else once for name in words}
    return {name: lambda name=name: how[name](words[name]) for name in words}


def performance(words):
    """Its time is what it says: it takes up to a second more to notice that it is done."""
    with tempfile.TemporaryFile() as said:
        cost = run(words, stdout=said)
        said.seek(0)
        cost.seconds = int(re.search(rb" in (\d+)ms", said.read())[1]) / 1000
    return cost

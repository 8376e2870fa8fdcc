"""What a broker takes and gives: `kaw bench` against kaw, the floor and Apache Kafka."""

import itertools

from measure import GIB, MIB, median, ratios, spread, warm

FETCH_BYTES = 1_000_000


class Load:
    def __init__(self, asked, brokers, table):
        self.asked, self.brokers, self.table = asked, brokers, table

    def rounds(self):
        return range(self.asked.rounds)

    def broker(self):
        """Each side on a new directory in each round, all cells one after the other."""
        cells = list(
            itertools.product(["produce", "consume"], [100, 1024], [1, 6], ["none", "lz4"])
        )
        came = {(cell, side): [] for cell in cells for side in self.brokers.sides()}
        for _ in self.rounds():
            for side, start in self.brokers.sides(self.asked.durability).items():
                self.brokers.wipe(side)
                warm(self.asked.top, len(cells) // 2 * self.asked.bytes)
                with start() as broker:
                    for cell in cells:
                        came[cell, side].append(self.cell(broker, *cell))
                self.brokers.wipe(side)
        for cell in cells:
            work, size, partitions, codec = cell
            sides = {side: came[cell, side] for side in self.brokers.sides()}
            self.cell_row(f"{work} {size} B, {partitions} partitions, {codec}", sides)

    def cell(self, broker, work, size, partitions, codec):
        load = ["--record-size", size, "--partitions", partitions, "-z", codec, "--payload", "text"]
        records = self.asked.bytes // size
        words = [work, "--records", records, *load]
        run = self.brokers.bench(broker.address, *map(str, words))
        per_gib = GIB / run["window"]["bytes"]
        metrics = run["metrics"]
        return metrics["records/s"], metrics["broker-cpu"] * per_gib, metrics["broker-memory"] / MIB

    def cell_row(self, work, sides):
        figures, goal = {}, self.table.goal
        for side, runs in sides.items():
            rate, cpu, memory = (median(it) for it in zip(*runs, strict=True))
            figures[side] = f"{rate:,.0f}/s, {cpu:.2f} CPU s/GiB, {memory:.0f} MiB"
        rate, cpu, memory = zip(*sides["kaw"], strict=True)
        goals = [goal("under 64 MiB", memory, at_most=64)]
        for other in list(sides)[1:]:
            theirs = list(zip(*sides[other], strict=True))
            faster, cheaper = ratios(rate, theirs[0]), ratios(cpu, theirs[1])
            figures[f"rate/{other}"], figures[f"CPU/{other}"] = spread(faster), spread(cheaper)
            if other == "kafka":
                goals.append(goal("at most 3 % behind Apache Kafka", faster, at_least=0.97))
                goals.append(goal("half of its broker's CPU", cheaper, at_most=0.5))
            else:
                goals.append(goal("1.5 times the floor's CPU", cheaper, at_most=1.5))
        self.table.row(work, figures, goals)

    def round_trip(self):
        """One record at a time, 500 a second, from the send that was due until it is read."""
        load = ["--rate", "500/s", "--duration", "10s"]
        for acks in ["1", "all"]:
            came = {side: [] for side in self.brokers.sides("fsync") if side != "floor"}
            syncs = []
            for _ in self.rounds():
                for side in came:
                    self.brokers.wipe(side)
                    with self.brokers.sides("fsync")[side]() as broker:
                        words = ["end-to-end", *load, "--acks", acks]
                        run = self.brokers.bench(broker.address, *words)
                        came[side].append(us(run["metrics"]))
                    self.brokers.wipe(side)
                # At acks=1 nobody waits for a sync.
                syncs.append(self.sync() if acks == "all" else {"p50": 0, "p99": 0})
            self.round_trip_row(acks, came, syncs)

    def round_trip_row(self, acks, came, syncs):
        figures, goals = {}, []
        for side, runs in {**came, "fdatasync": syncs}.items():
            p50, p99 = (median(run[part] for run in runs) for part in ["p50", "p99"])
            figures[side] = f"p50 {p50:.0f} µs, p99 {p99:.0f} µs"
        most = (
            "half of Apache Kafka's and one fdatasync"
            if acks == "all"
            else "half of Apache Kafka's"
        )
        for part in ["p50", "p99"] if "kafka" in came else []:
            ours, theirs = ([run[part] for run in came[side]] for side in ["kaw", "kafka"])
            allowed = [half / 2 + sync[part] for half, sync in zip(theirs, syncs, strict=True)]
            figures[f"{part}/kafka"] = spread(ratios(ours, theirs))
            goals.append(self.table.goal(f"{part}: {most}", ratios(ours, allowed), at_most=1))
        self.table.row(f"round trip at 500/s, acks={acks}", figures, goals)

    def sync(self):
        """What a sync of one batch takes on this disk, now."""
        load = ["--acks", "all", "--batch-records", "1", "--records", "500"]
        run = self.brokers.bench(None, "wire", "--durability", "fsync", *load)
        return us(run["fdatasync"][0]["metrics"])

    def wire(self):
        for work, words, least in [("produce", [], 1), ("fetch", ["--fetch"], 2.5)]:
            records = str(self.asked.wire_bytes // 1024)
            load = [
                "--record-size",
                "1024",
                "--batch-bytes",
                str(FETCH_BYTES),
                "--records",
                records,
            ]
            runs = []
            for _ in self.rounds():
                warm(self.asked.top, self.asked.wire_bytes)
                runs.append(self.brokers.bench(None, "wire", *words, *load))
            rates = [run["window"]["bytes"] / run["window"]["seconds"] / GIB for run in runs]
            figures = {"kaw": f"{spread(rates)} GiB/s"}
            goals = [self.table.goal(f"{least} GiB/s", rates, at_least=least)]
            self.table.row(f"wire: {work}, 1 connection, 1 MB of 1 KiB a request", figures, goals)

    def commit(self):
        """Group commit: single records of 1 KiB, on the disk before they are acknowledged."""
        before = None
        for connections, under_way in [(1, 1), (8, 1), (64, 1), (8, 5)]:
            load = (
                "--durability fsync --acks all --record-size 1024 --batch-records 1 --duration 4s"
            )
            many = ["--producers", str(connections), "--in-flight", str(under_way)]
            runs = [self.brokers.bench(None, "wire", *many, *load.split()) for _ in self.rounds()]
            rates = [run["metrics"]["records/s"] for run in runs]
            # Of one batch, and of as many as went to the disk together.
            lone, same = ([run["fdatasync"][at]["metrics"] for run in runs] for at in (0, -1))
            tails = ratios([run["metrics"]["p99"] for run in runs], [it["p99"] for it in same])
            gain = ratios(rates, [1 / it["mean"] for it in lone])
            goals = [self.table.goal("p99 at most 3 times an fdatasync's", tails, at_most=3)]
            if before and under_way == 1:
                more = [median(rates) / before]
                goals.append(self.table.goal("more than with fewer connections", more, at_least=1))
            if under_way == 5:
                goals.append(self.table.goal("10 times a sync a request", gain, at_least=10))
            figures = {
                "kaw": f"{median(rates):,.0f}/s",
                "p99/fdatasync": spread(tails),
                "rate/a sync a request": spread(gain, 1),
            }
            work = f"acks=all, {connections} connections, {under_way} under way on each"
            self.table.row(work, figures, goals)
            before = median(rates)


def us(metrics):
    return {part: metrics[part] * 1e6 for part in ["p50", "p99"]}

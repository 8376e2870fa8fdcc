"""The brokers that are compared: kaw, the floor (tests/floor) and Apache Kafka."""

import json
import os
import shutil
import socket
import subprocess
import time

from measure import Failed

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# As kafka-server-start.sh and kafka-run-class.sh have them.
STOCK_JVM = (
    "-Xms1G -Xmx1G -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20"
    " -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent"
)
START_S_MAX = 60


class Broker:
    """A broker on a directory. It is there from `with` to the end of the block."""

    def __init__(self, words, directory, address=None, leave=None, env=None):
        self.words, self.directory, self.address = words, directory, address
        self.leave, self.env = leave, env

    def __enter__(self):
        os.makedirs(self.directory, exist_ok=True)
        began = time.monotonic()
        # Apache's ends when its stdin does.
        self.process = subprocess.Popen(
            self.words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | (self.env or {}),
        )
        said = self.process.stdout.readline().decode()
        if not said:
            raise Failed(f"{' '.join(self.words)} did not start")
        self.address = self.address or said.split()[-1]
        answered(self.address, began + START_S_MAX)
        self.start_s = time.monotonic() - began
        return self

    def __exit__(self, *_):
        if self.leave == "stdin":
            self.process.stdin.close()
        else:
            self.process.terminate()
        self.process.wait()

    @property
    def pid(self):
        """Of the broker itself: Apache's has a script around it."""
        pid = self.process.pid
        while children := first_line(f"/proc/{pid}/task/{pid}/children"):
            pid = int(children.split()[0])
        return pid


def answered(address, until):
    """Waits for the answer to an ApiVersions request, version 0, with no client id."""
    host, port = address.rsplit(":", 1)
    while True:
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=5) as broker:
                broker.sendall(bytes([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255]))
                if len(broker.recv(4, socket.MSG_WAITALL)) == 4:
                    return
        except OSError:
            pass
        if until < time.monotonic():
            raise Failed(f"{address} does not answer")


class Brokers:
    def __init__(self, kaw, floor, kafka_lib, top):
        self.kaw_path, self.floor_path, self.kafka_lib, self.top = kaw, floor, kafka_lib, top
        self.port = 21690

    def kaw(self, durability, name="kaw"):
        directory = f"{self.top}/{name}"
        words = [self.kaw_path, "broker", "--data-dir", directory, "--listen", "127.0.0.1:0"]
        return Broker([*words, "--durability", durability], directory)

    def floor(self):
        return Broker([self.floor_path, f"{self.top}/floor"], f"{self.top}/floor")

    def kafka(self):
        self.port += 2
        words = [f"{TESTS}/apache-kafka.sh", "serve", self.kafka_lib, f"{self.top}/kafka"]
        return Broker(
            [*words, str(self.port)],
            f"{self.top}/kafka",
            address=f"127.0.0.1:{self.port}",
            leave="stdin",
            env={"KAFKA_JVM": STOCK_JVM},
        )

    def sides(self, durability="os"):
        """What starts each of them, by name."""
        sides = {"kaw": lambda: self.kaw(durability)}
        if self.floor_path:
            sides["floor"] = self.floor
        if self.kafka_lib:
            sides["kafka"] = self.kafka
        return sides

    def wipe(self, name):
        shutil.rmtree(f"{self.top}/{name}", ignore_errors=True)

    def bench(self, address, *words):
        """The first run of `kaw bench`; the broker is at `address`, or one for the run alone."""
        at = ["-b", address] if address else []
        words = [self.kaw_path, "-q", "bench", *words, *at, "--json"]
        done = subprocess.run(words, capture_output=True, check=False)
        if done.returncode:
            raise Failed(f"{' '.join(words)}: {done.stderr.decode(errors='replace').strip()}")
        return json.loads(done.stdout)["results"][0]["runs"][0]


def first_line(path):
    with open(path) as file:
        return file.readline()

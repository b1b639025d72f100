"""redis_cli.py MODE PORT…: redis-cli as scenario.py asks it to: one that reads commands from its standard input."""
import subprocess
import sys

import protocol


class Client:
    def __init__(self, mode, ports):
        self.command = ["redis-cli", "--no-raw", "-p", ports[0]]
        self.process = subprocess.Popen([*self.command, *(["-c"] if mode == "cluster" else [])], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def ask(self, *words):
        """What it prints as the answer. -c prints a line about a redirection first."""
        self.process.stdin.write(" ".join(words) + "\n")
        line = self.process.stdout.readline().rstrip()
        while line.startswith("-> Redirected"):
            line = self.process.stdout.readline().rstrip()
        if line.startswith(("Error", "Could not connect", "(error)")):
            raise RuntimeError(line)
        return None if line == "(nil)" else line.split(") ")[-1].removeprefix("(integer) ").strip('"')

    def incr(self, key):
        return [self.ask("INCR", key)]

    def pipeline(self, key, count):
        """--pipe tells only how many replies there were; the values are known by the last."""
        done = subprocess.run([*self.command, "--pipe"], input=f"INCR {key}\n" * int(count), text=True, check=True,
                              stdout=subprocess.PIPE)
        if f"errors: 0, replies: {count}" not in done.stdout:
            raise RuntimeError(done.stdout)
        last = int(self.ask("GET", key))
        return range(last - int(count) + 1, last + 1)

    def transaction(self, one, other):
        for words in (["MULTI"], ["INCR", one], ["INCR", other]):
            self.ask(*words)
        return [self.ask("EXEC"), self.process.stdout.readline().split()[-1]]

    def set(self, key, value, milliseconds):
        return [self.ask("SET", key, value, "PX", milliseconds)]

    def get(self, key):
        return [self.ask("GET", key)]

    def watch(self, key):
        self.ask("WATCH", key)
        return self.get(key)

    def exec(self, key, value):
        self.ask("MULTI")
        self.ask("SET", key, value)
        return [self.ask("EXEC")]


protocol.serve(Client(sys.argv[1], sys.argv[2:]))

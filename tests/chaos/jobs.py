"""Jobs that clients put into queues, and wait for: lists, a sorted set, a stream with a group."""
from history import Operation
from workloads import Workload, text

LIST, MOVED, DONE, SCORES, STREAM = "jobs:list", "jobs:moved", "jobs:done", "jobs:scores", "jobs:stream"
GROUP = "workers"


def texts(values):
    return [text(value) for value in values]


class Jobs(Workload):
    """Puts a job into a queue, or takes one and waits for it. Each job has a name that comes once."""

    def step(self):
        put, take = self.rng.choice([(self.push, self.pop), (self.push_to_move, self.move),
                                     (self.add_score, self.pop_score), (self.add_entry, self.read_entry)])
        (put if self.rng.random() < 0.48 else take)()

    def new_jobs(self, most):
        count = self.rng.randint(1, most)
        self.values += count
        return [f"{self.number}-{self.values - at}" for at in reversed(range(count))]

    def put(self, key, jobs, *words):
        self.perform(Operation(self.number, "put", key, jobs), lambda: self.client.call(*words) is not None)

    def take(self, key, most, jobs_of, *words):
        """jobs_of: the jobs of a reply that is not null."""
        def act():
            reply = self.client.call(*words)
            return [] if reply is None else texts(jobs_of(reply))
        self.perform(Operation(self.number, "take", key, most), act)

    def seconds(self):
        """Mostly less than the client's own patience."""
        return round(self.client.timeout * self.rng.choice([0.01, 0.1, 0.4, 0.7, 2]), 3)

    def push(self):
        jobs = self.new_jobs(3)
        self.put(LIST, jobs, "RPUSH", LIST, *jobs)

    def pop(self):
        if self.rng.random() < 0.5:
            self.take(LIST, 1, lambda reply: reply[1:], "BLPOP", "jobs:never", LIST, self.seconds())
        else:
            self.take(LIST, 2, lambda reply: reply[1], "BLMPOP", self.seconds(), 1, LIST, "LEFT", "COUNT", 2)

    def push_to_move(self):
        jobs = self.new_jobs(1)
        self.put(MOVED, jobs, "RPUSH", MOVED, *jobs)

    def move(self):
        self.take(MOVED, 1, lambda reply: [reply], "BLMOVE", MOVED, DONE, "LEFT", "RIGHT", self.seconds())

    def add_score(self):
        jobs = self.new_jobs(1)
        self.put(SCORES, jobs, "ZADD", SCORES, self.rng.randrange(5), *jobs)

    def pop_score(self):
        self.take(SCORES, 1, lambda reply: reply[1:2], "BZPOPMIN", SCORES, self.seconds())

    def add_entry(self):
        jobs = self.new_jobs(1)
        self.put(STREAM, jobs, "XADD", STREAM, "*", "job", *jobs)

    def read_entry(self):
        self.take(STREAM, 1, lambda reply: jobs_of_entries(reply[0][1]), "XREADGROUP", "GROUP", GROUP,
                  f"consumer-{self.number}", "COUNT", 1, "BLOCK", max(1, int(self.seconds() * 1000)), "STREAMS", STREAM, ">")


def jobs_of_entries(entries):
    return [fields[1] for _, fields in entries]


def begin(call):
    assert call("XGROUP", "CREATE", STREAM, GROUP, 0, "MKSTREAM") == "OK"


def left(call, transaction):
    """{queue: the jobs that nobody has taken}, and the jobs that were moved. `transaction` carries out several
    commands at one time: a client that is gone may still take a job."""
    moved, done = transaction([("LRANGE", MOVED, 0, -1), ("LRANGE", DONE, 0, -1)])
    groups = call("XINFO", "GROUPS", STREAM)[0]
    delivered = groups[groups.index(b"last-delivered-id") + 1]
    return {LIST: texts(call("LRANGE", LIST, 0, -1)), MOVED: texts(moved), SCORES: texts(call("ZRANGE", SCORES, 0, -1)),
            STREAM: texts(jobs_of_entries(call("XRANGE", STREAM, b"(" + delivered, "+")))}, texts(done)

"""The tables that compare all sides, and those of clusters of other sizes."""
import contextlib

from measure import Case
from peers import MAX_CLIENTS, Flotilla

KEYS = 10000
C1, C50, P16 = ("--connections", 1), ("--connections", 50), ("--pipeline", 16)
GET = ("--reads", 100)
COUNTS = ["cpu", "cores", "switches", "syscalls", "syncs", "disk_bytes"]


def keys_of(count):
    return "--keys", count


def compare(bench, sides, options):
    """SET, GET and INCR in the forms that everybody knows; what each costs."""
    for side in sides:
        bench.fill(side, KEYS)
    basic = keys_of(KEYS)
    cases = [
        Case("SET, 50 connections", basic + C50, ["rate", "p99", *COUNTS],
             {"rate": {"redis": ">= 1.2", "valkey": ">= 1.1"}}),
        Case("SET, 50 connections, pipelines of 16", basic + C50 + P16, ["rate", *COUNTS],
             {"rate": {"redis": ">= 1.4", "valkey": ">= 1.2"}}),
        Case("GET, 50 connections", basic + C50 + GET, ["rate", "p99", "cpu", "cores", "switches", "syscalls"],
             {"rate": {"redis": ">= 1.05", "valkey": ">= 1.0"}}),
        Case("GET, 50 connections, pipelines of 16", basic + C50 + P16 + GET, ["rate", "cpu", "cores", "syscalls"],
             {"rate": {"redis": ">= 1.3", "valkey": ">= 1.0"}}),
        Case("SET, 1 connection", basic + C1, ["p50", "p99", *COUNTS], {"p50": {"redis": "<= 0.9", "valkey": "<= 0.9"}}),
        Case("GET, 1 connection", basic + C1 + GET, ["p50", "p99", "syscalls"], {"p50": {"redis": "<= 1.4"}}),
    ]
    table = bench.table("compare", "beside its peers", sides, cases)
    plain = [side for side in sides if side.protocol == "resp"]
    # Other keys than those of SET: its values are no numbers. They lie behind all others.
    incr = Case("INCR, 50 connections", ("--keys", 1, "--write", "incr", "--value-bytes", 0) + C50, ["rate"])
    with contextlib.ExitStack() as stack:
        for side in plain:
            stack.callback(_delete_first_key, side)
            _delete_first_key(side)
        table.rows += bench.table("compare", "", plain, [incr]).rows
    return table


def _delete_first_key(side):
    from resp import Connection
    host, _, port = side.address.rpartition(":")
    with Connection(host, int(port)) as connection:
        connection.call("DEL", f"key:{0:012}")


def mix(bench, sides, options):
    """Reads and writes together, most of them of few keys."""
    cases = []
    for reads in (50, 95):
        for distribution in ("uniform", "zipf"):
            arguments = C50 + keys_of(KEYS) + ("--reads", reads, "--distribution", distribution)
            cases.append(Case(f"{reads} % reads, {distribution}", arguments, ["rate", "p99"]))
    for side in sides:
        bench.fill(side, KEYS)
    return bench.table("mix", "reads and writes, 50 connections", sides, cases)


def rate(bench, sides, options):
    """Latency from when a request was due, so that a stall counts for all that were due meanwhile."""
    for side in sides:
        bench.fill(side, KEYS)
    cases = [Case(f"{rate:,}/s", ("--connections", 64, "--pipeline", 4, "--rate", rate, "--reads", 50) + keys_of(KEYS),
                  ["p50", "p99", "p99.9", "max", "unsent"], seconds=max(bench.seconds, 2)) for rate in options.rates]
    return bench.table("rate", "latency at a fixed rate, half of it reads", sides, cases, curve=True)


def sizes(bench, sides, options):
    cases = []
    for size in options.value_bytes:
        arguments = C50 + ("--keys", 1000, "--value-bytes", size)
        cases.append(Case(f"SET of {size:,} bytes", arguments, ["rate", "p99", "disk_bytes"]))
        cases.append(Case(f"GET of {size:,} bytes", arguments + GET, ["rate", "p99"]))
    return bench.table("sizes", "values of some size, 50 connections", sides, cases)


def connections(bench, sides, options):
    cases = []
    for count in options.connections:
        if count > MAX_CLIENTS:
            bench.note(f"{count:,} connections are left out: `ulimit -n` allows {MAX_CLIENTS:,}")
            continue
        cases.append(Case(f"{count:,} connections", ("--connections", count, "--reads", 50, "--warmup", 0.3) + keys_of(KEYS),
                          ["rate", "p50", "p99"]))
    for side in sides:
        bench.fill(side, KEYS)
    return bench.table("connections", "half reads, half writes", sides, cases)


def keys(bench, sides, options):
    """More and more keys. etcd is not filled with so many through its gateway."""
    plain = [side for side in sides if side.protocol == "resp"]
    table = None
    for count in options.keys:
        for side in plain:
            bench.fill(side, count)
        cases = [Case(f"{what}, {count:,} keys", C50 + keys_of(count) + more, ["rate", "p99", "cpu"])
                 for what, more in (("SET", ()), ("GET", GET))]
        part = bench.table("keys", "many keys, 50 connections", plain, cases)
        if table:
            table.rows += part.rows
            table.notes += part.notes
        else:
            table = part
    return table


def nodes(bench, options):
    """Clusters of Flotilla of other sizes. All of them stand while one after the other is measured."""
    sides = []
    try:
        for size in options.nodes:
            sides.append(Flotilla(size, name=f"{size} node{'s' if size > 1 else ''}"))
            bench.fill(sides[-1], KEYS)
        cases = [
            Case("SET, 50 connections", C50 + keys_of(KEYS), ["rate", "p99", "cpu"]),
            Case("GET, 50 connections", C50 + keys_of(KEYS) + GET, ["rate", "cpu"]),
            Case("SET, 1 connection", C1 + keys_of(KEYS), ["p50", "p99"]),
        ]
        return bench.table("nodes", "as many nodes", sides, cases, compared=())
    finally:
        for side in sides:
            side.close()


# Of all sides, in the order in which they are measured.
BESIDE = {"compare": compare, "mix": mix, "rate": rate, "sizes": sizes, "connections": connections, "keys": keys}

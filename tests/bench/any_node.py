"""What a client gets at a follower, compared to the leader; what forwarding costs the leader; reads on all nodes."""
import statistics

import runs
from counters import cpu_us

# name, arguments, share of the requests, which of (rate, p50, p99), its unit, what the ratio to the leader should be
MEASURES = [
    ("SET, 50 connections", ("-t", "set", "-c", "50"), 1, 0, "/s", ">= 0.7"),
    ("SET, 50 connections, pipelines of 16", ("-t", "set", "-c", "50", "-P", "16"), 4, 0, "/s", ""),
    ("GET, 50 connections", ("-t", "get", "-c", "50"), 2, 0, "/s", ">= 0.7"),
    ("GET, 50 connections, pipelines of 16", ("-t", "get", "-c", "50", "-P", "16"), 8, 0, "/s", ""),
    ("SET, 1 connection, p50", ("-t", "set", "-c", "1"), 0.1, 1, "ms", ""),
    ("GET, 1 connection, p50", ("-t", "get", "-c", "1"), 0.1, 1, "ms", ""),
]
READERS = 3


def measure(cluster, rounds, requests):
    """{(arguments, where): [(rate, p50, p99, the leader's microseconds a request), …]}"""
    results = {}
    for number in range(rounds):
        for arguments, share in dict.fromkeys((measure[1], measure[2]) for measure in MEASURES):
            leader = cluster.wait_leader()
            places = [("leader", leader), ("follower", cluster.followers()[number % 2])]
            for where, node in places if number % 2 == 0 else reversed(places):
                runs.show_progress(f"round {number + 1} of {rounds}: {' '.join(arguments)} at the {where}")
                count = max(int(requests * share), 100)
                before = cpu_us([leader.pid])
                row = runs.benchmark(node.port, count, *arguments)
                results.setdefault((arguments, where), []).append((*row, (cpu_us([leader.pid]) - before) / count))
    return results


def reads_of(nodes, requests):
    """GETs per second of as many clients as nodes."""
    clients = [runs.start(node.port, requests, "-t", "get", "-c", "50") for node in nodes]
    return sum(runs.result(client)[0] for client in clients)


def measure_spread(cluster, rounds, requests):
    """Ratios: the same clients, one on each node or all on one follower."""
    ratios = []
    for number in range(rounds):
        runs.show_progress(f"round {number + 1} of {rounds}: reads on all nodes")
        nodes = cluster.nodes[:READERS]
        one = [cluster.followers()[0]] * READERS
        if number % 2:
            spread, alone = reads_of(nodes, requests), reads_of(one, requests)
        else:
            alone, spread = reads_of(one, requests), reads_of(nodes, requests)
        ratios.append(spread / alone)
    return ratios


def run(cluster, rounds, requests):
    results = measure(cluster, rounds, requests)
    spread = measure_spread(cluster, rounds, requests)
    runs.show_progress("")
    print(f"\n{'at any node':40} {'leader':>12} {'follower':>12} {'ratio':>7}  goal")

    def median(key, which):
        return statistics.median(row[which] for row in results[key])

    for name, arguments, _, which, unit, goal in MEASURES:
        leader, follower = (median((arguments, where), which) for where in ("leader", "follower"))
        digits = 0 if unit == "/s" else 3
        print(f"{name:40} {leader:>9,.{digits}f} {unit:2} {follower:>9,.{digits}f} {unit:2} "
              f"{follower / leader:>7.2f}  {goal}")
    for name, arguments, *_ in MEASURES[:2]:
        leader, follower = (median((arguments, where), 3) for where in ("leader", "follower"))
        print(f"{'CPU of the leader, ' + name.replace(' connections', ''):40} {leader:>9,.1f} us {follower:>9,.1f} us "
              f"{follower / leader:>7.2f}  <= 1.0")
    cores = os.cpu_count()
    goal = ">= 1.5" if cores >= 2 * READERS else f">= 1.5 where cores allow; {2 * READERS} processes share {cores}"
    print(f"{'GET on three nodes, not on one':40} {'':>12} {'':>12} {statistics.median(spread):>7.2f}  {goal}")

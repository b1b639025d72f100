"""A few seconds of the whole thing."""
from run import Round


def test_a_short_round_is_fine():
    one = Round(seed=7, nodes=3, seconds=4, clients=11, kinds=["kill", "pause", "cut-one-from-all", "clock-step", "resets"])
    good = False
    try:
        good = one.play()
        assert good, f"{one.cluster.dir}: {one.complaints}"
        assert sum(one.nemesis.counts.values()) >= 2
        assert len(one.passed) == 9
        assert all(one.judged[kind] > 50 for kind in ("registers", "counters", "appends", "transfers")), one.judged
    finally:
        one.close(keep_folder=not good)

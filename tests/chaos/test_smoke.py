"""A few seconds of the whole thing."""
import pytest

from run import Round


@pytest.mark.parametrize("kinds", [["kill", "pause", "cut-one-from-all", "clock-step", "resets"],
                                   ["transfer", "failover", "demote", "leave", "join", "replace", "kill"]])
def test_a_short_round_is_fine(kinds):
    one = Round(seed=7, nodes=3, seconds=4, clients=11, kinds=kinds)
    good = False
    try:
        good = one.play()
        assert good, f"{one.cluster.dir}: {one.complaints}"
        assert sum(one.nemesis.counts.values()) >= 2
        assert len(one.passed) == 12
        assert one.judged["increments of loyal clients"] > 50
        assert all(one.judged[kind] > 50 for kind in ("registers", "counters", "appends", "transfers", "jobs")), one.judged
    finally:
        one.close(keep_folder=not good)

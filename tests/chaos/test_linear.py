"""The checker itself: histories made by hand, good ones and bad ones."""
import random

import linear
from history import FAILED, OK, UNKNOWN, Operation
from linear import GAVE_UP, OKAY, VIOLATED


def done(kind, call, back, value=None, result=None, expected=None, client=0):
    return Operation(client, kind, "k", value, expected, call, back, OK, result)


def unknown(kind, call, value=None, expected=None, client=9):
    return Operation(client, kind, "k", value, expected, call, outcome=UNKNOWN)


def verdict(*operations, limit=linear.LIMIT):
    return linear.check(list(operations), limit).verdict


def test_operations_one_after_the_other_are_linearizable():
    assert verdict(done("get", 1, 2), done("set", 3, 4, "a"), done("get", 5, 6, result="a"),
                   done("cas", 7, 8, "b", True, "a"), done("getset", 9, 10, "c", "b"),
                   done("del", 11, 12, result=1), done("get", 13, 14), done("setnx", 15, 16, "d", 1),
                   done("setnx", 17, 18, "e", 0), done("get", 19, 20, result="d")) == OKAY


def test_concurrent_reads_may_see_the_old_and_the_new_value():
    assert verdict(done("set", 1, 2, "a"), done("set", 3, 10, "b"), done("get", 4, 5, result="a"),
                   done("get", 6, 7, result="b"), done("get", 8, 9, result="b")) == OKAY


def test_concurrent_reads_do_not_see_the_new_value_and_then_the_old_one():
    assert verdict(done("set", 1, 2, "a"), done("set", 3, 10, "b"), done("get", 4, 5, result="b"),
                   done("get", 6, 7, result="a")) == VIOLATED


def test_a_stale_read_is_found():
    assert verdict(done("set", 1, 2, "a"), done("set", 3, 4, "b"), done("get", 5, 6, result="a")) == VIOLATED


def test_a_stale_read_is_found_behind_a_cut_of_the_history():
    before = [done("set", 10 * n, 10 * n + 1, f"v{n}") for n in range(50)]
    assert verdict(*before, done("get", 1000, 1001, result="v49")) == OKAY
    assert verdict(*before, done("get", 1000, 1001, result="v48")) == VIOLATED


def test_a_lost_write_is_found():
    assert verdict(done("set", 1, 2, "a"), done("get", 3, 4)) == VIOLATED


def test_a_lost_update_is_found():
    assert verdict(done("set", 1, 2, "a"), done("cas", 3, 6, "b", True, "a"),
                   done("cas", 4, 7, "c", True, "a")) == VIOLATED
    assert verdict(done("set", 1, 2, "a"), done("cas", 3, 6, "b", True, "a"),
                   done("cas", 4, 7, "c", False, "a")) == OKAY


def test_a_value_that_nobody_wrote_is_found():
    assert verdict(done("set", 1, 2, "a"), done("get", 3, 4, result="x")) == VIOLATED


def test_a_write_that_certainly_failed_may_not_be_seen():
    failed = Operation(1, "set", "k", "a", None, 1, 2, FAILED)
    assert verdict(failed, done("get", 3, 4)) == OKAY
    assert verdict(failed, done("get", 3, 4, result="a")) == VIOLATED


def test_an_unknown_write_may_never_happen():
    assert verdict(unknown("set", 1, "a"), done("get", 2, 3), done("get", 4, 5)) == OKAY


def test_an_unknown_write_may_appear_late():
    assert verdict(done("set", 1, 2, "a"), unknown("set", 3, "b"), done("get", 4, 5, result="a"),
                   done("get", 6, 7, result="b")) == OKAY


def test_an_unknown_write_may_not_appear_twice():
    assert verdict(done("set", 1, 2, "a"), unknown("set", 3, "b"), done("get", 4, 5, result="b"),
                   done("set", 6, 7, "c"), done("get", 8, 9, result="b")) == VIOLATED


def test_an_unknown_write_may_not_disappear():
    assert verdict(done("set", 1, 2, "a"), unknown("set", 3, "b"), done("get", 4, 5, result="b"),
                   done("get", 6, 7, result="a")) == VIOLATED


def test_an_unknown_write_is_not_seen_before_it_was_called():
    assert verdict(done("get", 1, 2, result="b"), unknown("set", 3, "b")) == VIOLATED


def test_an_unknown_cas_needs_the_value_that_it_expects():
    assert verdict(done("set", 1, 2, "a"), unknown("cas", 3, "b", "a"), done("get", 4, 5, result="b")) == OKAY
    assert verdict(done("set", 1, 2, "c"), unknown("cas", 3, "b", "a"), done("get", 4, 5, result="b")) == VIOLATED


def test_an_unknown_write_that_nobody_saw_can_explain_that_a_key_is_present():
    assert verdict(unknown("set", 1, "a"), done("setnx", 2, 3, "b", 0)) == OKAY
    assert verdict(done("setnx", 2, 3, "b", 0)) == VIOLATED


def test_an_unknown_delete_happens_once_or_never():
    assert verdict(done("set", 1, 2, "a"), unknown("del", 3), done("get", 4, 5, result="a"), done("get", 6, 7)) == OKAY
    assert verdict(done("set", 1, 2, "a"), unknown("del", 3), done("get", 4, 5), done("set", 6, 7, "b"),
                   done("get", 8, 9)) == VIOLATED


def test_unknown_increments_count_once_each_at_most():
    counted = [done("incr", 10 * n, 10 * n + 5, result=n) for n in range(1, 10)]
    lost = [unknown("incr", 95 + n) for n in range(12)]
    for value in (9, 15, 21):
        assert verdict(*counted, *lost, done("get", 200, 201, result=str(value))) == OKAY
    for value in (8, 22):
        assert verdict(*counted, *lost, done("get", 200, 201, result=str(value))) == VIOLATED


def test_an_increment_that_is_counted_twice_is_found():
    assert verdict(done("incr", 1, 2, result=1), done("incr", 3, 4, result=3)) == VIOLATED
    assert verdict(done("incr", 1, 2, result=1), unknown("incr", 2), done("incr", 3, 4, result=3)) == OKAY


def test_appends_in_any_order_but_one():
    assert verdict(done("append", 1, 9, "a", 1), done("append", 2, 8, "b", 2), done("get", 10, 11, result="ab")) == OKAY
    assert verdict(done("append", 1, 9, "a", 1), done("append", 2, 8, "b", 2),
                   done("get", 10, 11, result="ba")) == VIOLATED


def test_the_search_gives_up_and_does_not_call_that_fine():
    many = [done("incr", 1, 1000, result=n + 1) for n in range(14)]
    lost = [unknown("append", 1, str(n)) for n in range(10)]
    assert verdict(*many, *lost, done("get", 2000, 2001, result="x"), limit=500) == GAVE_UP


def simulated(rng, keep=1.0):
    """A history of clients of one correct register; each outcome is learned with the probability `keep`."""
    state, now, operations = None, 0, []
    free = [0] * 6
    for number in range(120):
        client = min(range(len(free)), key=lambda c: free[c] + rng.random())
        now = max(now, free[client])
        call = now + rng.random()
        moment = call + rng.random() * 3
        operations.append((moment, call, moment + rng.random() * 3, client, number, rng.random()))
        free[client] = operations[-1][2] + rng.random()
    history = []
    for _, call, back, client, number, luck in sorted(operations):
        kind = rng.choice(["get", "get", "set", "getset", "cas"])
        value = None if kind == "get" else f"v{number}"
        expected = state if rng.random() < 0.7 else "other"
        result = {"get": state, "set": True, "getset": state, "cas": expected == state}[kind]
        if luck < keep:
            history.append(Operation(client, kind, "k", value, expected, call, back, OK, result))
        else:
            history.append(Operation(client, kind, "k", value, expected, call))
            if rng.random() < 0.5:
                continue  # it never took effect
        if kind in ("set", "getset") or (kind == "cas" and expected == state):
            state = value
    return history


def test_histories_of_a_correct_register_are_accepted():
    for seed in range(60):
        report = linear.check(simulated(random.Random(seed), 1.0 if seed % 2 else 0.8))
        assert report.verdict == OKAY, f"seed {seed}\n{report.text}"


def test_most_histories_with_one_wrong_read_are_refused():
    refused = 0
    for seed in range(60):
        rng = random.Random(seed)
        history = simulated(rng, 0.9)
        reads = [op for op in history if op.kind == "get" and op.outcome == OK]
        wrong = rng.choice(reads[len(reads) // 2:])
        wrong.result = rng.choice([op.result for op in reads[:len(reads) // 4]])
        refused += linear.check(history).verdict == VIOLATED
    assert refused >= 57


def brute_force(operations):
    """Every order, for few operations."""
    def extend(state, left):
        if all(op.outcome != OK for op in left):
            return True
        bound = min(op.back for op in left)
        for op in left:
            if op.call <= bound:
                after = linear.MODEL[op.kind](state, op)
                if after is not linear.IMPOSSIBLE and extend(after, [other for other in left if other is not op]):
                    return True
        return False
    return extend(None, [op for op in operations if op.outcome == OK or op.kind != "get"])


def test_the_verdict_is_that_of_trying_every_order():
    verdicts = set()
    for seed in range(1500):
        rng = random.Random(seed)
        operations = []
        for number in range(rng.randrange(2, 8)):
            kind = rng.choice(["get", "get", "set", "getset", "cas", "setnx", "del"])
            call = rng.random() * 10
            value = None if kind in ("get", "del") else f"v{number}"
            some = rng.choice([None] + [f"v{n}" for n in range(number)])
            result = {"get": some, "set": True, "getset": some, "cas": rng.random() < 0.6,
                      "setnx": rng.randrange(2), "del": rng.randrange(2)}[kind]
            if rng.random() < 0.75:
                operations.append(done(kind, call, call + rng.random() * 6, value, result, some))
            else:
                operations.append(unknown(kind, call, value, some))
        found = linear.check(operations).verdict == OKAY
        verdicts.add(found)
        assert found == brute_force(operations), f"seed {seed}: {operations}"
    assert verdicts == {True, False}

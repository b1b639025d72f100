"""The simple checks: each sees what it is for."""
import checks
from history import FAILED, OK, UNKNOWN, Operation
from workloads import ACCOUNTS, EACH_BEGINS_WITH


def op(kind, call, back, value=None, result=None, outcome=OK):
    return Operation(1, kind, "k", value, None, call, back if outcome != UNKNOWN else float("inf"), outcome, result)


def only(complaints, text):
    return len(complaints) == 1 and text in complaints[0]


INCREMENTS = [op("incr", 1, 4, result=2), op("incr", 2, 3, result=1), op("get", 5, 6, result="2"),
              op("incr", 7, 8, outcome=UNKNOWN)]


def test_a_counter_ends_between_the_acknowledged_and_the_attempted():
    assert checks.counter(INCREMENTS, 2) == []
    assert checks.counter(INCREMENTS, 3) == []
    assert only(checks.counter(INCREMENTS, 4), "ends with 4")
    assert "ends with 1" in checks.counter(INCREMENTS, 1)[0]


def test_a_counter_gives_each_value_once():
    assert "same value" in checks.counter([op("incr", 1, 2, result=1), op("incr", 3, 4, result=1)], 2)[0]


def test_an_increment_is_answered_with_a_number():
    assert only(checks.counter([op("incr", 1, 2, result=b"x")], 1), "no number")


def test_a_counter_never_goes_back():
    assert only(checks.counter([*INCREMENTS, op("get", 9, 10, result="1")], 3), "went back")
    assert only(checks.counter([op("incr", 5, 6, result=1), op("incr", 1, 2, result=2)], 2), "went back")


def test_a_read_of_an_increment_before_it_was_made_is_found():
    assert only(checks.counter([op("get", 1, 2, result="1"), op("incr", 3, 4, result=1)], 1), "went back")


def counted(*numbers):
    """What one client was answered; None: nobody knows."""
    one, complaints = checks.ExactlyOnce(), []
    for number in numbers:
        complaint = one.lose() if number is None else one.take(number)
        complaints += [complaint] if complaint else []
    return one, complaints


def test_a_client_alone_gets_each_number_once_and_in_order():
    assert counted(1, 2, 3)[1] == []
    assert only(counted(1, 2, 2)[1], "2 was answered after 2")
    assert only(counted(1, 3)[1], "3 was answered after 1")
    assert only(counted(1, 2, 1)[1], "1 was answered after 2")
    assert only(counted(1, "2")[1], "'2' was answered")


def test_what_nobody_knows_takes_effect_once_or_never():
    assert counted(1, None, 2, 3)[1] == []
    assert counted(1, None, 3, 4)[1] == []
    assert counted(1, None, 2, 4)[1] == []  # late
    assert only(counted(1, None, 4)[1], "it can be 2 to 3")
    assert only(counted(1, None, 3, 5)[1], "5 was answered")
    assert counted(1, None, None, 4)[1] == []


def test_the_counter_ends_with_what_was_answered():
    assert counted(1, 2)[0].end(2) is None
    assert "ends with 3" in counted(1, 2)[0].end(3)
    assert "ends with 1" in counted(1, 2)[0].end(1)
    assert counted(1, None)[0].end(1) is None and counted(1, None)[0].end(2) is None
    assert counted(1, None)[0].end(3)


APPENDED = [op("append", 1, 2, "a;", 2), op("append", 3, 9, "b;", 4), op("get", 4, 5, result="a;b;"),
            op("append", 6, 7, "c;", outcome=UNKNOWN), op("append", 6, 7, "d;", outcome=FAILED)]


def test_appended_tokens_are_there_once_and_where_they_were_said_to_be():
    assert checks.appended(APPENDED, "a;b;") == []
    assert checks.appended(APPENDED, "a;b;c;") == []
    assert only(checks.appended(APPENDED, "a;b;c;c;"), "twice")
    assert only(checks.appended(APPENDED, "a;b;d;"), "refused")
    assert only(checks.appended(APPENDED, "a;b;x;"), "nobody appended")
    assert "not there" in checks.appended(APPENDED, "a;c;")[0]
    assert "another length" in checks.appended(APPENDED, "b;a;")[0]


def test_appended_keys_are_not_read_from_the_past():
    assert only(checks.appended([*APPENDED, op("get", 10, 11, result="a;")], "a;b;"), "went back")


def test_accounts_keep_their_sum():
    begin = [str(EACH_BEGINS_WITH)] * len(ACCOUNTS)
    moved = [str(EACH_BEGINS_WITH - 5), str(EACH_BEGINS_WITH + 5), *begin[2:]]
    transfer = op("transfer", 1, 2, [ACCOUNTS[0], ACCOUNTS[1], 5], True)
    assert checks.accounts([transfer, op("look", 1, 3, result=begin)], moved) == []
    assert only(checks.accounts([op("look", 1, 3, result=[*moved[:1], *begin[1:]])], begin), "the sum")
    assert only(checks.accounts([], moved[:1] + begin[1:]), "at the end")
    assert len(checks.accounts([transfer], begin)) == 2
    assert checks.accounts([op("transfer", 1, 2, transfer.value, outcome=UNKNOWN)], moved) == []
    assert checks.accounts([op("transfer", 1, 2, transfer.value, False)], begin) == []
    assert len(checks.accounts([op("transfer", 1, 2, transfer.value, False)], moved)) == 2


def put(call, back, *jobs, outcome=OK):
    return op("put", call, back, list(jobs), True, outcome)


def take(call, back, *jobs, most=1, outcome=OK):
    return op("take", call, back, most, list(jobs), outcome) if outcome == OK else op("take", call, back, most, None, outcome)


def test_a_job_is_given_once_or_is_left():
    assert checks.queue([put(1, 2, "a", "b"), take(3, 4, "a")], ["b"]) == []
    assert only(checks.queue([put(1, 2, "a"), take(3, 4, "a"), take(3, 4, "a")], []), "given twice")
    assert only(checks.queue([put(1, 2, "a"), take(3, 4, "a")], ["a"]), "is left")
    assert only(checks.queue([put(1, 2, "a")], ["a", "a"]), "2 times")


def test_a_job_is_lost_only_to_a_client_that_did_not_learn_what_it_took():
    jobs = [put(1, 2, "a", "b"), take(1, 9)]
    assert only(checks.queue(jobs, ["b"]), "1 jobs were put and are lost")
    assert checks.queue([*jobs, take(3, 0, outcome=UNKNOWN)], ["b"]) == []
    assert only(checks.queue([*jobs, take(3, 0, outcome=UNKNOWN)], []), "2 jobs")
    assert only(checks.queue([*jobs, take(3, 4, outcome=FAILED)], ["b"]), "1 jobs")
    assert checks.queue([*jobs, take(3, 0, most=2, outcome=UNKNOWN)], []) == []
    assert checks.queue([put(1, 2, "a", outcome=UNKNOWN)], []) == []


def test_a_job_that_nobody_put_there_is_found():
    assert only(checks.queue([take(3, 4, "x")], []), "nobody put")
    assert only(checks.queue([put(1, 2, "a", outcome=FAILED)], ["a"]), "refused")
    assert only(checks.queue([put(5, 6, "a"), take(3, 4, "a")], []), "before it was there")


def test_jobs_leave_a_queue_in_their_order():
    two = [put(1, 2, "a"), put(3, 4, "b")]
    assert checks.queue([*two, take(5, 7, "b"), take(6, 8, "a")], []) == []
    assert only(checks.queue([*two, take(5, 6, "b"), take(7, 8, "a")], []), "overtaken")
    assert checks.queue([*two, take(5, 6, "b"), take(7, 8, "a")], [], in_order=False) == []
    assert only(checks.queue([*two, take(5, 6, "b")], ["a"]), "overtaken")
    assert checks.queue([put(1, 4, "a"), put(3, 5, "b"), take(6, 7, "b")], ["a"]) == []
    assert checks.queue([*two, take(5, 6, "b"), take(5, 0, outcome=UNKNOWN)], []) == []


def test_a_job_that_was_moved_is_where_it_was_moved_to():
    assert checks.moved([take(1, 2, "a")], ["a"]) == []
    assert only(checks.moved([take(1, 2, "a")], []), "0 times")
    assert only(checks.moved([take(1, 2, "a")], ["a", "a"]), "2 times")
    assert only(checks.moved([], ["a"]), "unseen")
    assert checks.moved([take(1, 2, outcome=UNKNOWN)], ["a"]) == []


def expiring(*reads, outcome=OK, restarts=()):
    """A key that lives for a second, read at (call, return, result) in milliseconds."""
    begin = Operation(1, "expiring", "k", "v", 1000, 0, 10_000_000, outcome, True)
    return checks.expiry([begin, *(op("get", call * 10**6, back * 10**6, result=result) for call, back, result in reads)],
                         [at * 10**6 for at in restarts])


def test_a_key_lives_as_long_as_it_was_given():
    assert expiring((20, 30, "v"), (900, 950, "v"), (1000, 1010, "v"), (1020, 1030, None)) == []
    assert only(expiring((100, 110, None)), "too early")
    assert only(expiring((3000, 3010, "v")), "too long")
    assert only(expiring((20, 30, "x")), "nobody wrote")


def test_lives_with_a_restart_in_them_are_not_measured():
    assert expiring((100, 110, None), restarts=[50]) == []
    assert expiring((3000, 3010, "v"), restarts=[50]) == []
    assert only(expiring((3000, 3010, "v"), restarts=[5000]), "too long")
    assert expiring((100, 110, None), outcome=UNKNOWN) == []


def test_what_was_gone_stays_gone_also_over_a_restart():
    assert only(expiring((1100, 1110, None), (1120, 1130, "v"), restarts=[50]), "is back")
    assert expiring((1100, 1130, None), (1120, 1125, "v"), restarts=[50]) == []


def test_a_write_without_an_answer_may_come_after_a_read_that_found_nothing():
    assert expiring((500, 510, None), (600, 610, "v"), outcome=UNKNOWN) == []
    assert only(expiring((600, 610, "v"), (620, 630, None), (640, 650, "v"), outcome=UNKNOWN), "is back")
    assert expiring((5, 9, None), (20, 30, "v")) == []  # while it was being written

"""Judges what the clients saw, where a whole search is not needed: counters, appended keys, accounts.

Each returns a list of complaints; none: fine."""
from history import OK, UNKNOWN
from workloads import ACCOUNTS, EACH_BEGINS_WITH


def out_of_order(events):
    """The first pair that took effect in the reverse of the order in which they were made: events are
    (rank, operation), and one of a higher rank must not have returned before one of a lower rank was called."""
    earliest = None
    at = sorted(events, key=lambda event: event[0], reverse=True)
    start = 0
    while start < len(at):
        end = start
        while end < len(at) and at[end][0] == at[start][0]:
            op = at[end][1]
            if earliest and earliest.back < op.call:
                return op, earliest
            end += 1
        for _, op in at[start:end]:
            if not earliest or op.back < earliest.back:
                earliest = op
        start = end
    return None


def counter(operations, final):
    """INCR and GET of one counter, and the value at the end."""
    complaints = []
    answered = [op for op in operations if op.kind == "incr" and op.outcome == OK]
    unknown = sum(op.kind == "incr" and op.outcome == UNKNOWN for op in operations)
    if not len(answered) <= final <= len(answered) + unknown:
        complaints.append(f"it ends with {final}: {len(answered)} increments were acknowledged, {unknown} are unknown")
    complaints += [f"an increment was answered with what is no number: {op!r}" for op in answered
                   if not isinstance(op.result, int)]
    answered = [op for op in answered if isinstance(op.result, int)]
    by_value = {}
    for op in answered:
        if op.result in by_value:
            complaints.append(f"two increments gave the same value:\n  {by_value[op.result]!r}\n  {op!r}")
        by_value[op.result] = op
        if op.result > final:
            complaints.append(f"it ends with {final}, less than an increment gave: {op!r}")
    events = [(op.result, op) for op in answered]
    # A read of n lies between the increments to n and to n + 1.
    events += [(int(op.result or 0) + 0.5, op) for op in operations if op.kind == "get" and op.outcome == OK]
    pair = out_of_order(events)
    if pair:
        complaints.append(f"it went back:\n  {pair[1]!r}\n  then {pair[0]!r}")
    return complaints


class ExactlyOnce:
    """Increments of a counter that one client alone makes, one after the other. Each answered one gives the next number,
    but for those whose outcome nobody knows: each of them may take effect once, at any later time."""

    def __init__(self):
        self.count = 0     # the last number that was answered
        self.unknown = 0   # may take effect behind it
        self.answered = 0

    def take(self, number):
        """A complaint, or None."""
        before, most = self.count, self.count + 1 + self.unknown
        self.answered += 1
        if not isinstance(number, int) or not before < number <= most:
            self.count = number if isinstance(number, int) else before
            return f"{number!r} was answered after {before}; it can be {before + 1} to {most}"
        self.unknown -= number - before - 1
        self.count = number
        return None

    def lose(self):
        """One was sent, and nobody learned what became of it."""
        self.unknown += 1

    def end(self, final):
        """A complaint, or None."""
        if self.count <= final <= self.count + self.unknown:
            return None
        return f"it ends with {final}; it can be {self.count} to {self.count + self.unknown}"


def appended(operations, final):
    """APPEND of unique tokens that end with ';', GET, and the text at the end."""
    complaints = []
    final = final or ""
    ends, at = {}, 0
    for token in final.split(";")[:-1]:
        at += len(token) + 1
        if token + ";" in ends:
            complaints.append(f"{token}; is there twice")
        ends[token + ";"] = at
    events, known = [], set()
    for op in operations:
        if op.kind == "append":
            known.add(op.value)
            if op.outcome == OK:
                if op.value not in ends:
                    complaints.append(f"an acknowledged append is not there: {op!r}")
                elif ends[op.value] != op.result:
                    complaints.append(f"it gave another length than it made, {ends[op.value]}: {op!r}")
            elif op.outcome != UNKNOWN and op.value in ends:
                complaints.append(f"an append that was refused is there: {op!r}")
            if op.value in ends:
                events.append((ends[op.value], op))
        elif op.kind == "get" and op.outcome == OK:
            if not final.startswith(op.result or ""):
                complaints.append(f"what was read is not the begin of the final text: {op!r}")
            events.append((len(op.result or "") + 0.5, op))
    strangers = set(ends) - known
    if strangers:
        complaints.append(f"nobody appended {sorted(strangers)[:5]}")
    pair = out_of_order(events)
    if pair:
        complaints.append(f"it went back:\n  {pair[1]!r}\n  then {pair[0]!r}")
    return complaints


def queue(operations, left, in_order=True):
    """Jobs with names that come once: put, taken by clients that wait, and those that are left at the end. A take whose
    outcome nobody knows may have taken as many as it asked for. in_order: first in, first out."""
    complaints = []
    puts = {job: op for op in operations if op.kind == "put" for job in op.value}
    takes, spare = {}, 0
    for op in operations:
        if op.kind != "take":
            continue
        spare += op.value if op.outcome == UNKNOWN else 0
        for job in op.result or []:
            if job in takes:
                complaints.append(f"{job} was given twice:\n  {takes[job]!r}\n  {op!r}")
            takes[job] = op
    complaints += [f"{job} is left {left.count(job)} times" for job in sorted(set(left)) if left.count(job) > 1]
    complaints += [f"{job} was given, and is left: {takes[job]!r}" for job in sorted(set(left) & set(takes))]
    for job in sorted(set(left) | set(takes)):
        if job not in puts or puts[job].outcome not in (OK, UNKNOWN):
            complaints.append(f"nobody put {job} there, or it was refused: {puts.get(job)!r}")
        elif job in takes and takes[job].back < puts[job].call:
            complaints.append(f"{job} was given before it was there:\n  {takes[job]!r}\n  {puts[job]!r}")
    lost = [job for job, op in puts.items() if op.outcome == OK and job not in takes and job not in left]
    if len(lost) > spare:
        complaints.append(f"{len(lost)} jobs were put and are lost, {spare} may have been taken unseen: {lost[:5]}")
    pair = overtaken(puts, takes, left) if in_order and not complaints else None
    if pair:
        complaints.append("a job was overtaken:\n  " + "\n  ".join(f"{op!r}" for op in pair))
    return complaints


def overtaken(puts, takes, left):
    """The first job that was given or is left, was put before another one was, and was given after it."""
    begins = {job: takes[job].call if job in takes else float("inf") for job in [*takes, *left]}
    puts = {job: op for job, op in puts.items() if job in begins}
    by_back = sorted((job for job in puts if puts[job].outcome == OK), key=lambda job: puts[job].back)
    latest, at = None, 0
    for job in sorted((job for job in puts if job in takes), key=lambda job: puts[job].call):
        while at < len(by_back) and puts[by_back[at]].back < puts[job].call:
            if latest is None or begins[by_back[at]] > begins[latest]:
                latest = by_back[at]
            at += 1
        if latest is not None and takes[job].back < begins[latest]:
            return [op for op in (puts[latest], puts[job], takes[job], takes.get(latest)) if op]
    return None


def moved(operations, done):
    """Jobs that clients moved from one list to another, and what that holds at the end."""
    known = [job for op in operations if op.kind == "take" for job in op.result or []]
    spare = sum(op.value for op in operations if op.kind == "take" and op.outcome == UNKNOWN)
    complaints = [f"{job} was moved, and is there {done.count(job)} times" for job in known if done.count(job) != 1]
    unseen = [job for job in done if job not in set(known)]
    if len(unseen) > spare:
        complaints.append(f"{len(unseen)} jobs were moved unseen, which {spare} moves can have done: {unseen[:5]}")
    return complaints


def accounts(operations, final):
    """Transfers and looks at all accounts, and the balances at the end."""
    complaints = []
    total = EACH_BEGINS_WITH * len(ACCOUNTS)
    for op in operations:
        if op.kind == "look" and op.outcome == OK:
            if None in op.result:
                complaints.append(f"an account is gone: {op!r}")
            elif sum(map(int, op.result)) != total:
                complaints.append(f"the sum is {sum(map(int, op.result))}, not {total}: {op!r}")
    if None in final or sum(map(int, final)) != total:
        complaints.append(f"at the end the accounts hold {final}, not {total} together")
        return complaints
    for account, balance in zip(ACCOUNTS, map(int, final)):
        least = most = EACH_BEGINS_WITH
        for op in operations:
            if op.kind != "transfer" or account not in op.value[:2]:
                continue
            amount = op.value[2] if op.value[1] == account else -op.value[2]
            if op.outcome == OK and op.result:
                least, most = least + amount, most + amount
            elif op.outcome == UNKNOWN:
                least, most = least + min(amount, 0), most + max(amount, 0)
        if not least <= balance <= most:
            complaints.append(f"{account} holds {balance}; by what was acknowledged it is {least} to {most}")
    return complaints


# How far the life of a key may be off: the group's clock is drawn toward the wall by up to 5 %, and the nodes' own
# clocks drift here by 2 %; then what messages and the machine take.
EXPIRY_SHARE = 0.08
EXPIRY_LATE_NS = 1_500_000_000
EXPIRY_EARLY_NS = 150_000_000


def expiry(operations, restarts):
    """SET PX of one key once, and reads of it. `restarts`: when a node was started. A group of which nobody heard the
    old leader's time takes the wall's, right or wrong: lives that a restart falls into are not measured. That what was
    seen expired stays so always holds."""
    complaints = []
    begin = next(op for op in operations if op.kind == "expiring")
    life = begin.expected * 1_000_000
    reads = sorted((op for op in operations if op.kind == "get" and op.outcome == OK), key=lambda op: op.call)
    there = min([op.back for op in reads if op.result is not None] + [begin.back] * (begin.outcome == OK), default=None)
    gone = None  # a read that found nothing after the key was there: a write without an answer may come late
    for op in reads:
        if op.result is not None and op.result != begin.value:
            complaints.append(f"nobody wrote what was read: {op!r}")
        if op.result is not None and gone and gone.back < op.call:
            complaints.append(f"it was gone, and is back:\n  {gone!r}\n  {op!r}")
        if op.result is None and there is not None and op.call > there and (not gone or op.back < gone.back):
            gone = op
        if begin.outcome != OK or any(begin.call < at < op.back for at in restarts):
            continue
        if op.result is None and op.call > begin.back and op.back - begin.call < life * (1 - EXPIRY_SHARE) - EXPIRY_EARLY_NS:
            complaints.append(f"it was gone too early:\n  {begin!r}\n  {op!r}")
        if op.result is not None and op.call - begin.back > life * (1 + EXPIRY_SHARE) + EXPIRY_LATE_NS:
            complaints.append(f"it lived too long:\n  {begin!r}\n  {op!r}")
    return complaints

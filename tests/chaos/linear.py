"""Were the operations on one key linearizable: is there an order of them all, each at a moment between its call and
its return, in which every reply is what one correct server would have given?

The search is that of Wing and Gong (1993) with Lowe's memory of the configurations that were visited (2017). Keys are
judged one by one, which loses nothing: linearizability is local (Herlihy and Wing, 1990).

The history of a key is cut wherever no answered operation is pending. Each piece is searched exhaustively from every
configuration in which the piece before it may have ended, so that no piece depends on a lucky guess in another.

Writes of unknown outcome may take effect at any time after their call, or never. Each would double the work, so they
are resolved beforehand where that loses no answer (see resolve()): values are unique, so a write whose value somebody
saw happened before that sight, and one whose value nobody saw may be left out.
"""
from history import FAILED, FOREVER, OK, Operation

# Configurations that are remembered for one key before the search gives up.
LIMIT = 500_000
REPORTED = 24

OKAY, VIOLATED, GAVE_UP = "ok", "violated", "gave up"
ABSENT = None
IMPOSSIBLE = object()
UNSEEN = "(a value that nobody saw)"


# --- the model: a key of a Redis server, as a function of (state, operation) to the state after it ---
# An operation without a known reply fits any state in which the server would not have refused it.

def _get(state, op):
    return state if op.outcome != OK or op.result == state else IMPOSSIBLE


def _set(_state, op):
    return op.value


def _getset(state, op):
    return op.value if op.outcome != OK or op.result == state else IMPOSSIBLE


def _cas(state, op):
    """result True: it was set, so the value was the expected one. False: an abort needs no reason and has no effect."""
    if op.outcome == OK and not op.result:
        return state
    return op.value if state == op.expected else IMPOSSIBLE


def _setnx(state, op):
    if op.outcome != OK:
        return op.value if state is ABSENT else state
    if op.result:
        return op.value if state is ABSENT else IMPOSSIBLE
    return state if state is not ABSENT else IMPOSSIBLE


def _del(state, op):
    if op.outcome == OK and op.result != (state is not ABSENT):
        return IMPOSSIBLE
    return ABSENT


def _incr(state, op):
    value = int(state or 0) + 1
    return str(value) if op.outcome != OK or op.result == value else IMPOSSIBLE


def _append(state, op):
    value = (state or "") + op.value
    return value if op.outcome != OK or op.result == len(value) else IMPOSSIBLE


MODEL = {"get": _get, "set": _set, "getset": _getset, "cas": _cas, "setnx": _setnx, "del": _del, "incr": _incr,
         "append": _append}


def has_no_effect(op):
    return op.kind == "get" or (op.kind == "cas" and op.outcome == OK and not op.result)


class Report:
    def __init__(self, verdict, configurations=0, text=""):
        self.verdict = verdict
        self.configurations = configurations
        self.text = text


# --- what can be said before the search ---

def sights(operations):
    """{value: when it had been seen at the latest}: the earliest return of an operation that saw it. What an unknown
    cas expected was seen when its own value was: it succeeded then."""
    seen = {}

    def note(value, moment):
        if value is None or seen.get(value, FOREVER) <= moment:
            return False
        seen[value] = moment
        return True

    for op in operations:
        if op.outcome == OK and op.kind in ("get", "getset"):
            note(op.result, op.back)
        elif op.outcome == OK and op.kind == "cas" and op.result:
            note(op.expected, op.back)
    tries = [op for op in operations if op.outcome != OK and op.kind == "cas"]
    while any([note(op.expected, seen[op.value]) for op in tries if op.value in seen]):
        pass
    return seen


def resolve(operations):
    """Drops what tells nothing, and settles unknown writes as far as that loses no answer. Where values are unique:

    - one whose value was seen took effect before the first sight returned: it gets that as its return;
    - one whose value nobody saw may be left out, if all that anybody learned of the key are whole values;
    - where the mere presence of a key was seen too (setnx, del), all values that nobody saw are one and the same."""
    useful = [op for op in operations if op.outcome != FAILED and (op.outcome == OK or op.kind != "get")]
    kinds = {op.kind for op in useful}
    written = [op.value for op in useful if op.value is not None]
    if kinds & {"incr", "append"} or len(set(written)) < len(written):
        return useful
    whole = not kinds & {"setnx", "del"}
    seen = sights(useful)
    resolved = []
    for op in useful:
        if op.outcome == OK or op.kind == "del" or seen.get(op.value, FOREVER) < op.call:
            resolved.append(op)  # what was seen before it was called stands as it is: the search says so
        elif op.value in seen:
            resolved.append(Operation(op.client, op.kind, op.key, op.value, op.expected, op.call, seen[op.value],
                                      op.outcome))
        elif not whole:
            kind = "set" if op.kind == "getset" else op.kind
            resolved.append(Operation(op.client, kind, op.key, UNSEEN, op.expected, op.call))
    return resolved


def pieces(required):
    """Cuts a list that is sorted by call wherever everything before has returned."""
    piece, latest = [], -1
    for op in required:
        if piece and op.call > latest:
            yield piece
            piece = []
        piece.append(op)
        latest = max(latest, op.back)
    if piece:
        yield piece


# --- the search ---

class _GaveUp(Exception):
    pass


class _Search:
    def __init__(self, optional, limit):
        self.optional = optional  # of unknown outcome, sorted by call
        self.limit = limit
        self.configurations = 0
        # Of equal optional operations the one that was called first is taken first: nobody could tell them apart.
        self.equal = []
        last = {}
        for number, op in enumerate(optional):
            name = (op.kind, op.value, op.expected)
            self.equal.append(last.get(name))
            last[name] = number

    def piece(self, ops, begins):
        """All configurations (optional ones taken, state) in which `ops` may have ended; none: a violation."""
        ends = set()
        visited = set()
        self.best = ([], begins)
        for begin in begins:
            self._from(ops, begin, visited, ends)
        return ends

    def _from(self, ops, begin, visited, ends):
        count = len(ops)
        taken, state = begin
        # done: a bit for each of ops. path: what was linearized, to report how far it went.
        path = []
        stack = [iter(self._choices(ops, 0, taken, state))]
        visited.add((0, taken, state))
        while stack:
            choice = next(stack[-1], None)
            if choice is None:
                stack.pop()
                if path:
                    path.pop()
                continue
            done, taken, state, op = choice
            if (done, taken, state) in visited:
                continue
            visited.add((done, taken, state))
            self.configurations += 1
            if self.configurations > self.limit:
                raise _GaveUp
            path.append(op)
            if len(path) > len(self.best[0]):
                self.best = (list(path), state)
            if done == (1 << count) - 1:
                ends.add((taken, state))
                path.pop()
                continue
            stack.append(iter(self._choices(ops, done, taken, state)))

    def _choices(self, ops, done, taken, state):
        """What may come next. One that has no effect and fits is taken alone: it takes no place from any other."""
        bound = FOREVER
        first = (~done & (done + 1)).bit_length() - 1
        candidates = []
        for number in range(first, len(ops)):
            op = ops[number]
            if op.call > bound:
                break
            if done >> number & 1:
                continue
            candidates.append(number)
            bound = min(bound, op.back)
        choices = []
        for number in candidates:
            op = ops[number]
            if op.call > bound:
                continue
            after = MODEL[op.kind](state, op)
            if after is IMPOSSIBLE:
                continue
            choice = (done | 1 << number, taken, after, op)
            if has_no_effect(op):
                return [choice]
            choices.append(choice)
        for number, op in enumerate(self.optional):
            if op.call > bound:
                break
            before = self.equal[number]
            if taken >> number & 1 or (before is not None and not taken >> before & 1):
                continue
            after = MODEL[op.kind](state, op)
            if after is not IMPOSSIBLE and after != state:
                choices.append((done, taken | 1 << number, after, op))
        return choices


def check(operations, limit=LIMIT):
    """The verdict over all operations of one key, which begins absent."""
    useful = sorted(resolve(operations), key=lambda op: (op.call, op.back))
    required = [op for op in useful if op.back != FOREVER]
    optional = [op for op in useful if op.back == FOREVER]
    search = _Search(optional, limit)
    ends = {(0, ABSENT)}
    try:
        for piece in pieces(required):
            begins, ends = ends, search.piece(piece, ends)
            if not ends:
                return Report(VIOLATED, search.configurations, _explain(piece, begins, search))
    except _GaveUp:
        return Report(GAVE_UP, search.configurations, f"more than {limit} configurations")
    return Report(OKAY, search.configurations)


def _explain(piece, begins, search):
    path, state = search.best
    placed = set(map(id, path))
    states = sorted({repr(state) for _, state in begins})
    lines = [f"key {piece[0].key} is not linearizable", f"before this piece of its history it held: {', '.join(states)}"]
    lines.append(f"the longest order that fits has {len(path)} operations, the last:")
    lines += [f"  {op!r}" for op in path[-REPORTED:]]
    lines.append(f"then it holds {state!r}" if path else "nothing fits")
    lines.append("without a place:")
    lines += [f"  {op!r}" for op in piece if id(op) not in placed][:REPORTED]
    return "\n".join(lines)


def check_all(history, limit=LIMIT):
    """{key: Report} of every key in a history."""
    return {key: check(operations, limit) for key, operations in history.items()}

"""Where random commands may be answered otherwise than by the server we compare with, and why: ONE list, KNOWN.

An entry is (reason, commands, same). It concerns replies to these commands, and same(theirs, ours, place) says whether
two replies that are not equal byte for byte mean the same. A reply is a tree(): (kind, text) or (kind, [trees]). Nothing
else is let pass."""
import re


class Place:
    """Where a reply was given."""

    def __init__(self, command, sequence, long, valkey):
        self.command = command
        self.names = {one[0].lower() for one in sequence if one}  # of all commands that have run
        self.has_infinity = any(word.lower().lstrip(b"(+-")[:3] == b"inf" for one in sequence for word in one)
        self.has_range_error = any(b"e400" in word or b"e-324" in word for one in sequence for word in one)
        self.long = long  # the sequence has values that Redis does not pack
        self.valkey = valkey


def tree(raw, at=0):
    """(reply as a tree, position behind it)."""
    end = raw.index(b"\r\n", at)
    kind, rest, after = raw[at:at + 1], raw[at + 1:end], end + 2
    if kind in b"$=!" and rest != b"-1":
        length = int(rest)
        return (kind, raw[after:after + length]), after + length + 2
    if kind in b"*~>%" and rest != b"-1":
        items = []
        for _ in range(int(rest) * (2 if kind == b"%" else 1)):
            item, after = tree(raw, after)
            items.append(item)
        return (kind, items), after
    return (kind, rest), after


def error(reply):
    return reply[0] in (b"-", b"!")


def shape(reply):
    return reply[0], len(reply[1]) if isinstance(reply[1], list) else None


def in_any_order(theirs, ours, _):
    def ordered(reply):
        return (reply[0], sorted(map(ordered, reply[1]), key=repr)) if isinstance(reply[1], list) else reply
    return ordered(theirs) == ordered(ours)


def in_any_order_if_not_packed(theirs, ours, place):
    return (place.long or place.valkey or bool(place.names & {b"sort", b"sort_ro"})) and in_any_order(theirs, ours, place)


def alike(theirs, ours, _):
    return shape(theirs) == shape(ours) and not error(theirs)


def same_form(theirs, ours, place):
    forms = {theirs[1], ours[1]}
    if theirs[1] == b"skiplist" and place.names & {b"sort", b"sort_ro"}:
        return forms == {b"skiplist", b"listpack"}
    if theirs[1] == b"raw" and place.names & {b"setbit", b"bitfield", b"pfadd", b"pfcount"}:
        return ours[1] in (b"int", b"embstr")
    if place.valkey:
        return forms == {b"embstr", b"raw"} or place.long and forms in (
            {b"skiplist", b"listpack"}, {b"hashtable", b"listpack"})
    return forms in ({b"quicklist", b"listpack"}, {b"hashtable", b"listpack"})


def without_sign_of_zero(theirs, ours, _):
    def signless(reply):
        return reply[0], [signless(one) for one in reply[1]] if isinstance(reply[1], list) else b"0" if reply[1] == b"-0" else reply[1]
    return signless(theirs) == signless(ours)


def same_number(theirs, ours, place):
    def number(reply):
        if isinstance(reply[1], list):
            return reply[0], [number(one) for one in reply[1]]
        try:
            return reply[0], float(reply[1])
        except ValueError:
            return reply
    return place.valkey and number(theirs) == number(ours)


def with_infinite_score(theirs, ours, place):
    return place.has_infinity and not error(theirs) and not error(ours)


def same_registers(theirs, ours, _):
    """Of HyperLogLogs, all but the count that they remember."""
    def without(reply):
        if isinstance(reply[1], list):
            return reply[0], [without(one) for one in reply[1]]
        return reply[0], reply[1][:8] + reply[1][16:] if reply[1][:4] == b"HYLL" else reply[1]
    return without(theirs) == without(ours)


def without_newer_fields(reply, valkey):
    """Redis 7.0 has no active-time and inactive. Valkey knows no lag where an entry was deleted."""
    items = list(reply[1])
    for name in (b"active-time", b"inactive", *([b"lag"] if valkey else [])):
        if (b"$", name) in items:
            at = items.index((b"$", name))
            del items[at:at + 2]
    return reply[0], items


def sorted_up_to_zeros(theirs, ours, place):
    """ALPHA compares as C does, for which a zero byte ends a text."""
    names = set(map(bytes.upper, place.command))
    zeros = any(b"\x00" in one[1] for reply in (theirs, ours) if isinstance(reply[1], list) for one in reply[1])
    if b"BY" not in names and not (b"ALPHA" in names and zeros):
        return False
    return alike(theirs, ours, place) if b"LIMIT" in names else in_any_order(theirs, ours, place)


def times(theirs, ours, place):
    """Numbers anywhere in the tree are near to each other."""
    def same(one, other):
        if isinstance(one[1], list) and isinstance(other[1], list):
            one, other = (without_newer_fields(reply, place.valkey) for reply in (one, other))
            return one[0] == other[0] and len(one[1]) == len(other[1]) and all(map(same, one[1], other[1]))
        if one[0] == other[0] == b":":
            one, other = int(one[1]), int(other[1])
            return abs(one - other) < 5000 and (one < 0) == (other < 0)
        return one == other
    return same(theirs, ours)


KNOWN = [
    ("a set keeps the order in which members came; Redis 7.0 sorts numbers and scatters the rest",
     "smembers sunion sinter sdiff sscan srandmember spop", in_any_order),
    ("Redis scatters hashes and sorted sets that it does not pack, Valkey hashes with deadlines; here hashes keep their order",
     "hgetall hkeys hvals hscan hrandfield zscan zrandmember", in_any_order_if_not_packed),
    ("where SORT does not sort, the order is that of the set; texts that are equal up to a zero byte are in any order",
     "sort sort_ro", sorted_up_to_zeros),
    ("keys are in no order", "keys scan", in_any_order),
    ("the two servers have started a command at two moments", "ttl pttl expiretime pexpiretime httl hpttl hexpiretime hpexpiretime",
     times),
    ("consumers and deliveries carry the time of day", "xpending xinfo", times),
    ("an id of the clock", "xadd", lambda theirs, ours, _: theirs[0] == ours[0] == b"$" and all(re.fullmatch(rb"1\d{12}-\d+", one[1]) for one in (theirs, ours))),
    ("chance", "srandmember spop hrandfield zrandmember", alike),
    ("the bytes of DUMP are those that older versions load too; test_dump.py loads them", "dump", alike),
    ("SORT of Redis 7.0 takes a range error of an earlier command for its own", "sort sort_ro",
     lambda theirs, ours, place: error(theirs) and b"converted into double" in theirs[1] and place.has_range_error),
    ("Valkey has a position + in XREAD, and another error for it in XREADGROUP", "xreadgroup",
     lambda theirs, ours, place: place.valkey and error(theirs) and b"The + ID" in theirs[1] and error(ours)),
    ("since 7.2, the error names the command", "xread xreadgroup",
     lambda theirs, ours, _: error(theirs) and error(ours) and theirs[1].startswith(b"ERR Unbalanced XREAD list") and ours[1].startswith(b"ERR Unbalanced '")),
    ("since 7.2, LPOS refuses the least integer as RANK", "lpos",
     lambda theirs, ours, place: not place.valkey and error(ours) and b"-9223372036854775807 and" in ours[1]),
    ("a read changes nothing; Redis' PFCOUNT stores the count and PFMERGE leaves an old one", "get getset getdel getex set mget lrange",
     same_registers),
    ("no score is a negative zero; Redis keeps the sign only where it does not pack",
     "zadd zincrby zscore zmscore zrange zrangebyscore zrangebylex zrevrange zrevrangebyscore zrevrangebylex zunion zinter zdiff "
     "zpopmin zpopmax zmpop bzpopmin bzpopmax bzmpop zscan zrandmember zrank zrevrank", without_sign_of_zero),
    ("Valkey says of all commands alike that they have no place in a transaction", "multi watch",
     lambda theirs, ours, place: place.valkey and error(theirs) and b"not allowed inside a transaction" in theirs[1] and error(ours)),
    ("members that are equally far are in any order", "geosearch georadius georadius_ro georadiusbymember georadiusbymember_ro",
     lambda theirs, ours, place: alike(theirs, ours, place) and (
         b"COUNT" in map(bytes.upper, place.command) or in_any_order(theirs, ours, place))),
    ("Valkey prints the shortest digits of a double", "zadd zincrby zscore zmscore zrange zrangebyscore zpopmin zpopmax "
     "zrank zrevrank", same_number),
    ("a sorted set's infinite score is no place; what Redis makes of it depends on the processor",
     "geopos geodist geohash geosearch georadius georadius_ro georadiusbymember georadiusbymember_ro", with_infinite_score),
    ("a SETBIT or PFADD that changes nothing leaves the form as it was; Valkey takes longer texts for embstr, and unpacks a sorted set for a long member that XX keeps out; Redis' SORT unpacks the sorted set that it reads, and since 7.2, small lists and sets are listpacks; Redis 7.0 does not know it", "object", same_form),
]
BY_NAME = {}
for _entry in KNOWN:
    for _name in _entry[1].split():
        BY_NAME.setdefault(_name.encode(), []).append(_entry)


def same(place, theirs, ours):
    """Whether two replies that are not equal mean the same."""
    if not place.command:
        return False
    name = place.command[0].lower()
    one, other = tree(theirs)[0], tree(ours)[0]
    return any(entry[2](one, other, place) for entry in BY_NAME.get(name, []))

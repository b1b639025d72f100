#include "unit/command/exchange.h"

static void test_set_and_get_store_and_give_back(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"SET k v", "+OK\r\n"},
        {"GET k", "$1\r\nv\r\n"},
        {"GET nokey", "$-1\r\n"},
        {"SET k ''", "+OK\r\n"},
        {"GET k", "$0\r\n\r\n"},
        {"STRLEN k", ":0\r\n"},
        {"SET n 12345678901234567890", "+OK\r\n"},
        {"GET n", "$20\r\n12345678901234567890\r\n"},
        {"SET n -9223372036854775808", "+OK\r\n"},
        {"GET n", "$20\r\n-9223372036854775808\r\n"},
        {"STRLEN n", ":20\r\n"},
        {"SET n 007", "+OK\r\n"},
        {"GET n", "$3\r\n007\r\n"},
        {"MSET a 1 b two c 3", "+OK\r\n"},
        {"MGET a b nokey c", "*4\r\n$1\r\n1\r\n$3\r\ntwo\r\n$-1\r\n$1\r\n3\r\n"},
        {"MSET a", "-ERR wrong number of arguments for 'mset' command\r\n"},
        {"MSET a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"},
        {"MSET a 1 a 2", "+OK\r\n"},
        {"GET a", "$1\r\n2\r\n"},
        {"MSETNX a 3 d 4", ":0\r\n"},
        {"GET d", "$-1\r\n"},
        {"MSETNX d 4 e 5 d 6", ":1\r\n"},
        {"MGET d e", "*2\r\n$1\r\n6\r\n$1\r\n5\r\n"},
        {"MSETNX d", "-ERR wrong number of arguments for 'msetnx' command\r\n"},
        {"MSETNX d 1 e", "-ERR wrong number of arguments for 'msetnx' command\r\n"},
        {"GETSET a new", "$1\r\n2\r\n"},
        {"GETSET fresh new", "$-1\r\n"},
        {"GET fresh", "$3\r\nnew\r\n"},
        {"SETNX fresh newer", ":0\r\n"},
        {"SETNX fresher x", ":1\r\n"},
        {"GETDEL fresher", "$1\r\nx\r\n"},
        {"GETDEL fresher", "$-1\r\n"},
        {"GET", "-ERR wrong number of arguments for 'get' command\r\n"},
        {"GET a b", "-ERR wrong number of arguments for 'get' command\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_set_goes_on_only_if_its_options_allow_it(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"SET k v NX", "+OK\r\n"},         {"SET k w NX", "$-1\r\n"},
        {"GET k", "$1\r\nv\r\n"},          {"SET k w XX", "+OK\r\n"},
        {"GET k", "$1\r\nw\r\n"},          {"SET nokey w XX", "$-1\r\n"},
        {"GET nokey", "$-1\r\n"},          {"SET k x GET", "$1\r\nw\r\n"},
        {"SET nokey x XX GET", "$-1\r\n"}, {"SET nokey x GET", "$-1\r\n"},
        {"GET nokey", "$1\r\nx\r\n"},      {"SET k y nx get", "$1\r\nx\r\n"},
        {"GET k", "$1\r\nx\r\n"},          {"SET k y XX GET", "$1\r\nx\r\n"},
        {"SET fresh y NX GET", "$-1\r\n"}, {"GET fresh", "$1\r\ny\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_set_refuses_options_that_make_no_sense(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"SET k v NX XX", "-ERR syntax error\r\n"},
        {"SET k v XX NX", "-ERR syntax error\r\n"},
        {"SET k v EX", "-ERR syntax error\r\n"},
        {"SET k v EX 10 PX 10", "-ERR syntax error\r\n"},
        {"SET k v PX 10 EXAT 10", "-ERR syntax error\r\n"},
        {"SET k v KEEPTTL EX 10", "-ERR syntax error\r\n"},
        {"SET k v EX 10 KEEPTTL", "-ERR syntax error\r\n"},
        {"SET k v PXAT 10 KEEPTTL", "-ERR syntax error\r\n"},
        {"SET k v PERSIST", "-ERR syntax error\r\n"},
        {"SET k v FOO", "-ERR syntax error\r\n"},
        {"SET k v EX abc", "-ERR value is not an integer or out of range\r\n"},
        {"SET k v EX 1.5", "-ERR value is not an integer or out of range\r\n"},
        {"SET k v EX 0", "-ERR invalid expire time in 'set' command\r\n"},
        {"SET k v PX -1", "-ERR invalid expire time in 'set' command\r\n"},
        {"SET k v EXAT 0", "-ERR invalid expire time in 'set' command\r\n"},
        {"SET k v EX 9223372036854775", "-ERR invalid expire time in 'set' command\r\n"},
        {"SET k v PX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n"},
        {"SET k v EXAT 9223372036854776", "-ERR invalid expire time in 'set' command\r\n"},
        {"SET k v EX 9223372036854775808", "-ERR value is not an integer or out of range\r\n"},
        {"SET k", "-ERR wrong number of arguments for 'set' command\r\n"},
        {"EXISTS k", ":0\r\n"},
        {"SETEX k 0 v", "-ERR invalid expire time in 'setex' command\r\n"},
        {"SETEX k -1 v", "-ERR invalid expire time in 'setex' command\r\n"},
        {"SETEX k abc v", "-ERR value is not an integer or out of range\r\n"},
        {"PSETEX k 0 v", "-ERR invalid expire time in 'psetex' command\r\n"},
        {"SETEX k 9223372036854775807 v", "-ERR invalid expire time in 'setex' command\r\n"},
        {"EXISTS k", ":0\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_set_with_a_time_expires(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"SET k v EX 100", "+OK\r\n"},
        {"TTL k", ":100\r\n"},
        {"SET k v", "+OK\r\n"},
        {"TTL k", ":-1\r\n"},
        {"SET k v EX 50 EX 200", "+OK\r\n"},
        {"TTL k", ":200\r\n"},
        {"SET k w KEEPTTL", "+OK\r\n"},
        {"TTL k", ":200\r\n"},
        {"GET k", "$1\r\nw\r\n"},
        {"SET k w PX 300000", "+OK\r\n"},
        {"TTL k", ":300\r\n"},
        {"SET k w EXAT 9999999999", "+OK\r\n"},
        {"EXPIRETIME k", ":9999999999\r\n"},
        {"SET k w PXAT 9999999999123", "+OK\r\n"},
        {"PEXPIRETIME k", ":9999999999123\r\n"},
        {"SETEX k 100 x", "+OK\r\n"},
        {"TTL k", ":100\r\n"},
        {"PSETEX k 200000 y", "+OK\r\n"},
        {"TTL k", ":200\r\n"},
        {"GET k", "$1\r\ny\r\n"},
        {"GETSET k z", "$1\r\ny\r\n"},
        {"TTL k", ":-1\r\n"},
        {"SET k v PXAT 1", "+OK\r\n"},
        {"GET k", "$-1\r\n"},
        {"EXISTS k", ":0\r\n"},
        {"SET k v EX 100 GET", "$-1\r\n"},
        {"SET k v EX 200 GET XX", "$1\r\nv\r\n"},
        {"TTL k", ":200\r\n"},
        {"MSET k 1", "+OK\r\n"},
        {"TTL k", ":-1\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_getex_changes_the_deadline(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"GETEX nokey", "$-1\r\n"},
        {"GETEX nokey EX abc", "$-1\r\n"},
        {"SET k v", "+OK\r\n"},
        {"GETEX k", "$1\r\nv\r\n"},
        {"TTL k", ":-1\r\n"},
        {"GETEX k EX 100", "$1\r\nv\r\n"},
        {"TTL k", ":100\r\n"},
        {"GETEX k", "$1\r\nv\r\n"},
        {"TTL k", ":100\r\n"},
        {"GETEX k PX 200000", "$1\r\nv\r\n"},
        {"TTL k", ":200\r\n"},
        {"GETEX k EXAT 9999999999", "$1\r\nv\r\n"},
        {"EXPIRETIME k", ":9999999999\r\n"},
        {"GETEX k PXAT 9999999999001", "$1\r\nv\r\n"},
        {"PEXPIRETIME k", ":9999999999001\r\n"},
        {"GETEX k PERSIST", "$1\r\nv\r\n"},
        {"TTL k", ":-1\r\n"},
        {"GETEX k PERSIST", "$1\r\nv\r\n"},
        {"GETEX k EX abc", "-ERR value is not an integer or out of range\r\n"},
        {"GETEX k EX 0", "-ERR invalid expire time in 'getex' command\r\n"},
        {"GETEX k PX -5", "-ERR invalid expire time in 'getex' command\r\n"},
        {"GETEX k EX 9223372036854775807", "-ERR invalid expire time in 'getex' command\r\n"},
        {"GETEX k PERSIST EX 1", "-ERR syntax error\r\n"},
        {"GETEX k EX 1 PX 1", "-ERR syntax error\r\n"},
        {"GETEX k KEEPTTL", "-ERR syntax error\r\n"},
        {"GETEX k NX", "-ERR syntax error\r\n"},
        {"GETEX k GET", "-ERR syntax error\r\n"},
        {"GETEX k EX", "-ERR syntax error\r\n"},
        {"GETEX k EXAT 1", "$1\r\nv\r\n"},
        {"EXISTS k", ":0\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_append_makes_strings_longer(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"APPEND k abc", ":3\r\n"},
        {"APPEND k def", ":6\r\n"},
        {"GET k", "$6\r\nabcdef\r\n"},
        {"APPEND k ''", ":6\r\n"},
        {"STRLEN k", ":6\r\n"},
        {"APPEND empty ''", ":0\r\n"},
        {"EXISTS empty", ":1\r\n"},
        {"SET n 12", "+OK\r\n"},
        {"APPEND n 34", ":4\r\n"},
        {"GET n", "$4\r\n1234\r\n"},
        {"INCR n", ":1235\r\n"},
        {"STRLEN nokey", ":0\r\n"},
        {"SETRANGE k 3 XY", ":6\r\n"},
        {"GET k", "$6\r\nabcXYf\r\n"},
        {"SETRANGE k 8 Z", ":9\r\n"},
        {"STRLEN k", ":9\r\n"},
        {"GETRANGE k 8 8", "$1\r\nZ\r\n"},
        {"SETRANGE nokey 0 ''", ":0\r\n"},
        {"EXISTS nokey", ":0\r\n"},
        {"SETRANGE k 100 ''", ":9\r\n"},
        {"SETRANGE k -1 x", "-ERR offset is out of range\r\n"},
        {"SETRANGE k abc x", "-ERR value is not an integer or out of range\r\n"},
        {"SETRANGE k -1 ''", "-ERR offset is out of range\r\n"},
        {"SETRANGE k 536870911 xx",
         "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"},
        {"SETRANGE k 9223372036854775807 x",
         "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"},
        {"SETRANGE k 9223372036854775808 x", "-ERR value is not an integer or out of range\r\n"},
        {"SETRANGE nokey 536870912 x",
         "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"},
        {"SET n 1234", "+OK\r\n"},
        {"SETRANGE n 1 00", ":4\r\n"},
        {"GET n", "$4\r\n1004\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_getrange_cuts_out(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"SET k 'This is a string'", "+OK\r\n"},
        {"GETRANGE k 0 3", "$4\r\nThis\r\n"},
        {"GETRANGE k -3 -1", "$3\r\ning\r\n"},
        {"GETRANGE k 0 -1", "$16\r\nThis is a string\r\n"},
        {"GETRANGE k 10 100", "$6\r\nstring\r\n"},
        {"GETRANGE k 5 2", "$0\r\n\r\n"},
        {"GETRANGE k -1 -3", "$0\r\n\r\n"},
        {"GETRANGE k -100 -50", "$1\r\nT\r\n"},
        {"GETRANGE k -100 2", "$3\r\nThi\r\n"},
        {"GETRANGE k 100 200", "$0\r\n\r\n"},
        {"GETRANGE k 0 -9223372036854775808", "$1\r\nT\r\n"},
        {"GETRANGE k -9223372036854775808 9223372036854775807", "$16\r\nThis is a string\r\n"},
        {"GETRANGE k a 1", "-ERR value is not an integer or out of range\r\n"},
        {"GETRANGE k 1 b", "-ERR value is not an integer or out of range\r\n"},
        {"GETRANGE nokey 0 -1", "$0\r\n\r\n"},
        {"GETRANGE nokey x -1", "-ERR value is not an integer or out of range\r\n"},
        {"SUBSTR k 8 8", "$1\r\na\r\n"},
        {"SET n 123456", "+OK\r\n"},
        {"GETRANGE n 1 -2", "$4\r\n2345\r\n"},
        {"SET empty ''", "+OK\r\n"},
        {"GETRANGE empty 0 0", "$0\r\n\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_numbers_are_counted(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"INCR n", ":1\r\n"},
        {"INCR n", ":2\r\n"},
        {"INCRBY n 40", ":42\r\n"},
        {"DECR n", ":41\r\n"},
        {"DECRBY n 11", ":30\r\n"},
        {"GET n", "$2\r\n30\r\n"},
        {"INCRBY n -100", ":-70\r\n"},
        {"DECRBY n -100", ":30\r\n"},
        {"DECR m", ":-1\r\n"},
        {"INCRBY n abc", "-ERR value is not an integer or out of range\r\n"},
        {"INCRBY n 1.5", "-ERR value is not an integer or out of range\r\n"},
        {"INCRBY n 9223372036854775808", "-ERR value is not an integer or out of range\r\n"},
        {"DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n"},
        {"DECRBY n x", "-ERR value is not an integer or out of range\r\n"},
        {"SET s abc", "+OK\r\n"},
        {"INCR s", "-ERR value is not an integer or out of range\r\n"},
        {"SET s ' 1'", "+OK\r\n"},
        {"INCR s", "-ERR value is not an integer or out of range\r\n"},
        {"SET s 01", "+OK\r\n"},
        {"INCR s", "-ERR value is not an integer or out of range\r\n"},
        {"SET s ''", "+OK\r\n"},
        {"DECR s", "-ERR value is not an integer or out of range\r\n"},
        {"SET n 9223372036854775807", "+OK\r\n"},
        {"INCR n", "-ERR increment or decrement would overflow\r\n"},
        {"INCRBY n 0", ":9223372036854775807\r\n"},
        {"DECRBY n -1", "-ERR increment or decrement would overflow\r\n"},
        {"SET n -9223372036854775808", "+OK\r\n"},
        {"DECR n", "-ERR increment or decrement would overflow\r\n"},
        {"INCRBY n -1", "-ERR increment or decrement would overflow\r\n"},
        {"INCR n", ":-9223372036854775807\r\n"},
        {"SET n 5 EX 100", "+OK\r\n"},
        {"INCR n", ":6\r\n"},
        {"TTL n", ":100\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_floats_are_counted(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"INCRBYFLOAT f 10.5", "$4\r\n10.5\r\n"},
        {"INCRBYFLOAT f 0.1", "$4\r\n10.6\r\n"},
        {"INCRBYFLOAT f -5", "$3\r\n5.6\r\n"},
        {"INCRBYFLOAT f 5.0e3", "$22\r\n5005.60000000000000009\r\n"},
        {"INCRBYFLOAT f -5004.6", "$1\r\n1\r\n"},
        {"INCRBYFLOAT f 1", "$1\r\n2\r\n"},
        {"INCR f", ":3\r\n"},
        {"SET n 3", "+OK\r\n"},
        {"INCRBYFLOAT n 1.10", "$3\r\n4.1\r\n"},
        {"INCRBYFLOAT n -0.1", "$1\r\n4\r\n"},
        {"GET n", "$1\r\n4\r\n"},
        {"INCR n", ":5\r\n"},
        {"INCRBYFLOAT n abc", "-ERR value is not a valid float\r\n"},
        {"INCRBYFLOAT n nan", "-ERR value is not a valid float\r\n"},
        {"INCRBYFLOAT n inf", "-ERR increment would produce NaN or Infinity\r\n"},
        {"INCRBYFLOAT n -inf", "-ERR increment would produce NaN or Infinity\r\n"},
        {"INCRBYFLOAT n ' 1'", "-ERR value is not a valid float\r\n"},
        {"INCRBYFLOAT n ''", "-ERR value is not a valid float\r\n"},
        {"SET s abc", "+OK\r\n"},
        {"INCRBYFLOAT s 1", "-ERR value is not a valid float\r\n"},
        {"INCRBYFLOAT s x", "-ERR value is not a valid float\r\n"},
        {"SET s ''", "+OK\r\n"},
        {"INCRBYFLOAT s 1", "-ERR value is not a valid float\r\n"},
        {"INCRBYFLOAT big 1e300",
         "$301\r\n100000000000000000000899732407955919387052394427329074793826008232126564659618093"
         "57558491520837504971903503725086142748359035925561846729839130962605207486462873271356418"
         "43653294084255107606016789726652932370030551382947620994540294772781889620606179267611627"
         "097410650567187386105690089424915104006144\r\n"},
        {"SET t 1 EX 100", "+OK\r\n"},
        {"INCRBYFLOAT t 1.5", "$3\r\n2.5\r\n"},
        {"TTL t", ":100\r\n"},
        {"INCRBYFLOAT zero -0.0", "$1\r\n0\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_lcs_finds_what_two_strings_share(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"MSET a ohmytext b mynewtext", "+OK\r\n"},
        {"LCS a b", "$6\r\nmytext\r\n"},
        {"LCS a b LEN", ":6\r\n"},
        {"LCS a b IDX", "*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n*"
                        "2\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n$3\r\nlen\r\n:6\r\n"},
        {"LCS a b IDX MINMATCHLEN 4", "*4\r\n$7\r\nmatches\r\n*1\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:"
                                      "5\r\n:8\r\n$3\r\nlen\r\n:6\r\n"},
        {"LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
         "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n$"
         "3\r\nlen\r\n:6\r\n"},
        {"LCS a b IDX WITHMATCHLEN",
         "*4\r\n$7\r\nmatches\r\n*2\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n*3\r\n*"
         "2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n:2\r\n$3\r\nlen\r\n:6\r\n"},
        {"LCS a b IDX MINMATCHLEN -5",
         "*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n*2\r\n*2\r\n:"
         "2\r\n:3\r\n*2\r\n:0\r\n:1\r\n$3\r\nlen\r\n:6\r\n"},
        {"LCS a b LEN WITHMATCHLEN", ":6\r\n"},
        {"LCS a b LEN IDX",
         "-ERR If you want both the length and indexes, please just use IDX.\r\n"},
        {"LCS a b IDX LEN FOO", "-ERR syntax error\r\n"},
        {"LCS a b FOO", "-ERR syntax error\r\n"},
        {"LCS a b MINMATCHLEN", "-ERR syntax error\r\n"},
        {"LCS a b MINMATCHLEN x", "-ERR value is not an integer or out of range\r\n"},
        {"LCS nokey nokey2", "$0\r\n\r\n"},
        {"LCS nokey nokey2 LEN", ":0\r\n"},
        {"LCS a nokey IDX", "*4\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n"},
        {"MSET a 123454321 b 543212345", "+OK\r\n"},
        {"LCS a b", "$5\r\n54321\r\n"},
        {"LCS a b IDX WITHMATCHLEN", "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:8\r\n*2\r\n:"
                                     "0\r\n:4\r\n:5\r\n$3\r\nlen\r\n:5\r\n"},
        {"MSET a abcbdab b bdcaba", "+OK\r\n"},
        {"LCS a b", "$4\r\nbdab\r\n"},
        {"LCS a b IDX", "*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:5\r\n:6\r\n*2\r\n:3\r\n:4\r\n*"
                        "2\r\n*2\r\n:3\r\n:4\r\n*2\r\n:0\r\n:1\r\n$3\r\nlen\r\n:4\r\n"},
        {"LCS a a IDX", "*4\r\n$7\r\nmatches\r\n*1\r\n*2\r\n*2\r\n:0\r\n:6\r\n*2\r\n:0\r\n:6\r\n$"
                        "3\r\nlen\r\n:7\r\n"},
        {"LCS a", "-ERR wrong number of arguments for 'lcs' command\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_encodings_are_those_of_redis(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"SET k abc", "+OK\r\n"},
        {"OBJECT ENCODING k", "$6\r\nembstr\r\n"},
        {"SET k 123", "+OK\r\n"},
        {"OBJECT ENCODING k", "$3\r\nint\r\n"},
        {"SET k 0123", "+OK\r\n"},
        {"OBJECT ENCODING k", "$6\r\nembstr\r\n"},
        {"SET k 12345678901234567890", "+OK\r\n"},
        {"OBJECT ENCODING k", "$6\r\nembstr\r\n"},
        {"SET k 12345678901234567890123456789012345678901234", "+OK\r\n"},
        {"OBJECT ENCODING k", "$6\r\nembstr\r\n"},
        {"SET k 123456789012345678901234567890123456789012345", "+OK\r\n"},
        {"OBJECT ENCODING k", "$3\r\nraw\r\n"},
        {"SET k abc", "+OK\r\n"},
        {"APPEND k d", ":4\r\n"},
        {"OBJECT ENCODING k", "$3\r\nraw\r\n"},
        {"COPY k k2", ":1\r\n"},
        {"OBJECT ENCODING k2", "$3\r\nraw\r\n"},
        {"RENAME k2 k3", "+OK\r\n"},
        {"OBJECT ENCODING k3", "$3\r\nraw\r\n"},
        {"SET k3 abc", "+OK\r\n"},
        {"OBJECT ENCODING k3", "$6\r\nembstr\r\n"},
        {"APPEND fresh 12", ":2\r\n"},
        {"OBJECT ENCODING fresh", "$3\r\nint\r\n"},
        {"APPEND fresh 3", ":3\r\n"},
        {"OBJECT ENCODING fresh", "$3\r\nraw\r\n"},
        {"INCR fresh", ":124\r\n"},
        {"OBJECT ENCODING fresh", "$3\r\nint\r\n"},
        {"SETRANGE r 0 12", ":2\r\n"},
        {"OBJECT ENCODING r", "$3\r\nraw\r\n"},
        {"SET n 10", "+OK\r\n"},
        {"INCRBYFLOAT n 1", "$2\r\n11\r\n"},
        {"OBJECT ENCODING n", "$6\r\nembstr\r\n"},
        {"INCRBYFLOAT m 1", "$1\r\n1\r\n"},
        {"OBJECT ENCODING m", "$6\r\nembstr\r\n"},
        {"SETRANGE n 0 ''", ":2\r\n"},
        {"OBJECT ENCODING n", "$6\r\nembstr\r\n"},
        {"OBJECT ENCODING nokey", "$-1\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_changes_and_look_ups_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        uint64_t dirty, hits, misses;
    } steps[] = {
        {"SET k v", 1, 0, 0},        {"SET k v NX", 0, 0, 0},     {"SET k v GET", 1, 1, 0},
        {"SET k v EX abc", 0, 0, 0}, {"GET k", 0, 1, 0},          {"GET nokey", 0, 0, 1},
        {"MSET a 1 b 2", 2, 0, 0},   {"MGET a b nokey", 0, 2, 1}, {"MSETNX a 1 c 2", 0, 0, 0},
        {"SETNX a 1", 0, 0, 0},      {"INCR a", 1, 0, 0},         {"INCR k", 0, 0, 0},
        {"APPEND k w", 1, 0, 0},     {"STRLEN k", 0, 1, 0},       {"SETRANGE k 0 ''", 0, 0, 0},
        {"GETEX k", 0, 1, 0},        {"GETEX k EX 10", 1, 1, 0},  {"GETEX k PERSIST", 1, 1, 0},
        {"GETEX k EXAT 1", 1, 1, 0}, {"GETDEL k", 0, 0, 1},       {"GETDEL a", 1, 1, 0},
        {"GETSET k v", 1, 0, 1},     {"LCS k nokey", 0, 1, 1},    {"INCRBYFLOAT b 1", 1, 0, 0},
    };
    struct fixture *fixture = fixture_new();
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        fixture->context.dirty = fixture->context.hits = fixture->context.misses = 0;
        run(fixture, steps[i].request);
        if (fixture->context.dirty != steps[i].dirty)
            print_error("%s\n", steps[i].request);
        assert_int_equal(fixture->context.dirty, steps[i].dirty);
        assert_int_equal(fixture->context.hits, steps[i].hits);
        assert_int_equal(fixture->context.misses, steps[i].misses);
    }
    fixture_free(fixture);
}

static void test_integers_from_an_earlier_room_are_read_back(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    char request[700];
    for (size_t len = 1; len <= 600; len += 7) {
        memcpy(request, "SET k ", 6);
        memset(request + 6, 'x', len);
        request[6 + len] = '\0';
        assert_string_equal(run(fixture, request), "+OK\r\n");
        const char *reply = run(fixture, "GET k");
        assert_non_null(strstr(reply, request + 6));
        assert_string_equal(run(fixture, "SET k 1234567890123456789"), "+OK\r\n");
        assert_string_equal(run(fixture, "INCR k"), ":1234567890123456790\r\n");
    }
    fixture_free(fixture);
}

static void test_a_string_never_grows_beyond_its_limit(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    size_t max = (size_t)512 << 20;
    char *half = calloc(1, max / 2 + 1);
    struct span args[] = {SPAN("APPEND"), SPAN("k"), {half, max / 2 + 1}};
    const struct command *append = command_find(fixture->table, args, 3);
    append->run(&fixture->context, args, 3);
    fixture->reply.len = 0;
    append->run(&fixture->context, args, 3);
    static const char expected[] =
        "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    assert_int_equal(fixture->reply.len, sizeof(expected) - 1);
    assert_memory_equal(fixture->reply.ptr, expected, sizeof(expected) - 1);
    free(half);
    fixture_free(fixture);
}

static void test_lcs_refuses_what_would_take_too_much_memory(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture, "SETRANGE a 13000 x");
    run(fixture, "SETRANGE b 13000 x");
    assert_string_equal(run(fixture, "LCS a b LEN"),
                        "-ERR Insufficient memory, transient memory for LCS exceeds "
                        "its limit: the product of the lengths is over 32 million\r\n");
    fixture_free(fixture);
}

static void test_lcs_answers_resp3_with_a_map(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture, "MSET a xabc b abcy");
    fixture->writer.protocol = 3;
    assert_string_equal(run(fixture, "LCS a b IDX"),
                        "%2\r\n$7\r\nmatches\r\n*1\r\n*2\r\n*2\r\n:1\r\n:3\r\n*2\r\n:0\r\n:2\r\n"
                        "$3\r\nlen\r\n:3\r\n");
    assert_string_equal(run(fixture, "GET nokey"), "_\r\n");
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_get_store_and_give_back),
        cmocka_unit_test(test_set_goes_on_only_if_its_options_allow_it),
        cmocka_unit_test(test_set_refuses_options_that_make_no_sense),
        cmocka_unit_test(test_set_with_a_time_expires),
        cmocka_unit_test(test_getex_changes_the_deadline),
        cmocka_unit_test(test_append_makes_strings_longer),
        cmocka_unit_test(test_getrange_cuts_out),
        cmocka_unit_test(test_numbers_are_counted),
        cmocka_unit_test(test_floats_are_counted),
        cmocka_unit_test(test_lcs_finds_what_two_strings_share),
        cmocka_unit_test(test_encodings_are_those_of_redis),
        cmocka_unit_test(test_changes_and_look_ups_are_counted),
        cmocka_unit_test(test_integers_from_an_earlier_room_are_read_back),
        cmocka_unit_test(test_a_string_never_grows_beyond_its_limit),
        cmocka_unit_test(test_lcs_refuses_what_would_take_too_much_memory),
        cmocka_unit_test(test_lcs_answers_resp3_with_a_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

# Makes flotilla.conf(5) of redis.conf.example: its comments stand before the directives that they describe.

function quoted(line) {
    gsub(/\\/, "\\e", line)
    if (line ~ /^[.']/)
        line = "\\&" line
    return line
}

# The comment that was read, as paragraphs; what is indented stays as it is.
function print_comment(    i, literal, line) {
    literal = 0
    for (i = 1; i <= lines; i++) {
        line = comment[i]
        if (line ~ /^  / && !literal) {
            print ".Bd -literal -offset indent"
            literal = 1
        } else if (line !~ /^  / && literal) {
            print ".Ed"
            literal = 0
        }
        if (line == "") {
            if (i > 1 && i < lines && comment[i + 1] != "" && comment[i + 1] !~ /^  /)
                print ".Pp"
            continue
        }
        if (literal)
            sub(/^ +/, "", line)
        else
            gsub(/\. /, ".\n", line) # each sentence on a line of its own
        print quoted(line)
    }
    if (literal)
        print ".Ed"
    lines = 0
}

function end_list() {
    if (in_list)
        print ".El"
    in_list = 0
}

function flush_directives(    i) {
    if (!names)
        return
    if (!in_list)
        print ".Bl -tag -width Ds"
    in_list = 1
    after_heading = 0
    for (i = 1; i <= names; i++)
        print ".It Ic " name[i]
    if (lines)
        print_comment()
    names = 0
}

BEGIN {
    print ".Dd December 1, 2026"
    print ".Dt FLOTILLA.CONF 5"
    print ".Os"
    print ".Sh NAME"
    print ".Nm flotilla.conf"
    print ".Nd configuration of flotilla-server, in the syntax of redis.conf"
    print ".Sh DESCRIPTION"
    after_heading = 1
}

/^#####* [A-Z]+ #*$/ {
    flush_directives()
    if (lines)
        print_comment()
    end_list()
    print ".Sh " $2
    after_heading = 1
    next
}
/^##*$/ && length($0) > 1 { next }
/^#/ {
    flush_directives()
    sub(/^# ?/, "")
    comment[++lines] = $0
    next
}
/^$/ {
    flush_directives()
    if (lines)
        print_comment_of_section()
    next
}
{
    value = $0
    sub(/^[^ ]+ */, "", value)
    gsub(/\\/, "\\e", value)
    name[++names] = $1 " Ns \" \" Ns Li " (value == "\"\"" ? "\\(dq\\(dq" : "\\&" value)
    next
}

# A comment without a directive opens its section.
function print_comment_of_section() {
    if (in_list)
        print ".El"
    in_list = 0
    if (!after_heading)
        print ".Pp"
    after_heading = 0
    print_comment()
}

END {
    flush_directives()
    end_list()
    print ".Sh SEE ALSO"
    print ".Xr flotilla-check 1 ,"
    print ".Xr flotilla-server 1"
}

# The points of CHANGELOG.md ("- …", lines that go on indented by two) as those of a Debian changelog.

function flush_point(    words, count, line, i) {
    count = split(point, words, " ")
    line = "  *"
    for (i = 1; i <= count; i++) {
        if (length(line " " words[i]) > 78) {
            print line
            line = "   "
        }
        line = line " " words[i]
    }
    if (count)
        print line
    point = ""
}

/^- / { flush_point(); point = substr($0, 3); next }
/^  [^ ]/ && point { point = point " " $0; next }
{ flush_point() }
END { flush_point() }

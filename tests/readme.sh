# Takes lines out of the README, for scripts that run them; `readme` names the file.

# The block of this language in which this text stands.
block() { # language, text
    awk -v start="\`\`\`$1" -v text="$2" '
        $0 == start { inside = 1; lines = ""; found = 0; next }
        inside && $0 == "```" { inside = 0; if (found) { printf "%s", lines; is_there = 1; exit } }
        inside { lines = lines $0 "\n"; if (index($0, text)) found = 1 }
        END { exit !is_there }' "$readme"
}

# What stands in backticks in the text and begins so.
span() { # text
    awk -v RS='`' -v text="$1" 'NR % 2 == 0 && index($0, text) == 1 { print; is_there = 1; exit }
        END { exit !is_there }' "$readme"
}

# Lines are shown, so that the log tells what was run.
show() { # lines
    sed 's/^/    $ /' <<<"$1" >&2
}

# Runs lines as a shell does into which somebody types them. None are none that were found.
type_in() { # lines
    if [ -z "$1" ]; then
        echo "The README does not say this any more." >&2
        return 1
    fi
    show "$1"
    bash -euc "$1"
}

# What every program's script has at hand: NAME, PROGRAMS, an empty folder as the current one and as HOME.

# Becomes the recorder of a command, into NAME.trace; PACKAGE names the Debian package whose version goes into the description.
become_recorder() {
    exec "$HEAPLAB" record --level 19 --output "$NAME.trace" \
        --note "version: $PACKAGE $(dpkg-query -W -f '${Version}' "$PACKAGE")" -- "$@"
}

# Records the command, into NAME.trace. Where programs run for real, results/real.sh has another function of that name.
record() {
    (become_recorder "$@")
}

# Prints a TCP port of the loopback interface that nobody listens at.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Runs a server under the recorder in the background, as $server; it is gone when the script ends, whatever the reason.
record_server() {
    become_recorder "$@" & # so $! is heaplab, which passes a signal on to the server
    server=$!
    trap 'kill "$server" 2>/dev/null; wait "$server"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# Waits up to 20 s until a command succeeds.
wait_until() {
    for attempt in $(seq 200); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "$NAME: nothing answers: $*" >&2
    return 1
}

# Waits for the server that was told to end.
end_server() {
    trap - EXIT HUP INT TERM
    wait "$server"
}

# Makes ./repository with git: files of Perl's and Python's libraries, and commits that each change some lines of some of them.
make_repository() { # COMMITS
    export GIT_AUTHOR_NAME=Somebody GIT_AUTHOR_EMAIL=somebody@example.org GIT_CONFIG_GLOBAL=/dev/null
    export GIT_COMMITTER_NAME=Somebody GIT_COMMITTER_EMAIL=somebody@example.org
    git init -q repository
    cp -rL /usr/share/perl/5.36/pod repository/
    (cd /usr/lib/python3.11 && find . -name '*.py' -size -60k -exec cp -L --parents {} "$HOME/repository" \;)
    commit=0
    while [ "$commit" -lt "$1" ]; do
        find repository -name '*.p[yo]*' | sort | awk -v n="$commit" 'NR % 23 == n % 23' |
            xargs sed -i "$((commit * 7 % 40 + 3))~60s/\$/ # change $commit/"
        export GIT_AUTHOR_DATE="$((1600000000 + commit * 3600)) +0000"
        export GIT_COMMITTER_DATE="$GIT_AUTHOR_DATE"
        git -C repository add -A
        git -C repository commit -q -m "Change number $commit" -m "Some lines here and there."
        git -C repository tag "v$commit"
        commit=$((commit + 1))
    done
}

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks that every #include goes in a direction that the architecture allows (src/README.md).
# Prints one line per offence; exit status 1 if there is any.
set -eu
cd "$(dirname "$0")/.."

# layer: what its files may include, as a pattern over resolved names.  Our headers resolve to
# their path below src/ or include/; everything else is a library's or the system's header.
ours='^(util|http|e2b|cache|fs|cli|sandboxd|tests)/'
allowed() {
    case "$1" in
    public) echo '^e2b/(error|call|client|sandbox|file|process|code)\.h$' ;;
    util) echo '^(util/|e2b/error\.h$)' ;;
    http) echo '^(util/|http/|e2b/error\.h$)' ;;
    e2b) echo '^(util/|http/|e2b/)' ;;
    cache) echo '^(util/|cache/|e2b/)' ;;
    fs) echo '^(util/|cache/|fs/|e2b/)' ;;
    cli) echo '^(util/|cli/|e2b/)' ;;
    sandboxd) echo '^(util/|sandboxd/|e2b/error\.h$)' ;;
    esac
}

# library headers that only some files may see: pattern, then the files (as patterns).
fenced=(
    '^(jansson\.h|util/json\.h)$' '^src/(util/(json\.[ch]|(kv|runfile)\.c)|e2b/|sandboxd/|http/lines\.)'
    '^curl/' '^src/http/'
    '^(fuse|fuse3/|fuse_)' '^src/fs/'
    '^microhttpd\.h$' '^src/sandboxd/'
    '^nettle/' '^src/util/codec\.c$'
)

failed=0
complain() {
    printf '%s: %s\n' "$1" "$2" >&2
    failed=1
}

# check FILE LAYER HEADER: HEADER is as written between the quotes or angle brackets.
check() {
    local file=$1 layer=$2 header=$3 i
    # "x.h" means a neighbour, if there is one.
    if [[ $header != */* && -e $(dirname "$file")/$header ]]; then
        header=$layer/$header
        [ "$layer" = public ] && header=e2b/${header#*/}
    fi
    # Private headers of the library are not for the layers above it.
    if [[ $header == e2b/* && ! -e include/$header && ! $layer =~ ^(e2b|public)$ ]]; then
        complain "$file" "$header is private to src/e2b"
    elif [[ $header =~ $ours && ! $header =~ $(allowed "$layer") ]]; then
        complain "$file" "$layer must not include $header"
    fi
    for ((i = 0; i < ${#fenced[@]}; i += 2)); do
        if [[ $header =~ ${fenced[i]} && ! $file =~ ${fenced[i + 1]} ]]; then
            complain "$file" "$header is not for this layer"
        fi
    done
}

for file in include/e2b/*.h src/*/*.[ch]; do
    [ -e "$file" ] || continue
    case "$file" in
    include/*) layer=public ;;
    *) layer=${file#src/} layer=${layer%%/*} ;;
    esac
    grep -q 'SPDX-License-Identifier: MIT' <<<"$(head -n 1 "$file")" ||
        complain "$file" 'the first line is not the SPDX line'
    while IFS= read -r header; do
        check "$file" "$layer" "$header"
    done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]([^">]+)[">].*/\1/p' "$file")
done
exit $failed

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh BIN BUILD [WORD...]: the checks with both official SDKs against BIN/e2b-sandboxd.
#
# The SDKs are installed into BUILD/sdk from the lock files next to this script, with the
# package managers' own configuration; only then is a network needed.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$1" && pwd)
mkdir -p "$2/sdk/js"
sdk=$(cd "$2/sdk" && pwd)
shift 2

# fresh NAME LOCK...: true if NAME was installed from these very files
fresh() {
    [ "$(cat "$sdk/$1.installed" 2>/dev/null)" = "$(cat "${@:2}" | sha256sum)" ]
}

if ! fresh python "$here/requirements.txt"; then
    rm -rf "$sdk/python"
    python3 -m venv "$sdk/python"
    "$sdk/python/bin/pip" -q --disable-pip-version-check install --require-hashes \
        -r "$here/requirements.txt"
    sha256sum <"$here/requirements.txt" >"$sdk/python.installed"
fi
if ! fresh js "$here/package-lock.json"; then
    cp "$here/package.json" "$here/package-lock.json" "$sdk/js/"
    (cd "$sdk/js" && npm ci --silent --no-audit --no-fund)
    sha256sum <"$here/package-lock.json" >"$sdk/js.installed"
fi
cp "$here/checks.mjs" "$sdk/js/" # modules are looked for next to the script

scratch=$(mktemp -d)
trap 'kill "$E2B_SANDBOXD_PID" 2>/dev/null || true; rm -rf "$scratch"' EXIT
for name in $(compgen -e | grep -iE '^(E2B_|XDG_|.*_proxy$)'); do
    unset "$name"
done
export HOME=$scratch
eval "$("$bin/e2b-sandboxd" --background)"

status=0
"$sdk/python/bin/python" "$here/checks.py" "$@" || status=1
node "$sdk/js/checks.mjs" "$@" || status=1
exit $status

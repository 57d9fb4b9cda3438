#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run-tests.sh [--long] [PART...]: builds what the parts need, runs them, adds up.
#
# Parts: lint unit asan tsan valgrind fuzz bats user; all of them unless named.  Every test
# program is a job of its own with a log under build/test-logs; a few run at a time, but those
# that measure time run alone.  A job's tests are counted from its output (TAP, or a
# line "N passed, N failed"); a job that dies without naming a failed test counts as one.
# The very last line is "N passed, N failed"; the exit status is 0 if none failed.
set -u
cd "$(dirname "$0")/.." || exit
build=${BUILD:-build}
make=${MAKE:-make}
long=
[ "${1-}" = --long ] && { long=yes; shift; }
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(lint unit asan tsan valgrind fuzz bats user)
slots=$(nproc)
logs=$build/test-logs
passed=0 failed=0
declare -A job_name=() job_log=() job_start=()

wanted() {
    [[ " ${parts[*]} " == *" $1 "* ]]
}

count_one() { # RESULT TITLE: a check of this script itself
    if [ "$1" = ok ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n' "$2"
    fi
}

# --- leftovers: whatever the tests started carries this in its environment ---------------------

export E2B_TEST_RUN="run-$$-$RANDOM"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/e2b-test.XXXXXX")
chmod 755 "$scratch"
export TMPDIR=$scratch

our_processes() {
    local dir
    for dir in /proc/[0-9]*; do
        [ "${dir#/proc/}" != $$ ] && [ "${dir#/proc/}" != "$BASHPID" ] &&
            grep -qzxF "E2B_TEST_RUN=$E2B_TEST_RUN" "$dir/environ" 2>/dev/null &&
            printf '%s\n' "${dir#/proc/}"
    done
    return 0
}

our_mounts() {
    awk -v under="$scratch/" 'index($2, under) == 1 { print $2 }' /proc/self/mounts | tac
}

clean_up() {
    local point pid
    for point in $(our_mounts); do
        fusermount3 -uqz "$point" || umount -l "$point"
    done
    # What is killed may have been starting something; it takes a moment to be gone.
    for _ in 1 2 3 4 5; do
        for pid in $(our_processes); do
            kill -KILL "$pid" 2>/dev/null
        done
        rm -rf --one-file-system "$scratch" 2>/dev/null && break
        sleep 0.2
    done
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- jobs --------------------------------------------------------------------------------------

# tally LOG STATUS: sets job_passed and job_failed.
tally() {
    local line plan=-1
    job_passed=0 job_failed=0
    while IFS= read -r line; do
        if [[ $line =~ ^ok\ [0-9] ]]; then
            job_passed=$((job_passed + 1))
        elif [[ $line =~ ^not\ ok\ [0-9] ]]; then
            job_failed=$((job_failed + 1))
        elif [[ $line =~ ^1\.\.([0-9]+)$ ]]; then
            plan=${BASH_REMATCH[1]}
        elif [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
            job_passed=${BASH_REMATCH[1]} job_failed=${BASH_REMATCH[2]}
        fi
    done < <(tr -d '\000' <"$1")
    if ((plan > job_passed + job_failed)); then
        job_failed=$((plan - job_passed))
    fi
    if (($2 != 0 && job_failed == 0)); then
        job_failed=1
    elif (($2 == 0 && job_passed + job_failed == 0)); then
        job_passed=1
    fi
}

finish_one() {
    local pid status job_passed job_failed
    wait -n -p pid "${!job_name[@]}"
    status=$?
    tally "${job_log[$pid]}" $status
    passed=$((passed + job_passed)) failed=$((failed + job_failed))
    printf '%-7s %-44s %4d passed %3d failed %4d s\n' \
        "$([ "$job_failed" -eq 0 ] && echo ok || echo FAILED)" "${job_name[$pid]}" \
        "$job_passed" "$job_failed" $((SECONDS - job_start[$pid]))
    if [ "$job_failed" -gt 0 ]; then
        [ $status -eq 124 ] && echo '        took too long and was ended'
        # TAP: what failed and why; anything else: the end of it.
        if grep -qa 'ERROR: [A-Za-z]*Sanitizer' "${job_log[$pid]}"; then
            awk '/^not ok /; /ERROR: [A-Za-z]*Sanitizer/{n=30} n-->0' "${job_log[$pid]}" | head -n 120
        elif grep -q '^not ok ' "${job_log[$pid]}"; then
            awk '/^ok /{show=0} /^not ok /{show=1} show' "${job_log[$pid]}" | head -n 120
        else
            tail -n 60 "${job_log[$pid]}"
        fi | sed 's/^/        /'
    fi
    unset "job_name[$pid]"
}

finish_all() {
    while [ ${#job_name[@]} -gt 0 ]; do
        finish_one
    done
}

# start NAME COMMAND...: runs it as a job as soon as a slot is free.
start() {
    local name=$1 log
    shift
    while [ ${#job_name[@]} -ge "$slots" ]; do
        finish_one
    done
    log=$logs/${name// /-}.log
    timeout -k 10 "${job_limit:-300}" "$@" </dev/null >"$log" 2>&1 &
    job_name[$!]=$name
    job_log[$!]=$log
    job_start[$!]=$SECONDS
}

# build NAME ARGUMENTS...: one variant; a failure is a failed test that shows the errors.
build() {
    local name=$1 log
    shift
    log=$logs/build-$name.log
    echo "building for: $name"
    if "$make" --no-print-directory -j"$slots" "$@" >"$log" 2>&1; then
        count_one ok
    else
        count_one failed "build $name"
        grep -E '(error|warning): |undefined reference|\*\*\*' "$log" | head -n 40 | sed 's/^/        /'
        return 1
    fi
}

# --- parts -------------------------------------------------------------------------------------

san_options=(
    ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
    UBSAN_OPTIONS=print_stacktrace=1
    TSAN_OPTIONS=halt_on_error=0:second_deadlock_stack=1
)

units() { # VARIANT DIR COMMAND...: every unit test below DIR, run by COMMAND
    local variant=$1 dir=$2 program
    shift 2
    for program in tests/unit/test_*.c; do
        [ -e "$program" ] || continue
        program=$(basename "$program" .c)
        start "$variant $program" env "${san_options[@]}" "$@" "$dir/unit/$program"
    done
}

# has_tag FILE TAG
has_tag() {
    grep -qE "^# bats file_tags=(.*,)?$2(,|$)" "$1"
}

# bats_part VARIANT TAG COMMAND...: the files with this tag, or all ("all"), run by COMMAND.
# Files that measure time run alone, at the end, in the release variant; elsewhere they get
# limits (E2B_TEST_SLOW) for which company does not matter.
bats_part() {
    local variant=$1 tag=$2 file name
    shift 2
    for file in tests/bats/*.bats; do
        name="$variant $(basename "$file" .bats)"
        if [ "$tag" != all ] && ! has_tag "$file" "$tag"; then
            continue
        elif [ "$variant" = bats ] && has_tag "$file" timing; then
            alone+=("$file")
        elif [ "$variant" != user ] || [ -n "$long" ] || ! has_tag "$file" big; then
            start "$name" "$@" bats --tap "$file"
        fi
    done
}

fuse_ok=
check_fuse() {
    if [ ! -e /dev/fuse ]; then
        count_one failed '/dev/fuse is missing: load the module (modprobe fuse) or create it (mknod /dev/fuse c 10 229)'
    elif ! (: <>/dev/fuse) 2>/dev/null; then
        count_one failed '/dev/fuse cannot be opened: permission denied; as root: chmod 666 /dev/fuse'
    else
        count_one ok
        fuse_ok=yes
    fi
}

# drop PART...: they can't run, and that was counted already.
drop() {
    local part keep=()
    for part in "${parts[@]}"; do
        [[ " $* " == *" $part "* ]] || keep+=("$part")
    done
    parts=("${keep[@]-}")
}

mkdir -p "$logs"
if wanted unit || wanted valgrind || wanted bats || wanted user; then
    build release B="$build/release" test-bins || drop unit valgrind bats user
fi
if wanted asan; then
    build asan B="$build/address-undefined" SAN=address,undefined test-bins || drop asan
fi
if wanted tsan; then
    build tsan B="$build/thread" SAN=thread unit-bins || drop tsan
fi
if wanted fuzz; then
    build fuzz B="$build/fuzz" CC=clang SAN=fuzzer-no-link,address,undefined fuzz-bins ||
        drop fuzz
fi

if wanted lint; then
    if [ -n "$long" ]; then
        job_limit=3600 start lint scripts/lint.sh
    else
        start lint scripts/lint.sh --quick
    fi
fi
wanted unit && units unit "$build/release" env
wanted asan && units asan "$build/address-undefined" env E2B_TEST_SLOW=3
# TSan of gcc 12 cannot place its shadow under every layout that the kernel picks.
wanted tsan && units tsan "$build/thread" setarch -R env E2B_TEST_SLOW=5
wanted valgrind && units valgrind "$build/release" env E2B_TEST_SLOW=20 \
    valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
    --track-fds=no --child-silent-after-fork=yes

if wanted fuzz; then
    for program in tests/fuzz/fuzz_*.c; do
        [ -e "$program" ] || continue
        program=$(basename "$program" .c)
        name=${program#fuzz_}
        corpus=$scratch/corpus/$name
        mkdir -p "$corpus"
        arguments=(-max_total_time="$([ -n "$long" ] && echo 3600 || echo 10)" -timeout=10
            -rss_limit_mb=2048 -verbosity=0 -artifact_prefix="$logs/$program-")
        [ -e "tests/fuzz/$name.dict" ] && arguments+=(-dict="tests/fuzz/$name.dict")
        seeds=()
        [ -d "tests/fuzz/corpus/$name" ] && seeds=("tests/fuzz/corpus/$name")
        job_limit=$([ -n "$long" ] && echo 4000 || echo 120) start "fuzz $name" \
            "$build/fuzz/fuzz/$program" "${arguments[@]}" "$corpus" "${seeds[@]}"
    done
fi

alone=()
if wanted bats || wanted asan || wanted user; then
    check_fuse
fi
if [ -n "$fuse_ok" ]; then
    job_limit=600
    slots=$(($(nproc) + 1)) # these wait more than they work
    wanted bats && bats_part bats all env E2B_BUILD="$build/release"
    wanted asan && bats_part asan "$([ -n "$long" ] && echo all || echo core)" \
        env "${san_options[@]}" E2B_TEST_SLOW=4 E2B_BUILD="$build/address-undefined"
    # As an ordinary user too, with a device of its own; only root can arrange that.
    if wanted user && [ "$(id -u)" -eq 0 ]; then
        E2B_TEST_SLOW=3 bats_part user all scripts/as-user.sh "$build/release"
    fi
    for file in "${alone[@]}"; do
        finish_all
        start "bats $(basename "$file" .bats)" env E2B_BUILD="$build/release" bats --tap "$file"
    done
fi
finish_all

if [ -n "$(our_mounts)" ]; then
    count_one failed "tests left mounts behind: $(our_mounts | tr '\n' ' ')"
else
    count_one ok
fi
left=''
for pid in $(our_processes); do # a copy of this shell asks, and is gone by now
    command=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | head -c 200) || continue
    [ -z "$command" ] || left+=$'\n'"        $command"
done
if [ -n "$left" ]; then
    count_one failed "tests left processes behind:$left"
else
    count_one ok
fi
clean_up
trap - EXIT
printf '%d passed, %d failed\n' $passed $failed
[ $failed -eq 0 ]

#!/usr/bin/env bash
# Installs what the tests need (Debian packages, when it may) and runs every test project.
# Ends with one line, summed over the projects:  N passed, N failed, N skipped
set -euo pipefail
cd "$(dirname "$0")/.."

needed=()
have() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
if command -v apt-get >/dev/null; then
    for package in gcc make libc6-dev libmujoco2.2.2 libmujoco-dev mosquitto; do
        have "$package" || needed+=("$package")
    done
    if [ ${#needed[@]} -gt 0 ]; then
        as_root=""
        [ "$(id -u)" = 0 ] || as_root="sudo"
        echo "Installing: ${needed[*]}"
        $as_root apt-get update -qq
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "${needed[@]}" >/dev/null
    fi
else
    echo "No apt-get here: tests that need MuJoCo 2.2.2, mosquitto or a C compiler say so and skip."
fi

configuration=${CONFIGURATION:-Release}
dotnet build Robotics.sln -c "$configuration" -v quiet --nologo

passed=0 failed=0 skipped=0
for project in tests/*.Tests/*.csproj; do
    name=$(basename "$project" .csproj)
    program="artifacts/bin/$name/$(echo "$configuration" | tr '[:upper:]' '[:lower:]')/$name"
    log="artifacts/test-$name.log"
    echo "== $name"
    "$program" -noLogo -noColor "$@" >"$log" 2>&1 || true
    # The runner's own summary: Total: 10, Errors: 0, Failed: 0, Skipped: 1, Not Run: 0, Time: 0.1s
    summary=$(grep -E 'Total: *[0-9]+.*Failed: *[0-9]+.*Skipped: *[0-9]+' "$log" | tail -n 1 || true)
    if [ -z "$summary" ]; then
        tail -n 40 "$log"
        echo "$name ended without a summary"
        failed=$((failed + 1))
        continue
    fi
    number() { echo "$summary" | sed -E "s/.*$1: *([0-9]+).*/\1/"; }
    total=$(number Total) errors=$(number Errors) broken=$(number Failed) left=$(number Skipped) notrun=$(number 'Not Run')
    grep -E '\[(FAIL|SKIP)\]' -A 12 "$log" | head -n 400 || true
    passed=$((passed + total - broken - left - notrun)) failed=$((failed + broken + errors)) skipped=$((skipped + left))
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]

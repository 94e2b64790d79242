# Sourced by the example and test scripts: use the active environment, or make .venv.
#
#   . examples/environment.sh
#   enter_environment REPOSITORY [EXTRA]
#
# Afterwards `python` is the environment's, with hubcls installed from REPOSITORY (editable,
# with the extra). A second call installs nothing unless setup.cfg, the extra or the Python
# changed. POSIX sh: it runs under dash, bash, zsh and busybox.

stop_with() {
    printf '%s\n' "$@" >&2
    exit 2
}

# The newest that TensorFlow has wheels for, unless `python3` itself is fine.
find_python() {
    for candidate in python3 python3.13 python3.12 python3.11 python3.10 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' \
            2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

make_environment() {
    base_python=$(find_python) || stop_with \
        "hubcls needs Python 3.10 to 3.13; none was found on the PATH." \
        "  Debian/Ubuntu: sudo apt install python3 python3-venv      macOS: brew install python@3.12"
    "$base_python" -c 'import ensurepip, venv' 2>/dev/null || stop_with \
        "$base_python cannot make a virtual environment: its venv module is incomplete." \
        "  Debian/Ubuntu: sudo apt install python3-venv"
    echo "Making the virtual environment $1 with $("$base_python" --version)"
    "$base_python" -m venv --clear "$1" || exit 2
}

# One line that changes whenever the environment has to be installed anew.
wanted_state() {
    printf '%s %s %s %s\n' "$1" "$2" "$(python --version 2>&1)" \
        "$(cksum < "$1/setup.cfg" | tr ' ' '-')"
}

install_hubcls() {
    state_file="$environment/hubcls-installed"
    wanted=$(wanted_state "$1" "$2")
    if [ -f "$state_file" ] && grep -qxF "$wanted" "$state_file"; then
        return
    fi
    what="$1"
    [ -z "$2" ] || what="$1[$2]"
    echo "Installing hubcls and what it needs into $environment (some minutes the first time)"
    python -m pip install --quiet --disable-pip-version-check --editable "$what" || stop_with \
        "pip could not install hubcls; see its message above." \
        "  It needs a package index, and about 3 GB of free disk space."
    echo "$wanted" >> "$state_file"
}

enter_environment() {
    environment=${VIRTUAL_ENV:-}
    if [ -z "$environment" ] && [ "${CONDA_DEFAULT_ENV:-base}" != base ]; then
        environment=$CONDA_PREFIX
    fi
    if [ -z "$environment" ]; then
        environment="$1/.venv"
        "$environment/bin/python" -m pip --version >/dev/null 2>&1 || make_environment "$environment"
        PATH="$environment/bin:$PATH"
        VIRTUAL_ENV=$environment
        export PATH VIRTUAL_ENV
    fi
    python -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || stop_with \
        "The active environment $environment has $(python --version 2>&1); hubcls needs 3.10 or newer." \
        "  Leave it (deactivate) and run this again: a fresh one is made in $1/.venv."
    install_hubcls "$1" "${2:-}"
}

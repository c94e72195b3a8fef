#!/bin/sh
# Runs the tests of the rooms that ship to devices (ace_ext, runtime) on each other Python from 3.10 to 3.13 that is
# found, on PATH or under pyenv. Usage: other_pythons.sh PYTHON SDIST (PYTHON: the one that has run them already).
set -eu
done_version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
sdist=$2

find_python() {
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
        if "$candidate" -c 'import venv, ensurepip' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
}

for version in 3.10 3.11 3.12 3.13; do
    [ "$version" = "$done_version" ] && continue
    python=$(find_python "$version")
    if [ -z "$python" ]; then
        echo "Python $version: not found, its tests are skipped"
        continue
    fi
    echo "Python $version: tests of ace_ext and runtime"
    folder=build/python$version
    "$python" -m venv --clear "$folder"
    "$folder/bin/python" -m pip --disable-pip-version-check install --quiet "$sdist[cpu]" pytest hypothesis onnx
    "$folder/bin/python" -m pytest --quiet tests/ace_ext tests/runtime
done

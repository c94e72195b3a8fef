#!/bin/sh
# Runs the tests of the rooms that ship to devices (ace_ext, runtime) on each other Python from 3.10 to 3.13 that is
# found, on PATH or under pyenv, all at once. Usage: other_pythons.sh PYTHON SDIST (PYTHON: the one that has run
# them already, with what does not depend on Python: the C kernel, the maps of the bundled models, random damage, and
# DRIVE's images).
set -eu
done_version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
sdist=$2
unset RETINAGAN_DRIVE

find_python() {
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
        if "$candidate" -c 'import venv, ensurepip' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
}

run_tests() {
    "$1" -m venv --clear "$2"
    "$2/bin/python" -m pip --disable-pip-version-check install --quiet "$sdist[cpu]" pytest hypothesis onnx
    "$2/bin/python" -m pytest --quiet tests/ace_ext tests/runtime -p no:cacheprovider \
        --ignore tests/ace_ext/test_kernel.py --ignore tests/ace_ext/test_equalization.py \
        --ignore tests/runtime/test_bundled_model.py --ignore tests/runtime/retina/test_still.py \
        --ignore tests/runtime/images/test_fuzz.py
}

mkdir -p build
running=
for version in 3.10 3.11 3.12 3.13; do
    [ "$version" = "$done_version" ] && continue
    python=$(find_python "$version")
    if [ -z "$python" ]; then
        echo "Python $version: not found, its tests are skipped"
        continue
    fi
    run_tests "$python" "build/python$version" >"build/python$version.log" 2>&1 &
    running="$running $version:$!"
done

failed=0
for pair in $running; do
    version=${pair%%:*}
    result=passed
    wait "${pair##*:}" || { result=failed; failed=1; }
    echo "Python $version: tests of ace_ext and runtime $result"
    if [ "$result" = failed ]; then
        cat "build/python$version.log"
    else
        tail -n 1 "build/python$version.log"
    fi
done
exit $failed

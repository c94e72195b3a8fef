#!/bin/sh
# Tests what ships to devices on the oldest Python from 3.10 on that is found, on PATH or under pyenv, on the newest, and
# on a free-threaded one. Usage: other_pythons.sh PYTHON DIST (PYTHON: the one that runs all tests; DIST: the folder with
# its wheel and the sdist). A Python that the wheel's stable ABI is for takes that wheel, as users do; a wheel is built for
# the others.
#
# tests/on_each_python.txt: what a Python's version can change, which is the installation, the import of every module, the
# extension, the reading of files, a bundled model's run, the commands and how a process is stopped. Functions that only a
# later Python has are found by mypy and ruff, which check for 3.10.
# tests/on_newest_python.txt: the two rooms but for what does not depend on Python, which is the C kernel, where the retina
# is found, the maps of the bundled models, random damage, the page in a browser, and real images.
set -eu
done_version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
done_python=$1
dist=$2
export OMP_NUM_THREADS=1
unset RETINAGAN_DRIVE RETINAGAN_CHASE_DB1 RETINAGAN_HRF RETINAGAN_FIVES RETINAGAN_CHROMIUM

find_python() {
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1"/bin/python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"${1%t}".*/bin/python"$1"; do
        if "$candidate" -c 'import venv, ensurepip' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
}

run_tests() {
    "$1" -m venv --clear "$2"
    pip="$2/bin/python -m pip --disable-pip-version-check"
    rm -rf "$2/dist"
    wheel=$(echo "$dist"/*-abi3-*.whl)
    if ! $pip install --quiet --no-compile --no-deps "$wheel" 2>/dev/null; then
        $pip wheel --quiet --no-deps --wheel-dir "$2/dist" "$dist"/*.tar.gz
        wheel=$(echo "$2"/dist/*.whl)
    fi
    if "$done_python" -c 'import auditwheel' 2>/dev/null; then
        "$done_python" -m auditwheel show "$wheel" | tr -s ' \n' '  ' | grep 'platform tag: "manylinux'
    fi
    $pip install --quiet --no-compile "$wheel[cpu,dicom,cloud,serve]" "pytest>=8.2" hypothesis onnx
    "$2/bin/python" -m pytest --quiet -p no:cacheprovider "@tests/$3.txt"
}

# OpenCV may have no wheel for a free-threaded Python, and would be compiled.
has_opencv() {
    case $1 in
        *t) "$2" -m pip --disable-pip-version-check download --quiet --no-deps --only-binary :all: \
            --dest build/opencv opencv-python-headless >/dev/null 2>&1 ;;
        *) true ;;
    esac
}

mkdir -p build
oldest=
newest=
for version in 3.10 3.11 3.12 3.13 3.14; do
    [ "$version" = "$done_version" ] && continue
    [ -z "$(find_python "$version")" ] && continue
    oldest=${oldest:-$version}
    newest=$version
done
running=
for version in $oldest $newest 3.14t; do
    [ "${started:-}" = "$version" ] && continue
    started=$version
    python=$(find_python "$version")
    if [ -z "$python" ]; then
        echo "Python $version: not found, its tests are skipped"
        continue
    fi
    if ! has_opencv "$version" "$python"; then
        echo "Python $version: OpenCV has no wheel for it, its tests are skipped"
        continue
    fi
    list=on_each_python
    [ "$version" = "$newest" ] && list=on_newest_python
    run_tests "$python" "build/python$version" "$list" >"build/python$version.log" 2>&1 &
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

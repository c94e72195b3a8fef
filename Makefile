# make run    segment the example images into out/
# make test   build the package, install it, run all tests but those that start real servers
# make zig    install Zig's compiler (0.4 GB), with which make test builds the ACE kernel for WebAssembly, too
# make peers  install other packages that measure vessels, which make test then compares with
# make test-servers   run those, with Triton's server if make triton has installed it (Linux on x86-64)
# make check  ruff and mypy, as versions pinned in tests/constraints.txt
# make docs   build the documentation site into build/site; any warning is an error
# All make a virtual environment of their own; PYTHON=python3.12 chooses the interpreter (3.10 or later).
PYTHON ?= python3
SOURCES := setup.py pyproject.toml MANIFEST.in README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE \
	LICENSE-WEIGHTS.md docs/site/links.py \
	$(shell find ace_ext runtime train export -type f \
	-not -name '*.so' -not -name '_ace.c' -not -name '*.pyc')
PIP := -m pip --disable-pip-version-check

.PHONY: run test package-tests other-pythons zig peers test-servers triton triton-if-possible check docs types clean

run: .venv/installed
	.venv/bin/retina-run examples/images --out out --save vessels overlay
	@echo "The vessel maps and overlays are in $(CURDIR)/out"

.venv/installed: $(SOURCES)
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) install --quiet ".[cpu]"
	touch $@

# Two at a time, since a core would wait while packages are installed. With test-servers beside it, one make must know of
# all that uses .venv-test.
ifeq ($(filter test-servers,$(MAKECMDGOALS)),)
test:
	$(MAKE) --jobs=2 package-tests other-pythons
else
test: package-tests other-pythons
endif

# The files of tests are shared out among the cores; those of one file stay together, with what they have built.
package-tests: .venv-test/installed
	RETINAGAN_ZIG="$$(test ! -f .venv-zig/installed || echo "$(CURDIR)/.venv-zig/bin/python -m ziglang")" \
		RETINAGAN_PEERS="$$(test ! -f .venv-peers/installed || echo "$(CURDIR)/.venv-peers/bin/python")" \
		RETINAGAN_DIST=.venv-test/dist OMP_NUM_THREADS=1 .venv-test/bin/pytest --numprocesses auto --maxprocesses 8 \
		--dist loadfile --no-loadscope-reorder -m "not server"

other-pythons: .venv-test/built
	tests/other_pythons.sh .venv-test/bin/python .venv-test/dist

test-servers: .venv-test/installed $(filter triton-if-possible,$(MAKECMDGOALS))
	RETINAGAN_TRITON="$$(test ! -f .venv-triton/installed || echo .venv-triton)" OMP_NUM_THREADS=1 \
		.venv-test/bin/pytest -m server --durations 10 $$(grep -rl --include='test_*.py' 'mark\.server' tests)

zig: .venv-zig/installed

.venv-zig/installed: Makefile
	$(PYTHON) -m venv .venv-zig
	.venv-zig/bin/python $(PIP) install --quiet --no-compile ziglang==0.17.1
	touch $@

# PVBM requires PyTorch and more, but not for what the tests use.
peers: .venv-peers/installed

.venv-peers/installed: Makefile
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python $(PIP) install --quiet --no-compile skan==0.13.1 scikit-image==0.26.0 scipy==1.17.1
	.venv-peers/bin/python $(PIP) install --quiet --no-compile --no-deps PVBM==3.0.1.8
	touch $@

# Triton's server is in an environment of its own: its Python backend needs NumPy 1, and so an earlier OpenCV.
triton: .venv-triton/installed

triton-if-possible: .venv-test/installed
	$(MAKE) --jobs=1 triton || echo "cannot install Triton's server: the tests that need it are skipped"

.venv-triton/installed: .venv-test/installed tests/triton-constraints.txt
	$(PYTHON) -m venv .venv-triton
	.venv-triton/bin/python $(PIP) install --quiet --no-compile -c tests/triton-constraints.txt \
		"$$(echo .venv-test/dist/retinagan-*.whl)[cpu]"
	.venv-triton/bin/python $(PIP) install --quiet --no-compile --no-deps -c tests/triton-constraints.txt nvidia-pytriton
	touch $@

# In one environment instead of one for the sdist and one for the wheel: tests/other_pythons.sh builds in its own.
.venv-test/built: $(SOURCES)
	$(PYTHON) -m venv .venv-test
	.venv-test/bin/python $(PIP) install --quiet --no-compile auditwheel build "setuptools>=77" "Cython>=3.1"
	rm -rf .venv-test/dist && .venv-test/bin/python -m build --no-isolation --outdir .venv-test/dist .
	touch $@

.venv-test/installed: .venv-test/built tests/constraints.txt
	.venv-test/bin/python $(PIP) install --quiet --no-compile --force-reinstall --no-deps .venv-test/dist/retinagan-*.whl
	.venv-test/bin/python $(PIP) install --quiet --no-compile -c tests/constraints.txt \
		"$$(echo .venv-test/dist/retinagan-*.whl)[cpu,openvino,train,export,dicom,heic,measure,cloud,ray,node,serve,dev]"
	touch $@

check: .venv-test/installed types
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .
	MYPYPATH=build/types .venv-test/bin/mypy

docs: .venv-docs/installed types
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --clean
	@echo "The site is in $(CURDIR)/build/site/index.html"

.venv-docs/installed: docs/site/requirements.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python $(PIP) install --quiet --no-compile -r docs/site/requirements.txt
	touch $@

# mypy and the API's page read the rooms under their installed names.
types:
	mkdir -p build/types/retinagan
	for room in ace_ext runtime train export; do ln -sfn "$(CURDIR)/$$room" build/types/retinagan/$$room; done

clean:
	rm -rf .venv .venv-test .venv-zig .venv-peers .venv-triton .venv-docs build dist out *.egg-info

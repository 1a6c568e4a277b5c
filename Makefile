# framebench: bare `make` prints this help. Targets set up .venv themselves on first use.
PYTHON ?= python3
BUDGET ?= 20m
SUITE ?= auto
EXECUTOR ?= auto
PORT ?= 8000
BIN := .venv/bin
# The user's index, proxy and certificates stay; what would put packages elsewhere, or others in their place, does not.
FOREIGN := USER TARGET PREFIX ROOT CONSTRAINT BUILD_CONSTRAINT REQUIREMENT EDITABLE NO_BINARY ONLY_BINARY NO_DEPS DRY_RUN \
	PYTHON PLATFORM PYTHON_VERSION IMPLEMENTATION ABI IGNORE_INSTALLED UPGRADE PRE REPORT REQUIRE_HASHES NO_BUILD_ISOLATION
INSTALL := env $(FOREIGN:%=-u PIP_%) $(BIN)/python -I -m pip install --no-user -q --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help .venv bench-all images site serve publish-dry reproduce selftest doctor test lint messages lighthouse screenshots bench ci-full soak lock clean

help: ## print this help
	@echo "framebench: PyTorch, TensorFlow or Keras - which one, for your work, and by how much?"
	@echo
	@grep -hE '^[a-z.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z.-]+):.*## (.*)/  make \1|\2/' | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'
	@echo
	@echo "Variables: BUDGET=20m (or none), SUITE=auto|smoke|cpu, EXECUTOR=auto|docker|venv|system, RESULT=<id>, PORT=8000"

bench-all: $(BIN)/.ready ## prove the machinery, measure every stack within BUDGET, then build the site
	$(BIN)/framebench selftest || test $$? -le 2 # a check that failed, or no Linux to test in: an engine may have one
	$(BIN)/framebench run --suite $(SUITE) --budget $(BUDGET) --executor $(EXECUTOR)
	$(BIN)/framebench site
	@echo "Done. Open build/site/index.html through: make serve"

images: $(BIN)/.ready ## build the container images
	$(BIN)/framebench build

site: $(BIN)/.ready ## render results/ into build/site
	$(BIN)/framebench site

serve: $(BIN)/.ready ## build the site and serve it on PORT
	$(BIN)/framebench site --serve $(PORT)

publish-dry: $(BIN)/.ready ## build what the Pages workflow uploads, and say why it should not be: SITE_URL=<address>
	$(BIN)/framebench publish-dry $(if $(SITE_URL),--site-url "$$SITE_URL")

reproduce: $(BIN)/.ready ## re-measure one result: make reproduce RESULT=<id>
	@test -n "$(RESULT)" || { echo "make reproduce needs RESULT=<id>; the ids are on the site's result pages and in 'framebench show'"; exit 2; }
	$(BIN)/framebench reproduce $(RESULT)

selftest: $(BIN)/.ready ## the full proof of the machinery on this machine (up to an hour, quiet)
	$(BIN)/framebench selftest --full

doctor: $(BIN)/.ready ## what this machine can and cannot measure, and why
	$(BIN)/framebench doctor

test: $(BIN)/.ready-dev ## run the tests (those that need Docker or Chromium skip with a reason)
	$(BIN)/python -m pytest -m "not slow"

lint: $(BIN)/.ready-dev ## ruff, mypy, import contracts, workflow files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/actionlint
	$(BIN)/zizmor --offline --quiet --persona pedantic .github

messages: $(BIN)/.ready ## bring the Chinese catalogue up to date with the pages' texts; lists what has no translation
	$(BIN)/python -m framebench.pages.messages

lighthouse: $(BIN)/.ready-dev build/node/.ready ## Lighthouse on five pages of the site: accessibility, best practices and SEO have to be 100
	$(BIN)/framebench site
	$(BIN)/python -m tests.browser.lighthouse

screenshots: $(BIN)/.ready-dev ## take the README's pictures anew, of results/ as it is
	$(BIN)/framebench site
	$(BIN)/python -m tests.browser.screenshots

bench: $(BIN)/.ready ## the project's own benchmarks (ratios, side by side in one run)
	$(BIN)/python -m benchmarks

ci-full: $(BIN)/.ready-dev ## what takes too long for .ci/run: every image, every contender
	.ci/full

soak: $(BIN)/.ready-dev ## faults, a hundred kills and 100,000 changed records: what is lost, what is noticed (hours)
	.ci/soak

lock: $(BIN)/.ready-dev ## resolve the host's lock files anew (images: framebench lock)
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-find-links --no-emit-index-url --no-header --no-annotate --extra build -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-find-links --no-emit-index-url --no-header --no-annotate --extra build --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

clean: ## remove build/ and .venv/ (results stay; engine images: framebench prune)
	rm -rf build .venv

.venv: $(BIN)/.ready ## set up the hash-locked environment of the host

$(BIN)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"framebench needs Python 3.11 or newer, {sys.executable} is {sys.version.split()[0]}: install one or name it with PYTHON=...")'
	@test -d .venv || $(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python's venv module is missing: apt-get install python3-venv"; exit 2; }
	@echo "setting up .venv (hash-locked, about 640 MB on disk, once)"
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/.ready-dev: $(BIN)/.ready requirements-dev.lock
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

build/node/.ready: tests/node/package.json tests/node/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: apt-get install npm"; exit 2; }
	@mkdir -p build/node && cp $^ build/node
	@npm --prefix build/node ci --ignore-scripts --no-audit --no-fund --no-update-notifier
	@touch $@

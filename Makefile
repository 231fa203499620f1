# GNU Make 3.81 (macOS's own) is enough.
ENGINE ?= sid
ROUNDS ?= 5
LINK ?= tap
# A shell that Debian's `su` gave has none of root's folders.
export PATH := $(PATH):/usr/sbin:/sbin

.DEFAULT_GOAL := help
.PHONY: install-daemon uninstall-daemon demo test build dist release lint bench picture fuzz agent clean help packages lab-tools

install-daemon: ## On a Mac, with sudo: build as you, install as root, wait until the daemon answers. PLAN=1 only says what it does
	@PLAN='$(PLAN)' launchd/install-daemon.sh

uninstall-daemon: ## On a Mac, with sudo: undo all of it. PURGE=1 removes log and configuration too, FORCE=1 goes on whatever fails
	@PURGE='$(PURGE)' FORCE='$(FORCE)' launchd/uninstall-daemon.sh

demo: lab-tools packages build ## On Debian, as root: the whole story on a lab Mac with a real VM. ENGINE=bookworm, trixie or sid, LINK=tap or vmnet
	@node test/lab/start.mjs test/e2e/demo.ts --engine '$(ENGINE)' --link '$(LINK)'

test: lab-tools packages ## Type check, lint, unit tests; on Linux as root also the lab's own and the end-to-end tests
	@test/all.sh

build: packages ## Bundle the product into build/product, unless it is up to date
	@node launchd/build.mjs

dist: packages ## Make a release in build/dist: a tarball for each processor, and what goes with it. URL=… for Homebrew
	@URL='$(URL)' node launchd/dist.mjs

release: packages ## Cut one from CHANGELOG.md, with make dist: VERSION=x.y.z. Commits and pushes nothing
	@URL='$(URL)' node launchd/release.mjs '$(VERSION)'

lint: packages ## Type check, eslint, knip, prettier and shellcheck alone
	@test/all.sh --gates

bench: lab-tools build ## Measure size and starts of the command; on Linux as root also the daemon on a lab Mac (half an hour)
	@node test/bench.mjs
	@if [ "$$(uname -s)" = Linux ] && [ "$$(id -u)" = 0 ]; then node test/lab/start.mjs test/e2e/bench.ts; fi

fuzz: packages ## Look for what breaks a property, with a new seed in each of ROUNDS rounds
	@test/fuzz.sh '$(ROUNDS)'

picture: lab-tools packages build ## On Debian, as root: docs/terminal.svg, of what a terminal of a lab Mac shows
	@node test/lab/start.mjs test/e2e/picture.ts

agent: lab-tools ## On Debian, as root: build the agent of the VM anew, with the compilers of a pinned suite
	@daemon/guest/agent/build.sh daemon/guest/agent

clean: ## Remove what was built (the lab's VM images lie elsewhere and stay)
	@rm -rf build

help: ## Explain every target
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' Makefile

# npm's packages, when they are not those of the lock file.
packages:
	@node launchd/dependencies.mjs || npm ci --no-audit --no-fund

# Debian's packages for the lab, where the lab can run.
lab-tools:
	@if [ "$$(uname -s)" = Linux ] && [ "$$(id -u)" = 0 ]; then test/lab/dependencies.sh; fi

# The front door: short names for what the CMake presets and the scripts do. `make help` lists them.
# Every target does its own set-up and says so when it needs root.
.DEFAULT_GOAL := help
.PHONY: help setup build demo test bench format lint package clean

SHELL := /bin/bash
hpb := build/release/hpb
# Our C++ files, and the newest clang-format and clang-tidy there are (the versions differ by system).
sources = $(shell find src apps tools tests bench -name '*.[ch]pp' -not -path '*/node_modules/*' 2>/dev/null)
newest = $(shell for v in 19 18 17 16; do command -v $(1)-$$v && exit; done; echo $(1))
# What clang-tidy reads: everything, or for a first look a folder, such as TIDY=src/session.
TIDY ?= src apps tools

help: ## Show this list
	@echo "Hybrid Port Bridge: make <target>"
	@awk -F ':.*## ' '/^[a-z]+:.*## / && ($$1 != "bench" || bench) { printf "  %-8s %s\n", $$1, $$2 }' \
	    bench=$(wildcard bench/run) $(firstword $(MAKEFILE_LIST))

setup: ## Install what building, testing and checking need and this system lacks
	@scripts/setup.sh dev

build: ## Build the program: build/release/hpb
	@scripts/setup.sh build
	cmake --preset release -DBUILD_TESTING=OFF
	cmake --build --preset release --target hpb

demo: build ## Bridge a port on this machine: ONCE=1 ends after the check, ARGS="--port 8080" is passed on
	$(hpb) demo $(if $(filter-out 0,$(ONCE)),--once) $(ARGS)

test: ## Build everything and run all tests: ARGS="-L unit" is passed on to ctest
	@scripts/setup.sh test
	cmake --preset release -DBUILD_TESTING=ON
	cmake --build --preset release
	ctest --test-dir build/release --output-on-failure --no-tests=error -j 2 $(ARGS)

bench: ## Run the benchmarks: ARGS are passed on
	@[ -x bench/run ] || { echo "make bench: there is no bench/run in this version" >&2; exit 1; }
	@$(MAKE) --no-print-directory build
	bench/run $(ARGS)

format: ## Lay out the C++ sources with clang-format
	@scripts/setup.sh dev
	@$(call newest,clang-format) -i $(sources) && echo "formatted $(words $(sources)) files"

lint: ## Check layout, layers, documents, and run clang-tidy: TIDY=src/session reads that folder only
	@scripts/setup.sh dev
	@echo "layout: $(words $(sources)) files" && $(call newest,clang-format) --dry-run -Werror $(sources)
	@scripts/check_layers.py
	@scripts/check_docs.py
	@scripts/check_faults.py
	@cmake --preset release -B build/lint -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null
	@find $(TIDY) -name '*.cpp' -not -name 'boost_*' \
	    | xargs -P "$$(nproc)" -n 4 $(call newest,clang-tidy) -p build/lint --quiet

package: ## Make a Debian package in build/release
	@scripts/setup.sh package
	@$(MAKE) --no-print-directory build
	cd build/release && cpack

clean: ## Delete everything that was built
	rm -rf build

# A thin door to meson and tools/. Everything here can be called by hand.

.DEFAULT_GOAL := build
.PHONY: run build test bench soak clean help

# Goes on to the program behind the target: make run ARGS='--port 7000'
ARGS ?=

# How many times longer the random tests of `make soak` are than those of `make test`.
SOAK ?= 50

run: build
	@exec build/moonlatch-server $(ARGS)

build:
	@tools/setup.sh run
	@test -e build/release/build.ninja || \
	    meson setup build/release --buildtype=release -Db_lto=true -Dtests=false
	@ninja -C build/release
	@ln -f build/release/src/server/moonlatch-server build/moonlatch-server
	@ln -f build/release/cli/moonlatch build/moonlatch

test:
	@tools/setup.sh test
	@tools/test.sh gcc $(ARGS)

bench: build
	@tools/setup.sh bench
	@bench/run $(ARGS)

soak:
	@tools/setup.sh test
	@SOAK=$(SOAK) tools/test.sh gcc --timeout-multiplier 0 $(ARGS)

clean:
	rm -rf build

help:
	@echo 'make run     build the server and run it;    ARGS are the server'\''s options'
	@echo 'make build   build build/moonlatch-server and build/moonlatch'
	@echo 'make test    build and run all the tests;    ARGS go to `meson test`'
	@echo 'make bench   compare it with redis-server;   ARGS go to bench/run'
	@echo 'make soak    run the random tests for long;  SOAK=50 times as long as make test'
	@echo 'make clean   remove what was built'
	@echo
	@echo 'run, build, test, bench and soak install the Debian packages that are missing.'

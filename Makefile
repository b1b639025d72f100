# Flotilla. `make help` lists the targets.
#
#   make [CC=clang] [SANITIZE=address,undefined] [V=1] [BUILD=folder]

CC       := $(if $(filter default,$(origin CC)),gcc,$(CC))
BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
PYTHON   ?= $(firstword $(wildcard /usr/bin/python3) python3)
SANITIZE ?=
FAILPOINTS ?=
Q        := $(if $(V),,@)

include deps/deps.mk

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wswitch-enum -Wstrict-prototypes \
	-Wmissing-prototypes -Werror
OPTIMISE := $(if $(SANITIZE),-O1 -fno-omit-frame-pointer,-O2)
CFLAGS   ?= -g
# pkg-config runs once for each of these, not once for each object.
SERVER_CFLAGS := $(call deps_cflags,$(DEPS_SERVER))
DEPS_LIBS     := $(call deps_libs,$(DEPS_SERVER))
TEST_LIBS     := $(call deps_libs,$(DEPS_TESTS))
# No path of this folder stands in what is built: two builds of the same source are equal, wherever they are made.
REPRODUCIBLE  := -fdebug-prefix-map=$(CURDIR)=.
# Doubles that reach the state must be the same on all nodes: no processor rounds a product and a sum at once.
ALL_CFLAGS    := -std=c11 -ffp-contract=off -D_GNU_SOURCE -DXXH_INLINE_ALL $(OPTIMISE) $(WARNINGS) -Isrc -pthread \
	$(REPRODUCIBLE) $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all) $(if $(FAILPOINTS),-DFAILPOINTS) \
	$(SERVER_CFLAGS) $(CFLAGS)
ALL_LDFLAGS   := -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
# jemalloc replaces malloc; a sanitizer brings its own.
SERVER_LIBS   := $(if $(SANITIZE),$(filter-out -ljemalloc,$(DEPS_LIBS)),$(DEPS_LIBS)) -lm

CORE_MODULES   := base raft resp keyspace command wire cluster config storage machine import shard
SERVER_MODULES := platform net peer http server
# hiredis' reader and formatter and lz4 are pure functions over memory: the core may use them (wire/).
CORE_LIBS      := $(call deps_libs,hiredis:0 liblz4:0) -lm

sources = $(sort $(foreach module,$(1),$(wildcard src/$(module)/*.c)))
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

CORE_OBJECTS   := $(call objects,$(call sources,$(CORE_MODULES)))
SERVER_OBJECTS := $(call objects,$(call sources,$(SERVER_MODULES)))
SERVER         := $(BUILD)/flotilla-server
# The offline tool: the core and the disk.
CHECK_OBJECTS  := $(call objects,$(call sources,platform check))
CHECK          := $(BUILD)/flotilla-check

# tests/unit/<module>/test_<what>.c is one program. tests/unit/support/*.c is linked into each.
UNIT_SOURCES := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_SUPPORT := $(call objects,$(sort $(wildcard tests/unit/support/*.c)))
UNIT_TESTS   := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SOURCES))
SIM_OBJECTS  := $(call objects,$(sort $(wildcard tests/sim/*.c)))
SIM          := $(BUILD)/flotilla-sim

.DEFAULT_GOAL := all
.SECONDARY:
# A tool that fails or is interrupted leaves no half-written file that the next run would take for whole.
.DELETE_ON_ERROR:
.PHONY: all help deps check-deps check-test-deps run status stop test check unit sim soak mutants coverage compat \
	integration clients chaos chaos-tests chaos-mutants bench bench-storage bench-values counts bench-sim lint format install uninstall dist deb clean FORCE

all: $(SERVER) $(CHECK) lib

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make             builds build/flotilla-server, build/flotilla-check and libflotilla
## make run         installs what is missing, builds, starts three nodes on 127.0.0.1:7001-7003, HTTP on 8001-8003
## make status      shows the three nodes
## make stop        stops them (the data stays)
## make test        installs what is missing, builds, passes all tests
## make unit, sim, compat, integration, chaos-tests   one kind of tests
## make clients     fetches client libraries of six languages from their registries, and tests with them
## make sim SEEDS=10000 [FIRST=1]   random runs of the simulator, as many as that
## make soak        fresh seeds until it is stopped; reports each minute
## make mutants     plants bugs and shows that the simulator finds each (MUTANTS=names, SEEDS=at most so many)
## make chaos MINUTES=10 [SEED=1] [NODES=3|5]   real processes, cut networks, wrong clocks, bad disks; all is judged
## make coverage    lines of src/raft that its tests reach, rare situations that the simulator meets
## make bench-sim   events per second of the simulator on one core
## make bench [ONLY="compare gaps"] [PEER=host:port] [JSON=file] [SVG=folder]   compares with Redis, Valkey and etcd;
##                  a follower with the leader; times changes of the leader (tests/bench/README.md)
## make bench-storage, bench-values   snapshots and restarts; every type of values, beside redis-server
## make counts      instructions, system calls and bytes of an operation, as tests/bench/counts.txt expects
## make lint        format, rings, purity, clang-tidy, cppcheck
## make format      writes the C files as clang-format would
## make install     to DESTDIR/PREFIX (default /usr/local; LIBDIR for the library); make uninstall takes it back
## make dist        build/flotilla-VERSION.tar.gz, the same bytes from the same commit
## make deb         a package for Debian in build/, for the release and processor of this machine
## make clean       removes what was built (data/ stays)

MISSING = $(call deps_missing,$(DEPS_SERVER))
check-deps:
	@command -v $(PKG_CONFIG) >/dev/null 2>&1 || { \
	echo "missing: pkg-config; install with: deps/install.sh --build" >&2; exit 1; }
	@missing="$(MISSING)"; [ -z "$$missing" ] || { \
	echo "missing: $$missing; install with: deps/install.sh --build" >&2; exit 1; }

check-test-deps: | check-deps
	@missing="$(call deps_missing,$(DEPS_TESTS))"; [ -z "$$missing" ] || { \
	echo "missing: $$missing; install with: deps/install.sh" >&2; exit 1; }

deps:
	$(Q)deps/install.sh

# Objects depend on the flags they were built with: another compiler or sanitizer rebuilds them.
FLAGS_STAMP := $(BUILD)/flags
$(FLAGS_STAMP): FORCE | check-deps
	@mkdir -p $(BUILD)
	@echo '$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)' > $@

include lib/lib.mk

$(BUILD)/obj/tests/%.o: tests/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -MMD -MP -c $< -o $@

$(BUILD)/obj/%.o: %.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libcore.a: $(CORE_OBJECTS)
	$(if $(V),,@echo "  AR    $@")
	$(Q)rm -f $@ && ar qcsD $@ $^

$(SERVER): $(SERVER_OBJECTS) $(BUILD)/libcore.a
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(SERVER_OBJECTS) $(BUILD)/libcore.a $(SERVER_LIBS)

$(CHECK): $(CHECK_OBJECTS) $(BUILD)/libcore.a
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(CHECK_OBJECTS) $(BUILD)/libcore.a $(CORE_LIBS)

# Unit tests of ring 3 need its objects, all others only the core. `--wrap`-free: tests use the ports.
$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(UNIT_SUPPORT) $(BUILD)/libcore.a $(BUILD)/libserver.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(UNIT_SUPPORT) $(BUILD)/libserver.a $(BUILD)/libcore.a \
		$(SERVER_LIBS) $(TEST_LIBS)

# Ring 3 for the tests (ring 4 has main()).
$(BUILD)/libserver.a: $(call objects,$(call sources,platform net peer http))
	$(Q)rm -f $@ && ar qcsD $@ $^

$(SIM): $(SIM_OBJECTS) $(BUILD)/libcore.a
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(SIM_OBJECTS) $(BUILD)/libcore.a $(CORE_LIBS)

$(UNIT_TESTS): | check-test-deps

# What tests with real processes need besides the server: the same programs with failpoints (platform/ alone knows them),
# libraries that come between it and the disk, and a reader of what they recorded.
TEST_TOOLS := $(BUILD)/tests/flotilla-server-failpoints $(BUILD)/tests/flotilla-check-failpoints $(BUILD)/tests/disk_faults.so $(BUILD)/tests/disk_record.so \
	$(BUILD)/tests/clock.so $(BUILD)/tests/names.so $(BUILD)/tests/syslog.so $(BUILD)/tests/power_loss \
	$(LIB_STATIC) $(LIB_SHARED) $(CLI) $(LIB_EXAMPLES)
PLATFORM_FAILPOINTS := $(patsubst src/%.c,$(BUILD)/obj/failpoints/%.o,$(call sources,platform))

$(BUILD)/obj/failpoints/%.o: src/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $< (failpoints)")
	$(Q)$(CC) $(ALL_CFLAGS) -UFAILPOINTS -DFAILPOINTS -MMD -MP -c $< -o $@

$(BUILD)/tests/flotilla-server-failpoints: $(PLATFORM_FAILPOINTS) $(SERVER_OBJECTS) $(BUILD)/libcore.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(PLATFORM_FAILPOINTS) \
		$(filter-out $(call objects,$(call sources,platform)),$(SERVER_OBJECTS)) $(BUILD)/libcore.a $(SERVER_LIBS)

$(BUILD)/tests/flotilla-check-failpoints: $(PLATFORM_FAILPOINTS) $(CHECK_OBJECTS) $(BUILD)/libcore.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(PLATFORM_FAILPOINTS) \
		$(filter-out $(call objects,$(call sources,platform)),$(CHECK_OBJECTS)) $(BUILD)/libcore.a $(CORE_LIBS)

# Never with a sanitizer: its runtime has to be the first library.
$(BUILD)/tests/%.so: tests/shim/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 -g $(WARNINGS) -Itests -pthread -fPIC -shared -o $@ $< -ldl

POWER_LOSS_OBJECTS := $(call objects,$(patsubst %,tests/shim/%.c,power_loss platter memory_disk))
$(BUILD)/tests/power_loss: $(POWER_LOSS_OBJECTS) $(BUILD)/libcore.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CORE_LIBS)

# What puts load on a server and says what came back: nothing of Flotilla's but ring 0.
LOAD_OBJECTS := $(call objects,$(sort $(wildcard tests/bench/load/*.c)))
LOAD         := $(BUILD)/flotilla-load
$(LOAD): $(LOAD_OBJECTS) $(BUILD)/libcore.a
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(LOAD_OBJECTS) $(BUILD)/libcore.a -lm

# What is missing is installed first; a second make then sees it. Without a -j of the user's it builds on all cores.
ALL_CORES = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 2))
run:
	$(Q)deps/install.sh --build
	$(Q)$(MAKE) --no-print-directory $(ALL_CORES) all
	$(Q)SERVER=$(SERVER) deploy/local-cluster start

status stop:
	$(Q)SERVER=$(SERVER) deploy/local-cluster $@

test:
	$(Q)deps/install.sh
	$(Q)$(MAKE) --no-print-directory $(ALL_CORES) check

TEST_KINDS := unit $(if $(SIM_OBJECTS),sim) compat integration clients chaos bench
RUN_TESTS   = BUILD='$(BUILD)' PYTHON='$(PYTHON)' UNIT_TESTS='$(UNIT_TESTS)' tests/run

# All tests, without installing anything; tests/run lets them run beside each other.
check: $(SERVER) $(CHECK) $(LOAD) $(TEST_TOOLS) $(UNIT_TESTS) $(if $(SIM_OBJECTS),$(SIM))
	$(Q)$(RUN_TESTS) $(TEST_KINDS)

unit: $(UNIT_TESTS)
	$(Q)$(RUN_TESTS) unit

sim: $(SIM)
	$(Q)$(if $(SEEDS),$(SIM) --first $(or $(FIRST),1) --seeds $(SEEDS) --progress,$(RUN_TESTS) sim)

soak: $(SIM)
	$(Q)$(SIM) --soak

bench-sim: $(SIM)
	$(Q)$(SIM) --bench

# A bug that the simulator does not find in time has to be found by the unit tests of its module.
MUTATED_MODULES := raft cluster storage machine shard keyspace
mutants: $(SIM) $(foreach module,$(MUTATED_MODULES),$(filter $(BUILD)/unit/$(module)/%,$(UNIT_TESTS)))
	$(Q)BUILD='$(BUILD)' CC='$(CC)' CFLAGS='$(ALL_CFLAGS)' UNIT_SUPPORT='$(abspath $(UNIT_SUPPORT))' \
		LIBS='$(CORE_LIBS) $(TEST_LIBS)' SIM_OBJECTS='$(abspath $(SIM_OBJECTS))' \
		SCRIPT_OBJECTS='$(abspath $(SCRIPT_OBJECTS))' tests/sim/mutants/run $(if $(SEEDS),--seeds $(SEEDS)) $(MUTANTS)

# Of the core's own unit tests and scripts, without the simulator's luck; what the simulator met is told by its marks.
coverage:
	$(Q)BUILD=build-coverage MAKE='$(MAKE)' tests/sim/coverage

compat integration: $(SERVER) $(CHECK) $(TEST_TOOLS)
	$(Q)$(RUN_TESTS) $@

# What a registry does not give, or this machine cannot build, is skipped. Fetched libraries stay in build/clients.
clients: $(SERVER) $(CHECK) $(TEST_TOOLS)
	$(Q)$(PYTHON) tests/clients/libraries/fetch.py
	$(Q)$(RUN_TESTS) clients clients/libraries

# Rounds with fresh seeds for so many minutes; SEED alone plays one round again. What it tests of itself: make chaos-tests.
chaos: $(SERVER) $(TEST_TOOLS)
	$(Q)FLOTILLA_SERVER='$(abspath $(SERVER))' PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/chaos/run.py \
		$(if $(MINUTES),--minutes $(MINUTES)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) \
		$(if $(NODES),--nodes $(NODES)) $(if $(FAULTS),--faults $(FAULTS))

# Plants bugs and shows that it finds each.
chaos-mutants: $(SERVER) $(TEST_TOOLS)
	$(Q)BUILD='$(BUILD)' CC='$(CC)' CFLAGS='$(ALL_CFLAGS)' SERVER_OBJECTS='$(SERVER_OBJECTS)' SERVER_LIBS='$(SERVER_LIBS)' \
		$(PYTHON) tests/chaos/mutants $(MUTANTS)

chaos-tests: $(SERVER) $(TEST_TOOLS)
	$(Q)$(RUN_TESTS) chaos

include tests/sim/script/script.mk
include tests/fuzz/fuzz.mk

BENCH_ENVIRONMENT = FLOTILLA_SERVER='$(abspath $(SERVER))' FLOTILLA_LOAD='$(abspath $(LOAD))' PYTHONDONTWRITEBYTECODE=1
bench: $(SERVER) $(LOAD)
	$(Q)$(BENCH_ENVIRONMENT) $(PYTHON) tests/bench/bench.py $(addprefix --only ,$(ONLY)) $(addprefix --peer ,$(PEER)) \
		$(if $(JSON),--json $(JSON)) $(if $(SVG),--svg $(SVG)) $(OPTIONS)

bench-storage bench-values: bench-%: $(SERVER)
	$(Q)$(BENCH_ENVIRONMENT) $(PYTHON) tests/bench/$*.py $(OPTIONS)

# What an operation costs in counts that no load on the machine changes, against tests/bench/counts.txt.
counts: $(SERVER) $(LOAD)
	$(Q)$(if $(RENEW),$(BENCH_ENVIRONMENT) $(PYTHON) tests/bench/counts.py --renew,FLOTILLA_LONG=only $(RUN_TESTS) bench)

lint: $(BUILD)/libcore.a $(SERVER) $(CHECK)
	$(Q)BUILD='$(BUILD)' PYTHON='$(PYTHON)' tests/lint/run

format:
	$(Q)clang-format -i $(shell find src lib cli tests -name '*.[ch]')

include deploy/install.mk

clean:
	rm -rf build build-*

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

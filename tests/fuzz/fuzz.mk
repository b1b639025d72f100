# libFuzzer targets: tests/fuzz/<target>.c, built with clang and sanitizers in a folder of their own.

FUZZ_BUILD   := $(BUILD)/fuzz
FUZZ_NAMES   := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/*.c)))
# What is pure beyond the core.
FUZZ_PURE    := $(call objects,src/http/parse.c src/http/text.c)
FUZZ_TARGETS  = $(addprefix $(BUILD)/,$(FUZZ_NAMES))

.PHONY: fuzz fuzz-targets check-fuzzer

check-fuzzer:
	@echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' | \
		clang -fsanitize=fuzzer,address -x c -o /dev/null - 2>/dev/null || { \
		echo "missing: clang with libFuzzer; install with: deps/install.sh" >&2; exit 1; }

## make fuzz        feeds parsers and recovery made-up bytes (FUZZ_SECONDS=30 each, FUZZ=names)
fuzz: | check-fuzzer
	$(Q)$(MAKE) --no-print-directory CC=clang BUILD='$(FUZZ_BUILD)' \
		SANITIZE=fuzzer-no-link,address,undefined FAILPOINTS= FUZZ='$(FUZZ)' fuzz-targets
	$(Q)FUZZ_SECONDS='$(FUZZ_SECONDS)' tests/fuzz/run '$(FUZZ_BUILD)' $(or $(FUZZ),$(FUZZ_NAMES))

# Only called by the rule above.
fuzz-targets: $(addprefix $(BUILD)/,$(or $(FUZZ),$(FUZZ_NAMES)))

$(FUZZ_TARGETS): $(BUILD)/%: $(BUILD)/obj/tests/fuzz/%.o $(UNIT_SUPPORT) $(FUZZ_PURE) $(BUILD)/libcore.a | check-test-deps
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< $(UNIT_SUPPORT) $(FUZZ_PURE) $(BUILD)/libcore.a $(CORE_LIBS) \
		$(TEST_LIBS)

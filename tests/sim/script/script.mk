# Scripted scenarios of the consensus core, with golden output.

SCRIPT         := $(BUILD)/flotilla-script
SCRIPT_OBJECTS := $(call objects,$(sort $(wildcard tests/sim/script/*.c)))
SCRIPT_FILES   := $(sort $(wildcard tests/sim/scenarios/*.txt))

.PHONY: scenarios scenarios-rewrite

## make scenarios          runs the scripts in tests/sim/scenarios (part of make sim)
## make scenarios-rewrite  takes what they print now for right

$(SCRIPT): $(SCRIPT_OBJECTS) $(BUILD)/libcore.a
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(SCRIPT_OBJECTS) $(BUILD)/libcore.a $(CORE_LIBS)

scenarios: $(SCRIPT)
	$(Q)$(SCRIPT) $(SCRIPT_FILES)

scenarios-rewrite: $(SCRIPT)
	$(Q)$(SCRIPT) --rewrite $(SCRIPT_FILES)

check sim mutants: $(SCRIPT)

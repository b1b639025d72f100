# libflotilla: lib/*.c, static and shared. Only what flotilla.h declares is seen from outside. flotilla-cli: cli/*.c.

LIB_VERSION  := 0.1.0
LIB_SONAME   := libflotilla.so.$(firstword $(subst ., ,$(LIB_VERSION)))
DEPS_LIB     := hiredis:0.14 libevent_core:2.1 libevent_extra:2.1
LIB_CFLAGS   := -std=c11 -D_GNU_SOURCE $(OPTIMISE) $(WARNINGS) -fPIC -fvisibility=hidden -Ilib \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all) $(call deps_cflags,$(DEPS_LIB)) $(CFLAGS)
LIB_LIBS     := $(call deps_libs,$(DEPS_LIB))
LIB_OBJECTS  := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard lib/*.c)))
LIB_STATIC   := $(BUILD)/libflotilla.a
LIB_SHARED   := $(BUILD)/libflotilla.so.$(LIB_VERSION)
LIB_MAN      := $(sort $(wildcard lib/man/*.[137]))
LIBDIR       ?= $(PREFIX)/lib
LIB_DIR      := $(DESTDIR)$(LIBDIR)
LIB_EXAMPLES := $(patsubst lib/examples/%.c,$(BUILD)/examples/%,$(sort $(wildcard lib/examples/*.c)))
CLI          := $(BUILD)/flotilla-cli
CLI_OBJECTS  := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard cli/*.c)))

.PHONY: lib examples install-lib uninstall-lib

## make lib         builds libflotilla and flotilla-cli (all builds them too); make examples its examples
lib: $(LIB_STATIC) $(LIB_SHARED) $(CLI)

$(BUILD)/obj/lib/%.o: lib/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(LIB_CFLAGS) -MMD -MP -c $< -o $@

# One object in which hidden symbols are local: what links the archive cannot clash with them either.
$(LIB_STATIC): $(LIB_OBJECTS)
	$(if $(V),,@echo "  AR    $@")
	$(Q)ld -r -o $(BUILD)/libflotilla.o $^
	$(Q)objcopy --localize-hidden $(BUILD)/libflotilla.o
	$(Q)rm -f $@ && ar qcs $@ $(BUILD)/libflotilla.o

$(LIB_SHARED): $(LIB_OBJECTS)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,$(LIB_SONAME) $(if $(SANITIZE),,-Wl,-z,defs) -o $@ $^ $(LIB_LIBS)
	$(Q)ln -sf $(notdir $@) $(BUILD)/$(LIB_SONAME)
	$(Q)ln -sf $(LIB_SONAME) $(BUILD)/libflotilla.so

examples: $(LIB_EXAMPLES)

$(BUILD)/examples/%: lib/examples/%.c $(LIB_STATIC)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(filter-out -fvisibility=hidden,$(LIB_CFLAGS)) $(ALL_LDFLAGS) -o $@ $< $(LIB_STATIC) $(LIB_LIBS)

# flotilla-cli holds the library, so that it runs wherever it is copied to.
$(BUILD)/obj/cli/%.o: cli/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(LIB_CFLAGS) -MMD -MP -c $< -o $@

$(CLI): $(CLI_OBJECTS) $(LIB_STATIC)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIB_LIBS)

# Its unit tests see what the library hides, and nothing of the server.
$(BUILD)/obj/tests/unit/lib/%.o: tests/unit/lib/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(LIB_CFLAGS) -Itests -MMD -MP -c $< -o $@

$(BUILD)/unit/lib/%: $(BUILD)/obj/tests/unit/lib/%.o $(LIB_OBJECTS)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) $(LIB_TEST_LDFLAGS) -o $@ $^ $(LIB_LIBS) $(TEST_LIBS)
$(BUILD)/unit/lib/test_memory: LIB_TEST_LDFLAGS := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

install-lib: lib
	install -D -m 755 $(CLI) $(DESTDIR)$(PREFIX)/bin/flotilla-cli
	install -D -m 644 lib/flotilla.h $(DESTDIR)$(PREFIX)/include/flotilla.h
	install -D -m 644 $(LIB_STATIC) $(LIB_DIR)/libflotilla.a
	install -D -m 755 $(LIB_SHARED) $(LIB_DIR)/$(notdir $(LIB_SHARED))
	ln -sf $(notdir $(LIB_SHARED)) $(LIB_DIR)/$(LIB_SONAME)
	ln -sf $(LIB_SONAME) $(LIB_DIR)/libflotilla.so
	install -D -m 644 lib/flotilla.pc.in $(LIB_DIR)/pkgconfig/flotilla.pc
	sed -i -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(LIB_VERSION)|' $(LIB_DIR)/pkgconfig/flotilla.pc
	for page in $(LIB_MAN); do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; done
	for example in lib/examples/*.c; do \
		install -D -m 644 $$example $(DESTDIR)$(PREFIX)/share/doc/flotilla/examples/$${example##*/} || exit 1; done

uninstall-lib:
	rm -f $(DESTDIR)$(PREFIX)/bin/flotilla-cli
	rm -f $(DESTDIR)$(PREFIX)/include/flotilla.h $(LIB_DIR)/libflotilla.* $(LIB_DIR)/pkgconfig/flotilla.pc
	for page in $(LIB_MAN); do rm -f $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; done

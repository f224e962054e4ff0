# Bordure: one Makefile for everything. Each folder lists its programs, libraries, tests and
# fuzz targets in a module.mk; the rules below turn the lists into files under build/.
#
#   make            build everything into build/bin
#   make run        install what is missing, build, start a private instance on this desktop
#   make check      install what is missing, build, pass all tests
#   make guest-image  a template for virtual machines, from Debian packages: build/guest-image
#   make check-xen    domains of the real Xen, in an emulated machine
#   make check-qemu   virtual machines on QEMU through libvirt, from image to window
#   make bench      measure; make fuzz  run the fuzz targets for FUZZ_SECONDS each
#   make format     clang-format over all sources
#   make install DESTDIR= PREFIX=/usr
#
# SANITIZE=1 builds with the address and undefined behaviour sanitizers into build-sanitize.
# FRAME=off builds a gui-daemon without frames into build-noframe: only for testing the tests.

.DEFAULT_GOAL := all
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
# In parallel without being asked; a make below this one shares its jobs.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

PREFIX ?= /usr
CC := gcc
CLANG ?= clang
PKG_CONFIG ?= pkg-config
FUZZ_SECONDS ?= 600

ifeq ($(SANITIZE),1)
BUILD := build-sanitize
SANITIZE_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
else ifeq ($(FRAME),off)
BUILD := build-noframe
FRAME_FLAGS := -DFRAME_OFF
else
BUILD := build
endif

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wvla -Wformat=2 -Wimplicit-fallthrough -Wundef -Wold-style-definition
HARDENING := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -ftrivial-auto-var-init=zero
CPPFLAGS += -I. -D_GNU_SOURCE -DPREFIX='"$(PREFIX)"' $(FRAME_FLAGS)
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 $(WARNINGS) $(HARDENING) $(SANITIZE_FLAGS)
LDFLAGS += -pie -Wl,-z,relro,-z,now,--as-needed $(SANITIZE_FLAGS)

# --- what there is to build -----------------------------------------------------------------
# libs      NAME.src NAME.pkgs                a static library, build/lib/libNAME.a
# programs  NAME.src NAME.libs NAME.pkgs      build/bin/NAME
# modules   NAME.src NAME.libs NAME.pkgs      build/lib/NAME.so, opened at run time
# guest     NAME.src NAME.libs NAME.pkgs      build/guest/bin/NAME, runs inside a qube
# tests     NAME.src NAME.libs NAME.pkgs      build/tests/NAME, a cmocka program
# testtools like tests, but run by the integration tests and not by themselves
# fuzzers   NAME.src NAME.libs NAME.pkgs      build/fuzz/NAME (libFuzzer) and build/tests/replay_NAME
# aliases   LINK=NAME                         build/bin/LINK, another name of a program
# NAME.ldlibs: extra -l words where a library has no pkg-config file; NAME.cflags: last words of
# the compiler's and the linker's line
libs :=
programs :=
modules :=
guest :=
tests :=
testtools :=
fuzzers :=
aliases :=
guest_aliases :=
guest_files :=
guest_links :=
integration :=
# run by make check-qemu only
integration_qemu :=

include $(sort $(wildcard */module.mk */*/module.mk))

pkgs_of = $(sort $($(1).pkgs) $(foreach l,$($(1).libs),$($(l).pkgs)))
objs_of = $(addprefix $(BUILD)/obj/$(1)/,$(addsuffix .o,$(basename $($(1).src))))
archives_of = $(foreach l,$($(1).libs),$(BUILD)/lib/lib$(l).a)

# Every object belongs to one owner, and is compiled with that owner's packages and no others.
define owner_rules
$(filter $(addprefix %/,$(addsuffix .o,$(basename $(filter %.S,$($(1).src))))),$(call objs_of,$(1))): $(BUILD)/obj/$(1)/%.o: %.S Makefile
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) -c $$< -o $$@
$(patsubst %.c,$(BUILD)/obj/$(1)/%.o,$(filter %.c,$($(1).src))): $(BUILD)/obj/$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) $$($(1).cppflags) $$(if $(call pkgs_of,$(1)),$$(shell $$(PKG_CONFIG) --cflags $(call pkgs_of,$(1)))) $$(CFLAGS) $(2) $$($(1).cflags) -MMD -MP -c $$< -o $$@
-include $(patsubst %.o,%.d,$(call objs_of,$(1)))
endef

define link_rule
$(2): $(call objs_of,$(1)) $(call archives_of,$(1))
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS) $(3) $$($(1).cflags) $(call objs_of,$(1)) $(if $($(1).libs),-Wl$(comma)--start-group $(call archives_of,$(1)) -Wl$(comma)--end-group) $$(if $(call pkgs_of,$(1)),$$(shell $$(PKG_CONFIG) --libs $(call pkgs_of,$(1)))) $$($(1).ldlibs) $$(foreach l,$$($(1).libs),$$($$(l).ldlibs)) -o $$@
$(1): $(2)
endef
comma := ,

define lib_rule
$(BUILD)/lib/lib$(1).a: $(call objs_of,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	ar rcs $$@ $$^
endef

define fuzz_rule
$(BUILD)/fuzz/$(1): $($(1).src) $(foreach l,$($(1).libs),$($(l).src)) Makefile
	@mkdir -p $$(@D)
	$$(CLANG) -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined $$(CPPFLAGS) -std=gnu11 $$(shell $$(PKG_CONFIG) --cflags glib-2.0 $(call pkgs_of,$(1))) $$(filter %.c,$$^) $$(shell $$(PKG_CONFIG) --libs glib-2.0 $(call pkgs_of,$(1))) $$($(1).ldlibs) -o $$@
replay_$(1).src := $($(1).src) tests/fuzz/replay.c
replay_$(1).libs := $($(1).libs)
replay_$(1).pkgs := glib-2.0 $($(1).pkgs)
replay_$(1).ldlibs := $($(1).ldlibs)
endef

$(foreach f,$(fuzzers),$(eval $(call fuzz_rule,$(f))))
replays := $(addprefix replay_,$(fuzzers))

$(foreach l,$(libs),$(eval $(call owner_rules,$(l),-fPIC)) $(eval $(call lib_rule,$(l))))
$(foreach p,$(programs),$(eval $(call owner_rules,$(p))) $(eval $(call link_rule,$(p),$(BUILD)/bin/$(p))))
$(foreach m,$(modules),$(eval $(call owner_rules,$(m),-fPIC)) $(eval $(call link_rule,$(m),$(BUILD)/lib/$(m).so,-no-pie -shared)))
$(foreach g,$(guest),$(eval $(call owner_rules,$(g))) $(eval $(call link_rule,$(g),$(BUILD)/guest/bin/$(g))))
$(foreach t,$(tests) $(testtools) $(replays),$(eval $(call owner_rules,$(t))) $(eval $(call link_rule,$(t),$(BUILD)/tests/$(t))))

# Other names of a program: LINK=NAME, hard links, so that a copy of one works alone.
define alias_rule
$(3)/$(word 1,$(subst =, ,$(1))): $(3)/$(word 2,$(subst =, ,$(1)))
	ln -f $$< $$@
$(2) += $(3)/$(word 1,$(subst =, ,$(1)))
endef
alias_files :=
guest_alias_files :=
$(foreach a,$(aliases),$(eval $(call alias_rule,$(a),alias_files,$(BUILD)/bin)))
$(foreach a,$(guest_aliases),$(eval $(call alias_rule,$(a),guest_alias_files,$(BUILD)/guest/bin)))

# Files of the guest kit that are not compiled: SOURCE=DESTINATION below build/guest.
define guest_file_rule
$(BUILD)/guest/$(word 2,$(subst =, ,$(1))): $(word 1,$(subst =, ,$(1)))
	@mkdir -p $$(@D)
	install -m $$(if $$(shell test -x $$< && echo x),755,644) $$< $$@
guest_file_outputs += $(BUILD)/guest/$(word 2,$(subst =, ,$(1)))
endef
guest_file_outputs :=
$(foreach f,$(guest_files),$(eval $(call guest_file_rule,$(f))))

# Symbolic links of the guest kit, to what is there inside a qube: NAME=TARGET.
define guest_link_rule
$(BUILD)/guest/$(word 1,$(subst =, ,$(1))):
	@mkdir -p $$(@D)
	ln -sfn $(word 2,$(subst =, ,$(1))) $$@
guest_link_outputs += $(BUILD)/guest/$(word 1,$(subst =, ,$(1)))
endef
guest_link_outputs :=
$(foreach l,$(guest_links),$(eval $(call guest_link_rule,$(l))))

.PHONY: all deps run check check-units bench fuzz format install clean check-corpus

all: $(addprefix $(BUILD)/bin/,$(programs)) $(addprefix $(BUILD)/lib/,$(addsuffix .so,$(modules))) \
     $(addprefix $(BUILD)/guest/bin/,$(guest)) $(alias_files) $(guest_alias_files) $(guest_file_outputs) $(guest_link_outputs)

test-programs: $(addprefix $(BUILD)/tests/,$(tests) $(testtools) $(replays))
.PHONY: test-programs

# Debian packages; asked for once, by root or through sudo, and only when something is missing.
deps:
	@packaging/install-deps

run: deps
	@$(MAKE) --no-print-directory all
	@SCREENSHOT='$(SCREENSHOT)' packaging/run $(abspath $(BUILD))

check: deps
	@$(MAKE) --no-print-directory all test-programs
	@tests/run-tests $(BUILD) $(tests) $(replays) $(integration)

# Only what needs no X server, no sandbox and no daemon: seconds.
check-units: test-programs
	@tests/run-tests $(BUILD) $(tests) $(replays)

check-corpus: all test-programs
	@tests/corpus/run $(BUILD) '$(CORPUS)'

# Exit status 77: something that is needed cannot be had, and that was said.
guest-image: deps
	@packaging/install-deps packages-qemu || true
	@$(MAKE) --no-print-directory all
	@packaging/guest-image/build $(abspath $(BUILD)) || [ $$? = 77 ]

# Without emulator or packages everything is skipped, and says so.
check-xen: deps
	@packaging/install-deps packages-xen || :
	@$(MAKE) --no-print-directory all test-programs
	@tests/rig/xen/check $(abspath $(BUILD)) $(XEN_SCENARIOS)
.PHONY: check-xen

check-qemu: deps
	@$(MAKE) --no-print-directory all test-programs
	@tests/check-qemu $(abspath $(BUILD)) $(integration_qemu)

.PHONY: guest-image check-qemu

bench: deps
	@$(MAKE) --no-print-directory all test-programs
	@tests/bench/run $(BUILD)

fuzz: $(addprefix $(BUILD)/fuzz/,$(fuzzers))
	@tests/fuzz/run $(BUILD) $(FUZZ_SECONDS) $(fuzzers)

# Everything under DESTDIR: programs, modules, guest kit, policy, manual pages, and the links that
# make each Admin API method a service of the trusted side.
pages := $(wildcard docs/man/*.scd)
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/bordure/guest $(DESTDIR)/etc/qubes/policy.d \
		$(DESTDIR)/etc/qubes-rpc
	cp -a $(BUILD)/bin/. $(DESTDIR)$(PREFIX)/bin/
	$(if $(modules),install -m 644 $(addprefix $(BUILD)/lib/,$(addsuffix .so,$(modules))) $(DESTDIR)$(PREFIX)/lib/bordure/)
	cp -a $(BUILD)/guest/. $(DESTDIR)$(PREFIX)/lib/bordure/guest/
	cp -r packaging/policy/. $(DESTDIR)/etc/qubes/policy.d/
	install -D -m 644 packaging/completion/qvm.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/qvm
	for method in $$($(BUILD)/bin/qubesd --print-methods); do \
		ln -sfn /run/qubesd.sock $(DESTDIR)/etc/qubes-rpc/$$method || exit 1; done
	for service in admin.vm.volume.Import admin.vm.volume.ImportWithSize; do \
		ln -sfn $(PREFIX)/bin/qubes-volume-import $(DESTDIR)/etc/qubes-rpc/$$service || exit 1; done
	for service in policy.Ask policy.Notify; do \
		ln -sfn /run/qubes/policy-agent.sock $(DESTDIR)/etc/qubes-rpc/$$service || exit 1; done
	for page in $(pages); do \
		name=$${page##*/}; name=$${name%.scd}; \
		install -d $(DESTDIR)$(PREFIX)/share/man/man$${name##*.} && \
		scdoc <$$page >$(DESTDIR)$(PREFIX)/share/man/man$${name##*.}/$$name || exit 1; done

format:
	clang-format -i $(shell git ls-files '*.c' '*.h')

clean:
	rm -rf build build-sanitize build-noframe

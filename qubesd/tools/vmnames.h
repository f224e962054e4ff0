/*
 * vmnames - which qubes a command line means.
 *
 * Words are names, "uuid:..." or shell patterns (* ? [set] [!set]); or --all means every qube but
 * dom0, less those of --exclude. The order is the one given, that of the list for patterns and
 * --all; what is named twice counts once.
 */
#ifndef QUBESD_TOOLS_VMNAMES_H
#define QUBESD_TOOLS_VMNAMES_H

#include "qubesd/tools/tool.h"

/* A qube as admin.vm.List tells. */
struct vm {
	char *name;
	char *klass, *state, *uuid; /* NULL: not known, the list was refused */
};

/* The options --all and --exclude. */
struct selection {
	int all;
	GPtrArray *exclude;
};

#define SELECTION_OPTIONS(type, member)                                                            \
	{0, "all", OPTION_FLAG, offsetof(type, member.all), 1, NULL, "every qube but dom0"},       \
	{                                                                                          \
		0, "exclude", OPTION_TEXTS, offsetof(type, member.exclude), 0, "NAME",             \
		    "with --all: but not this one"                                                 \
	}

/*
 * Every qube that the caller may see, dom0 included, in the order of the reply. Returns 0 and an
 * array of struct vm to be freed with g_ptr_array_unref(), or an exit status after saying why.
 */
int vmnames_list(struct tool_run *run, GPtrArray **ret);

/*
 * The qubes that words (with selection, which may be NULL) mean. missing NULL: a name that is no
 * qube is a usage error; else such names are collected there. required: no word and no --all is a
 * usage error. Returns like vmnames_list().
 */
int vmnames_select(struct tool_run *run, const GPtrArray *words, const struct selection *selection,
    bool required, GPtrArray *missing, GPtrArray **ret);

/* The qube of one word, no pattern. Returns 0 and its name (g_free()), or an exit status. */
int vmnames_one(struct tool_run *run, const char *word, char **ret_name);

/* True unless it is off, as far as is known. */
bool vm_is_active(const struct vm *vm);
bool vm_is_in_state(const struct vm *vm, const char *state);

#endif

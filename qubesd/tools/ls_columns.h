/*
 * ls_columns - what qvm-ls can show of a qube: the table of columns, and the gathering of what the
 * asked ones need, with all calls made at once.
 *
 * Any property is a column of its own, whether the table names it or not. What is not known, not
 * set or refused is shown as "-".
 */
#ifndef QUBESD_TOOLS_LS_COLUMNS_H
#define QUBESD_TOOLS_LS_COLUMNS_H

#include "qubesd/tools/vmnames.h"

/* What has to be asked about each qube. */
enum {
	LS_PROPERTIES = 1,
	LS_STATE = 2,   /* memory */
	LS_VOLUMES = 4, /* disk */
	LS_TAGS = 8,
	LS_GATEWAYS = 16, /* of the netvms */
};

struct ls_needs {
	unsigned what;         /* LS_... */
	GPtrArray *features;   /* owned: names (borrowed) of features to ask for */
	GPtrArray *properties; /* owned: names of properties, for where GetAll is refused */
};

/* What is known of one qube. */
struct ls_vm {
	const struct vm *vm;  /* borrowed */
	char *properties;     /* reply of GetAll; NULL: not asked or refused */
	char *state;          /* reply of CurrentState, or NULL */
	GHashTable *volumes;  /* name -> reply of volume.Info; NULL: not asked */
	GHashTable *features; /* name -> value, of those that exist; NULL: not asked */
	char **tags;          /* NULL: not known */
	char *gateway;        /* of its netvm, or NULL */
};

struct ls_column {
	char *head;     /* owned: "PRIV-CURR" */
	char *property; /* owned: of a plain property column, else NULL */
	const struct ls_column_type
	    *type; /* borrowed; NULL for a property the table does not name */
};

/* name in any case, with - or _. */
struct ls_column *ls_column_new(const char *name);
void ls_column_free(struct ls_column *column);
bool ls_column_is_numeric(const struct ls_column *column);
void ls_column_add_needs(const struct ls_column *column, struct ls_needs *needs);
/* The text of a cell; to be freed. */
char *ls_column_cell(const struct ls_column *column, const struct ls_vm *vm);
void ls_columns_print_help(FILE *stream);

void ls_needs_init(struct ls_needs *needs);
void ls_needs_fini(struct ls_needs *needs);
void ls_needs_add_feature(struct ls_needs *needs, const char *name);
void ls_needs_add_property(struct ls_needs *needs, const char *name);

/* Asks for everything needed about each of vms (struct vm); an array of struct ls_vm. */
GPtrArray *ls_gather(struct tool_run *run, const GPtrArray *vms, const struct ls_needs *needs);

/* The value of a feature that was asked for; NULL when the qube has none. */
const char *ls_vm_feature(const struct ls_vm *vm, const char *name);

/* The value of a property, new; NULL when it is not known or has none. */
char *ls_vm_property(const struct ls_vm *vm, const char *name);

#endif

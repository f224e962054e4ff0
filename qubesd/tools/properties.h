/*
 * properties - properties as the Admin API tells them.
 *
 * Shape:  "default=True type=int 400", in GetAll with the name in front, one a line. Values are
 * text: names of qubes and labels, True/False, decimal numbers; empty for what is not set. Source:
 * docs/admin-api.md, "Properties".
 */
#ifndef QUBESD_TOOLS_PROPERTIES_H
#define QUBESD_TOOLS_PROPERTIES_H

#include "qubesd/tools/tool.h"

struct property {
	char *name;
	bool is_default;
	char *type; /* str, int, bool, vm, label */
	char *value;
};

void property_free(struct property *property);

/* "default=... type=... VALUE". Returns a new property, or NULL when the text is none. */
struct property *property_parse(const char *name, const char *text);

/* The reply of GetAll; values unescaped. Lines that are no property are left out. */
GPtrArray *properties_parse(const char *content);

/* One property of a reply of GetAll, new; NULL when it is not there. For readers of a few out of
 * many. */
struct property *properties_pick(const char *content, const char *name);

/* 'D' the default is in use, '-' set, 'U' has no value. */
char property_flag(const struct property *property);

/* True for a reference to no qube. */
bool property_is_none(const struct property *property);

/*
 * All properties of dest (NULL: the global ones) in the order of the reply. Falls back to single
 * Gets when GetAll is refused. Returns 0 and an array of struct property (g_ptr_array_unref()), or
 * an exit status after saying why.
 */
int properties_read(struct tool_run *run, const char *dest, GPtrArray **ret);

/* "none" means no qube for properties that hold a qube: then the empty string, else value itself.
 */
const char *property_set_value(
    struct tool_run *run, const char *dest, const char *name, const char *value);

/* The method's name for a qube or, with dest NULL, for the global properties. */
const char *property_method(const char *dest, const char *vm_method, const char *global_method);

/* The qube itself, or with NULL the one that answers for the global properties. */
const char *property_destination(const char *dest);

#define PROPERTY_METHOD(dest, verb)                                                                \
	property_method(dest, "admin.vm.property." verb, "admin.property." verb)

#endif

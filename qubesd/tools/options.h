/*
 * options - one table-driven parser of command lines for every tool.
 *
 * Rules:  long options may be abbreviated while that is unambiguous; "--opt=value" and "--opt
 * value" are the same; short flags may be joined ("-pq", "-uroot"); options and words mix freely;
 *         "--" ends the options. A word with a leading dash is a value only behind "=", joined to
 *         its letter, or after "--"; a lone "-" is an ordinary word.
 * Owner:  strings are borrowed from argv; arrays are made here and freed by options_clear().
 */
#ifndef QUBESD_TOOLS_OPTIONS_H
#define QUBESD_TOOLS_OPTIONS_H

#include <glib.h>
#include <stddef.h>
#include <stdio.h>

enum option_kind {
	OPTION_FLAG,     /* int: becomes the row's value */
	OPTION_COUNT,    /* int: one more each time */
	OPTION_NUMBER,   /* int: 0..INT_MAX, decimal */
	OPTION_TEXT,     /* const char *: the last one counts */
	OPTION_OPTIONAL, /* const char *: "" unless "=VALUE" follows */
	OPTION_TEXTS,    /* GPtrArray * of const char *: one more each time */
	OPTION_WORDS,    /* the same, and takes the words that follow up to the next option */
};

/* A row of a table. Tables end with a row that has neither letter nor name. */
struct option {
	char letter;      /* 0: none */
	const char *name; /* without dashes; NULL: none */
	enum option_kind kind;
	size_t offset;       /* of the target in the struct of values */
	int value;           /* of a flag */
	const char *metavar; /* what the help calls the value */
	const char *help;    /* NULL: accepted, and not shown */
};

/* A table and the struct that it fills. */
struct option_set {
	const struct option *rows;
	void *values;
};

/*
 * Parses argv (NULL-terminated, without the program's name). Returns 0 and the words that are no
 * options, borrowed from argv; or -EINVAL and a sentence (g_free()).
 */
int options_parse(const struct option_set *sets, size_t set_count, char *const *argv,
    GPtrArray **ret_words, char **ret_error);

/* Frees the arrays among the values. */
void options_clear(const struct option_set *set);

/* The help lines of a table. */
void options_print_help(const struct option *rows, FILE *stream);

#endif

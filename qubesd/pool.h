/*
 * pool - a place for volumes: a name, a driver, and the driver's configuration as it stands in the
 * store. What is done with volumes in it: storage/driver.h.
 */
#ifndef QUBESD_POOL_H
#define QUBESD_POOL_H

#include <glib.h>
#include <stddef.h>

struct pool {
	char *name;   /* owned */
	char *driver; /* owned */
	/* Owned: char *, key, value, key, value, ...; in the store's order, without name and
	 * driver. */
	GPtrArray *config;
};

struct pool *pool_new(const char *name, const char *driver);
/* Replaces the value of a key that is there. */
void pool_set(struct pool *pool, const char *key, const char *value);
const char *pool_get(const struct pool *pool, const char *key); /* borrowed; NULL */
void pool_free(struct pool *pool);

/* "file-reflink" where the folder's file system shares blocks between files, else "file". */
const char *pool_file_driver(const char *dir);

#endif

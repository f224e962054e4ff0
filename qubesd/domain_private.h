/* struct domain, for domain.c and domain_marks.c alone. */
#ifndef QUBESD_DOMAIN_PRIVATE_H
#define QUBESD_DOMAIN_PRIVATE_H

#include "qubesd/domain.h"

struct domain_feature {
	char *name, *value; /* owned */
};
void domain_feature_free(void *feature);

struct domain {
	unsigned references;
	struct qubes_app *app; /* borrowed */
	enum domain_class klass;
	char *unknown_klass; /* owned; the class's text when klass is DOMAIN_UNKNOWN */
	bool removed;
	gint64 start_time_us;
	struct property_value *values[PROPERTY_COUNT]; /* owned; NULL: the default */
	GPtrArray *features;              /* struct domain_feature *, in order of insertion */
	GPtrArray *tags;                  /* char *, sorted */
	GPtrArray *raw[DOMAIN_RAW_COUNT]; /* char * */
	GPtrArray *volumes;               /* struct volume *, see storage/volume.h */
	char *broken_xml;                 /* owned; the whole entry when it cannot be used */
	GBytes *text;                     /* owned; the entry as last written, NULL when stale */
};

#endif

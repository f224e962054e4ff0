/*
 * notes - the text a person keeps about a qube: notes.txt in its folder.
 *
 * Reading and writing run in a thread; the result comes on the main loop.
 */
#ifndef QUBESD_NOTES_H
#define QUBESD_NOTES_H

#define NOTES_MAX 256000 /* bytes */

struct domain;

/* error is NULL on success; text is "" after a write, or when there are no notes. Both borrowed. */
typedef void (*notes_done)(const char *text, const char *error, void *data);

void notes_read(struct domain *domain, notes_done done, void *data);
void notes_write(struct domain *domain, const char *text, notes_done done, void *data);

#endif

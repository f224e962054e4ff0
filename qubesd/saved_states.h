/*
 * saved_states - the files of machines that wait to be told who they are.
 *
 * Shape:  STATE/saved: KEY.state is one; UUID.start is the copy that one machine is restored from;
 *         making is a folder with the one that is being made. At most SAVED_STATES_MAX states, of
 *         which those used last stay: each is about as large as what its machine has touched.
 * Trust:  a state is memory of a template that has booted: nobody but libvirt and QEMU reads it.
 * Blocks: threads only, any of them; but no more than one makes a state at a time.
 */
#ifndef QUBESD_SAVED_STATES_H
#define QUBESD_SAVED_STATES_H

#include "qubesd/saved_image.h"

#define SAVED_STATES_MAX 4

/* Removes what a killed daemon has left half done. */
void saved_states_tidy(void);

bool saved_states_has(const char *key);
void saved_states_drop(const char *key);

/*
 * A copy of the state for this machine: *ret_path, to be removed by the caller when it has been
 * restored from (g_free()). Returns 0, -ENOENT when there is no such state, or another negative errno.
 */
int saved_states_open(const char *key, const struct saved_identity *identity, char **ret_path);

/*
 * An empty folder for the disks and the file "state" of a machine to be saved, which has that much
 * memory; g_free(). NULL: errno; ENOSPC when the store beside it would be left with less than twice as
 * much room.
 */
char *saved_states_begin(uint64_t memory_bytes);
/*
 * Takes "state" from there as the state of that key. 0 or a negative errno; -EBADMSG when the machine in
 * it is not described as libvirt has described it: QEMU itself writes into that file, and a guest that
 * has broken out into it could have libvirt run what it likes.
 */
int saved_states_commit(const char *key, const char *description);
/* Removes the folder. */
void saved_states_end(void);

#endif

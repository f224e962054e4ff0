/*
 * notice_limit - how many notifications a qube may cause: a qube that is denied in a loop must not
 * flood the screen.
 *
 * Shape:  at most one per (source, service, target) in NOTICE_SAME_MS, and NOTICE_SOURCE_MAX per
 *         source in NOTICE_WINDOW_MS. What is held back is counted; the next one that passes for
 *         that source stands for them as well.
 * Limits: at most NOTICE_SOURCES sources are kept; beyond that, notices of new ones are held back.
 * Pure:   time comes from the caller.
 */
#ifndef QREXEC_POLICY_NOTICE_LIMIT_H
#define QREXEC_POLICY_NOTICE_LIMIT_H

#include <glib.h>

#define NOTICE_SAME_MS 10000
#define NOTICE_WINDOW_MS 60000
#define NOTICE_SOURCE_MAX 5
#define NOTICE_SOURCES 512

struct notice_limit;

struct notice_limit *notice_limit_new(void);
void notice_limit_free(struct notice_limit *limit); /* NULL is fine */

/*
 * Returns 0 to hold this one back, else how many calls the notification stands for: 1 and those
 * held back before. now_us is monotonic.
 */
unsigned notice_limit_admit(struct notice_limit *limit, gint64 now_us, const char *source,
    const char *service, const char *target);

#endif

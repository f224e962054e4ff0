/*
 * run_logs - the logs of qubes that have been removed: the last ones stay, the others go.
 *
 * Each qube that runs has log/guest-NAME.log (of its console; log/guest-NAME.log.old before that) and
 * log/qrexec-NAME.log in the runtime folder, and they are there to be read after its end: of a
 * disposable, too, which is removed as it ends. That folder is memory, and disposables draw new names
 * all the time; so of qubes that are no more only the newest files are kept.
 */
#ifndef QUBESD_RUN_LOGS_H
#define QUBESD_RUN_LOGS_H

struct qubes_app;

#define RUN_LOGS_GONE_MAX                                                                          \
	24 /* files of removed qubes: eight or more of them; 256 KiB each at most */

/* Tidies up now, and whenever a qube is removed. Once, for an app whose qubes are loaded. */
void run_logs_init(struct qubes_app *app);

#endif

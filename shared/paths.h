/*
 * paths - where everything lies: the only file that knows a path.
 *
 * Five folders, each movable as a whole by the environment, so that a private instance runs from
 * a home directory, unprivileged, beside another one:
 *
 *   QUBES_RUNTIME_DIR  /run/qubes        sockets, pid files, state of the running instance
 *   QUBES_STATE_DIR    /var/lib/qubes    qubes.xml, private homes
 *   QUBES_CONFIG_DIR   /etc/qubes        policy.d, rpc-config, guid.conf
 *   QUBES_RPC_DIR      /etc/qubes-rpc    services
 *   QUBES_LOG_DIR      /var/log/qubes    logs of daemons in the background
 *
 * Every function returns a new string, to be freed with g_free().
 */
#ifndef SHARED_PATHS_H
#define SHARED_PATHS_H

char *path_in_runtime_dir(const char *name);
char *path_in_state_dir(const char *name);
char *path_in_config_dir(const char *name);
char *path_in_rpc_dir(const char *name);
char *path_in_log_dir(const char *name);

/*
 * The three sockets of qubesd: "qubesd.sock", "qubesd.internal.sock", "qubesd.misc.sock". They lie
 * in QUBES_RUNTIME_DIR when it is set and in /run when it is not. QUBESD_SOCKET overrides the first.
 */
char *path_qubesd_socket(const char *name);

/*
 * A program of ours: beside the running one if it is there (so programs start from build/bin
 * without installation), else in PREFIX/bin.
 */
char *path_program(const char *name);

/* A module of ours (NAME.so): ../lib beside the running program, else PREFIX/lib/bordure. */
char *path_module(const char *name);

/*
 * The guest kit, bound to /opt/bordure inside a sandbox: QUBES_GUEST_DIR, else ../guest beside the
 * running program if it is there, else PREFIX/lib/bordure/guest.
 */
char *path_guest_dir(void);

/* Colon separated folders of services and of their configuration (qrexec, lookup order). */
char *path_service_search(void); /* QREXEC_SERVICE_PATH, else QUBES_RPC_DIR, else the three */
char *path_service_config_search(void); /* QUBES_RPC_CONFIG_PATH, else below QUBES_CONFIG_DIR */

#endif

#include "qrexec/process_user.h"

#include <errno.h>
#include <glib.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

int
process_user_lookup(const char *name, struct process_user *ret)
{
	const struct passwd *entry = getpwnam(name);
	int count = 0;

	if (entry == NULL)
		return -ENOENT;
	memset(ret, 0, sizeof(*ret));
	getgrouplist(entry->pw_name, entry->pw_gid, NULL, &count);
	ret->groups = g_new(gid_t, (gsize)count + 1);
	ret->group_count = count;
	if (getgrouplist(entry->pw_name, entry->pw_gid, ret->groups, &ret->group_count) < 0) {
		g_free(ret->groups);
		return -EAGAIN; /* the groups changed meanwhile */
	}
	ret->name = g_strdup(entry->pw_name);
	ret->home = g_strdup(entry->pw_dir);
	ret->shell = g_strdup(entry->pw_shell[0] != '\0' ? entry->pw_shell : "/bin/sh");
	ret->uid = entry->pw_uid;
	ret->gid = entry->pw_gid;
	return 0;
}

void
process_user_clear(struct process_user *user)
{
	g_free(user->name);
	g_free(user->home);
	g_free(user->shell);
	g_free(user->groups);
	memset(user, 0, sizeof(*user));
}

int
process_user_become(const struct process_user *user)
{
	if (setgroups((size_t)user->group_count, user->groups) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return -errno;
	return 0;
}

#include "qrexec/service_lookup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TCP_LINK "/dev/tcp"

static bool
is_tcp_link(const char *path, char **ret)
{
	g_autofree char *text = g_file_read_link(path, NULL);

	if (text == NULL || (strcmp(text, TCP_LINK) != 0 && !g_str_has_prefix(text, TCP_LINK "/")))
		return false;
	*ret = g_steal_pointer(&text);
	return true;
}

/* One candidate. 1: found; 0: not there; a negative errno ends the search. */
static int
look_at(const char *path, struct stat *ret_info, char **ret_link)
{
	if (is_tcp_link(path, ret_link))
		return 1;
	if (stat(path, ret_info) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

static bool
is_file_name(const char *name)
{
	return name[0] != '\0' && strlen(name) <= NAME_MAX && strchr(name, '/') == NULL &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int
search_name(
    const char *search, const char *name, char **ret_path, struct stat *ret_info, char **ret_link)
{
	g_auto(GStrv) folders = g_strsplit(search, ":", -1);

	if (!is_file_name(name))
		return 0;
	for (size_t i = 0; folders[i] != NULL; i++) {
		g_autofree char *path = NULL;
		int r;

		if (folders[i][0] == '\0')
			continue;
		path = g_build_filename(folders[i], name, NULL);
		r = look_at(path, ret_info, ret_link);
		if (r == 1)
			*ret_path = g_steal_pointer(&path);
		if (r != 0)
			return r;
	}
	return 0;
}

static int
search_both(const char *search, const struct qrexec_command *command, char **ret_path,
    struct stat *ret_info, char **ret_link)
{
	g_autofree char *full = g_strconcat(
	    command->name, "+", command->argument != NULL ? command->argument : "", NULL);
	int r;

	r = search_name(search, full, ret_path, ret_info, ret_link);
	if (r == 0)
		r = search_name(search, command->name, ret_path, ret_info, ret_link);
	if (r == 0)
		return -ENOENT;
	return r < 0 ? r : 0;
}

static int
kind_of(const struct stat *info, const char *path, enum service_kind *ret)
{
	if (S_ISSOCK(info->st_mode)) {
		*ret = SERVICE_SOCKET;
		return 0;
	}
	if (S_ISREG(info->st_mode) && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0) {
		*ret = SERVICE_EXECUTABLE;
		return 0;
	}
	return -EACCES;
}

int
service_lookup(const char *search, const struct qrexec_command *command, struct service_found *ret)
{
	g_autofree char *path = NULL;
	g_autofree char *link = NULL;
	enum service_kind kind = SERVICE_TCP;
	struct stat info;
	int r;

	r = search_both(search, command, &path, &info, &link);
	if (r == 0 && link == NULL)
		r = kind_of(&info, path, &kind);
	if (r < 0)
		return r;
	ret->kind = kind;
	ret->path = g_steal_pointer(&path);
	ret->link = g_steal_pointer(&link);
	return 0;
}

void
service_found_clear(struct service_found *found)
{
	g_clear_pointer(&found->path, g_free);
	g_clear_pointer(&found->link, g_free);
}

int
service_lookup_file(const char *search, const struct qrexec_command *command, char **ret)
{
	g_autofree char *link = NULL;
	struct stat info;
	char *path;
	int r;

	r = search_both(search, command, &path, &info, &link);
	if (r == 0)
		*ret = path;
	return r;
}

static bool
is_port(const char *text)
{
	unsigned long port = 0;

	if (text[0] < '1' || text[0] > '9' || strlen(text) > 5)
		return false;
	for (const char *p = text; *p != '\0'; p++) {
		if (!g_ascii_isdigit(*p))
			return false;
		port = port * 10 + (unsigned long)(*p - '0');
	}
	return port <= 65535;
}

/* Numeric only: looking a name up would be a call to somewhere else. */
static bool
is_address(const char *text)
{
	struct in6_addr address;
	g_autofree char *bare = NULL;

	if (strpbrk(text, ":%") == NULL)
		return inet_pton(AF_INET, text, &address) == 1;
	bare = g_strndup(text, strcspn(text, "%"));
	return inet_pton(AF_INET6, bare, &address) == 1;
}

/* "HOST+PORT" with the colons of an IPv6 address written as '+'. */
static int
split_argument(const char *argument, char **ret_host, char **ret_port)
{
	const char *plus = strrchr(argument, '+');
	char *host;

	if (plus == NULL || strchr(argument, '_') != NULL)
		return -EINVAL;
	host = g_strndup(argument, (gsize)(plus - argument));
	*ret_host = g_strdelimit(host, "+", ':');
	*ret_port = g_strdup(plus + 1);
	return 0;
}

/* "/HOST/PORT" or "/HOST", then the port is the argument. */
static int
split_link(const char *rest, const char *argument, char **ret_host, char **ret_port)
{
	const char *slash = strchr(rest + 1, '/');

	if (slash == NULL) {
		if (argument[0] == '\0')
			return -EINVAL;
		*ret_host = g_strdup(rest + 1);
		*ret_port = g_strdup(argument);
		return 0;
	}
	if (argument[0] != '\0')
		return -EINVAL;
	*ret_host = g_strndup(rest + 1, (gsize)(slash - rest - 1));
	*ret_port = g_strdup(slash + 1);
	return 0;
}

int
service_tcp_parse(const char *link, const char *argument, char **ret_host, char **ret_port)
{
	const char *rest = link + strlen(TCP_LINK);
	g_autofree char *host = NULL;
	g_autofree char *port = NULL;
	int r;

	if (argument == NULL)
		argument = "";
	r = rest[0] == '\0' ? split_argument(argument, &host, &port)
			    : split_link(rest, argument, &host, &port);
	if (r < 0)
		return r;
	if (!is_address(host) || !is_port(port))
		return -EINVAL;
	*ret_host = g_steal_pointer(&host);
	*ret_port = g_steal_pointer(&port);
	return 0;
}

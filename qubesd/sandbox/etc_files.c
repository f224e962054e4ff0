#include "qubesd/sandbox/etc_files.h"
#include "shared/guest_conf.h"

#include <glib.h>
#include <string.h>

const char *const etc_files_bound[] = {
    "ImageMagick-6",
    "X11",
    "alternatives",
    "bash.bashrc",
    "bash_completion.d",
    "ca-certificates",
    "ca-certificates.conf",
    "debian_version",
    "drirc",
    "ethertypes",
    "fonts",
    "gai.conf",
    "glvnd",
    "gtk-2.0",
    "gtk-3.0",
    "gtk-4.0",
    "host.conf",
    "inputrc",
    "java-17-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "magic",
    "magic.mime",
    "mailcap",
    "mime.types",
    "nanorc",
    "os-release",
    "papersize",
    "perl",
    "protocols",
    "python3",
    "python3.11",
    "rpc",
    "services",
    "shells",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "vim",
    NULL,
};

/* Files whose content does not depend on the qube. */
static const struct {
	const char *path, *content;
} constant_files[] = {
    {"/etc/nsswitch.conf", "passwd: files\n"
			   "group: files\n"
			   "shadow: files\n"
			   "hosts: files dns\n"
			   "networks: files\n"
			   "protocols: files\n"
			   "services: files\n"},
    {"/etc/resolv.conf", ""},
    {"/etc/fstab", ""},
    {"/etc/environment", ""},
    {"/etc/timezone", "Etc/UTC\n"},
    {"/etc/login.defs", "UID_MIN 1000\nUID_MAX 16000\nUMASK 022\nENV_PATH "
			"PATH=/opt/bordure/bin:/usr/local/bin:/usr/bin:/bin\n"},
    /* Root becomes others without a password; nobody else becomes anybody. */
    {"/etc/pam.d/other", "auth sufficient pam_rootok.so\n"
			 "auth required pam_deny.so\n"
			 "account required pam_permit.so\n"
			 "password required pam_deny.so\n"
			 "session required pam_permit.so\n"},
    {"/etc/profile", "[ \"${BASH-no}\" != no ] && [ -n \"${PS1-}\" ] && "
		     "[ -f /etc/bash.bashrc ] && . /etc/bash.bashrc\n"
		     "umask 022\n"},
};

static const char system_users[] = "root:x:0:0:root:/root:/bin/bash\n"
				   "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
				   "bin:x:2:2:bin:/bin:/usr/sbin/nologin\n"
				   "sys:x:3:3:sys:/dev:/usr/sbin/nologin\n"
				   "mail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n"
				   "messagebus:x:100:101::/nonexistent:/usr/sbin/nologin\n"
				   "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";

static const char system_groups[] = "root:x:0:\n"
				    "daemon:x:1:\n"
				    "bin:x:2:\n"
				    "sys:x:3:\n"
				    "tty:x:5:\n"
				    "mail:x:8:\n"
				    "utmp:x:43:\n"
				    "video:x:44:\n"
				    "audio:x:29:\n"
				    "users:x:100:\n"
				    "messagebus:x:101:\n"
				    "nogroup:x:65534:\n";

static char *
machine_id(const char *uuid)
{
	g_auto(GStrv) parts = g_strsplit(uuid, "-", -1);
	g_autofree char *joined = g_strjoinv("", parts);

	return g_strconcat(joined, "\n", NULL);
}

void
etc_files_each(const struct sandbox_options *options, etc_file_func func, void *data)
{
	const char *user = options->default_user;
	bool root_only = strcmp(user, "root") == 0;
	const char *account = root_only ? "user" : user;
	g_autofree char *passwd = g_strdup_printf(
	    "%s%s:x:1000:1000:%s:/home/%s:/bin/bash\n", system_users, account, account, account);
	g_autofree char *group =
	    g_strdup_printf("%squbes:x:98:%s\n%s:x:1000:\n", system_groups, account, account);
	g_autofree char *hostname = g_strconcat(options->name, "\n", NULL);
	g_autofree char *hosts = g_strdup_printf(
	    "127.0.0.1 localhost %s\n::1 localhost %s\n", options->name, options->name);
	g_autofree char *id = machine_id(options->uuid);

	func("/etc/passwd", passwd, data);
	func("/etc/group", group, data);
	func("/etc/hostname", hostname, data);
	func("/etc/hosts", hosts, data);
	func("/etc/machine-id", id, data);
	for (size_t i = 0; i < G_N_ELEMENTS(constant_files); i++)
		func(constant_files[i].path, constant_files[i].content, data);
}

int
etc_files_guest_conf(const struct sandbox_options *options, bool privileged, char **ret)
{
	struct guest_conf_facts facts = {
	    .name = options->name,
	    .uuid = options->uuid,
	    .type = options->klass,
	    .default_user = options->default_user,
	    .keyboard_layout = options->keyboard_layout,
	    .xid = options->xid,
	    .gui_domain = options->gui_domain,
	    .services = options->services,
	    .debug = options->debug,
	    .privileged = privileged,
	};

	return guest_conf_format(&facts, ret);
}

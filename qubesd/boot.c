#include "qubesd/boot.h"

#include "qubesd/domain.h"
#include "qubesd/kernels.h"
#include "qubesd/property.h"

#include <glib.h>
#include <string.h>

/* What a driver's machines are told when the kernel's folder does not say, and about their console. */
static const struct driver {
	const char *pattern; /* of the kind */
	const char *common;  /* NULL: no kernel of their own */
	const char *console;
	const char *pv, *pvh; /* versions that stand in for firmware; NULL: there is firmware */
} drivers[] = {
    {"sandbox", NULL, NULL, NULL, NULL},
    {"xen*",
	"root=/dev/mapper/dmroot ro nomodeset console=hvc0 rd_NO_PLYMOUTH rd.plymouth.enable=0 "
	"plymouth.enable=0 xen_privcmd.unrestricted",
	"console=hvc0", "pvgrub2", "pvgrub2-pvh"},
    {"*", "root=/dev/vda ro nomodeset", "console=ttyS0", NULL, NULL},
};

static const struct driver *
driver_of(const char *kind)
{
	size_t i = 0;

	while (!g_pattern_match_simple(drivers[i].pattern, kind))
		i++;
	return &drivers[i];
}

static bool
feature_is(const struct domain *domain, const char *name, const char *value)
{
	return g_strcmp0(domain_feature(domain, FEATURE_TEMPLATE, name), value) == 0;
}

static bool
feature_on(const struct domain *domain, const char *name)
{
	const char *value = domain_feature(domain, FEATURE_TEMPLATE, name);

	return value != NULL && value[0] != '\0';
}

/* --- the line ------------------------------------------------------------------------------- */

/* Appends the words of text, but never the one that is left out (NULL: none). */
static void
add_words(GString *line, const char *text, const char *left_out)
{
	g_auto(GStrv) words = g_strsplit_set(text, " \t\r\n", -1);

	for (size_t i = 0; words[i] != NULL; i++) {
		if (words[i][0] == '\0' || g_strcmp0(words[i], left_out) == 0)
			continue;
		if (line->len > 0)
			g_string_append_c(line, ' ');
		g_string_append(line, words[i]);
	}
}

static void
add_common(
    GString *line, const struct domain *domain, const struct driver *driver, const char *version)
{
	g_autofree char *found = kernels_common_options(domain_app(domain), version);
	bool modeset = feature_on(domain, "no-nomodeset");

	if (feature_is(domain, "os", "Linux")) {
		g_autofree char *id = g_strdup(domain_uuid(domain));
		char *to = id;

		for (const char *from = id; *from != '\0'; from++)
			if (*from != '-')
				*to++ = *from;
		*to = '\0';
		g_string_append_printf(line, "systemd.machine_id=%s", id);
	}
	add_words(line, found != NULL ? found : driver->common, modeset ? "nomodeset" : NULL);
	if (strstr(line->str, driver->console) == NULL)
		add_words(line, driver->console, NULL);
}

/*
 * kernelopts may quote a blank, so it goes in as it is. It comes last but for the security modules:
 * where a word is said twice, the kernel takes the second.
 */
static char *
line_of(const struct domain *domain, const struct driver *driver, const char *version)
{
	g_autofree char *options = domain_string(domain, PROPERTY_KERNELOPTS);
	bool bare = feature_on(domain, "no-default-kernelopts");
	GString *line = g_string_new(NULL);

	if (!bare)
		add_common(line, domain, driver, version);
	if (options[0] != '\0')
		g_string_append_printf(line, "%s%s", line->len > 0 ? " " : "", options);
	if (!bare && feature_is(domain, "apparmor", "1"))
		add_words(line, "apparmor=1 security=apparmor", NULL);
	else if (!bare && feature_is(domain, "selinux", "1"))
		add_words(line, "selinux=1 security=selinux", NULL);
	return g_string_free(line, FALSE);
}

/* --- the whole ------------------------------------------------------------------------------ */

/* The version to start with; "": none. g_free(). */
static char *
version_of(const struct domain *domain, const struct driver *driver)
{
	g_autofree char *mode = domain_string(domain, PROPERTY_VIRT_MODE);
	char *version =
	    driver->common != NULL ? domain_string(domain, PROPERTY_KERNEL) : g_strdup("");
	const char *stand_in = strcmp(mode, "pvh") == 0  ? driver->pvh
			       : strcmp(mode, "pv") == 0 ? driver->pv
							 : NULL;

	if (version[0] != '\0' || stand_in == NULL)
		return version;
	g_free(version);
	return g_strdup(stand_in);
}

bool
boot_of(const struct domain *domain, const char *kind, struct boot *ret, struct admin_error *error)
{
	const struct driver *driver = driver_of(kind);
	struct qubes_app *app = domain_app(domain);
	g_autofree char *version = version_of(domain, driver);
	struct boot boot;

	if (version[0] == '\0') {
		*ret = (struct boot){g_strdup(""), g_strdup(""), g_strdup("")};
		return true;
	}
	boot.kernel = kernels_file(app, version, "vmlinuz");
	if (boot.kernel == NULL)
		return admin_error_set(error, "QubesException",
		    "%s cannot start: its kernel %s is not in the pool of kernels",
		    domain_name(domain), version);
	boot.initrd = kernels_file(app, version, "initramfs");
	if (boot.initrd == NULL)
		boot.initrd = g_strdup("");
	boot.cmdline = line_of(domain, driver, version);
	*ret = boot;
	return true;
}

void
boot_clear(struct boot *boot)
{
	g_free(boot->kernel);
	g_free(boot->initrd);
	g_free(boot->cmdline);
	*boot = (struct boot){0};
}

#include "gui-daemon/config.h"
#include "shared/gui_wire.h"
#include "shared/paths.h"
#include "shared/text.h"

#include <errno.h>
#include <getopt.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_CLIPBOARD_BYTES 256
#define MAX_EVENTS_DELAY_MS 5000
#define MAX_STARTUP_TIMEOUT_S 86400
#define BORDER_AT_96_DPI 4
#define MIN_BORDER 2
#define CONFIG_PATH_MAX 4096

static const char help[] =
    "qubes-guid -d ID -N NAME [options]: shows the windows of one qube on this desktop\n"
    "  -d, --domid ID              domain to connect to\n"
    "  -t, --target-domid ID       the qube, when -d is its stub domain\n"
    "  -N, --name NAME             name of the qube\n"
    "  -c, --color COLOR           colour of its label: 0xRRGGBB or an X colour name\n"
    "  -l, --label N               index of its label\n"
    "  -i, --icon ICON             name of an icon, or path of a picture\n"
    "  -C, --config PATH           configuration file\n"
    "  -v, --verbose; -q, --quiet  more or less log\n"
    "  -Q, --qrexec-for-clipboard  clipboard through qrexec services\n"
    "  -n, --background            do not wait for the agent\n"
    "  -f, --foreground            do not fork; log to stderr\n"
    "  -I, --invisible             show nothing\n"
    "  -K, --kill-on-connect PID   SIGUSR1 to PID once connected\n"
    "  -p, --prop NAME=T:V         one more property on every window; T: s, a or c\n"
    "  -T, --title-name            titles begin with [NAME] (the default)\n"
    "      --no-title-name         they do not\n"
    "      --border-width PIXELS   width of the coloured border, at least 2\n"
    "      --override-redirect=allow|disabled\n"
    "      --trayicon-mode MODE\n"
    "      --screensaver-name NAME\n"
    "      --max-clipboard-size BYTES\n"
    "  -h, --help; --version\n";

enum long_only {
	OPTION_VERSION = 256,
	OPTION_OVERRIDE_REDIRECT,
	OPTION_TRAYICON_MODE,
	OPTION_SCREENSAVER_NAME,
	OPTION_MAX_CLIPBOARD_SIZE,
	OPTION_BORDER_WIDTH,
	OPTION_NO_TITLE_NAME,
};

static const char short_options[] = ":d:t:N:c:l:i:C:vqQnfIK:p:Th";
static const struct option long_options[] = {
    {"domid", required_argument, NULL, 'd'},
    {"target-domid", required_argument, NULL, 't'},
    {"name", required_argument, NULL, 'N'},
    {"color", required_argument, NULL, 'c'},
    {"label", required_argument, NULL, 'l'},
    {"icon", required_argument, NULL, 'i'},
    {"config", required_argument, NULL, 'C'},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, 'q'},
    {"qrexec-for-clipboard", no_argument, NULL, 'Q'},
    {"background", no_argument, NULL, 'n'},
    {"foreground", no_argument, NULL, 'f'},
    {"invisible", no_argument, NULL, 'I'},
    {"kill-on-connect", required_argument, NULL, 'K'},
    {"prop", required_argument, NULL, 'p'},
    {"title-name", no_argument, NULL, 'T'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"override-redirect", required_argument, NULL, OPTION_OVERRIDE_REDIRECT},
    {"trayicon-mode", required_argument, NULL, OPTION_TRAYICON_MODE},
    {"screensaver-name", required_argument, NULL, OPTION_SCREENSAVER_NAME},
    {"max-clipboard-size", required_argument, NULL, OPTION_MAX_CLIPBOARD_SIZE},
    {"border-width", required_argument, NULL, OPTION_BORDER_WIDTH},
    {"no-title-name", no_argument, NULL, OPTION_NO_TITLE_NAME},
    {NULL, 0, NULL, 0},
};

/* --- values ------------------------------------------------------------------------------- */

/* A whole number within the bounds, and nothing else. */
static bool
parse_number(const char *text, unsigned long min, unsigned long max, uint32_t *ret)
{
	unsigned long value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 0);
	if (*end != '\0' || errno != 0 || value < min || value > max)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* "disable" is what launchers write, "disabled" what the page says. */
static bool
parse_override_redirect(const char *text, bool *ret_allow)
{
	if (strcmp(text, "allow") == 0)
		*ret_allow = true;
	else if (strcmp(text, "disabled") == 0 || strcmp(text, "disable") == 0)
		*ret_allow = false;
	else
		return false;
	return true;
}

static void
property_free(gpointer data)
{
	struct config_property *property = data;

	g_free(property->name);
	g_free(property->text);
	if (property->cardinals != NULL)
		g_array_unref(property->cardinals);
	g_free(property);
}

static GArray *
parse_cardinals(const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, ",", -1);
	GArray *cardinals = g_array_new(FALSE, FALSE, sizeof(uint32_t));

	for (char **word = words; *word != NULL; word++) {
		uint32_t value;

		if (!parse_number(*word, 0, UINT32_MAX, &value)) {
			g_array_unref(cardinals);
			return NULL;
		}
		g_array_append_val(cardinals, value);
	}
	return cardinals;
}

/* NAME=T:VALUE */
static bool
parse_property(struct config *config, const char *text)
{
	const char *equals = strchr(text, '=');
	struct config_property *property;

	if (config->properties->len == CONFIG_MAX_PROPERTIES || equals == NULL || equals == text ||
	    equals[1] == '\0' || strchr("sac", equals[1]) == NULL || equals[2] != ':')
		return false;
	property = g_new0(struct config_property, 1);
	property->name = g_strndup(text, (gsize)(equals - text));
	property->kind = equals[1];
	if (property->kind == 'c')
		property->cardinals = parse_cardinals(equals + 3);
	else
		property->text = g_strdup(equals + 3);
	g_ptr_array_add(config->properties, property);
	return property->text != NULL || property->cardinals != NULL;
}

static void
set_string(char **field, const char *value)
{
	g_free(*field);
	*field = g_strdup(value);
}

/* --- the file ----------------------------------------------------------------------------- */

static int refuse(char **ret_error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static int
refuse(char **ret_error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	*ret_error = g_strdup_vprintf(format, args);
	va_end(args);
	return -EINVAL;
}

static void
read_bool(const config_t *file, const char *path, bool *field)
{
	int value;

	if (config_lookup_bool(file, path, &value))
		*field = value != 0;
}

static void
read_string(const config_t *file, const char *path, char **field)
{
	const char *value;

	if (config_lookup_string(file, path, &value))
		set_string(field, value);
}

static bool
read_number(const config_t *file, const char *path, unsigned min, unsigned max, unsigned *field)
{
	int value;

	if (!config_lookup_int(file, path, &value))
		return true;
	if (value < 0 || (unsigned)value < min || (unsigned)value > max)
		return false;
	*field = (unsigned)value;
	return true;
}

static int
read_file_values(struct config *config, const config_t *file, char **ret_error)
{
	const char *value;

	read_bool(file, "global.allow_fullscreen", &config->allow_fullscreen);
	read_bool(file, "global.override_redirect_protection", &config->protect_override_redirect);
	read_bool(file, "global.allow_utf8_titles", &config->allow_utf8_titles);
	read_bool(file, "global.title_name", &config->title_name);
	read_string(file, "global.secure_copy_sequence", &config->copy_sequence);
	read_string(file, "global.secure_paste_sequence", &config->paste_sequence);
	read_string(file, "global.trayicon_mode", &config->trayicon_mode);
	read_string(file, "global.window_background_color", &config->window_background_color);
	if (config_lookup_string(file, "global.override_redirect", &value) &&
	    !parse_override_redirect(value, &config->allow_override_redirect))
		return refuse(ret_error, "override_redirect is neither \"allow\" nor \"disabled\"");
	if (!read_number(file, "global.events_max_delay", 0, MAX_EVENTS_DELAY_MS,
		&config->events_max_delay_ms))
		return refuse(ret_error, "events_max_delay is not 0..%d", MAX_EVENTS_DELAY_MS);
	if (!read_number(
		file, "global.border_width", MIN_BORDER, CONFIG_MAX_BORDER, &config->border))
		return refuse(
		    ret_error, "border_width is not %d..%d", MIN_BORDER, CONFIG_MAX_BORDER);
	if (!read_number(file, "global.startup_timeout", 0, MAX_STARTUP_TIMEOUT_S,
		&config->startup_timeout_s))
		return refuse(ret_error, "startup_timeout is not 0..%d", MAX_STARTUP_TIMEOUT_S);
	/* Out of range these two are ignored, as they always were. */
	(void)read_number(file, "global.max_clipboard_size", MIN_CLIPBOARD_BYTES, GUI_MAX_CLIPBOARD,
	    &config->max_clipboard_bytes);
	(void)read_number(
	    file, "global.windows_count_limit", 1, CONFIG_MAX_WINDOWS, &config->max_windows);
	return 0;
}

int
config_read_text(struct config *config, const char *text, char **ret_error)
{
	g_autofree char *include_dir = path_in_config_dir(NULL);
	config_t file;
	int r;

	config_init(&file);
	config_set_include_dir(&file, include_dir);
	if (config_read_string(&file, text) != CONFIG_TRUE)
		r = refuse(
		    ret_error, "line %d: %s", config_error_line(&file), config_error_text(&file));
	else
		r = read_file_values(config, &file, ret_error);
	config_destroy(&file);
	return r;
}

static int
read_file(struct config *config)
{
	g_autofree char *path = config->config_path != NULL ? g_strdup(config->config_path)
							    : path_in_config_dir("guid.conf");
	g_autofree char *text = NULL;
	g_autofree char *error = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL)) {
		if (config->config_path != NULL)
			fprintf(stderr, "qubes-guid: cannot read %s, going on without\n", path);
		return 0;
	}
	if (config_read_text(config, text, &error) < 0) {
		fprintf(stderr, "qubes-guid: %s: %s\n", path, error);
		return -EINVAL;
	}
	return 0;
}

/* --- the command line --------------------------------------------------------------------- */

/* One option. Returns false when its value is wrong. */
static bool
apply_option(struct config *config, int option, const char *value)
{
	uint32_t number;

	switch (option) {
	case 'd':
		return config->domid == 0 &&
		       parse_number(value, 1, CONFIG_DOMID_MAX, &config->domid);
	case 't':
		return parse_number(value, 1, CONFIG_DOMID_MAX, &config->target_domid);
	case 'N':
		set_string(&config->name, value);
		return text_is_qube_name(value);
	case 'c':
		set_string(&config->color, value);
		return true;
	case 'l':
		return parse_number(value, 0, 255, &config->label);
	case 'i':
		set_string(&config->icon, value);
		return true;
	case 'C':
		set_string(&config->config_path, value);
		return strlen(value) < CONFIG_PATH_MAX;
	case 'v':
		config->log_level++;
		return true;
	case 'q':
		config->log_level = MAX(config->log_level - 1, 0);
		return true;
	case 'Q':
		config->qrexec_clipboard = true;
		return true;
	case 'n':
		config->background = true;
		return true;
	case 'f':
		config->foreground = true;
		return true;
	case 'I':
		config->invisible = true;
		return true;
	case 'K':
		if (!parse_number(value, 2, INT32_MAX, &number))
			return false;
		config->kill_on_connect_pid = (int)number;
		return true;
	case 'p':
		return parse_property(config, value);
	case 'T':
		config->title_name = true;
		return true;
	case OPTION_NO_TITLE_NAME:
		config->title_name = false;
		return true;
	case OPTION_OVERRIDE_REDIRECT:
		return parse_override_redirect(value, &config->allow_override_redirect);
	case OPTION_TRAYICON_MODE:
		set_string(&config->trayicon_mode, value);
		return true;
	case OPTION_SCREENSAVER_NAME:
		g_ptr_array_add(config->lockers, g_strdup(value));
		return config->lockers->len <= CONFIG_MAX_LOCKERS;
	case OPTION_MAX_CLIPBOARD_SIZE:
		return parse_number(
		    value, MIN_CLIPBOARD_BYTES, GUI_MAX_CLIPBOARD, &config->max_clipboard_bytes);
	case OPTION_BORDER_WIDTH:
		return parse_number(value, MIN_BORDER, CONFIG_MAX_BORDER, &config->border);
	default:
		return false;
	}
}

static int complain(const char *format, ...) G_GNUC_PRINTF(1, 2);

static int
complain(const char *format, ...)
{
	va_list args;

	fputs("qubes-guid: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("; --help tells more\n", stderr);
	return -EINVAL;
}

/* The first pass finds the file and what ends at once; the second applies everything. */
static int
scan_options(int argc, char **argv, struct config *config, bool first_pass)
{
	int option;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return complain(
			    "option %s is unknown or lacks its value", argv[optind - 1]);
		if (first_pass) {
			if (option == 'h') {
				fputs(help, stdout);
				return 1;
			}
			if (option == OPTION_VERSION) {
				puts("qubes-guid 1.0");
				return 1;
			}
			if (option == 'C')
				set_string(&config->config_path, optarg);
		} else if (!apply_option(config, option, optarg)) {
			return complain("bad value of option %s", argv[optind - 1]);
		}
	}
	if (optind < argc || (argc > 1 && strcmp(argv[argc - 1], "--") == 0))
		return complain("unexpected argument %s", argv[argc - 1]);
	return 0;
}

static struct config *
config_default(void)
{
	struct config *config = g_new0(struct config, 1);

	config->color = g_strdup("red");
	config->log_level = 1;
	config->title_name = true;
	config->properties = g_ptr_array_new_with_free_func(property_free);
	config->lockers = g_ptr_array_new_with_free_func(g_free);
	config->allow_override_redirect = true;
	config->protect_override_redirect = true;
	config->window_background_color = g_strdup("white");
	config->copy_sequence = g_strdup("Ctrl-Shift-c");
	config->paste_sequence = g_strdup("Ctrl-Shift-v");
	config->trayicon_mode = g_strdup("tint");
	config->max_clipboard_bytes = 64000;
	config->startup_timeout_s = 45;
	config->max_windows = CONFIG_MAX_WINDOWS;
	return config;
}

static int
config_check(struct config *config)
{
	if (config->domid == 0)
		return complain("-d is missing");
	if (config->name == NULL)
		return complain("-N is missing");
	if (config->target_domid == 0)
		config->target_domid = config->domid;
	if (config->lockers->len == 0)
		g_ptr_array_add(config->lockers, g_strdup("xscreensaver"));
	if (config->foreground)
		config->kill_on_connect_pid = 0;
	return 0;
}

int
config_new(int argc, char **argv, struct config **ret)
{
	struct config *config = config_default();
	int r;

	r = scan_options(argc, argv, config, true);
	if (r == 0)
		r = read_file(config);
	if (r == 0)
		r = scan_options(argc, argv, config, false);
	if (r == 0)
		r = config_check(config);
	if (r != 0) {
		config_free(config);
		return r;
	}
	*ret = config;
	return 0;
}

void
config_free(struct config *config)
{
	if (config == NULL)
		return;
	g_free(config->name);
	g_free(config->color);
	g_free(config->icon);
	g_free(config->config_path);
	g_free(config->window_background_color);
	g_free(config->copy_sequence);
	g_free(config->paste_sequence);
	g_free(config->trayicon_mode);
	g_ptr_array_unref(config->properties);
	g_ptr_array_unref(config->lockers);
	g_free(config);
}

unsigned
config_border(const struct config *config, unsigned dpi)
{
	unsigned border = (BORDER_AT_96_DPI * dpi + 48) / 96;

	if (config->border != 0)
		return config->border;
	return CLAMP(border, MIN_BORDER, CONFIG_MAX_BORDER);
}

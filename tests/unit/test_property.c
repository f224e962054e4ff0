/* Properties: every row on every class, defaults and where they come from, what a client may set. */
#include "qubesd/lifecycle.h"
#include "tests/unit/admin_fixture.h"
#include "tests/unit/lifecycle_double.h"
#include "tests/unit/unit.h"

#include <string.h>

static int
set_up(void **state)
{
	*state = admin_fixture_new();
	return 0;
}

static int
tear_down(void **state)
{
	admin_fixture_free(*state);
	return 0;
}

static char *
call(struct admin_fixture *fixture, const char *method, const char *property, const char *dest,
    const char *payload)
{
	return admin_fixture_call(fixture, "dom0", method, property, dest, payload);
}

static void
expect(struct admin_fixture *fixture, const char *method, const char *property, const char *dest,
    const char *payload, const char *wanted)
{
	g_autofree char *reply = call(fixture, method, property, dest, payload);

	if (strcmp(reply, wanted) != 0)
		fail_msg("%s+%s -> %s '%s': '%s', not '%s'", method, property, dest, payload, reply,
		    wanted);
}

static void
set(struct admin_fixture *fixture, const char *dest, const char *property, const char *value)
{
	expect(fixture, "admin.vm.property.Set", property, dest, value, "OK ");
}

static void
get(struct admin_fixture *fixture, const char *dest, const char *property, const char *wanted)
{
	g_autofree char *reply = g_strconcat("OK ", wanted, NULL);

	expect(fixture, "admin.vm.property.Get", property, dest, "", reply);
}

static void
refuse(struct admin_fixture *fixture, const char *dest, const char *property, const char *value,
    const char *class)
{
	expect(fixture, "admin.vm.property.Set", property, dest, value, class);
}

static void
make(struct admin_fixture *fixture, const char *klass, const char *template, const char *name)
{
	g_autofree char *method = g_strconcat("admin.vm.Create.", klass, NULL);
	g_autofree char *payload = g_strdup_printf("name=%s label=red", name);

	expect(fixture, method, template, "dom0", payload, "OK ");
}

/* One qube of each class, besides those of the fixture. */
static void
make_all(struct admin_fixture *fixture)
{
	make(fixture, "StandaloneVM", "", "alone");
	make(fixture, "RemoteVM", "", "far");
	set(fixture, "test-vm1", "template_for_dispvms", "True");
	make(fixture, "DispVM", "test-vm1", "disp");
}

/* --- the matrix ----------------------------------------------------------------------------- */

static void
every_property_of_every_class_can_be_read_and_explained(void **state)
{
	static const char *const dests[] = {
	    "dom0", "test-template", "test-vm1", "alone", "disp", "far"};
	struct admin_fixture *fixture = *state;

	make_all(fixture);
	for (size_t i = 0; i < G_N_ELEMENTS(dests); i++) {
		struct property_owner owner = domain_owner(qubes_app_find(fixture->app, dests[i]));

		for (size_t k = 0; k < PROPERTY_COUNT; k++) {
			const struct property *property = &property_domain_table[k];
			bool there = property_applies(&owner, property);
			g_autofree char *value =
			    call(fixture, "admin.vm.property.Get", property->name, dests[i], "");
			g_autofree char *fallback = call(
			    fixture, "admin.vm.property.GetDefault", property->name, dests[i], "");
			g_autofree char *help =
			    call(fixture, "admin.vm.property.Help", property->name, dests[i], "");

			assert_int_equal(there, g_str_has_prefix(value, "OK default="));
			assert_int_equal(there, g_str_has_prefix(fallback, "OK "));
			assert_int_equal(there, strlen(help) > 10 && g_str_has_prefix(help, "OK "));
			if (!there)
				assert_string_equal(value, "QubesNoSuchPropertyError");
		}
	}
}

static void
p03_what_is_computed_or_written_once_is_never_set_or_reset(void **state)
{
	static const char *const dests[] = {
	    "dom0", "test-template", "test-vm1", "alone", "disp", "far"};
	struct admin_fixture *fixture = *state;

	make_all(fixture);
	for (size_t i = 0; i < G_N_ELEMENTS(dests); i++) {
		struct property_owner owner = domain_owner(qubes_app_find(fixture->app, dests[i]));

		for (size_t k = 0; k < PROPERTY_COUNT; k++) {
			const struct property *property = &property_domain_table[k];
			g_autofree char *before = NULL;
			g_autofree char *after = NULL;

			if (!property_applies(&owner, property) ||
			    (!property_is_readonly(&owner, property) &&
				(property->flags & PROPERTY_FLAG_WRITE_ONCE) == 0))
				continue;
			before =
			    call(fixture, "admin.vm.property.Get", property->name, dests[i], "");
			for (const char *const *value =
				 (const char *const[]){"1", "True", "red", "", NULL};
			     *value != NULL; value++) {
				g_autofree char *reply = call(fixture, "admin.vm.property.Set",
				    property->name, dests[i], *value);

				assert_true(strcmp(reply, "QubesPropertyValueError") == 0 ||
					    strcmp(reply, "QubesValueError") == 0 ||
					    strcmp(reply, "QubesLabelNotFoundError") == 0 ||
					    strcmp(reply, "QubesInvalidLabelError") == 0);
			}
			expect(fixture, "admin.vm.property.Reset", property->name, dests[i], "",
			    "QubesPropertyValueError");
			after =
			    call(fixture, "admin.vm.property.Get", property->name, dests[i], "");
			assert_string_equal(before, after);
		}
	}
}

static void
adm_05_bad_values_are_refused_and_nothing_is_stored(void **state)
{
	static const struct {
		const char *property, *value, *class;
	} cases[] = {
	    {"memory", "+1", "QubesValueError"},
	    {"memory", " 1", "QubesValueError"},
	    {"memory", "1\n", "QubesValueError"},
	    {"memory", "0x10", "QubesValueError"},
	    {"memory", "1e3", "QubesValueError"},
	    {"memory", "5_0", "QubesValueError"},
	    {"memory", "", "QubesValueError"},
	    {"memory", "99999999999999999999", "QubesValueError"},
	    {"memory", "\xef\xbc\x95", "QubesValueError"},
	    {"memory", "0", "QubesPropertyValueError"},
	    {"memory", "-1", "QubesPropertyValueError"},
	    {"vcpus", "0", "QubesPropertyValueError"},
	    {"qrexec_timeout", "0", "QubesPropertyValueError"},
	    {"maxmem", "-1", "QubesPropertyValueError"},
	    {"debug", "maybe", "QubesValueError"},
	    {"debug", "", "QubesValueError"},
	    {"label", "mauve", "QubesLabelNotFoundError"},
	    {"label", "no label", "QubesInvalidLabelError"},
	    {"label", "", "QubesInvalidLabelError"},
	    {"netvm", "nobody", "QubesPropertyValueError"},
	    {"netvm", "../x", "QubesValueError"},
	    {"netvm", "\x80\x90", "QubesValueError"},
	    {"netvm", "dom0", "QubesPropertyValueError"},
	    {"netvm", "test-template", "QubesPropertyValueError"},
	    {"template", "", "QubesPropertyValueError"},
	    {"template", "test-vm1", "QubesPropertyValueError"},
	    {"template", "dom0", "QubesPropertyValueError"},
	    {"default_dispvm", "test-template", "QubesPropertyValueError"},
	    {"default_dispvm", "test-vm1", "QubesPropertyValueError"},
	    {"management_dispvm", "dom0", "QubesPropertyValueError"},
	    {"virt_mode", "kvm", "QubesPropertyValueError"},
	    {"default_user", "-x", "QubesPropertyValueError"},
	    {"default_user", "a b", "QubesPropertyValueError"},
	    {"default_user", "a:b", "QubesPropertyValueError"},
	    {"default_user", "", "QubesPropertyValueError"},
	    {"mac", "00:16:3e:5e:6c", "QubesPropertyValueError"},
	    {"mac", "00:16:3e:5e:6c:0g", "QubesPropertyValueError"},
	    {"ip", "1.2.3", "QubesValueError"},
	    {"ip6", "1.2.3.4", "QubesValueError"},
	    {"kernel", "9.9", "QubesPropertyValueError"},
	    {"kernel", "../1.0", "QubesPropertyValueError"},
	    {"kernel", ".", "QubesPropertyValueError"},
	    {"keyboard_layout", "us", "QubesPropertyValueError"},
	    {"keyboard_layout", "us+++", "QubesPropertyValueError"},
	    {"keyboard_layout", "us+;+", "QubesPropertyValueError"},
	    {"devices_denied", "b*****", "QubesPropertyValueError"},
	    {"devices_denied", "x******", "QubesPropertyValueError"},
	    {"bootmode", "a b", "QubesPropertyValueError"},
	    {"kernelopts", "a\x1b[m", "QubesValueError"},
	};
	struct admin_fixture *fixture = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *before =
		    call(fixture, "admin.vm.property.Get", cases[i].property, "test-vm1", "");
		g_autofree char *after = NULL;

		refuse(fixture, "test-vm1", cases[i].property, cases[i].value, cases[i].class);
		after = call(fixture, "admin.vm.property.Get", cases[i].property, "test-vm1", "");
		assert_string_equal(before, after);
	}
}

static void
good_values_are_stored_as_they_are_meant(void **state)
{
	static const struct {
		const char *property, *value, *read;
	} cases[] = {
	    {"memory", "600", "default=False type=int 600"},
	    {"debug", "yes", "default=False type=bool True"},
	    {"debug", "OFF", "default=False type=bool False"},
	    {"label", "green", "default=False type=label green"},
	    {"netvm", "", "default=False type=vm "},
	    {"kernel", "1.0", "default=False type=str 1.0"},
	    {"kernel", "", "default=False type=str "},
	    {"mac", "00:16:3E:AA:BB:CC", "default=False type=str 00:16:3e:aa:bb:cc"},
	    {"keyboard_layout", "us,de++grp:alt_shift_toggle",
		"default=False type=str us,de++grp:alt_shift_toggle"},
	    {"devices_denied", "u030101b******", "default=False type=str u030101b******"},
	    {"virt_mode", "hvm", "default=False type=str hvm"},
	    {"maxmem", "0", "default=False type=int 0"},
	    {"backup_timestamp", "1700000000", "default=False type=int 1700000000"},
	    {"default_user", "a+b,c.d-e_f", "default=False type=str a+b,c.d-e_f"},
	};
	struct admin_fixture *fixture = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		set(fixture, "test-vm1", cases[i].property, cases[i].value);
		get(fixture, "test-vm1", cases[i].property, cases[i].read);
	}
}

static void
t03_a_value_equal_to_the_default_is_stored_all_the_same(void **state)
{
	struct admin_fixture *fixture = *state;

	get(fixture, "test-vm1", "memory", "default=True type=int 400");
	set(fixture, "test-vm1", "memory", "400");
	get(fixture, "test-vm1", "memory", "default=False type=int 400");
	expect(fixture, "admin.vm.property.Reset", "memory", "test-vm1", "", "OK ");
	expect(fixture, "admin.vm.property.Reset", "memory", "test-vm1", "", "OK ");
	get(fixture, "test-vm1", "memory", "default=True type=int 400");
}

static void
t04_no_value_and_no_default_is_an_empty_default(void **state)
{
	get(*state, "test-vm1", "stubdom_mem", "default=True type=int ");
	expect(*state, "admin.vm.property.GetDefault", "stubdom_mem", "test-vm1", "", "OK ");
	expect(*state, "admin.vm.property.GetDefault", "template", "test-vm1", "", "OK ");
	expect(*state, "admin.vm.property.GetDefault", "netvm", "test-vm1", "", "OK type=vm ");
}

static void
defaults_follow_the_template(void **state)
{
	struct admin_fixture *fixture = *state;

	set(fixture, "test-template", "memory", "700");
	set(fixture, "test-template", "default_user", "me");
	set(fixture, "test-template", "virt_mode", "hvm");
	get(fixture, "test-vm1", "memory", "default=True type=int 700");
	get(fixture, "test-vm1", "default_user", "default=True type=str me");
	get(fixture, "test-vm1", "virt_mode", "default=True type=str hvm");
	get(fixture, "test-vm1", "kernel", "default=True type=str ");
}

static void
defaults_follow_the_globals(void **state)
{
	struct admin_fixture *fixture = *state;

	expect(fixture, "admin.property.Set", "default_qrexec_timeout", "dom0", "99", "OK ");
	expect(fixture, "admin.property.Set", "default_guivm", "dom0", "test-vm1", "OK ");
	get(fixture, "test-template", "qrexec_timeout", "default=True type=int 99");
	get(fixture, "test-vm1", "qrexec_timeout", "default=True type=int 99");
	get(fixture, "test-template", "guivm", "default=True type=vm test-vm1");
	get(fixture, "test-vm1", "kernel", "default=True type=str 1.0");
}

static void
g06_the_default_netvm_provides_network_and_is_not_connected_through_itself(void **state)
{
	struct admin_fixture *fixture = *state;

	make(fixture, "AppVM", "", "net");
	expect(fixture, "admin.property.Set", "default_netvm", "dom0", "net",
	    "QubesPropertyValueError");
	set(fixture, "net", "provides_network", "True");
	expect(fixture, "admin.property.Set", "default_netvm", "dom0", "net",
	    "QubesPropertyValueError");
	set(fixture, "net", "netvm", "");
	expect(fixture, "admin.property.Set", "default_netvm", "dom0", "net", "OK ");
	get(fixture, "test-vm1", "netvm", "default=True type=vm net");
	get(fixture, "test-template", "netvm", "default=True type=vm ");
	refuse(fixture, "net", "provides_network", "False", "QubesVMInUseError");
	expect(
	    fixture, "admin.vm.property.Reset", "provides_network", "net", "", "QubesVMInUseError");
}

static void
v17_a_loop_of_networks_is_refused(void **state)
{
	struct admin_fixture *fixture = *state;

	make(fixture, "AppVM", "", "a");
	make(fixture, "AppVM", "", "b");
	set(fixture, "a", "provides_network", "True");
	set(fixture, "b", "provides_network", "True");
	refuse(fixture, "a", "netvm", "a", "QubesPropertyValueError");
	set(fixture, "a", "netvm", "b");
	refuse(fixture, "b", "netvm", "a", "QubesPropertyValueError");
}

static void
v09_addresses_are_those_of_the_examples(void **state)
{
	struct admin_fixture *fixture = *state;

	get(fixture, "test-vm1", "ip", "default=True type=str ");
	get(fixture, "test-vm1", "dns", "default=True type=str ");
	make(fixture, "AppVM", "", "net"); /* qid 3 */
	set(fixture, "net", "netvm", "");
	set(fixture, "net", "provides_network", "True");
	set(fixture, "test-vm1", "netvm", "net"); /* qid 2 */
	get(fixture, "net", "ip", "default=True type=str 10.137.0.3");
	get(fixture, "net", "gateway", "default=True type=str 10.137.0.3");
	get(fixture, "test-vm1", "ip", "default=True type=str 10.137.0.2");
	get(fixture, "test-vm1", "visible_gateway", "default=True type=str 10.137.0.3");
	get(fixture, "test-vm1", "visible_netmask", "default=True type=str 255.255.255.255");
	get(fixture, "test-vm1", "dns", "default=True type=str 10.139.1.1 10.139.1.2");
	get(fixture, "test-vm1", "ip6", "default=True type=str ");
	expect(fixture, "admin.vm.feature.Set", "ipv6", "net", "1", "OK ");
	get(fixture, "test-vm1", "ip6", "default=True type=str fd09:24ef:4179::a89:2");
	refuse(fixture, "test-vm1", "ip", "10.137.0.3", "QubesPropertyValueError");
	set(fixture, "test-vm1", "ip", "10.0.0.1");
	expect(fixture, "admin.vm.feature.Set", "net.fake-ip", "test-vm1", "192.168.1.2", "OK ");
	get(fixture, "test-vm1", "visible_ip", "default=True type=str 192.168.1.2");
}

static void
icons_tell_class_use_and_label(void **state)
{
	struct admin_fixture *fixture = *state;

	make_all(fixture);
	get(fixture, "dom0", "icon", "default=True type=str adminvm-black");
	get(fixture, "test-template", "icon", "default=True type=str templatevm-black");
	get(fixture, "test-vm1", "icon", "default=True type=str templatevm-red");
	get(fixture, "alone", "icon", "default=True type=str standalonevm-red");
	get(fixture, "disp", "icon", "default=True type=str dispvm-red");
	get(fixture, "far", "icon", "default=True type=str remotevm-red");
	set(fixture, "alone", "provides_network", "True");
	get(fixture, "alone", "icon", "default=True type=str servicevm-red");
	set(fixture, "alone", "provides_network", "False");
	get(fixture, "alone", "icon", "default=True type=str standalonevm-red");
}

static void
v24_a_template_of_disposables_stays_one_while_it_is_used(void **state)
{
	struct admin_fixture *fixture = *state;

	make_all(fixture);
	refuse(fixture, "test-vm1", "template_for_dispvms", "False", "QubesVMInUseError");
	expect(fixture, "admin.vm.property.Reset", "template_for_dispvms", "test-vm1", "",
	    "QubesVMInUseError");
	expect(fixture, "admin.vm.Remove", "", "disp", "", "OK ");
	expect(fixture, "admin.property.Set", "default_dispvm", "dom0", "test-vm1", "OK ");
	refuse(fixture, "test-vm1", "template_for_dispvms", "False", "QubesVMInUseError");
	expect(fixture, "admin.property.Reset", "default_dispvm", "dom0", "", "OK ");
	set(fixture, "test-vm1", "template_for_dispvms", "False");
}

static void
v23_the_template_of_a_running_qube_stays(void **state)
{
	struct admin_fixture *fixture = *state;

	make(fixture, "TemplateVM", "", "other");
	lifecycle_double_set(
	    fixture->lifecycle, qubes_app_find(fixture->app, "test-vm1"), "Running");
	refuse(fixture, "test-vm1", "template", "other", "QubesVMNotHaltedError");
	refuse(fixture, "test-vm1", "maxmem", "5", "QubesVMNotHaltedError");
	lifecycle_double_set(
	    fixture->lifecycle, qubes_app_find(fixture->app, "test-vm1"), "Halted");
	set(fixture, "test-vm1", "template", "other");
	expect(fixture, "admin.vm.property.Reset", "template", "test-vm1", "", "QubesValueError");
	expect(
	    fixture, "admin.vm.property.Reset", "label", "test-vm1", "", "QubesPropertyValueError");
}

static void
disposables_take_over_what_their_template_was_given(void **state)
{
	struct admin_fixture *fixture = *state;

	make(fixture, "AppVM", "", "net");
	set(fixture, "net", "netvm", "");
	set(fixture, "net", "provides_network", "True");
	set(fixture, "test-vm1", "memory", "555");
	set(fixture, "test-vm1", "netvm", "net");
	set(fixture, "test-vm1", "include_in_backups", "False");
	expect(fixture, "admin.vm.feature.Set", "f", "test-vm1", "1", "OK ");
	expect(fixture, "admin.vm.feature.Set", "preload-dispvm-max", "test-vm1", "1", "OK ");
	make_all(fixture);
	get(fixture, "disp", "memory", "default=False type=int 555");
	get(fixture, "disp", "netvm", "default=False type=vm net");
	get(fixture, "disp", "include_in_backups", "default=True type=bool True");
	get(fixture, "disp", "default_dispvm", "default=True type=vm test-vm1");
	get(fixture, "disp", "auto_cleanup", "default=True type=bool False");
	expect(fixture, "admin.vm.feature.List", "", "disp", "", "OK f\n");
}

static void
disposables_are_connected_like_their_template_and_not_like_the_default(void **state)
{
	struct admin_fixture *fixture = *state;

	make(fixture, "AppVM", "", "net");
	set(fixture, "net", "netvm", "");
	set(fixture, "net", "provides_network", "True");
	expect(fixture, "admin.property.Set", "default_netvm", "dom0", "net", "OK ");
	set(fixture, "test-vm1", "netvm", "");
	make_all(fixture);
	get(fixture, "disp", "netvm", "default=False type=vm ");
	expect(fixture, "admin.vm.property.Reset", "netvm", "disp", "", "OK ");
	get(fixture, "disp", "netvm", "default=True type=vm ");
}

static void
management_dispvm_never_falls_back_to_default_dispvm(void **state)
{
	struct admin_fixture *fixture = *state;

	make_all(fixture);
	expect(fixture, "admin.property.Set", "default_dispvm", "dom0", "test-vm1", "OK ");
	get(fixture, "alone", "default_dispvm", "default=True type=vm test-vm1");
	get(fixture, "alone", "management_dispvm", "default=True type=vm ");
}

static void
g02_clockvm_is_local_and_moves_the_clock_service(void **state)
{
	struct admin_fixture *fixture = *state;

	make_all(fixture);
	expect(fixture, "admin.property.Set", "clockvm", "dom0", "dom0", "QubesPropertyValueError");
	expect(fixture, "admin.property.Set", "clockvm", "dom0", "far", "QubesPropertyValueError");
	expect(fixture, "admin.property.Set", "clockvm", "dom0", "alone", "OK ");
	expect(fixture, "admin.vm.feature.Get", "service.clocksync", "alone", "", "OK 1");
	expect(fixture, "admin.property.Set", "clockvm", "dom0", "test-vm1", "OK ");
	expect(fixture, "admin.vm.feature.Get", "service.clocksync", "alone", "",
	    "QubesFeatureNotFoundError");
	expect(fixture, "admin.vm.Remove", "", "test-vm1", "", "QubesVMInUseError");
}

static void
tags_mirror_guivm_and_audiovm(void **state)
{
	struct admin_fixture *fixture = *state;

	make_all(fixture);
	set(fixture, "test-vm1", "guivm", "alone");
	expect(fixture, "admin.vm.tag.Get", "guivm-alone", "test-vm1", "", "OK 1");
	expect(fixture, "admin.vm.tag.Get", "guivm-dom0", "test-vm1", "", "OK 0");
	set(fixture, "test-vm1", "guivm", "");
	expect(fixture, "admin.vm.tag.Get", "guivm-alone", "test-vm1", "", "OK 0");
	expect(fixture, "admin.property.Set", "default_audiovm", "dom0", "alone", "OK ");
	expect(fixture, "admin.vm.tag.Get", "audiovm-alone", "test-vm1", "", "OK 1");
}

static void
lists_are_in_load_order_then_by_name(void **state)
{
	const struct property *tables[] = {property_domain_table, property_global_table};
	const size_t counts[] = {PROPERTY_COUNT, GLOBAL_PROPERTY_COUNT};

	(void)state;
	for (size_t t = 0; t < 2; t++) {
		for (size_t i = 1; i < counts[t]; i++) {
			const struct property *a = &tables[t][i - 1], *b = &tables[t][i];

			assert_true(a->stage < b->stage ||
				    (a->stage == b->stage && strcmp(a->name, b->name) < 0));
		}
	}
}

static void
adm_02_global_properties_are_read_set_and_explained(void **state)
{
	struct admin_fixture *fixture = *state;

	for (size_t i = 0; i < GLOBAL_PROPERTY_COUNT; i++) {
		const char *name = property_global_table[i].name;
		g_autofree char *value = call(fixture, "admin.property.Get", name, "dom0", "");
		g_autofree char *help = call(fixture, "admin.property.Help", name, "dom0", "");

		assert_true(g_str_has_prefix(value, "OK default="));
		assert_true(strlen(help) > 10);
	}
	expect(fixture, "admin.property.Set", "maxmem", "dom0", "1", "QubesPropertyValueError");
	expect(fixture, "admin.property.Set", "stats_interval", "dom0", "0",
	    "QubesPropertyValueError");
	expect(fixture, "admin.property.Set", "default_pool", "dom0", "none",
	    "QubesPropertyValueError");
	expect(fixture, "admin.property.Set", "default_pool", "dom0", "test", "OK ");
	expect(fixture, "admin.property.Set", "nothing", "dom0", "", "QubesNoSuchPropertyError");
	expect(fixture, "admin.property.Set", "default_template", "dom0", "test-vm1",
	    "QubesPropertyValueError");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_property_of_every_class_can_be_read_and_explained),
	    TEST(p03_what_is_computed_or_written_once_is_never_set_or_reset),
	    TEST(adm_05_bad_values_are_refused_and_nothing_is_stored),
	    TEST(good_values_are_stored_as_they_are_meant),
	    TEST(t03_a_value_equal_to_the_default_is_stored_all_the_same),
	    TEST(t04_no_value_and_no_default_is_an_empty_default),
	    TEST(defaults_follow_the_template),
	    TEST(defaults_follow_the_globals),
	    TEST(g06_the_default_netvm_provides_network_and_is_not_connected_through_itself),
	    TEST(v17_a_loop_of_networks_is_refused),
	    TEST(v09_addresses_are_those_of_the_examples),
	    TEST(icons_tell_class_use_and_label),
	    TEST(v24_a_template_of_disposables_stays_one_while_it_is_used),
	    TEST(v23_the_template_of_a_running_qube_stays),
	    TEST(disposables_take_over_what_their_template_was_given),
	    TEST(disposables_are_connected_like_their_template_and_not_like_the_default),
	    TEST(management_dispvm_never_falls_back_to_default_dispvm),
	    TEST(g02_clockvm_is_local_and_moves_the_clock_service),
	    TEST(tags_mirror_guivm_and_audiovm),
	    TEST(lists_are_in_load_order_then_by_name),
	    TEST(adm_02_global_properties_are_read_set_and_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "qubesd/tools/session/keyboard.h"

#include "qubesd/tools/properties.h"
#include "shared/log.h"

#include <string.h>

struct keyboard {
	struct client *client; /* borrowed */
	char *own_name;        /* owned */
	char *layout;          /* owned; NULL: not known */
	struct client_call call;
	char *stored;               /* owned: what the call stores */
	struct client_batch *batch; /* of call; NULL: none in flight */
	bool again;                 /* the layout changed meanwhile */
};

static void
keyboard_done(struct keyboard *keyboard)
{
	client_clear(&keyboard->call, 1);
	if (!keyboard->again)
		return;
	keyboard->again = false;
	keyboard_store(keyboard);
}

static void
on_set(void *data)
{
	struct keyboard *keyboard = data;

	keyboard->batch = NULL;
	if (!keyboard->call.ok)
		log_warn("keyboard layout %s: %s", keyboard->stored, keyboard->call.message);
	keyboard_done(keyboard);
}

static void
on_read(void *data)
{
	struct keyboard *keyboard = data;
	struct property *property =
	    keyboard->call.ok ? property_parse("", keyboard->call.content) : NULL;
	bool differs = property != NULL && strcmp(property->value, keyboard->layout) != 0;

	keyboard->batch = NULL;
	property_free(property);
	if (!differs) {
		keyboard_done(keyboard);
		return;
	}
	client_clear(&keyboard->call, 1);
	g_free(keyboard->stored);
	keyboard->stored = g_strdup(keyboard->layout);
	keyboard->call = (struct client_call){.method = "admin.vm.property.Set",
	    .arg = "keyboard_layout",
	    .dest = keyboard->own_name,
	    .payload = keyboard->stored,
	    .payload_len = strlen(keyboard->stored)};
	keyboard->batch = client_batch_new(keyboard->client, &keyboard->call, 1, on_set, keyboard);
}

void
keyboard_store(struct keyboard *keyboard)
{
	if (keyboard->layout == NULL)
		return;
	if (keyboard->batch != NULL) {
		keyboard->again = true;
		return;
	}
	keyboard->call = (struct client_call){.method = "admin.vm.property.Get",
	    .arg = "keyboard_layout",
	    .dest = keyboard->own_name};
	keyboard->batch = client_batch_new(keyboard->client, &keyboard->call, 1, on_read, keyboard);
}

void
keyboard_set(struct keyboard *keyboard, const char *layout)
{
	if (g_strcmp0(layout, keyboard->layout) == 0)
		return;
	g_free(keyboard->layout);
	keyboard->layout = g_strdup(layout);
	keyboard_store(keyboard);
}

struct keyboard *
keyboard_new(struct client *client, const char *own_name)
{
	struct keyboard *keyboard = g_new0(struct keyboard, 1);

	keyboard->client = client;
	keyboard->own_name = g_strdup(own_name);
	return keyboard;
}

void
keyboard_free(struct keyboard *keyboard)
{
	if (keyboard == NULL)
		return;
	client_batch_free(keyboard->batch);
	client_clear(&keyboard->call, 1);
	g_free(keyboard->stored);
	g_free(keyboard->layout);
	g_free(keyboard->own_name);
	g_free(keyboard);
}

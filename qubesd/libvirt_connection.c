#include "qubesd/libvirt_connection.h"

#include "qubesd/libvirt_work.h"

#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEPALIVE_S 5      /* libvirtd is asked this often whether it lives */
#define KEEPALIVE_MISSES 3 /* and may be silent this often */

/* --- the watched one ------------------------------------------------------------------------ */

static int
on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *opaque)
{
	char uuid[VIR_UUID_STRING_BUFLEN];

	(void)connection;
	(void)event;
	(void)detail;
	if (virDomainGetUUIDString(domain, uuid) == 0)
		libvirt_tell_changed(opaque, uuid);
	return 0;
}

static void
on_close(virConnectPtr connection, int reason, void *opaque)
{
	(void)connection;
	if (reason != VIR_CONNECT_CLOSE_REASON_CLIENT)
		libvirt_tell_lost(opaque);
}

static void
on_opaque_free(void *opaque)
{
	libvirt_unref(opaque);
}

/* As whom does it run QEMU? "+64055:+64055", or nothing when that is whoever runs libvirtd. */
static void
find_qemu_user(struct libvirt *libvirt, virConnectPtr connection)
{
	char *text = virConnectGetCapabilities(connection);
	xmlDocPtr document =
	    text != NULL ? xmlReadMemory(text, (int)strlen(text), NULL, NULL, XML_PARSE_NONET)
			 : NULL;
	xmlXPathContextPtr context = document != NULL ? xmlXPathNewContext(document) : NULL;
	xmlXPathObjectPtr label =
	    context != NULL ? xmlXPathEvalExpression(
				  BAD_CAST "string(//secmodel[model='dac']/baselabel)", context)
			    : NULL;
	unsigned uid = (uid_t)-1, gid = (gid_t)-1;

	if (label == NULL || label->stringval == NULL ||
	    sscanf((const char *)label->stringval, "+%u:+%u", &uid, &gid) != 2)
		uid = gid = (uid_t)-1;
	libvirt->qemu_uid = uid; /* once: starts read them, and they are the same each time */
	libvirt->qemu_gid = gid;
	xmlXPathFreeObject(label);
	xmlXPathFreeContext(context);
	xmlFreeDoc(document);
	free(text);
}

static virConnectPtr
open_connection(const struct libvirt *libvirt, char **ret_error)
{
	virConnectPtr connection = virConnectOpen(libvirt->base.kind);

	if (connection == NULL)
		*ret_error = g_strdup_printf("libvirt: %s cannot be reached: %s",
		    libvirt->base.kind, virGetLastErrorMessage());
	return connection;
}

/* Keepalive comes last: before it, nobody but us uses the connection, so we may make calls. */
static virConnectPtr
open_watched(struct libvirt *libvirt, char **ret_error)
{
	virConnectPtr connection = open_connection(libvirt, ret_error);

	if (connection == NULL)
		return NULL;
	if (virConnectDomainEventRegisterAny(connection, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
		VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), libvirt_ref(libvirt),
		on_opaque_free) < 0) {
		*ret_error = g_strdup_printf("libvirt: events: %s", virGetLastErrorMessage());
		libvirt_unref(libvirt);
		virConnectClose(connection);
		return NULL;
	}
	if (virConnectRegisterCloseCallback(
		connection, on_close, libvirt_ref(libvirt), on_opaque_free) < 0)
		libvirt_unref(libvirt); /* a driver without a daemon has nothing to lose */
	if (libvirt->driver == DOMAIN_XML_QEMU)
		find_qemu_user(libvirt, connection);
	(void)virConnectSetKeepAlive(connection, KEEPALIVE_S, KEEPALIVE_MISSES);
	return connection;
}

/* Unregistering and closing are calls: it must not be asked meanwhile whether it lives. */
static void
close_watched(struct libvirt *libvirt)
{
	if (libvirt->watched == NULL)
		return;
	(void)virConnectSetKeepAlive(libvirt->watched, 0, 0);
	(void)virConnectUnregisterCloseCallback(libvirt->watched, on_close);
	g_clear_pointer(&libvirt->watched, virConnectClose);
}

/* One that has gone says so itself, by on_close(). */
static bool
watch(struct libvirt *libvirt, char **ret_error)
{
	bool is_watched;

	g_mutex_lock(&libvirt->mutex);
	if (!libvirt->is_ended &&
	    (libvirt->watched == NULL || virConnectIsAlive(libvirt->watched) != 1)) {
		g_clear_pointer(&libvirt->watched, virConnectClose);
		libvirt->watched = open_watched(libvirt, ret_error);
	}
	is_watched = libvirt->watched != NULL || libvirt->is_ended;
	g_mutex_unlock(&libvirt->mutex);
	return is_watched;
}

/* --- those for calls ------------------------------------------------------------------------ */

/* NULL: none is left. */
static virConnectPtr
take_idle(struct libvirt *libvirt)
{
	virConnectPtr connection;

	g_mutex_lock(&libvirt->mutex);
	connection = g_queue_pop_head(&libvirt->idle);
	g_mutex_unlock(&libvirt->mutex);
	return connection;
}

virConnectPtr
libvirt_connection_take(struct libvirt *libvirt, char **ret_error)
{
	virConnectPtr connection;

	if (!watch(libvirt, ret_error))
		return NULL;
	while ((connection = take_idle(libvirt)) != NULL) {
		if (virConnectIsAlive(connection) == 1)
			return connection;
		virConnectClose(connection);
	}
	return open_connection(libvirt, ret_error);
}

void
libvirt_connection_give_back(struct libvirt *libvirt, virConnectPtr connection)
{
	g_mutex_lock(&libvirt->mutex);
	if (!libvirt->is_ended) {
		g_queue_push_head(&libvirt->idle, connection);
		connection = NULL;
	}
	g_mutex_unlock(&libvirt->mutex);
	if (connection != NULL)
		virConnectClose(connection);
}

void
libvirt_connection_close_all(struct libvirt *libvirt)
{
	virConnectPtr connection;

	g_mutex_lock(&libvirt->mutex);
	libvirt->is_ended = true;
	close_watched(libvirt);
	g_mutex_unlock(&libvirt->mutex);
	while ((connection = take_idle(libvirt)) != NULL)
		virConnectClose(connection);
}

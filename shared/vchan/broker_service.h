/*
 * broker_service - the control socket of vchan-broker.
 *
 * Talks to: programs of the user the broker runs as, or of root; nobody else is let in, whatever
 *           the mode of the socket became. They are trusted; their messages are checked all the
 *           same.
 *
 * Shape:    any number of requests a connection, one at a time; a client that does not take its
 *           reply is dropped. At most BROKER_SERVICE_MAX_CLIENTS at once.
 */
#ifndef SHARED_VCHAN_BROKER_SERVICE_H
#define SHARED_VCHAN_BROKER_SERVICE_H

#include "shared/vchan/broker.h"

#define BROKER_SERVICE_MAX_CLIENTS 16

struct broker_service;

/* broker is borrowed until the service is freed. Returns 0 or a negative errno. */
int broker_service_new(
    struct broker *broker, const char *control_path, struct broker_service **ret);
void broker_service_free(struct broker_service *service);

#endif

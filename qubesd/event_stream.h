/*
 * event_stream - subscribers of admin.Events.
 *
 * A subscriber whose destination is dom0 hears of everything, another of that qube alone. Whoever
 * is not dom0 himself gets an event only if the policy, as it is at that moment, would allow him
 * to call admin.Events with the event's name about its subject; until the answer is there, later
 * events wait behind it. A subscriber for whom more than EVENT_STREAM_PENDING_MAX bytes wait for an
 * answer is disconnected, like one that does not read (admin_server.h). A qube other than dom0 has
 * EVENT_STREAM_PER_QUBE subscriptions at most: connections are everybody's.
 */
#ifndef QUBESD_EVENT_STREAM_H
#define QUBESD_EVENT_STREAM_H

#define EVENT_STREAM_PENDING_MAX (4u << 20) /* bytes */
#define EVENT_STREAM_PER_QUBE 64

struct event_streams;
struct policy_client;
struct qubes_app;

struct event_streams *event_streams_new(struct qubes_app *app, struct policy_client *policy);
void event_streams_free(struct event_streams *streams); /* when there are no subscribers */

#endif

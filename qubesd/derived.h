/*
 * derived - what follows from a change: tags that mirror a property, features that go with one,
 * rights of who created a qube, and the news that a default has changed.
 *
 * A table of rules, run as the core's event handler. Source: docs/qubesd.md, "What follows".
 */
#ifndef QUBESD_DERIVED_H
#define QUBESD_DERIVED_H

struct qubes_app;

/* Once, after load. Puts right what the rules say and the store does not have. */
void derived_init(struct qubes_app *app);

#endif

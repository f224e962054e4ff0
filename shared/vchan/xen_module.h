/*
 * xen_module - the module vchan-xen.so, which holds all that needs the libraries of Xen.
 *
 * It is opened when somebody asks for it and stays open. It exports, each under the name of a
 * constant: vchan_xen_open() (transport.h) and the calls of region_xen.h.
 */
#ifndef SHARED_VCHAN_XEN_MODULE_H
#define SHARED_VCHAN_XEN_MODULE_H

#include <glib.h>

/* *ret is the symbol's address. Returns 0, or -ENOPKG when the module or the symbol is missing. */
int xen_module_symbol(const char *name, gpointer *ret);

#endif

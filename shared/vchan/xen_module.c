#include "shared/vchan/xen_module.h"

#include "shared/paths.h"
#include "shared/vchan/transport.h"

#include <errno.h>
#include <gmodule.h>

int
xen_module_symbol(const char *name, gpointer *ret)
{
	g_autofree char *path = path_module(VCHAN_XEN_MODULE);
	GModule *module = g_module_open(path, G_MODULE_BIND_LOCAL);

	if (module == NULL)
		return -ENOPKG;
	if (!g_module_symbol(module, name, ret)) {
		g_module_close(module);
		return -ENOPKG;
	}
	g_module_make_resident(module);
	return 0;
}

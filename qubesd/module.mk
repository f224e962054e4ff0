# The core: everything but main, the lifecycle and the hypervisors. Tests link it with a double of
# the lifecycle (tests/unit/lifecycle_double.c).
libs += qubesd-core
qubesd-core.src := qubesd/admin_error.c qubesd/derived.c qubesd/domain.c qubesd/domain_files.c \
	qubesd/event.c qubesd/grammar.c qubesd/kernels.c qubesd/label.c qubesd/network.c qubesd/pool.c \
	qubesd/property.c qubesd/property_decode.c qubesd/property_domain.c qubesd/property_global.c \
	qubesd/qubes_app.c qubesd/store.c qubesd/store_decode.c qubesd/store_encode.c
qubesd-core.pkgs := glib-2.0 gio-2.0 libxml-2.0

# The core: everything but main, the lifecycle and the hypervisors. Tests link it with a double of
# the lifecycle (tests/unit/lifecycle_double.c).
libs += qubesd-core
qubesd-core.src := qubesd/admin_error.c
qubesd-core.pkgs := glib-2.0 gio-2.0 libxml-2.0

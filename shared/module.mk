libs += shared
shared.src := shared/admin_client.c shared/admin_exchange.c shared/log.c shared/paths.c shared/text.c shared/role.c
shared.pkgs := glib-2.0

tests += test_text test_paths
test_text.src := tests/unit/test_text.c
test_text.libs := shared
test_text.pkgs := cmocka
test_paths.src := tests/unit/test_paths.c
test_paths.libs := shared
test_paths.pkgs := cmocka

libs += shared
shared.src := $(addprefix shared/,admin_client.c admin_exchange.c guest_conf.c io.c log.c orphan.c paths.c role.c text.c unix_socket.c)
shared.pkgs := glib-2.0

tests += test_text test_paths test_guest_conf test_unix_socket test_admin_client
test_text.src := tests/unit/test_text.c
test_text.libs := shared
test_text.pkgs := cmocka
test_paths.src := tests/unit/test_paths.c
test_paths.libs := shared
test_paths.pkgs := cmocka
test_guest_conf.src := tests/unit/test_guest_conf.c
test_guest_conf.libs := shared
test_guest_conf.pkgs := cmocka
test_unix_socket.src := tests/unit/test_unix_socket.c
test_unix_socket.libs := shared
test_unix_socket.pkgs := cmocka
test_unix_socket.ldlibs := -Wl,--wrap=listen
test_admin_client.src := tests/unit/test_admin_client.c
test_admin_client.libs := shared
test_admin_client.pkgs := cmocka

tests += test_orphan
test_orphan.src := tests/unit/test_orphan.c
test_orphan.libs := shared
test_orphan.pkgs := cmocka

tests += test_rate
test_rate.src := tests/unit/test_rate.c
test_rate.pkgs := cmocka

libs += vchan
vchan.src := shared/region.c $(addprefix shared/vchan/,broker_control.c broker_exchange.c retry.c ring.c \
	spec.c stream.c unix_socket.c vchan.c vchan_broker.c vchan_socket.c vchan_source.c)
vchan.pkgs := glib-2.0 gmodule-2.0

tests += test_vchan
test_vchan.src := tests/unit/test_vchan.c
test_vchan.libs := vchan shared
test_vchan.pkgs := cmocka

testtools += sockcat
sockcat.src := tests/integration/sockcat.c

integration += bad_input first_light make_run

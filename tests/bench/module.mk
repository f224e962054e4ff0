testtools += bench_stamp_app bench_screen
bench_stamp_app.src := tests/bench/bench_stamp_app.c
bench_stamp_app.pkgs := x11
bench_screen.src := tests/bench/bench_screen.c
bench_screen.pkgs := x11 xtst

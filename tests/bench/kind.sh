# What one qube costs, whatever runs it: the rows of the table in docs/kinds.md. Sourced after
# desktop.sh, with an instance and a session running. Bash.
#   bench_kind QUBE       the qube is started anew several times, and runs at the end
# Every time is taken on the trusted side's clock alone, so a machine's own clock does not matter.
# KIND_ROUNDS (5), KIND_KEYS (60), KIND_CALLS (30), KIND_MIB (64) say how much is measured.

kind_now_us() { echo "${EPOCHREALTIME/./}"; }

# Reads microseconds, one a line; prints a row in milliseconds.
kind_row() { # what
	sort -n | awk -v what="$1" '{ v[NR] = $1 / 1000 }
		END { i = int((NR * 95 + 99) / 100); printf "%-34s p50 %9.2f ms   p95 %9.2f ms   n %d\n",
			what, v[int((NR + 1) / 2)], v[i], NR }'
}

kind_start() { # qube
	local began i starts=() windows=()
	for ((i = 0; i < ${KIND_ROUNDS:-5}; i++)); do
		qvm-shutdown --wait "$1" >/dev/null 2>&1
		began=$(kind_now_us)
		qvm-start "$1" || return 1
		starts+=($(($(kind_now_us) - began)))
		qvm-run -q "$1" 'exec xterm'
		desktop_wait 120 desktop_has_window "$1" || return 1
		windows+=($(($(kind_now_us) - began)))
	done
	printf '%s\n' "${starts[@]}" | kind_row 'start until the agent answers'
	printf '%s\n' "${windows[@]}" | kind_row 'start to first window'
	kind_kill "$1" xterm
}

# Ends a program in the qube, and waits until its windows have gone.
kind_kill() { # qube program
	qvm-run -p --no-gui "$1" "for p in /proc/[0-9]*; do
		case \$(readlink \$p/exe) in */$2) kill \${p#/proc/};; esac; done" >/dev/null 2>&1
	desktop_wait 20 desktop_has_no_window "$1"
}

# From a key pressed on the desktop to the pixels that the application drew for it.
kind_key() { # qube what width height
	qvm-run -q "$1" "exec ~/stamp $3 $4 0"
	desktop_wait 60 desktop_has_window "$1" || return 1
	xdotool windowfocus --sync "$(desktop_windows "$1" | head -n 1)"
	"$build/tests/bench_screen" "${KIND_KEYS:-60}" key | sed -n "s/^key press to screen */$(printf '%-34s' "$2") /p"
	kind_kill "$1" stamp
}

kind_call() { # qube
	local began i
	for ((i = 0; i < ${KIND_CALLS:-30}; i++)); do
		began=$(kind_now_us)
		qrexec-client -d "$1" user:true </dev/null >/dev/null || return 1
		echo $(($(kind_now_us) - began))
	done | kind_row 'qrexec call'
}

kind_mib_per_s() { # what began_us
	awk -v what="$1" -v mib="${KIND_MIB:-64}" -v us=$(($(kind_now_us) - $2)) \
		'BEGIN { printf "%-34s %9.1f MiB/s\n", what, mib * 1000000 / us }'
}

kind_pipe() { # qube
	local began
	began=$(kind_now_us)
	head -c "${KIND_MIB:-64}M" /dev/zero | qrexec-client -d "$1" 'user:cat >/dev/null' || return 1
	kind_mib_per_s 'pipe into the qube' "$began"
	began=$(kind_now_us)
	qrexec-client -d "$1" "user:head -c ${KIND_MIB:-64}M /dev/zero" </dev/null >/dev/null || return 1
	kind_mib_per_s 'pipe out of the qube' "$began"
}

kind_pss() { # pid: proportional share in KiB
	awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup" 2>/dev/null
}

# Of a sandbox: all processes that have its process 1 among their parents' name space. Of a
# machine: its emulator.
kind_processes() { # qube
	local xid init dir
	xid=$(qvm-prefs "$1" xid)
	init=$(sed -n 's/^init=//p' "$QUBES_RUNTIME_DIR/sandbox/$xid/state" 2>/dev/null)
	for dir in /proc/[0-9]*; do
		if [ -n "$init" ]; then
			[ "$(readlink "$dir/ns/pid")" = "$(readlink "/proc/$init/ns/pid")" ]
		else
			tr '\0' ' ' <"$dir/cmdline" 2>/dev/null | grep -q "^[^ ]*qemu-system[^ ]* .*guest=$1,"
		fi && echo "${dir#/proc/}"
	done
}

kind_memory() { # qube
	local pid total=0
	for pid in $(kind_processes "$1"); do
		total=$((total + $(kind_pss "$pid")))
	done
	awk -v kib="$total" 'BEGIN { printf "%-34s %9.1f MiB\n", "memory on the host", kib / 1024 }'
}

bench_kind() { # qube
	kind_start "$1" || { echo "$1 does not start"; return 1; }
	qvm-run -p --no-gui "$1" 'cat >stamp && chmod 755 stamp' <"$build/tests/bench_stamp_app" || return 1
	kind_key "$1" 'key to screen' 400 300
	kind_key "$1" 'key to a whole 1920x1080 repaint' 1920 1080
	kind_call "$1"
	kind_pipe "$1"
	kind_memory "$1"
}

# A disposable for one command: from nothing until it has gone.
kind_disposable() { # template what
	local began i
	for ((i = 0; i < ${KIND_ROUNDS:-5}; i++)); do
		began=$(kind_now_us)
		qvm-run -q -p --no-gui --dispvm="$1" true </dev/null || return 1
		echo $(($(kind_now_us) - began))
	done | kind_row "$2"
}

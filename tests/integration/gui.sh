# A desktop with scripted qubes on it, for tests of the GUI daemon; sourced after tap.sh. Bash.
#   gui_desktop WM [WIDTHxHEIGHT]  Xvfb and a window manager: none, openbox or xfwm4
#   gui_qube NAME DOMID COLOUR BACKGROUND [GUID]   a scripted agent and its daemon
#   gui NAME COMMAND...            one command for that agent (see fake_gui_agent.c)
#   gui_script NAME                commands from stdin
#   gui_sync NAME                  waits until the agent has done them
#   gui_log NAME                   what the daemon sent, and gui_guid_log NAME what it logged
#   gui_settle                     waits until the daemons and the X server have nothing to do
# For what is started from then on: gui_guid_display, another display for daemons; gui_guid_options,
# more options of theirs; gui_x_options, of the X server.
#   gui_end_qube NAME, gui_end     ends; gui_end runs by itself at the end of the script
# Every process has a session of its own and is ended by that.

gui_scratch=$(mktemp -d /tmp/bordure-gui.XXXXXX)
export VCHAN_SOCKET_DIR=$gui_scratch VCHAN_DOMAIN=0 QUBES_RUNTIME_DIR=$gui_scratch
export QUBES_CONFIG_DIR=$gui_scratch QUBES_REGION_DIR=$gui_scratch HOME=$gui_scratch
export XDG_RUNTIME_DIR=$gui_scratch NO_AT_BRIDGE=1
unset QUBES_VCHAN XAUTHORITY DBUS_SESSION_BUS_ADDRESS SESSION_MANAGER
declare -A gui_in gui_agent gui_guid
gui_pids=()

gui_die() {
	echo "Bail out! $*"
	exit 1
}

gui_wait() { # tenths of a second, command...
	local left=$1
	shift
	until "$@" >/dev/null 2>&1; do
		[ $((left -= 1)) -gt 0 ] || return 1
		sleep 0.1
	done
}

gui_kill() { # leaders of sessions
	local pid
	for pid; do
		kill -CONT -- "-$pid"
		kill -TERM -- "-$pid"
	done 2>/dev/null
	for pid; do
		gui_wait 20 eval "! kill -0 -- -$pid" || kill -KILL -- "-$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
}

gui_desktop() {
	local number fifo=$gui_scratch/display
	rm -f "$fifo"
	mkfifo "$fifo"
	setsid Xvfb -displayfd 7 -screen 0 "${2:-640x480}x24" -noreset -nolisten tcp -extension GLX ${gui_x_options-} \
		7>"$fifo" >"$gui_scratch/xvfb.log" 2>&1 </dev/null &
	gui_pids+=($!)
	gui_x=$!
	read -r -t 20 number <"$fifo" || gui_die "Xvfb does not start: $(tail -n 3 "$gui_scratch/xvfb.log")"
	export DISPLAY=:$number
	xsetroot -solid '#203040'
	case $1 in
	none) return ;;
	openbox) setsid openbox --sm-disable >"$gui_scratch/wm.log" 2>&1 </dev/null & ;;
	xfwm4) setsid dbus-run-session -- xfwm4 --compositor=off >"$gui_scratch/wm.log" 2>&1 </dev/null & ;;
	esac
	gui_pids+=($!)
	gui_wait 200 sh -c 'xprop -root _NET_SUPPORTING_WM_CHECK | grep -q "#"' ||
		gui_die "$1 does not start: $(tail -n 3 "$gui_scratch/wm.log")"
}

gui_qube() { # name domid colour background [guid]
	local name=$1 domid=$2 fifo=$gui_scratch/$1.in fd
	mkfifo "$fifo"
	: >"$gui_scratch/$name.out"
	setsid "$build/tests/fake_gui_agent" "$domid" "$gui_scratch" <>"$fifo" >>"$gui_scratch/$name.out" 2>&1 &
	gui_agent[$name]=$!
	exec {fd}>"$fifo"
	gui_in[$name]=$fd
	rm -f "$fifo"
	printf 'global: { window_background_color = "%s"; };\n' "$4" >"$gui_scratch/$name.conf"
	gui_start_guid "$name" "$domid" "$3" "${5:-$build/bin/qubes-guid}"
	gui_wait 100 grep -qx connected "$gui_scratch/$name.out" ||
		gui_die "no agent for $name: $(tail -n 3 "$gui_scratch/$name.guid")"
}

gui_start_guid() { # name domid colour guid
	DISPLAY=${gui_guid_display:-$DISPLAY} setsid "$4" -f -d "$2" -N "$1" -c "$3" -C "$gui_scratch/$1.conf" --border-width 4 ${gui_guid_options-} \
		>>"$gui_scratch/$1.guid" 2>&1 </dev/null &
	gui_guid[$1]=$!
}

gui() {
	local name=$1
	shift
	echo "$*" >&"${gui_in[$name]}"
}
gui_script() { cat >&"${gui_in[$1]}"; }

gui_sync() {
	gui_token=$((${gui_token:-0} + 1))
	gui "$1" say "token$gui_token"
	gui_wait 100 grep -qx "token$gui_token" "$gui_scratch/$1.out"
}

gui_log() { cat "$gui_scratch/$1.out"; }
gui_guid_log() { cat "$gui_scratch/$1.guid"; }
gui_forget_log() { : >"$gui_scratch/$1.out"; }

# Two looks a moment apart at what the processes have used: no change means that they wait.
gui_settle() {
	local before= now i
	for ((i = 0; i < 50; i++)); do
		now=$(cut -d' ' -f14,15 "/proc/$gui_x/stat" $(printf '/proc/%s/stat ' "${gui_guid[@]}") 2>/dev/null)
		[ "$now" = "$before" ] && return
		before=$now
		sleep 0.06
	done
}

gui_end_qube() {
	local fd=${gui_in[$1]}
	exec {fd}>&-
	gui_kill "${gui_guid[$1]}" "${gui_agent[$1]}"
	unset "gui_guid[$1]" "gui_agent[$1]" "gui_in[$1]"
}

gui_end_desktop() {
	local name
	for name in "${!gui_agent[@]}"; do gui_end_qube "$name"; done
	gui_kill "${gui_pids[@]}"
	gui_pids=()
}

gui_end() {
	local status=$?
	trap - EXIT
	gui_end_desktop
	[ -n "${KEEP-}" ] || rm -rf "$gui_scratch"
	exit "$status"
}
trap gui_end EXIT
trap 'exit 130' INT TERM

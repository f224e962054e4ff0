# A private instance on a private desktop, for scenario scripts; sourced after tap.sh. Bash.
#   desktop_begin [WM]   Xvfb and a window manager (openbox; "none" for none), an instance on it
#   desktop_end          ends both; runs by itself when the script ends
. "${BASH_SOURCE[0]%/*}/../../packaging/instance.sh"

desktop_scratch=$(mktemp -d /tmp/bordure-test.XXXXXX)
chmod 711 "$desktop_scratch"

desktop_end() {
	local status=$?
	trap - EXIT
	[ -n "${desktop_running-}" ] && instance_stop
	[ -z "${KEEP-}" ] && rm -rf "$desktop_scratch"
	exit "$status"
}
trap desktop_end EXIT
trap 'exit 130' INT TERM

desktop_folders() {
	export QUBES_STATE_DIR=$desktop_scratch/state QUBES_RUNTIME_DIR=$desktop_scratch/run
	unset QUBES_CONFIG_DIR QUBES_RPC_DIR QUBES_LOG_DIR QUBESD_SOCKET XAUTHORITY
	instance_setup
	desktop_running=1
}

desktop_x() { # window manager
	local fifo=$desktop_scratch/display number=
	mkfifo "$fifo"
	setsid Xvfb -displayfd 7 -screen 0 "${desktop_screen:-1280x800}x24" -noreset -nolisten tcp -extension GLX \
		7>"$fifo" >"$QUBES_LOG_DIR/xvfb.log" 2>&1 </dev/null 9>&- &
	instance_record $! Xvfb
	read -r number <"$fifo"
	rm -f "$fifo"
	[ -n "$number" ] || instance_die "Xvfb does not start: $(tail -n 3 "$QUBES_LOG_DIR/xvfb.log")"
	export DISPLAY=:$number
	[ "$1" = none ] && return
	instance_daemon "$1" "$1"
	instance_wait_for 15 "$instance_pid" sh -c 'xprop -root _NET_SUPPORTING_WM_CHECK | grep -q "#"' ||
		instance_die "$1 does not start"
}

desktop_begin() {
	desktop_folders
	desktop_x "${1:-openbox}"
	instance_env_file
	instance_start_core sandbox
	instance_first_qubes
	instance_start_session
}

# Ids of the viewable windows of a qube, by a property that only the trusted side can set.
desktop_windows() { "$build/tests/windows_of" "$1"; }
desktop_has_window() { [ -n "$(desktop_windows "$1")" ]; }
desktop_has_no_window() { [ -z "$(desktop_windows "$1")" ]; }

# The window of the trusted prompt, by its class.
desktop_prompt() { xdotool search --onlyvisible --class qrexec-policy-agent 2>/dev/null | head -n 1; }
desktop_has_prompt() { [ -n "$(desktop_prompt)" ]; }
desktop_has_no_prompt() { [ -z "$(desktop_prompt)" ]; }

# Waits for a condition: desktop_wait SECONDS command...
desktop_wait() {
	local seconds=$1
	shift
	instance_wait_for "$seconds" 0 "$@"
}

# The home of a qube as the host stores it.
desktop_home() { echo "$QUBES_STATE_DIR/appvms/$1/private/home/user"; }

# Functions to set up, start and stop a private instance; sourced by packaging/run and by the
# integration tests. Bash. The caller sets:
#   build             the folder with bin/ and guest/
#   QUBES_STATE_DIR   what persists
#   QUBES_RUNTIME_DIR sockets and pid files; short, because a socket's address holds 107 bytes
# Every daemon is recorded in $QUBES_RUNTIME_DIR/pids as "pid starttime name", so that a later
# instance can end what a killed one left behind without ever ending a stranger.

instance_say() { printf '%s\n' "$*"; }
instance_die() {
	printf 'bordure: %s\n' "$*" >&2
	exit 1
}

# Field 22 of /proc/PID/stat: when the process started. The name in field 2 may hold blanks.
instance_starttime() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	stat=${stat##*) }
	set -- $stat
	printf '%s' "${20}"
}

instance_record() { # pid name
	printf '%s %s %s\n' "$1" "$(instance_starttime "$1")" "$2" >>"$QUBES_RUNTIME_DIR/pids"
}

# Ends a recorded process: TERM, up to the given number of seconds, then KILL.
instance_end_pid() { # pid starttime seconds
	local pid=$1 started=$2 tries=$(($3 * 20))
	[ "$(instance_starttime "$pid")" = "$started" ] || return 0
	kill -TERM "$pid" 2>/dev/null
	while [ "$tries" -gt 0 ] && [ "$(instance_starttime "$pid")" = "$started" ]; do
		# A zombie of our own is over as soon as we look after it.
		[ "$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null)" = Z ] && return 0
		sleep 0.05
		tries=$((tries - 1))
	done
	[ "$(instance_starttime "$pid")" = "$started" ] && kill -KILL "$pid" 2>/dev/null
	return 0
}

# Ends every recorded process, newest first.
instance_end_recorded() {
	local pid started name
	[ -e "$QUBES_RUNTIME_DIR/pids" ] || return 0
	tac "$QUBES_RUNTIME_DIR/pids" | while read -r pid started name; do
		instance_end_pid "$pid" "$started" 5
	done
	rm -f "$QUBES_RUNTIME_DIR/pids"
}

# Ends qubes and their qrexec daemons that outlived qubesd, as they are meant to.
instance_end_orphans() {
	local file pid started
	for file in "$QUBES_RUNTIME_DIR"/sandbox/*/state; do
		[ -e "$file" ] || continue
		for kind in init supervisor; do
			pid=$(sed -n "s/^$kind=//p" "$file" 2>/dev/null)
			started=$(sed -n "s/^$kind-start=//p" "$file" 2>/dev/null)
			[ -z "$pid" ] || instance_end_pid "$pid" "$started" 5
		done
	done
	for file in "$QUBES_RUNTIME_DIR"/qrexec-*.pid; do
		[ -e "$file" ] && read -r pid started <"$file" && instance_end_pid "$pid" "$started" 2
	done
}

# Waits until a command succeeds; gives up after so many seconds, or when the process is gone.
instance_wait_for() { # seconds pid-or-0 command...
	local until=$((SECONDS + $1)) pid=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$until" ] || return 1
		[ "$pid" = 0 ] || kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.05
	done
}

# Starts a daemon in a session of its own (Ctrl-C is for us, not for it) and records it.
# Its pid is left in $instance_pid.
instance_daemon() { # name command...
	local name=$1
	shift
	setsid "$@" >>"$QUBES_LOG_DIR/$name.log" 2>&1 </dev/null 9>&- &
	instance_pid=$!
	instance_record "$instance_pid" "$name"
}

instance_tail() { tail -n 5 "$QUBES_LOG_DIR/$1.log" >&2; }

# Folders, environment and the single-instance lock (descriptor 9, held by this shell only).
instance_setup() {
	local uid
	uid=$(id -u)
	mkdir -p -m 0711 "$QUBES_STATE_DIR" || instance_die "cannot make $QUBES_STATE_DIR"
	exec 9>"$QUBES_STATE_DIR/instance.lock"
	flock -n 9 ||
		instance_die "another instance runs on $QUBES_STATE_DIR; end it first (Ctrl-C there)"
	mkdir -m 0711 "$QUBES_RUNTIME_DIR" 2>/dev/null
	[ -d "$QUBES_RUNTIME_DIR" ] && [ ! -L "$QUBES_RUNTIME_DIR" ] && [ -O "$QUBES_RUNTIME_DIR" ] ||
		instance_die "$QUBES_RUNTIME_DIR is not a folder of this user's own"
	instance_end_recorded
	instance_end_orphans
	rm -rf "$QUBES_RUNTIME_DIR"/sandbox "$QUBES_RUNTIME_DIR"/*.sock "$QUBES_RUNTIME_DIR"/qrexec*
	export QUBES_CONFIG_DIR=${QUBES_CONFIG_DIR:-$QUBES_STATE_DIR/config}
	export QUBES_RPC_DIR=${QUBES_RPC_DIR:-$QUBES_RUNTIME_DIR/rpc}
	export QUBES_LOG_DIR=${QUBES_LOG_DIR:-$QUBES_STATE_DIR/log}
	export QUBES_STATE_DIR QUBES_RUNTIME_DIR
	export PATH=$build/bin:$PATH
	mkdir -p "$QUBES_CONFIG_DIR" "$QUBES_LOG_DIR" "$QUBES_RPC_DIR" \
		"$QUBES_RUNTIME_DIR/policy.d"
	instance_guest_kit
	instance_policy_files
	instance_service_links
	instance_env_file
	rm -f "$QUBES_LOG_DIR"/*.log
}

# The guest kit is copied to where a qube's own uid can read it: the checkout may lie in a home
# that nobody else may enter.
instance_guest_kit() {
	export QUBES_GUEST_DIR=$QUBES_RUNTIME_DIR/guest
	rm -rf "$QUBES_GUEST_DIR"
	cp -r --preserve=mode,links "$build/guest" "$QUBES_GUEST_DIR" ||
		instance_die "no guest kit in $build/guest: run make first"
	chmod -R a+rX "$QUBES_GUEST_DIR"
}

# The shipped policy, where the person has none of that name yet. 30-user.policy is theirs.
instance_policy_files() {
	local here=${BASH_SOURCE[0]%/*}/policy
	mkdir -p "$QUBES_CONFIG_DIR/policy.d"
	cp -rn "$here/." "$QUBES_CONFIG_DIR/policy.d/"
	[ -e "$QUBES_CONFIG_DIR/policy.d/30-user.policy" ] ||
		printf '# SERVICE ARGUMENT SOURCE TARGET ACTION [PARAMS]; first match wins\n' \
			>"$QUBES_CONFIG_DIR/policy.d/30-user.policy"
}

# Services of the trusted side: each Admin API method is a link to qubesd's socket.
instance_service_links() {
	local method
	"$build/bin/qubesd" --print-methods | while read -r method; do
		ln -sfn "$QUBES_RUNTIME_DIR/qubesd.sock" "$QUBES_RPC_DIR/$method"
	done
	for method in qubes.FeaturesRequest qubes.NotifyTools qubes.NotifyUpdates; do
		ln -sfn "$QUBES_RUNTIME_DIR/qubesd.misc.sock" "$QUBES_RPC_DIR/$method"
	done
	for method in admin.vm.volume.Import admin.vm.volume.ImportWithSize; do
		ln -sfn "$build/bin/qubes-volume-import" "$QUBES_RPC_DIR/$method"
	done
	for method in policy.Ask policy.Notify; do
		ln -sfn "$QUBES_RUNTIME_DIR/policy-agent.sock" "$QUBES_RPC_DIR/$method"
	done
}

# What another terminal sources to talk to this instance.
instance_env_file() {
	local name
	for name in QUBES_STATE_DIR QUBES_RUNTIME_DIR QUBES_CONFIG_DIR QUBES_RPC_DIR QUBES_LOG_DIR \
		QUBES_GUEST_DIR PATH DISPLAY XAUTHORITY; do
		[ -n "${!name-}" ] && printf 'export %s=%q\n' "$name" "${!name}"
	done >"$QUBES_RUNTIME_DIR/env"
	printf 'export QUBES_VCHAN=%q\n' "broker:$QUBES_RUNTIME_DIR/vchan.sock" \
		>>"$QUBES_RUNTIME_DIR/env"
}

# The core: broker, qubesd, policy daemon. No display is needed.
instance_start_core() { # hypervisor
	export QUBES_VCHAN=broker:$QUBES_RUNTIME_DIR/vchan.sock
	rm -f "$QUBES_RUNTIME_DIR/qubesd-ready"
	instance_start_broker
	instance_start_qubesd "$1"
	instance_daemon policy qrexec-policy-daemon
	instance_wait_for 10 "$instance_pid" test -S "$QUBES_RUNTIME_DIR/policy.sock" || {
		instance_tail policy
		instance_die "the policy daemon does not start"
	}
}

instance_start_broker() {
	instance_daemon broker vchan-broker
	instance_wait_for 10 "$instance_pid" test -S "$QUBES_RUNTIME_DIR/vchan.sock" || {
		instance_tail broker
		instance_die "the broker does not start"
	}
}

instance_start_qubesd() { # hypervisor
	local fifo=$QUBES_RUNTIME_DIR/ready ready=
	rm -f "$fifo"
	mkfifo "$fifo"
	setsid qubesd --hypervisor "$1" --ready-fd 8 8>"$fifo" \
		>>"$QUBES_LOG_DIR/qubesd.log" 2>&1 </dev/null 9>&- &
	instance_pid=$!
	read -r ready <"$fifo"
	rm -f "$fifo"
	[ "$ready" = 1 ] || {
		instance_tail qubesd
		instance_die "qubesd does not start"
	}
	instance_record "$instance_pid" qubesd
	instance_qubesd_pid=$instance_pid
}

# The session: prompt and GUI daemons on $DISPLAY.
instance_start_session() {
	instance_daemon session qvm-start-daemon --all --watch
	instance_wait_for 15 "$instance_pid" test -S "$QUBES_RUNTIME_DIR/policy-agent.sock" || {
		instance_tail session
		instance_die "the session daemon or the prompt does not start"
	}
}

# The qubes of a first run. What is there already is left as it is.
instance_first_qubes() {
	instance_qube() { # name words for qvm-create...
		local name=$1
		shift
		qvm-check -q "$name" 2>/dev/null || qvm-create "$@" "$name" ||
			instance_die "cannot create $name"
	}
	instance_qube debian-host -C TemplateVM -l black
	[ "$(qubes-prefs default_template)" != "" ] && [ "$(qubes-prefs default_template)" != None ] ||
		qubes-prefs default_template debian-host
	instance_qube work -l blue
	instance_qube personal -l yellow
	instance_qube untrusted -l red
	instance_qube vault -l black --property netvm=
	instance_qube default-dvm -l red --property template_for_dispvms=True
	[ "$(qubes-prefs default_dispvm)" != "" ] && [ "$(qubes-prefs default_dispvm)" != None ] ||
		qubes-prefs default_dispvm default-dvm
}

# Ends the instance: qubes first, then the daemons in reverse order.
instance_stop() {
	if [ -S "$QUBES_RUNTIME_DIR/qubesd.sock" ] && kill -0 "${instance_qubesd_pid:-0}" 2>/dev/null; then
		timeout 30 qvm-shutdown --all --wait >/dev/null 2>&1 ||
			timeout 10 qvm-kill --all >/dev/null 2>&1
	fi
	instance_end_recorded
	instance_end_orphans
	rm -rf "$QUBES_RUNTIME_DIR"
}

# Qubes without a hypervisor, for scenario scripts of qrexec; sourced after tap.sh. Bash. Each qube is an
# agent with folders of its own; daemons, clients and a policy from a file are the trusted side. The
# transport is the socket vchan.
#   qrexec_begin BUILD            scratch folders, policy; $scratch
#   qube ID NAME                  starts agent (pid in ${agent_pid[ID]}) and daemon of a qube, waits
#                                 until they are connected
#   agent ID [option...]          the agent alone; its pid is $last
#   daemon ID NAME [option...]    the daemon alone; its pid is $last
#   in_qube ID command...         runs a command with the environment of the qube
#   service ID NAME               stdin becomes an executable service; ID 0: the trusted side
#   config ID NAME                stdin becomes the configuration of a service
#   rules                         stdin becomes the policy: lines "GLOB ANSWER"
#   talk                          stdin is a script for qrexec_talk
#   wait_until SECONDS command... polls until it succeeds

qrexec_begin() {
	build=$(cd "$1" && pwd)
	scratch=$(mktemp -d /tmp/qrexec-test.XXXXXX)
	mkdir -p "$scratch"/{vchan,log,0/run,0/rpc,0/config/rpc-config}
	chmod 755 "$scratch"
	me=$(id -un)
	pids=() agent_pid=()
	export VCHAN_SOCKET_DIR=$scratch/vchan
	unset VCHAN_DOMAIN QUBES_VCHAN QREXEC_SERVICE_PATH QUBES_RPC_CONFIG_PATH NOTIFY_SOCKET QUBESD_SOCKET
	export QUBES_RUNTIME_DIR=$scratch/0/run QUBES_RPC_DIR=$scratch/0/rpc
	export QUBES_CONFIG_DIR=$scratch/0/config QUBES_LOG_DIR=$scratch/log
	unset QREXEC_STARTUP_TIMEOUT QREXEC_STARTUP_NOWAIT
	PATH=$build/bin:$PATH
	: >"$scratch/asked"
	rules </dev/null
	"$build/tests/qrexec_fake_policy" "$scratch/0/run/policy.sock" "$scratch/rules" "$scratch/asked" &
	pids+=($!)
	trap qrexec_end EXIT
	trap 'exit 130' INT TERM
	wait_until 5 test -S "$scratch/0/run/policy.sock"
}

qrexec_end() {
	local status=$?
	trap - EXIT
	[ -e "$scratch/pids" ] && mapfile -t -O "${#pids[@]}" pids <"$scratch/pids"
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
	[ -n "${KEEP-}" ] || rm -rf "$scratch"
	exit "$status"
}

wait_until() {
	local tries=$(($1 * 50))
	shift
	while [ $tries -gt 0 ]; do
		"$@" >/dev/null 2>&1 && return 0
		tries=$((tries - 1))
		sleep 0.02
	done
	return 1
}

in_qube() {
	local id=$1
	shift
	QUBES_RUNTIME_DIR=$scratch/$id/run QUBES_RPC_DIR=$scratch/$id/rpc QUBES_CONFIG_DIR=$scratch/$id/config \
		VCHAN_DOMAIN=$id PATH=$build/guest/bin:$PATH "$@"
}

# In the background; sets $last to the pid of the program itself.
background() { # log command...
	local log=$1
	shift
	"$@" >>"$scratch/log/$log" 2>&1 </dev/null &
	last=$!
	pids+=("$last")
}

agent() {
	local id=$1
	shift
	mkdir -p "$scratch/$id"/{run,rpc,config/rpc-config,home}
	QUBES_RUNTIME_DIR=$scratch/$id/run QUBES_RPC_DIR=$scratch/$id/rpc QUBES_CONFIG_DIR=$scratch/$id/config \
		VCHAN_DOMAIN=$id background "agent$id" "$build/guest/bin/qrexec-agent" "$@"
}

uuid_of() { printf '%08d-0000-4000-8000-000000000000' "$1"; }

daemon() {
	local id=$1 name=$2
	shift 2
	background "daemon$id" "$build/bin/qrexec-daemon" --direct -p "$scratch/policy-program" "$@" \
		-u "$(uuid_of "$id")" "$id" "$name" "$me"
}

qube() {
	agent "$1"
	agent_pid[$1]=$last
	daemon "$1" "$2"
	wait_until 5 test -e "$scratch/0/run/qrexec.$2"
}

service() {
	rm -f "$scratch/$1/rpc/$2"
	cat >"$scratch/$1/rpc/$2"
	chmod 755 "$scratch/$1/rpc/$2"
}
config() { cat >"$scratch/$1/config/rpc-config/$2"; }

# A program may be reading them: replaced, not rewritten.
rules() {
	cat >"$scratch/rules.new"
	mv "$scratch/rules.new" "$scratch/rules"
}
allow() { echo "result=allow\\nuser=$me\\ntarget=${1:-%t}\\nautostart=${2:-True}\\nrequested_target=%t"; }

talk() { timeout 60 "$build/tests/qrexec_talk"; }
client() { timeout 30 "$build/bin/qrexec-client" "$@"; }
client_vm() { # id arguments...
	local id=$1
	shift
	in_qube "$id" timeout 30 "$build/guest/bin/qrexec-client-vm" "$@"
}
asked() { wc -l <"$scratch/asked"; }

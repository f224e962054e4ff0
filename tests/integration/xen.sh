# For the scenarios that run in dom0 of the machine of make check-xen; sourced. Bash.
# Their files lie in /payload: bin, lib, guest, tests.
cd /payload || exit 1
. tests/tap.sh
export QUBES_VCHAN=xen
export PATH=$PATH:/payload/bin:/payload/tests

since_boot() { cut -d' ' -f1 /proc/uptime; }

# step WHAT: prints the time of the step before, at the end of the script too.
step_name='' step_began=0
step() {
	[ -z "$step_name" ] || awk -v name="$step_name" -v from="$step_began" -v to="$(since_boot)" \
		'BEGIN { printf "# %6.1f s  %s\n", to - from, name }'
	step_name=${1:-} step_began=$(since_boot)
}
trap step EXIT

# wait_until SECONDS COMMAND...: tries ten times a second.
wait_until() {
	local tries=$(($1 * 10))
	shift
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

# The figures that a program printed, as comments.
figures() { # WHAT FILE
	grep -E '^(echo|send|ping|again|end|swallowed|cpu) ' "$2" | sed "s/^/# $1: /"
}

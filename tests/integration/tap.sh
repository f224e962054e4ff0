# TAP for scenario scripts; sourced. Bash.
#   check NAME command...     one result: does the command succeed?
#   check_not NAME command... does it fail?
#   is NAME GOT WANTED        are they equal?
# At the end call tap_end. Output of a failing command is shown behind "# ".

tap_count=0
tap_failed=0

tap_result() { # status name
	tap_count=$((tap_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_count - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $2"
	fi
}

check() {
	local name=$1 output status
	shift
	output=$("$@" 2>&1)
	status=$?
	tap_result "$status" "$name"
	[ "$status" -eq 0 ] || printf '%s\n' "$output" | tail -n 15 | sed 's/^/# /'
}

check_not() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then
		tap_result 1 "$name"
		printf '%s\n' "$output" | tail -n 15 | sed 's/^/# /'
	else
		tap_result 0 "$name"
	fi
}

is() {
	[ "$2" = "$3" ]
	tap_result $? "$1"
	[ "$2" = "$3" ] || printf 'got:    %q\nwanted: %q\n' "$2" "$3" | sed 's/^/# /'
}

tap_end() {
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ]
}

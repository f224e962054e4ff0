# What a person does on the desktop, for scenario scripts; sourced after desktop.sh. Bash.
# It works with qubes of any kind: nothing here looks into their files.
scratch=$desktop_scratch

terminal() { # qube geometry [more words for xterm]
	local qube=$1 geometry=$2
	shift 2
	qvm-run -q "$qube" "exec xterm -geometry $geometry $*"
	desktop_wait 40 desktop_has_window "$qube"
}

# Types into the window of a qube as a person would: click into it, then the keys.
type_in() { # qube text
	local id
	id=$(desktop_windows "$1" | head -n 1)
	xdotool windowactivate --sync "$id" 2>/dev/null
	desktop_wait 5 focused_is "$1"
	xdotool type --delay 25 "$2"
	xdotool key Return
}
focused_is() {
	xprop -id "$(xdotool getwindowfocus)" -notype _QUBES_VMNAME 2>/dev/null | grep -q "\"$1\""
}

# A command in a qube, its status in $status and its output in $scratch/out.
in_qube() { # qube command
	qvm-run -p --no-gui "$1" "$2" >"$scratch/out" 2>"$scratch/err" </dev/null
	status=$?
}

# Starts qvm-copy in untrusted in the background; its exit status ends up in $scratch/status.
copy_begin() { # file
	rm -f "$scratch/status"
	(
		qvm-run -p --no-gui untrusted "qvm-copy --without-progress $1" \
			>"$scratch/copy.out" 2>"$scratch/copy.err" </dev/null
		echo $? >"$scratch/status"
	) &
	copy_pid=$!
}
copy_status() {
	desktop_wait "$1" test -s "$scratch/status" || { echo none; return; }
	wait "$copy_pid"
	cat "$scratch/status"
}

answer_prompt() { # text of the target
	local until=$((SECONDS + 15))
	xdotool key --clearmodifiers ctrl+a
	xdotool type --delay 20 "$1"
	# Enter is tried until the dialog takes it: it arms after a second of quiet.
	while desktop_has_prompt && [ $SECONDS -lt $until ]; do
		sleep 1.3
		xdotool key Return
		sleep 0.3
	done
	desktop_has_no_prompt
}

# The process ids of the GUI daemon of a qube of this instance.
guid_of() { # qube
	local dir
	for dir in /proc/[0-9]*; do
		[ "$(readlink "$dir/exe")" = "$build/bin/qubes-guid" ] &&
			tr '\0' ' ' <"$dir/cmdline" | grep -q -- " -N $1 " &&
			grep -qz "^QUBES_RUNTIME_DIR=$QUBES_RUNTIME_DIR$" "$dir/environ" && echo "${dir#/proc/}"
	done
}

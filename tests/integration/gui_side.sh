# The desktop of a GUI domain as seen from dom0, for scenario scripts; sourced after desktop.sh. The caller
# sets $gui, the GUI domain. Works with its qubes of any kind. Bash.
scratch=$desktop_scratch

# A command in a qube, its status in $status and its output in $scratch/out.
in_qube() { # qube command
	timeout 60 qvm-run -p --no-gui "$1" "$2" >"$scratch/out" 2>"$scratch/err" </dev/null
	status=$?
}
# The same on the desktop of the GUI domain.
in_gui() { # command
	timeout 60 qvm-run -p "$gui" "$1" >"$scratch/out" 2>"$scratch/err" </dev/null
	status=$?
}
gui_says() { # pattern command
	in_gui "$2"
	[ "$status" = 0 ] && grep -q -- "$1" "$scratch/out"
}
xid_of() { qvm-prefs "$1" xid; }
# Windows of a qube on the desktop of sys-gui; its prompt; keys on it.
gui_windows() { in_gui "~/windows_of $1" && cat "$scratch/out"; }
gui_has_window() { [ -n "$(gui_windows "$1")" ]; }
gui_has_no_window() { in_gui "~/windows_of $1" && [ "$status" = 0 ] && [ ! -s "$scratch/out" ]; }
gui_has_prompt() { gui_says . 'xdotool search --onlyvisible --class qrexec-policy-agent'; }
gui_has_no_prompt() { in_gui 'xdotool search --onlyvisible --class qrexec-policy-agent'; [ ! -s "$scratch/out" ]; }
gui_type_in() { # qube text
	local id
	id=$(gui_windows "$1" | head -n 1)
	in_gui "xdotool windowactivate --sync $id; xdotool type --delay 25 '$2'; xdotool key Return"
}
gui_answer() { # text of the target
	local until=$((SECONDS + 15))
	in_gui "xdotool key --clearmodifiers ctrl+a; xdotool type --delay 20 '$1'"
	# Enter is tried until the dialog takes it: it arms after a second of quiet.
	until gui_has_no_prompt; do
		[ $SECONDS -lt $until ] || return 1
		sleep 1.3
		in_gui 'xdotool key Return'
		sleep 0.3
	done
}
gui_is_up() { gui_says . 'echo $DISPLAY' && gui_says '#' 'xprop -root _NET_SUPPORTING_WM_CHECK' && gui_says guid-agent 'test -S /run/qubes/policy-agent.sock && echo guid-agent'; }

# qvm-copy in the background; its exit status ends up in $scratch/status.
copy_from() { # qube file
	rm -f "$scratch/status"
	(
		qvm-run -p --no-gui "$1" "qvm-copy --without-progress $2" \
			>"$scratch/copy.out" 2>"$scratch/copy.err" </dev/null
		echo $? >"$scratch/status"
	) &
	copy_pid=$!
}
copy_status() { # seconds
	desktop_wait "$1" test -s "$scratch/status" || { echo none; return; }
	wait "$copy_pid"
	cat "$scratch/status"
}

# The picture of that desktop: what surrounds the content of the window is the label's colour.
frame_is() { # qube colour name
	local id x y width height side
	id=$(gui_windows "$1" | head -n 1)
	in_gui "import -window root ~/shot.png && xwininfo -id $id" || return 1
	x=$(sed -n 's/.*Absolute upper-left X: *//p' "$scratch/out")
	y=$(sed -n 's/.*Absolute upper-left Y: *//p' "$scratch/out")
	width=$(sed -n 's/.*Width: *//p' "$scratch/out") height=$(sed -n 's/.*Height: *//p' "$scratch/out")
	cp "$(desktop_home $gui)/shot.png" "$build/$3.png" || return 1
	for side in "${width}x2+$x+$y" "${width}x2+$x+$((y + height - 2))" \
		"2x$height+$x+$y" "2x$height+$((x + width - 2))+$y"; do
		[ "$(convert "$build/$3.png" -crop "$side" +repage -unique-colors txt:- | grep -o '#[0-9A-F]\{6\}')" = "$2" ] ||
			{ echo "$side is not $2 alone"; return 1; }
	done
	# and there is something inside
	[ "$(convert "$build/$3.png" -crop "$((width - 8))x$((height - 8))+$((x + 4))+$((y + 4))" \
		+repage -unique-colors txt:- | wc -l)" -gt 2 ]
}
label_colour() { qubesd-query -e -c "$QUBES_RUNTIME_DIR/qubesd.sock" dom0 admin.label.Get dom0 "$(qvm-prefs "$1" label)" | tr -d '\0' | sed 's/^00x/#/' | tr a-f A-F; }

# The last try says what is wrong.
frame_becomes() { # seconds qube colour name
	local seconds=$1
	shift
	desktop_wait "$seconds" frame_is "$@" || frame_is "$@"
}

# What sys-gui gets from the broker: region_probe.c.
gui_probe() { in_qube $gui "~/region_probe $*"; cat "$scratch/out"; }

# The role that the project ships, and the tools that run inside.
gui_role() {
	local policy=$QUBES_CONFIG_DIR/policy.d
	sed "s/GUIDOM/$gui/g" "$policy/role/gui-domain" >"$policy/50-gui-domain-$gui.policy"
}
gui_tools() { cp "$build"/tests/{windows_of,region_probe,policy_fake_agent} "$(desktop_home "$gui")/"; }

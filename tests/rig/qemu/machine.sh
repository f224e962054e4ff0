# A private instance whose qubes are machines on QEMU; sourced after tap.sh, desktop.sh, scenario.sh
# and libvirt.sh. Bash.
#   machine_begin      desktop, libvirtd, qubesd, a template imported from build/guest-image and a
#                      session; ends by itself with the script
#   timed NAME CMD...  a check whose time is printed
# The image is made by make guest-image; a script that has none skips itself (machine_image).

machine_image=$build/guest-image

machine_memory=${MACHINE_MEMORY:-400} # MiB each

timed() { # name command...
	local from=$EPOCHREALTIME
	check "$@"
	machine_time "$1" "$from"
}
machine_time() { # name from
	awk -v name="$1" -v from="$2" -v now="$EPOCHREALTIME" \
		'BEGIN { printf "# time %6.1f s  %s\n", now - from, name }'
}

# Ends the instance, then whatever machines are left, then libvirtd.
machine_end() {
	local status=$? name
	trap - EXIT
	[ "$status" -eq 0 ] && [ "$tap_failed" -eq 0 ] || machine_keep_logs
	if [ -n "${desktop_running-}" ]; then
		timeout 60 qvm-kill --all >/dev/null 2>&1
		instance_stop
	fi
	if [ -n "${libvirt_pid-}" ]; then
		virsh -q -c "$libvirt_uri" list --name 2>/dev/null | while read -r name; do
			[ -z "$name" ] || virsh -q -c "$libvirt_uri" destroy "$name" >/dev/null 2>&1
		done
		libvirt_end
	fi
	# A qubesd that was killed has left its regions, and memory with them.
	for name in $(grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' "$QUBES_STATE_DIR/qubes.xml" 2>/dev/null |
		sort -u); do
		rm -f /dev/shm/bordure-"$name"*
	done
	[ -n "${KEEP-}" ] || rm -rf "$scratch"
	exit "$status"
}

# What a failure can be understood from.
machine_keep_logs() {
	local to=$build/check-qemu/logs
	rm -rf "$to"
	mkdir -p "$to"
	cp -r "$QUBES_LOG_DIR" "$QUBES_RUNTIME_DIR/log" "$libvirt_log" "$to/" 2>/dev/null
	chmod -R u+rwX "$to"
	echo "# logs are in $to"
}

# The kernel goes into the kernel pool, the root image into a template.
machine_import() {
	local version
	version=$(cat "$machine_image/kernel-version") || return
	mkdir -p "$QUBES_STATE_DIR/vm-kernels/$version" &&
		cp "$machine_image"/kernel/* "$QUBES_STATE_DIR/vm-kernels/$version/" &&
		qvm-create -C TemplateVM -l black --root-copy-from "$machine_image/root.img" \
			--property "memory=$machine_memory" debian &&
		qubes-prefs default_template debian
}

machine_begin() {
	desktop_folders
	trap machine_end EXIT
	desktop_x openbox
	instance_env_file
	libvirt_begin "$scratch/lv" || instance_die "no libvirtd"
	instance_start_core "$libvirt_uri"
	timed a_template_is_made_from_the_image machine_import
	instance_start_session
}

# An AppVM with this label, and more words for qvm-create.
machine_create() { # name label words...
	local name=$1 label=$2
	shift 2
	qvm-create -l "$label" --property "memory=$machine_memory" "$@" "$name"
}

machine_state() { qvm-ls --raw-data --fields state "$1" 2>/dev/null; }
machine_is() { [ "$(machine_state "$1")" = "$2" ]; }

# The desktop as a picture, taken when it has stopped changing.
machine_picture() { # name
	local now='' before=none steady=0 tries=40
	mkdir -p "$build/check-qemu"
	while [ $tries -gt 0 ] && [ $steady -lt 3 ]; do
		import -window root "$build/check-qemu/$1.png" || return
		now=$(convert "$build/check-qemu/$1.png" rgba:- | cksum)
		[ "$now" = "$before" ] && steady=$((steady + 1)) || steady=0
		before=$now
		tries=$((tries - 1))
		sleep 0.2
	done
}

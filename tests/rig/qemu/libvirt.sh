# A libvirtd of its own for scenario scripts, which neither uses nor changes the system's. Bash.
#   libvirt_alone "$0" "$@"   first: as root, goes on in a mount namespace where libvirt's folders are
#                             empty ones, and in a process namespace whose first process is the
#                             script: it reaps what QEMU leaves at once, which libvirt waits for, and
#                             nothing outlives it. As an ordinary user, goes on where it is
#   libvirt_begin FOLDER      starts it; sets $libvirt_uri and $libvirt_pid; fails with one line
#   libvirt_end               ends it
# Machines outlive it; who started them ends them.

libvirt_folders='/run/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /etc/libvirt'

libvirt_alone() { # script words...
	[ "$(id -u)" = 0 ] && [ -z "${LIBVIRT_ALONE-}" ] || return 0
	LIBVIRT_ALONE=1 exec unshare --mount --propagation private --pid --fork --kill-child \
		--mount-proc -- "$@"
}

# libvirt wants its QEMU user to exist before it reads which one it should be.
libvirt_accounts() { # folder
	local file
	getent passwd libvirt-qemu >/dev/null && return
	for file in passwd group; do
		cp "/etc/$file" "$1/$file"
	done
	echo 'libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin' >>"$1/passwd"
	echo 'libvirt-qemu:x:64055:' >>"$1/group"
	for file in passwd group; do
		mount --bind "$1/$file" "/etc/$file" || return
	done
}

# What libvirtd tries as root its QEMU user must be able to do as well, or libvirt tries again and
# again.
libvirt_kvm() { # folder
	[ -c /dev/kvm ] || return 0
	mknod -m 666 "$1/kvm" c 10 232 && mount --bind "$1/kvm" /dev/kvm
}

libvirt_as_root() { # folder
	local folder
	[ -n "${LIBVIRT_ALONE-}" ] || return
	for folder in $libvirt_folders; do
		mkdir -p "$folder" "$1$folder" && mount --bind "$1$folder" "$folder" || return
	done
	libvirt_accounts "$1" && libvirt_kvm "$1" || return
	printf '%s\n' 'user = "libvirt-qemu"' 'group = "libvirt-qemu"' 'stdio_handler = "file"' \
		'security_driver = "none"' >/etc/libvirt/qemu.conf
	printf '%s\n' 'auth_unix_rw = "none"' 'unix_sock_group = "root"' >/etc/libvirt/libvirtd.conf
	libvirt_config=/etc/libvirt/libvirtd.conf
	libvirt_uri=qemu:///system
}

libvirt_as_user() { # folder
	export LIBVIRT_AUTOSTART=0 # or a client starts a second one while ours is on its way
	export XDG_RUNTIME_DIR=$1/run XDG_CONFIG_HOME=$1/config XDG_CACHE_HOME=$1/cache
	mkdir -p -m 700 "$XDG_RUNTIME_DIR" "$XDG_CONFIG_HOME/libvirt" "$XDG_CACHE_HOME"
	printf '%s\n' 'stdio_handler = "file"' >"$XDG_CONFIG_HOME/libvirt/qemu.conf"
	libvirt_config=/dev/null
	libvirt_uri=qemu:///session
}

libvirt_start() {
	local until=$((SECONDS + 60))
	setsid libvirtd -f "$libvirt_config" -p "${libvirt_log%/*}/pid" >>"$libvirt_log" 2>&1 </dev/null 7>&- 8>&- 9>&- &
	libvirt_pid=$!
	until virsh -q -c "$libvirt_uri" version >/dev/null 2>&1; do
		kill -0 "$libvirt_pid" 2>/dev/null && [ $SECONDS -lt $until ] || {
			tail -n 5 "$libvirt_log" >&2
			return 1
		}
		sleep 0.1
	done
}

libvirt_begin() { # folder
	mkdir -p "$1" && chmod 711 "$1" || return
	libvirt_log=$1/libvirtd.log
	if [ "$(id -u)" = 0 ]; then libvirt_as_root "$1"; else libvirt_as_user "$1"; fi || {
		echo "no private libvirtd can be set up here" >&2
		return 1
	}
	libvirt_start
}

libvirt_end() {
	local tries=100
	[ -n "${libvirt_pid-}" ] || return 0
	kill "$libvirt_pid" 2>/dev/null
	while [ $tries -gt 0 ] && kill -0 "$libvirt_pid" 2>/dev/null; do
		sleep 0.1
		tries=$((tries - 1))
	done
	kill -KILL "$libvirt_pid" 2>/dev/null
	wait "$libvirt_pid" 2>/dev/null
	libvirt_pid=
}

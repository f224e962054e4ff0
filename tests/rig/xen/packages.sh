# The machine's packages: downloaded, listed and unpacked without touching the host's own.
# Sourced by rig; wants $here, $cache and die().

debs=$cache/debs

# apt-get with lists, cache and (empty) status of its own.
own_apt() {
	apt-get -q -o Dir::State::lists="$cache/lists" -o Dir::State::status="$cache/status" \
		-o Dir::Cache::archives="$debs" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
		-o APT::Install-Recommends=false -o APT::Sandbox::User=root \
		-o Acquire::Languages=none -o Debug::NoLocking=1 "$@"
}

names_of() { # WHERE: the packages that the list names
	awk -v where="$1" '$1 == where { print $2 }' "$here/packages"
}

# Everything that installing the names would bring, less what no machine of ours wants.
closure() {
	own_apt -s install "$@" | awk '$1 == "Inst" { print $2 }' |
		grep -Evx -f <(sed 's/$/(:.*)?/' "$here/unwanted") | sort -u
}

packages_key() {
	cat "$here/packages" "$here/unwanted" | sha256sum | cut -c1-16
}

# Downloads once; a second call with the same lists is silent. Fails when it cannot be had.
packages_fetch() {
	local all
	[ -e "$cache/fetched.$(packages_key)" ] && return 0
	command -v apt-get >/dev/null || return 1
	mkdir -p "$debs/partial" "$cache/lists/partial" || return 1
	: >"$cache/status"
	mapfile -t all < <(awk '!/^#/ { print $2 }' "$here/packages")
	own_apt update >"$cache/apt.log" 2>&1 || return 1
	own_apt -y -d install "${all[@]}" >>"$cache/apt.log" 2>&1 || return 1
	mapfile -t all < <(names_of both)
	closure "${all[@]}" | grep -Fvx -f <(names_of dom0) >"$cache/both.list" || return 1
	mapfile -t all < <(names_of dom0)
	closure "${all[@]}" | grep -Fvx -f "$cache/both.list" >"$cache/dom0.list"
	own_apt -s install linux-image-amd64 |
		awk '$1 == "Inst" && $2 ~ /^linux-image-.*[0-9]-amd64$/ { print $2 }' >"$cache/kernel.list"
	: >"$cache/fetched.$(packages_key)"
}

package_file() { # NAME
	local file
	file=$(find "$debs" -maxdepth 1 -name "${1%%:*}_*.deb" | sort -V | tail -n 1)
	[ -n "$file" ] || die "package $1 is not in $debs"
	echo "$file"
}

# Unpacks packages into a root file system whose /bin, /lib, /var/run ... are links.
unpack() { # DIR NAME...
	local root=$1 name
	shift
	mkdir -p "$root"/usr/{bin,sbin,lib,lib64,lib32} "$root/run" "$root/var"
	for name in bin sbin lib lib32 lib64; do ln -sfn "usr/$name" "$root/$name"; done
	ln -sfn ../run "$root/var/run"
	ln -sfn ../run/lock "$root/var/lock"
	for name; do
		dpkg-deb --fsys-tarfile "$(package_file "$name")" |
			tar -x -C "$root" --keep-directory-symlink || die "cannot unpack $name"
	done
	rm -rf "$root"/usr/share/{doc,man,locale,info,lintian,bash-completion,help,bug,glib-2.0,mime} \
		"$root/usr/include" "$root"/usr/lib/x86_64-linux-gnu/{gconv,dri,perl*} \
		"$root"/usr/lib/xen-4.17/{boot,lib/python}
	find "$root/usr/lib" -name '*.a' -delete
}

unpack_files() { # DIR NAME PATTERN...: only these files of one package
	local root=$1 name=$2
	shift 2
	mkdir -p "$root"
	dpkg-deb --fsys-tarfile "$(package_file "$name")" | tar -x -C "$root" --wildcards "$@"
}

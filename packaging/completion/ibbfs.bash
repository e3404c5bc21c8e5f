# SPDX-License-Identifier: MIT
# Completion of ibbfs and mount.ibbfs for bash.

# The accounts that have a configuration, one a line.
_ibbfs_accounts() {
	local file
	for file in "${XDG_CONFIG_HOME:-$HOME/.config}"/ibbfs/*.conf; do
		if [ -e "$file" ]; then
			file=${file##*/}
			printf '%s\n' "${file%.conf}"
		fi
	done
}

# The names of options, those that have a value with "=".
_ibbfs_names() {
	printf '%s\n' password_file= password_stdin server= tls= cafile= capath= block_size= stanza= \
		window= buffer= buffer_total= max_streams= accept= timeout= reconnect= answer_timeout= \
		spool= inbox= inbox_quota= inbox_files= inbox_sync= uid= gid= umask= fsname= subtype= \
		allow_other allow_root auto_unmount default_permissions max_read= context= fscontext= \
		defcontext= rootcontext= ro rw suid nosuid dev nodev exec noexec async sync dirsync atime noatime debug
}

# _ibbfs_values NAME START: the values of option NAME that begin with START
_ibbfs_values() {
	case "$1" in
	tls) compgen -W 'starttls direct off' -- "$2" ;;
	block_size) compgen -W 'auto' -- "$2" ;;
	stanza) compgen -W 'iq message' -- "$2" ;;
	accept) compgen -W 'contacts anyone none' -- "$2" ;;
	inbox_sync) compgen -W 'yes no' -- "$2" ;;
	uid) compgen -u -- "$2" ;;
	gid) compgen -g -- "$2" ;;
	password_file | cafile) compgen -f -- "$2" ;;
	capath | spool | inbox) compgen -d -- "$2" ;;
	esac
}

# _ibbfs_options LIST: LIST, options separated by commas, with the last one completed
_ibbfs_options() {
	local last=${1##*,} fixed found
	case "$last" in
	*=*) fixed=${1%"${last#*=}"} ;;
	*) fixed=${1%"$last"} ;;
	esac
	case "$last" in
	*=*) _ibbfs_values "${last%%=*}" "${last#*=}" ;;
	*) compgen -W "$(_ibbfs_names)" -- "$last" ;;
	esac | while IFS= read -r found; do
		printf '%s\n' "$fixed$found"
	done
}

_ibbfs() {
	# The words as they are typed: COMP_WORDS has them split at "@", "=" and ":".
	local line=${COMP_LINE:0:COMP_POINT} word words arguments=0 i candidates
	word=${line##*[[:space:]]}
	read -r -a words <<<"${line%"$word"}"
	for ((i = 1; i < ${#words[@]}; i++)); do
		case "${words[i]}" in
		-o) ((i++)) ;;
		-*) ;;
		*) ((arguments++)) ;;
		esac
	done
	if [ "${words[-1]}" = -o ]; then
		candidates=$(_ibbfs_options "$word")
	elif [ "${word#-o}" != "$word" ]; then
		candidates=$(_ibbfs_options "${word#-o}" | sed 's/^/-o/')
	elif [ "${word#-}" != "$word" ]; then
		candidates=$(compgen -W '-f -d --debug -h --help -V --version -o' -- "$word")
	elif [ "$arguments" -eq 0 ]; then
		candidates=$(compgen -W "$(_ibbfs_accounts)" -- "$word")
	elif [ "$arguments" -eq 1 ]; then
		compopt -o filenames
		candidates=$(compgen -d -- "$word")
	fi
	mapfile -t COMPREPLY <<<"$candidates"
	[ -n "$candidates" ] || COMPREPLY=()
	# Neither a list of options nor a path is at its end with the first candidate.
	case "$candidates" in
	*= | */) compopt -o nospace ;;
	*=*) compopt -o nospace ;;
	esac
	# bash replaces what is behind the last "=" or ":", or the last "@" and what is behind it.
	local breaks=${word%"${word##*[@=:]}"}
	breaks=${breaks%@}
	if [ "${#COMPREPLY[@]}" -gt 0 ]; then
		COMPREPLY=("${COMPREPLY[@]#"$breaks"}")
	fi
}

complete -F _ibbfs ibbfs mount.ibbfs

# Bash completion for the qvm tools. Options come from the tools' own tables, names from qubesd.
_qvm_complete() {
	local tool=${COMP_WORDS[0]##*/} word=${COMP_WORDS[COMP_CWORD]}
	local words=
	case $word in
	-*) words=$(qvm --list-options "$tool" 2>/dev/null) ;;
	*) words=$(qvm-ls --raw-list 2>/dev/null) ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _qvm_complete qvm-check qvm-create qvm-features qvm-kill qvm-ls qvm-pause qvm-prefs \
	qvm-remove qvm-run qvm-service qvm-shutdown qvm-start qvm-tags qvm-unpause qvm-volume qvm-pool qubes-prefs

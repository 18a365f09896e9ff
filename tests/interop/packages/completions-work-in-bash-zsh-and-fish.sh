# proves: with the files of dist, bash, zsh and fish complete options, their values and the options of sendmail mode
# needs: zsh fish
. "$HERE/lib.sh"
require zsh fish
DIST=$(cd "$HERE/../../crates" && pwd)

# completions SHELL PROGRAM LINE: prints the completions of the last word of LINE, one per line.
completions() {
    case $1 in
    bash)
        bash --norc -c '
            . "$1/$2/dist/$2.bash"
            read -ra COMP_WORDS <<<"$3"
            [[ $3 == *" " ]] && COMP_WORDS+=("")
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
            function=$(complete -p "$2" | sed "s/.*-F \([^ ]*\).*/\1/")
            "$function" "$2" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            printf "%s\n" "${COMPREPLY[@]}"' bash "$DIST" "$2" "$3"
        ;;
    fish) HOME=$TMP fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$DIST/$2/dist/$2.fish" "$3" | cut -f1 ;;
    zsh) python3 "$HERE/packages/zsh-completions.py" "$DIST/$2/dist" "$3" ;;
    esac
}

# completes PROGRAM LINE WORD...: every shell offers these words.
completes() {
    local shell word program=$1 line=$2
    shift 2
    for shell in bash zsh fish; do
        completions $shell "$program" "$line" >completions.txt 2>&1 || fail "$shell: $(cat completions.txt)"
        for word in "$@"; do
            grep -qxF -e "$word" completions.txt || fail "$shell does not offer '$word' for '$line': $(cat completions.txt)"
        done
    done
}

completes httpd 'httpd --no-' --no-listing --no-sandbox
completes httpd 'httpd --symlinks ' inside any none
completes ping 'ping -' -c -W
completes smtp-send 'smtp-send --stop-after ' connect rcpt
completes smtp-send 'smtp-send sendmail -' -t --account

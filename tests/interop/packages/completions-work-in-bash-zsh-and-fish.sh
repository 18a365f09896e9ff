# proves: bash, zsh and fish complete options, their values and the options of sendmail mode from the files in dist
# needs: zsh fish
. "$HERE/lib.sh"
require zsh fish
DIST=$(cd "$HERE/../../crates" && pwd)

# offered SHELL PROGRAM LINE: what SHELL offers for the last word of LINE, one a line.
offered() {
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
    zsh) python3 "$HERE/packages/zsh-offers.py" "$DIST/$2/dist" "$3" ;;
    esac
}

# offers PROGRAM LINE WORD...: every shell offers these words.
offers() {
    local shell word program=$1 line=$2
    shift 2
    for shell in bash zsh fish; do
        offered $shell "$program" "$line" >offered 2>&1 || fail "$shell: $(cat offered)"
        for word in "$@"; do
            grep -qxF -e "$word" offered || fail "$shell does not offer '$word' for '$line': $(cat offered)"
        done
    done
}

offers httpd 'httpd --no-' --no-listing --no-sandbox
offers httpd 'httpd --symlinks ' inside any none
offers ping 'ping -' -c -W
offers smtp-send 'smtp-send --stop-after ' connect rcpt
offers smtp-send 'smtp-send sendmail -' -t --account

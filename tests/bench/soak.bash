# Functions of the soak tests: memory of a process and its growth. Sourced after lib.bash.
# shellcheck shell=bash

# watch PID FILE: appends a line every 5 s until the process exits: seconds, private KiB, resident KiB, descriptors, threads.
watch() {
    local start=$SECONDS private resident threads descriptors
    while private=$(awk '/^Private_(Clean|Dirty)/ {sum += $2} END {print sum}' "/proc/$1/smaps_rollup" 2>/dev/null) &&
        descriptors=$({ ls "/proc/$1/fd" 2>/dev/null || true; } | wc -l) && [[ -n $private ]]; do
        read -r resident threads <<<"$(awk '/^VmRSS/ {r = $2} /^Threads/ {t = $2} END {print r, t}' "/proc/$1/status" 2>/dev/null)"
        echo "$((SECONDS - start)) $private $resident $descriptors $threads" >>"$2"
        sleep 5
    done
}

# print_growth FILE MINUTES: prints a table of five parts of the time, with median and maximum. Fails if the maximum of the
# last part exceeds that of the second by more than 5 % and 256 KiB.
print_growth() {
    printf '| minutes | samples | private KiB: median, max | resident KiB: median, max | descriptors: median, max | threads: max |\n'
    printf '|---|---:|---|---|---|---:|\n'
    local part from to length=$(($2 * 12)) private resident descriptors threads second=0 last=0 count
    for part in 0 1 2 3 4; do
        from=$((part * length)) to=$(((part + 1) * length))
        awk -v from=$from -v to=$to '$1 >= from && $1 < to' "$1" >"$1.part"
        count=$(wc -l <"$1.part")
        [[ $count -gt 0 ]] || { echo "soak: no samples before minute $((to / 60)); the program exited early" >&2; return 1; }
        private=$(cut -d' ' -f2 "$1.part" | spread) resident=$(cut -d' ' -f3 "$1.part" | spread)
        descriptors=$(cut -d' ' -f4 "$1.part" | spread) threads=$(cut -d' ' -f5 "$1.part" | spread)
        awk -v p="$private" -v r="$resident" -v d="$descriptors" -v t="$threads" -v from=$from -v to=$to -v n="$count" 'BEGIN {
            split(p, a); split(r, b); split(d, c); split(t, e)
            printf "| %g-%g | %d | %d, %d | %d, %d | %d, %d | %d |\n", from / 60, to / 60, n, a[1], a[3], b[1], b[3], c[1], c[3], e[3]}'
        [[ $part -eq 1 ]] && read -r _ _ second <<<"$private"
        read -r _ _ last <<<"$private"
    done
    if ((last > second + second / 20 + 256)); then
        printf '\nMemory grows: at most %s KiB in the second part, %s KiB in the last.\n' "$second" "$last"
        return 1
    fi
    printf '\nMemory is flat: at most %s KiB in the second part, %s KiB in the last.\n' "$second" "$last"
}

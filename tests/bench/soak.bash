# What the soaks share: how much a process holds, and whether that grows. To be sourced behind lib.bash.
# shellcheck shell=bash

# watch PID FILE: until the process is gone, every 5 s a line: seconds, private KiB, resident KiB, descriptors, threads.
watch() {
    local start=$SECONDS private resident threads descriptors
    while private=$(awk '/^Private_(Clean|Dirty)/ {sum += $2} END {print sum}' "/proc/$1/smaps_rollup" 2>/dev/null) &&
        descriptors=$({ ls "/proc/$1/fd" 2>/dev/null || true; } | wc -l) && [[ -n $private ]]; do
        read -r resident threads <<<"$(awk '/^VmRSS/ {r = $2} /^Threads/ {t = $2} END {print r, t}' "/proc/$1/status" 2>/dev/null)"
        echo "$((SECONDS - start)) $private $resident $descriptors $threads" >>"$2"
        sleep 5
    done
}

# tell_growth FILE MINUTES: the table of five parts of the time, each with the median and the most, and the verdict: the
# last part holds no more than the second one, but for a twentieth and 256 KiB. Fails when it does.
tell_growth() {
    printf '| minutes | samples | private KiB: median, most | resident KiB: median, most | descriptors: median, most | threads, most |\n'
    printf '|---|---:|---|---|---|---:|\n'
    local part from to length=$(($2 * 12)) private resident descriptors threads second=0 last=0 count
    for part in 0 1 2 3 4; do
        from=$((part * length)) to=$(((part + 1) * length))
        awk -v from=$from -v to=$to '$1 >= from && $1 < to' "$1" >"$1.part"
        count=$(wc -l <"$1.part")
        [[ $count -gt 0 ]] || { echo "soak: it ended before minute $((to / 60))" >&2; return 1; }
        private=$(cut -d' ' -f2 "$1.part" | spread) resident=$(cut -d' ' -f3 "$1.part" | spread)
        descriptors=$(cut -d' ' -f4 "$1.part" | spread) threads=$(cut -d' ' -f5 "$1.part" | spread)
        awk -v p="$private" -v r="$resident" -v d="$descriptors" -v t="$threads" -v from=$from -v to=$to -v n="$count" 'BEGIN {
            split(p, a); split(r, b); split(d, c); split(t, e)
            printf "| %g-%g | %d | %d, %d | %d, %d | %d, %d | %d |\n", from / 60, to / 60, n, a[1], a[3], b[1], b[3], c[1], c[3], e[3]}'
        [[ $part -eq 1 ]] && read -r _ _ second <<<"$private"
        read -r _ _ last <<<"$private"
    done
    if ((last > second + second / 20 + 256)); then
        printf '\nIt grows: %s KiB at most in the second part, %s KiB in the last.\n' "$second" "$last"
        return 1
    fi
    printf '\nFlat: %s KiB at most in the second part, %s KiB in the last.\n' "$second" "$last"
}

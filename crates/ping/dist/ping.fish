complete -c ping -s c -l count -d 'Stop after COUNT probes (with -w: replies)' -r
complete -c ping -s e -d 'Identifier of the requests [default: random]' -r
complete -c ping -s F -d 'IPv6 flow label, hexadecimal; 0 for a random one' -r
complete -c ping -s i -d 'Seconds between two probes, 0 for as fast as replies come [default: 1]' -r
complete -c ping -s I -d 'Interface or source address; given twice: both' -r -f
complete -c ping -s l -d 'Send PRELOAD probes at once at the start; in a flood, keep as many in flight [default: 1, in a flood 16]' -r
complete -c ping -s m -d 'Mark of the packets, for routing and firewall' -r
complete -c ping -s M -d 'Path-MTU discovery: do, dont, want or probe' -r
complete -c ping -s p -d 'Fill the payload with these hexadecimal digits, up to 16 bytes' -r
complete -c ping -s Q -d 'Type of service or traffic class, decimal or 0x hexadecimal' -r
complete -c ping -s s -d 'Bytes of payload' -r
complete -c ping -s S -d 'Size of the send buffer' -r
complete -c ping -s t -d 'Time to live, or hop limit' -r
complete -c ping -s T -d 'Time stamps in the IPv4 header: tsonly or tsandaddr' -r
complete -c ping -s w -d 'Stop after DEADLINE seconds, 0 for never' -r
complete -c ping -s W -d 'Seconds to wait for each reply, 0 for no limit' -r
complete -c ping -l stats -d 'Percentiles, jitter, outages and all counters in the summary' -r -f -a "full\t''"
complete -c ping -l timestamp -d 'Time stamp of each line or record: as text, or in seconds since 1970' -r -f -a "iso\t''
unix\t''"
complete -c ping -l until-down -d 'Stop after N consecutive probes without a reply [default: 3]' -r
complete -c ping -l resolve-every -d 'Resolve the name again every SECONDS and follow its address' -r
complete -c ping -l color -d 'Colour of the output' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set and not empty or `TERM` is `dumb`'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c ping -l targets -d 'Read targets from FILE, - for standard input' -r -F
complete -c ping -l rate -d 'Probes per second over all targets, 0 for no limit [default: 10000]' -r
complete -c ping -l prometheus -d 'Write metrics to FILE for the textfile collector of Prometheus, after each round and at the end' -r -F
complete -c ping -s 4 -d 'Use IPv4'
complete -c ping -s 6 -d 'Use IPv6'
complete -c ping -s 3 -d 'Show times with microseconds always'
complete -c ping -s a -d 'Ring the bell at each reply'
complete -c ping -s A -d 'Send the next probe when the reply to the last is due'
complete -c ping -s b -d 'Allow a broadcast address'
complete -c ping -s B -d 'Keep the source address of the first probe'
complete -c ping -s C -d 'Connect the socket to the destination'
complete -c ping -s d -d 'Set the socket option `SO_DEBUG`'
complete -c ping -s D -d 'Print the time before each line'
complete -c ping -s f -d 'Flood: as fast as replies come, a dot for each missing one'
complete -c ping -s H -d 'Look up names even for a destination given as an address'
complete -c ping -s L -d 'Do not loop multicast packets back'
complete -c ping -s n -d 'Print addresses, never names'
complete -c ping -s O -d 'Report probes without a reply (always on); with -q too'
complete -c ping -s q -d 'Only the first line and the summary'
complete -c ping -s r -d 'Bypass routing: reach hosts on an attached network only'
complete -c ping -s R -d 'Record the route in the IPv4 header'
complete -c ping -s U -d 'Measure without the kernel\'s time stamps'
complete -c ping -s v -d 'More details; twice and more: a log on standard error'
complete -c ping -l json -d 'JSON: one object per line and event'
complete -c ping -l csv -d 'Comma-separated values, one line per event'
complete -c ping -l graph -d 'Live graph on a terminal'
complete -c ping -l until-up -d 'Stop at the first reply'
complete -c ping -l alive -d 'Print the targets that answer, one per line, as they answer'
complete -c ping -l unreachable -d 'Print the targets that do not answer, one per line, at the end'
complete -c ping -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ping -s V -l version -d 'Print version'

complete -c ping -s c -d 'Stop after COUNT probes (with -w: replies)' -r
complete -c ping -s e -d 'Identifier of the requests [default: random]' -r
complete -c ping -s i -d 'Seconds between two probes' -r
complete -c ping -s I -d 'Interface to send through, or source address' -r
complete -c ping -s l -d 'Send PRELOAD probes at once at the start' -r
complete -c ping -s m -d 'Mark of the packets, for routing and firewall' -r
complete -c ping -s p -d 'Fill the payload with these hexadecimal digits, up to 16 bytes' -r
complete -c ping -s Q -d 'Type of service or traffic class, decimal or 0x hexadecimal' -r
complete -c ping -s s -d 'Bytes of payload' -r
complete -c ping -s S -d 'Size of the send buffer' -r
complete -c ping -s t -d 'Time to live, or hop limit' -r
complete -c ping -s w -d 'Stop after DEADLINE seconds, whatever has come' -r
complete -c ping -s W -d 'Seconds to wait for each reply' -r
complete -c ping -s 4 -d 'Use IPv4'
complete -c ping -s 6 -d 'Use IPv6'
complete -c ping -s 3 -d 'Show times with microseconds always'
complete -c ping -s a -d 'Ring the bell at each reply'
complete -c ping -s b -d 'Allow a broadcast address'
complete -c ping -s B -d 'Keep the source address of the first probe'
complete -c ping -s C -d 'Connect the socket to the destination'
complete -c ping -s D -d 'Print the time before each line'
complete -c ping -s H -d 'Look names up even for a destination given as an address'
complete -c ping -s L -d 'Do not loop multicast packets back'
complete -c ping -s n -d 'Print addresses, never names'
complete -c ping -s O -d 'Report probes without an answer (they are reported anyway)'
complete -c ping -s q -d 'Only the first line and the summary'
complete -c ping -s U -d 'Measure from program to program, without the kernel\'s stamps'
complete -c ping -s v -d 'Say more; twice and more for a log on standard error'
complete -c ping -s h -l help -d 'Print help'
complete -c ping -s V -l version -d 'Print version'

# Verifies the DKIM signature of a message with Mail::DKIM: verify-dkim.pl MESSAGE NAME=RECORD
use strict;
use warnings;
use Mail::DKIM::Verifier;
use Mail::DKIM::PublicKey;

my ($file, $known) = @ARGV;
my ($name, $record) = split /=/, $known, 2;
{
    no warnings 'redefine';
    # The DNS record of the command line replaces the lookup.
    *Mail::DKIM::PublicKey::fetch_async = sub {
        my ($class, %query) = @_;
        my $queried = "$query{Selector}._domainkey.$query{Domain}";
        my $key = $queried eq $name ? $class->parse($record) : undef;
        $key->{$_} = $query{$_} for $key ? qw(Selector Domain) : ();
        my $callback = $query{Callbacks}{Success};
        my $result = $callback ? $callback->($key) : $key;
        return sub { $result };
    };
}
my $verifier = Mail::DKIM::Verifier->new;
open my $message, '<:raw', $file or die "$file: $!";
while (<$message>) { $verifier->PRINT($_) }
$verifier->CLOSE;
print $verifier->result_detail, "\n";
exit($verifier->result eq 'pass' ? 0 : 1);

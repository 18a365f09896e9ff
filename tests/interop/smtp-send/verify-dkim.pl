# Checks the DKIM signature of a message with Mail::DKIM: verify-dkim.pl MESSAGE NAME=RECORD
use strict;
use warnings;
use Mail::DKIM::Verifier;
use Mail::DKIM::PublicKey;

my ($file, $known) = @ARGV;
my ($name, $record) = split /=/, $known, 2;
{
    no warnings 'redefine';
    # The answer of DNS, from the command line.
    *Mail::DKIM::PublicKey::fetch_async = sub {
        my ($class, %asked) = @_;
        my $wanted = "$asked{Selector}._domainkey.$asked{Domain}";
        my $key = $wanted eq $name ? $class->parse($record) : undef;
        $key->{$_} = $asked{$_} for $key ? qw(Selector Domain) : ();
        my $back = $asked{Callbacks}{Success};
        my $result = $back ? $back->($key) : $key;
        return sub { $result };
    };
}
my $verifier = Mail::DKIM::Verifier->new;
open my $message, '<:raw', $file or die "$file: $!";
while (<$message>) { $verifier->PRINT($_) }
$verifier->CLOSE;
print $verifier->result_detail, "\n";
exit($verifier->result eq 'pass' ? 0 : 1);

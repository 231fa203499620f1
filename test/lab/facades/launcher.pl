#!/.lab/bin/perl
# Stands at the path of a macOS command that the machine's own process answers (mac/facade-server.ts): says who calls
# what, and prints what it is told. Perl is there within milliseconds, as macOS's commands are; node takes a hundred.
use strict;

my ($name) = $0 =~ m{([^/]+)$};
socket(my $machine, 1, 1, 0);
connect($machine, pack 'S a108', 1, '/.lab/run/facades.sock')
  or die "$name: the lab's machine does not answer: $!\n";
$| = 1;
syswrite $machine, pack 'N/a*', join "\0", $name, $>, $ENV{COLUMNS} // '', @ARGV;
while (read($machine, my $head, 5) == 5) {
  my ($what, $size) = unpack 'a N', $head;
  read $machine, my $text, $size;
  if ($what eq 'o') { print STDOUT $text }
  elsif ($what eq 'e') { print STDERR $text }
  elsif ($what eq 'i') { local $/; syswrite $machine, pack 'N/a*', <STDIN> // '' }
  else { exit $text }
}
die "$name: the lab's machine hung up\n";

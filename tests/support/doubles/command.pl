#!/usr/bin/perl
# A double of the command whose name it has: it sends its arguments to the test's process and does what that answers. Perl, because
# it starts in a few milliseconds.
use Socket;
my ($name) = $0 =~ m{([^/]+)$};
my $socket;
unless (socket($socket, AF_UNIX, SOCK_STREAM, 0) && connect($socket, sockaddr_un($ENV{DOUBLE_SOCKET} // "/run/systemd/private"))) {
  print STDERR "$name: nobody answers for this machine: $!\n";
  exit 255;
}
sub give {
  my $text = pack "N/a*", shift;
  while (length $text) { substr($text, 0, syswrite($socket, $text) // exit 255) = "" }
}
sub take {
  my ($length, $text) = (shift, "");
  while (length($text) < $length) { sysread($socket, $text, $length - length($text), length $text) or exit 255 }
  return $text;
}
$| = 1;
give(join "", map { pack "N/a*", $_ } $name, @ARGV);
while (1) {
  my ($kind, $length) = unpack "aN", take(5);
  my $text = take($length);
  if ($kind eq "O") { print STDOUT $text }
  elsif ($kind eq "E") { print STDERR $text }
  elsif ($kind eq "I") { local $/; my $input = <STDIN>; give($input // "") }
  elsif ($kind eq "X") { exit $text }
  else {    # R: the arguments from this number on are a command, to run in another root
    my ($first, $root) = split / /, $text, 2;
    close $socket;
    chroot $root and chdir "/" or exit 255;
    exec { $ARGV[$first] } @ARGV[$first .. $#ARGV];
    print STDERR "$ARGV[$first]: $!\n";
    exit 127;
  }
}

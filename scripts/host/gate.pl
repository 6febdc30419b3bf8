#!/usr/bin/perl -T
# proxmox-k3s-gate: forced command for the SSH key of proxmox-k3s on this Proxmox host. It runs only the scripts of one version
# of the program, which it knows by their SHA-256, each with its own arguments.
# `npx proxmox-k3s gate --install root@HOST` installs it. Run that again if the program changes its scripts.
#
# Its line in /root/.ssh/authorized_keys (remote/hostGate.ts) takes only 88 for success: a script has run and succeeded. A gate
# that is empty, incomplete or another program ends with another code, so a step that did not run never counts as done.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);

my $DONE = 88;
my $LARGEST = 1 << 20;

sub refuse {
    my ($cause, $next) = @_;
    my ($plain) = $cause =~ /\A([ -~]{0,300})/;
    my @logger = ('/usr/bin/logger', '-t', 'proxmox-k3s-gate', '--', "refused: $plain");
    system { $logger[0] } @logger if -x $logger[0];
    print STDERR "error: proxmox-k3s-gate: $cause\n", "next:  $next\n";
    exit 1;
}

%ENV = (
    PATH => '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL => 'C',
    COMMAND => $ENV{SSH_ORIGINAL_COMMAND} // '',
);
my $command = delete $ENV{COMMAND};
umask 077;

# The table: the shape of each argument, the sum of each script with its task and arguments.
my (%shape, %script);
while (my $line = <DATA>) {
    chomp $line;
    if ($line =~ /\A(shape) (\S+) (.*)\z/) { $shape{$2} = qr/\A(?:$3)\z/ }
    elsif ($line =~ /\A(script|former) ([0-9a-f]{64}) (\S+) (.*)\z/) {
        $script{$2} = { task => $3, args => { map { $_ => 1 } split / /, $4 } };
    }
}

# The command: comments, exports of quoted values, and the call. It is parsed, never evaluated.
my $QUOTED = qr/[^']*(?:'\\''[^']*)*/;
my $EXPORT = qr/export [A-Z][A-Z0-9_]*='$QUOTED'\n/;
$command =~ /\A(?:#[^\n]*\n)*((?:$EXPORT)+)exec sh -s\z/
    or refuse('this is not a command of proxmox-k3s', 'use this key only for proxmox-k3s');
my $exports = $1;

# Its stdin: more exports (values that the first preview cannot know), then a script.
binmode STDIN;
my $stdin = '';
while (length($stdin) <= $LARGEST) { last unless read STDIN, $stdin, 65536, length $stdin }
length($stdin) <= $LARGEST or refuse('the script is too large', 'use this key only for proxmox-k3s');
$stdin =~ s/\A((?:$EXPORT)*)//;
$exports .= $1;
my $sum = sha256_hex($stdin);
my $known = $script{$sum}
    or refuse("the gate does not know the script with the SHA-256 $sum",
        'npx proxmox-k3s gate --install root@HOST, from the version of the program that you use. If a deletion that an older'
      . ' version stored fails like this: remove nothing from the config, run pulumi up, then repeat your change');

# The arguments: exactly those of the task, each once and in its shape.
my %value;
while ($exports =~ /\Gexport ([A-Z][A-Z0-9_]*)='($QUOTED)'\n/gc) {
    my ($name, $quoted) = ($1, $2);
    $known->{args}{$name} or refuse("$known->{task} has no argument $name", 'use this key only for proxmox-k3s');
    exists $value{$name} and refuse("$known->{task} has the argument $name twice", 'use this key only for proxmox-k3s');
    $quoted =~ s/'\\''/'/g;
    my $shape = $shape{$name};
    $shape && $quoted =~ /($shape)/
        or refuse("the gate does not allow this $name for $known->{task}",
            'if it is a folder of artifacts or a public key that this gate does not know: npx proxmox-k3s gate --install root@HOST'
          . ' with --artifacts FOLDER, or with --node-key FILE');
    $value{$name} = $1;
}
for my $name (sort keys %{ $known->{args} }) {
    exists $value{$name} or refuse("$known->{task} needs the argument $name", 'use this key only for proxmox-k3s');
}

# The script gets these arguments and nothing else.
$stdin =~ /\A(.*)\z/s;
my $text = $1;
%ENV = (%ENV, %value);
$SIG{PIPE} = 'IGNORE';
open my $shell, '|-', '/bin/sh', '-s' or refuse("no shell: $!", 'check that /bin/sh exists on the Proxmox host');
print {$shell} $text;
close $shell;
exit $DONE if $? == 0;
my $status = $? >> 8;
exit($status == 0 || $status == $DONE ? 1 : $status);

__DATA__
@TABLE@

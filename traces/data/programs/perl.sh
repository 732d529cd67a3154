# A program in Perl turns a long manual from one markup into another.
PACKAGE=perl
cp /usr/share/perl/5.36/pod/perldiag.pod perldiag.pod
record perl /usr/bin/pod2man perldiag.pod perldiag.1
